import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oauth_rs import Bearer, Grant, IssuerMetadata, JWTProvider, RemoteKeys, ResourceServer, StatusLists, Unavailable
from oauth_rs.asgi import OAuthMiddleware as ASGIMiddleware
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.flow import Aside, Fetch, Flow, Reply, Run
from oauth_rs.providers.choosing import Choice
from oauth_rs.providers.request_selection import OnHost
from oauth_rs.providers.selection import TokenPrefix
from oauth_rs.providers.tenants import MAX_AGE, UNKNOWN_SECONDS, UNKNOWN_SIZE, TenantProviders
from oauth_rs.roles import RoleMap
from oauth_rs.wsgi import OAuthMiddleware as WSGIMiddleware
from tests.providers.asking import said, undecided
from tests.providers.presenting import Minted, digest, presented, refused
from tests.support.calling import bearer, call_asgi, call_wsgi
from tests.support.issuing import API, Issuer, encode
from tests.support.playing import FakeClock, called, play

ALLOW = ["https://login.example.com/*", "https://*.id.example"]
BASE = "https://login.example.com"
DOWN = Unavailable("directory_down", "The tenants cannot be looked up.")


def issuer_of(tenant: str) -> Issuer:
    return Issuer(issuer=f"{BASE}/{tenant}")


def token_of(tenant: str, **claims: Any) -> str:
    return issuer_of(tenant).token(**claims)


class Directory:
    """Knows some tenants; `asked` are all issuers that it was asked about."""

    def __init__(self, *tenants: str, **options: Any) -> None:
        self.asked: list[str] = []
        self.tenants = {f"{BASE}/{tenant}": issuer_of(tenant).provider(**options) for tenant in tenants}

    def __call__(self, issuer: str) -> JWTProvider | None:
        self.asked.append(issuer)
        return self.tenants.get(issuer)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def directory() -> Directory:
    return Directory("a", "b", "c")


def tenants_of(directory: Callable[[str], Any], **options: Any) -> TenantProviders:
    return TenantProviders(directory, **{"allow": ALLOW, **options})


def verify(tenants: TenantProviders, token: str) -> Grant:
    """The grant of `token`; the directory is asked whenever it must be."""
    verdict = tenants.recall(digest(token)) or tenants.verify(presented(token))
    return verdict if isinstance(verdict, Grant) else answered(verdict)


def answered(flow: Flow[Grant]) -> Grant:
    run = Run(flow)
    while run.effect is not None:
        effect: Any = run.effect
        run.send(effect.blocking(*effect.arguments))
    return run.result


def reason(tenants: TenantProviders, token: str) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - what it was is looked at next
        verify(tenants, token)
    return str(getattr(caught.value, "reason", caught.value))


# Tenants that are met


def test_a_tenant_is_looked_up_when_its_first_token_comes(directory: Directory) -> None:
    tenants = tenants_of(directory)
    for number, tenant in enumerate("aabab"):
        assert verify(tenants, token_of(tenant, jti=str(number))).issuer == f"{BASE}/{tenant}"
    assert directory.asked == [f"{BASE}/a", f"{BASE}/b"]


def test_the_function_is_asked_by_the_shell(directory: Directory) -> None:
    flow = tenants_of(directory).verify(presented(token_of("a")))
    found = directory.tenants[f"{BASE}/a"]
    assert not isinstance(flow, Grant)
    assert play(flow, (called(directory, f"{BASE}/a"), found)).provider == f"{BASE}/a"


def test_a_coroutine_function_is_awaited() -> None:
    async def find(issuer: str) -> JWTProvider | None:
        await asyncio.sleep(0)
        return Issuer(issuer=issuer).provider()

    flow = tenants_of(find).verify(presented(token_of("a")))
    assert play(flow, (called(find, f"{BASE}/a"), issuer_of("a").provider())).subject == "ada"


def test_tokens_are_recalled_by_the_tenant_that_verified_them(directory: Directory) -> None:
    tenants = tenants_of(directory)
    grant = verify(tenants, token_of("a"))
    token = token_of("a", jti="2")
    assert tenants.recall(digest(token)) is None
    grant = verify(tenants, token)
    assert tenants.recall(digest(token)) is grant
    assert directory.tenants[f"{BASE}/a"].recall(digest(token)) is grant
    assert directory.tenants[f"{BASE}/b"].recall(digest(token)) is None


def test_a_token_of_one_tenant_is_not_good_for_another(directory: Directory) -> None:
    tenants = tenants_of(directory)
    forged = issuer_of("b")
    forged.private_key = Issuer(kid="mallory").private_key
    assert reason(tenants, forged.token()) == "bad_signature"
    verify(tenants, token_of("b"))
    assert reason(tenants, forged.token(jti="2")) == "bad_signature"


def test_what_a_tenant_refuses_is_refused(directory: Directory) -> None:
    tenants = tenants_of(directory)
    for _ in range(2):
        assert reason(tenants, token_of("a", exp=1)) == "expired"
        assert reason(tenants, token_of("a", aud="https://other.example")) == "wrong_audience"


def test_keys_that_must_be_fetched_first_are_waited_for(directory: Directory) -> None:
    keys = RemoteKeys(f"{BASE}/a/jwks")
    directory.tenants[f"{BASE}/a"] = issuer_of("a").provider(keys=keys)
    tenants = tenants_of(directory)
    for _ in range(2):
        run = Run(started(tenants.verify(presented(token_of("a")))))
        while run.effect is not None and run.effect == called(directory, f"{BASE}/a"):
            run.send(directory(f"{BASE}/a"))
        assert getattr(run.effect, "url", "") == f"{BASE}/a/jwks"
        with pytest.raises(Unavailable):
            run.throw(DOWN)
        keys._attempt = None
    assert directory.asked == [f"{BASE}/a"]


def started(verdict: Grant | Flow[Grant]) -> Flow[Grant]:
    assert not isinstance(verdict, Grant)
    return verdict


def test_a_token_whose_keys_were_waited_for_is_recalled(directory: Directory) -> None:
    waiting = issuer_of("a").provider(keys=SlowKeys(issuer_of("a")))
    directory.tenants[f"{BASE}/a"] = waiting
    tenants = tenants_of(directory)
    verify(tenants, token_of("a"))
    token = token_of("a", jti="2")
    grant = verify(tenants, token)
    assert tenants.recall(digest(token)) is grant


class SlowKeys:
    """Keys that are never at hand."""

    max_age = 600.0

    def __init__(self, issuer: Issuer) -> None:
        self._keys = issuer.keys()
        self.basis: object = self._keys

    def peek(self, _algorithm: str, _kid: str | None, /) -> None:
        return None

    def find(self, algorithm: str, kid: str | None, /) -> Iterator[Any]:
        return self._keys.find(algorithm, kid)

    def outlast(self, _until: float, /) -> bool:
        return True

    def warm(self) -> Flow[None]:
        yield from ()


def test_nothing_is_fetched_ahead(directory: Directory) -> None:
    play(tenants_of(directory).warm())
    assert directory.asked == []


# Issuers that nobody may ask about


@pytest.mark.parametrize(
    "iss",
    [
        "https://evil.example/a",
        "https://login.example.com.evil.example/a",
        "https://login.example.com@evil.example/a",
        "https://login.example.com\\@evil.example/a",
        "https://LOGIN.example.com/a",
        "https://login.example.com./a",
        "https://login\u3002example.com/a",
        "https://login.example.com//a",
        "https://login.example.com/%2e%2e/a",
        "https://login.example.com/a%2fb",
        "https://login.example.com:8443/a",
        "http://login.example.com/a",
        "https://169.254.169.254/latest",
        "https://a.b.id.example",
        "file:///etc/passwd",
        "",
        None,
        7,
        [f"{BASE}/a"],
        {f"{BASE}/a": 1},
    ],
    ids=ascii,
)
def test_no_token_makes_anybody_ask_about_what_is_not_allowed(directory: Directory, iss: Any) -> None:
    tenants = tenants_of(directory)
    assert reason(tenants, Issuer().token(iss=iss)) == "unknown_issuer"
    assert directory.asked == []


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("opaque", "malformed_token"),
        ("a.b.c.d.e", "encrypted_token"),
        (issuer_of("a").token(header={"alg": "none"}), "algorithm_not_allowed"),
        (issuer_of("a").token(header={"crit": ["x"]}), "crit_not_supported"),
        (Issuer().sign({"alg": "ES256"}, encode(b"[]")), "malformed_claims"),
        (issuer_of("a").token(drop=["iss"]), "unknown_issuer"),
    ],
    ids=["opaque", "jwe", "none", "crit", "no object", "no issuer"],
)
def test_what_is_no_token_makes_nobody_ask(directory: Directory, token: str, expected: str) -> None:
    assert reason(tenants_of(directory), token) == expected
    assert directory.asked == []


METADATA = Fetch("GET", f"{BASE}/.well-known/oauth-authorization-server/a", (("Accept", "application/json"),), shared=1)


def fetched_after_metadata(tenants: TenantProviders, jwks_uri: str) -> Run[Grant]:
    """A run that has been told where the keys are."""
    run = Run(started(tenants.verify(presented(token_of("a")))))
    run.send(JWTProvider(f"{BASE}/a", audience=API))
    assert run.effect == METADATA
    run.send(said(issuer=f"{BASE}/a", jwks_uri=jwks_uri))
    return run


@pytest.mark.parametrize(
    "jwks_uri", ["https://169.254.169.254/latest", "https://login.example.com:8443/", "https://keys.example.net/"]
)
def test_metadata_cannot_make_anybody_fetch_what_is_not_allowed(
    jwks_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    with undecided("fetch_not_allowed"):
        fetched_after_metadata(tenants_of(Directory()), jwks_uri)
    assert f"configuration: the metadata of {BASE}/a " in caplog.text


@pytest.mark.parametrize("jwks_uri", [f"{BASE}/keys", "https://b.id.example/keys", "https://keys.example.net/a"])
def test_keys_are_fetched_from_origins_that_were_named(jwks_uri: str) -> None:
    run = fetched_after_metadata(tenants_of(Directory(), fetch_from=["https://keys.example.net"]), jwks_uri)
    assert getattr(run.effect, "url", "") == jwks_uri
    run.send(Reply(200, json.dumps(issuer_of("a").jwks).encode()))
    assert run.result.subject == "ada"


STATED = [
    *(
        "https://keys.example.net/a",
        "http://[::1]:8080/jwks",
        "https://auth_server:8443/jwks",
        "https://keys.internal./?a",
    ),
    *("http://localhost:5000", IssuerMetadata("https://keys.example.net")),
]


@pytest.mark.parametrize("location", STATED, ids=str)
def test_keys_are_fetched_from_where_the_function_has_said(location: Any) -> None:
    run = Run(started(tenants_of(Directory()).verify(presented(token_of("a")))))
    run.send(issuer_of("a").provider(keys=RemoteKeys(location)))
    assert getattr(run.effect, "url", "").startswith(str(location))


def test_status_lists_are_fetched_from_where_the_function_has_said() -> None:
    keys = RemoteKeys("https://keys.example.net/lists")
    provider = JWTProvider(
        f"{BASE}/a", audience=API, status=StatusLists(under=["https://lists.example.net"], keys=keys)
    )
    assert provider.stated_urls == ("https://keys.example.net/lists", "https://lists.example.net")


def test_a_tenant_that_was_met_is_held_as_well(directory: Directory) -> None:
    tenants = tenants_of(directory)
    verify(tenants, token_of("a"))
    keys = RemoteKeys("https://keys.example.net/a")
    tenants._tenants[f"{BASE}/a"].provider = issuer_of("a").provider(keys=keys)  # as if it had just been found there
    with undecided("fetch_not_allowed"):
        Run(started(tenants.verify(presented(token_of("a", jti="2")))))


def test_a_refresh_ahead_is_held_as_well(directory: Directory, clock: FakeClock) -> None:
    keys = RemoteKeys(f"{BASE}/a/jwks", monotonic=clock)
    directory.tenants[f"{BASE}/a"] = issuer_of("a").provider(keys=keys)
    tenants = tenants_of(directory, max_age=10_000, monotonic=clock)
    run = Run(started(tenants.verify(presented(token_of("a")))))
    run.send(directory(f"{BASE}/a"))
    run.send(Reply(200, json.dumps(issuer_of("a").jwks).encode()))
    clock.pass_seconds(0.9 * keys.max_age)
    keys._url = "https://evil.example/jwks"
    run = Run(started(tenants.verify(presented(token_of("a", jti="2")))))
    assert isinstance(run.effect, Aside)
    play(run.effect.start())  # asks for nothing: the last good keys stay
    run.send(None)
    assert run.result.subject == "ada"


# Tenants that nobody has


def test_an_unknown_tenant_is_asked_about_once_in_thirty_seconds(directory: Directory, clock: FakeClock) -> None:
    tenants = tenants_of(directory, monotonic=clock)
    for seconds in (0, 1, 28.9):
        clock.pass_seconds(seconds)
        assert reason(tenants, token_of("nobody", jti=str(seconds))) == "unknown_issuer"
    assert directory.asked == [f"{BASE}/nobody"]
    clock.pass_seconds(0.1)
    assert clock.now == 1_000_000 + UNKNOWN_SECONDS
    assert reason(tenants, token_of("nobody")) == "unknown_issuer"
    assert len(directory.asked) == 2


def test_a_tenant_that_was_added_is_known_half_a_minute_later(directory: Directory, clock: FakeClock) -> None:
    tenants = tenants_of(directory, monotonic=clock)
    assert reason(tenants, token_of("new")) == "unknown_issuer"
    directory.tenants[f"{BASE}/new"] = issuer_of("new").provider()
    clock.pass_seconds(UNKNOWN_SECONDS)
    assert verify(tenants, token_of("new")).issuer == f"{BASE}/new"


def test_ten_thousand_unknown_tenants_take_bounded_memory_and_disturb_nobody(directory: Directory) -> None:
    tenants = tenants_of(directory, size=2)
    known = token_of("a")
    verify(tenants, known)
    for number in range(10_000):
        with refused("unknown_issuer"):
            answered(started(tenants.verify(presented(forged(f"{BASE}/{number}")))))
    assert len(tenants._unknown) <= UNKNOWN_SIZE
    assert len(tenants._tenants) == 1
    assert len(directory.asked) == 10_001
    assert verify(tenants, known).subject == "ada"
    assert len(directory.asked) == 10_001


def forged(issuer: str) -> str:
    return b".".join([encode({"alg": "ES256"}), encode({"iss": issuer}), encode(bytes(64))]).decode()


# Tenants that leave


def test_who_was_not_used_for_longest_leaves_first(directory: Directory, clock: FakeClock) -> None:
    tenants = tenants_of(directory, size=2, monotonic=clock)
    for tenant in ("a", "b", "a", "c", "a", "b"):
        clock.pass_seconds(1)
        verify(tenants, token_of(tenant))
        assert len(tenants._tenants) <= 2
    assert [issuer[-1] for issuer in directory.asked] == ["a", "b", "c", "b"]


def test_recalling_counts_as_use(directory: Directory, clock: FakeClock) -> None:
    tenants = tenants_of(directory, size=2, monotonic=clock)
    token = token_of("a")
    for one in (token, token_of("b")):
        clock.pass_seconds(1)
        verify(tenants, one)
        verify(tenants, one)
    clock.pass_seconds(1)
    assert tenants.recall(digest(token)) is not None
    clock.pass_seconds(1)
    verify(tenants, token_of("c"))
    assert {issuer[-1] for issuer in tenants._tenants} == {"a", "c"}


def test_nothing_is_recalled_of_a_tenant_that_left(directory: Directory) -> None:
    tenants = tenants_of(directory, size=1)
    token = token_of("a")
    for one in (token, token):
        verify(tenants, one)
    assert tenants.recall(digest(token)) is not None
    verify(tenants, token_of("b"))
    assert tenants.recall(digest(token)) is None


def test_a_tenant_that_was_removed_is_refused_after_its_age(directory: Directory, clock: FakeClock) -> None:
    tenants = tenants_of(directory, monotonic=clock)
    token = token_of("a", exp=4_000_000_000)
    verify(tenants, token)
    del directory.tenants[f"{BASE}/a"]
    clock.pass_seconds(MAX_AGE - 1)
    assert verify(tenants, token).subject == "ada"
    clock.pass_seconds(1)
    assert tenants.recall(digest(token)) is None
    assert reason(tenants, token) == "unknown_issuer"
    assert tenants._tenants == {}


@pytest.mark.parametrize("is_same", [True, False], ids=["the same", "another"])
def test_a_tenant_that_is_found_again_goes_on_with_its_verdicts(
    directory: Directory, clock: FakeClock, *, is_same: bool
) -> None:
    catalogue = ScopeCatalogue({"photos": {}})
    tenants = tenants_of(directory, max_age=10, monotonic=clock).with_catalogue(catalogue)
    token = token_of("a")
    grant = verify(tenants, token)
    grant = verify(tenants, token)
    clock.pass_seconds(10)
    if not is_same:
        directory.tenants[f"{BASE}/a"] = issuer_of("a").provider()
    again = verify(tenants, token)
    assert (again is grant) is is_same
    assert len(directory.asked) == 2


def test_a_directory_that_cannot_tell_is_no_verdict(directory: Directory) -> None:
    run = Run(started(tenants_of(directory).verify(presented(token_of("a")))))
    with pytest.raises(Unavailable) as caught:
        run.throw(DOWN)
    assert caught.value is DOWN


# What the directory may answer


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (issuer_of("b").provider(), RuntimeError, "of another issuer"),
        (Issuer(issuer=f"{BASE}/a/").provider(), RuntimeError, "of another issuer"),
        (issuer_of("a").provider(accepts=TokenPrefix("pt_")), RuntimeError, "accepts= to TenantProviders"),
        (Minted(), TypeError, "not Minted"),
        (JWTProvider, TypeError, "not type"),
        (f"{BASE}/a", TypeError, "not str"),
        (True, TypeError, "not bool"),
        (False, TypeError, "not bool"),
        ((), TypeError, "not tuple"),
    ],
    ids=str,
)
def test_an_answer_that_is_no_provider_of_that_issuer_lets_nobody_in(
    answer: Any, error: type[Exception], message: str
) -> None:
    tenants = tenants_of(lambda _issuer: answer)
    for _ in range(2):
        with pytest.raises(error, match=message):
            verify(tenants, token_of("a"))
    assert tenants._tenants == {}


# Threads


def test_threads_do_not_corrupt_the_registry() -> None:
    names = [str(number) for number in range(8)]
    directory = Directory(*names)
    tenants = tenants_of(directory, size=3)
    tokens = {name: [token_of(name, jti=str(number)) for number in range(4)] for name in names}
    odd: list[str] = []

    def work(seed: int) -> None:
        odd.append("unfinished")
        for step in range(300):
            name = names[(seed * 7 + step * 3) % len(names)]
            grant = verify(tenants, tokens[name][step % 4])
            if grant.issuer != f"{BASE}/{name}" or len(tenants._tenants) > 3:
                odd.append(name)
        odd.remove("unfinished")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert odd == []


# Scopes


def test_every_tenant_is_bound_to_the_catalogue() -> None:
    directory = Directory("a", roles=RoleMap("roles", {"boss": ["withdraw"]}))
    bound = tenants_of(directory).with_catalogue(ScopeCatalogue({"withdraw": {"deposit": {}}}))
    assert verify(bound, token_of("a", scope="", roles=["boss"])).scopes == {"withdraw", "deposit"}


def test_tenants_that_were_met_before_are_not_bound(directory: Directory) -> None:
    tenants = tenants_of(directory)
    token = token_of("a", scope="withdraw")
    assert verify(tenants, token).scopes == {"withdraw"}
    assert verify(tenants.with_catalogue(ScopeCatalogue({"withdraw": ["b"], "b": {}})), token).scopes == {
        "withdraw",
        "b",
    }
    assert verify(tenants, token).scopes == {"withdraw"}


def test_a_scope_that_the_catalogue_does_not_have_lets_nobody_in() -> None:
    bound = tenants_of(Directory("a", scopes=["witdraw"])).with_catalogue(ScopeCatalogue({"withdraw": {}}))
    with pytest.raises(ValueError, match="witdraw"):
        verify(bound, token_of("a"))


# Beside other providers


def test_tenants_stand_beside_a_provider_that_the_list_does_not_take_in(directory: Directory) -> None:
    tenants = tenants_of(directory)
    ours = Issuer().provider()
    choice = Choice([ours, tenants])
    assert play(choice.grant(presented(Issuer().token()))).provider == ours.name
    assert answered(started(choice.grant(presented(token_of("a"))))).issuer == f"{BASE}/a"
    with refused("unknown_issuer"):
        choice.grant(presented(Issuer(issuer="https://evil.example").token()))


@pytest.mark.parametrize("issuer", [f"{BASE}/a", "https://x.id.example"])
def test_an_issuer_that_the_list_takes_in_has_no_other_provider(directory: Directory, issuer: str) -> None:
    with pytest.raises(ValueError, match="'tenants'"):
        Choice([tenants_of(directory), Issuer(issuer=issuer).provider()])
    with pytest.raises(ValueError, match="'other'"):
        Choice([tenants_of(directory), tenants_of(directory, name="other")])


def test_selectors_hold_for_all_tenants(directory: Directory) -> None:
    tenants = tenants_of(directory, accepts=OnHost("sandbox.api.example.com"), name="sandbox")
    choice = Choice([tenants])
    with refused("unknown_issuer"):
        choice.grant(presented(token_of("a")))
    here = presented(token_of("a"), headers={"Host": "sandbox.api.example.com"})
    for _ in range(2):
        verdict = choice.grant(here)
        assert (verdict if isinstance(verdict, Grant) else answered(verdict)).issuer == f"{BASE}/a"
        with refused("unknown_issuer"):
            choice.grant(presented(token_of("a")))


def test_one_alone_looks_at_every_token_itself(directory: Directory) -> None:
    tenants = tenants_of(directory)
    assert Choice([tenants]).grant == tenants.verify


# Configuration


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"resolve": None}, TypeError, "resolve is a function"),
        ({"resolve": lambda: None}, TypeError, "resolve is a function"),
        ({"allow": []}, ValueError, "at least one"),
        ({"allow": "https://login.example.com/*"}, TypeError, "is a list"),
        ({"allow": ["https://*.com"]}, ValueError, "everybody's hosts"),
        ({"fetch_from": "https://keys.example.net"}, TypeError, "fetch_from is a list"),
        ({"fetch_from": ["https://keys.example.net/"]}, ValueError, "no origin to fetch from"),
        ({"size": 0}, ValueError, "above 0"),
        ({"max_age": 0}, ValueError, "above 0|one of seconds"),
        ({"max_age": float("nan")}, ValueError, "one of seconds"),
        ({"name": ""}, ValueError, "name is not empty"),
        ({"accepts": "pt_"}, TypeError, "accepts"),
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_meant_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        TenantProviders(**{"resolve": Directory(), "allow": ALLOW, **options})


# Through both shells


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["oauth_rs.grant"].owner_domain.encode()]


async def asgi(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["oauth_rs.grant"].owner_domain.encode()})


async def find_later(issuer: str) -> JWTProvider | None:
    await asyncio.sleep(0)
    return found_at_once(issuer)


def found_at_once(issuer: str) -> JWTProvider | None:
    if issuer.endswith("/down"):
        raise Unavailable("directory_down", "The tenants cannot be looked up.")
    if issuer.endswith("/broken"):
        return Issuer().provider()
    return Issuer(issuer=issuer).provider(domain="a.example") if issuer.endswith("/a") else None


@pytest.mark.parametrize("find", [found_at_once, find_later])
def test_tenants_through_both_shells(find: Any) -> None:
    server = ResourceServer(Bearer(tenants_of(find)))
    apps: list[Any] = [
        lambda token: call_wsgi(WSGIMiddleware(wsgi, server), headers=bearer(token)),
        lambda token: call_asgi(ASGIMiddleware(asgi, server), headers=bearer(token)),
    ]
    for app in apps:
        assert [(answer.status, answer.body) for answer in (app(token_of("a")), app(token_of("a")))] == [
            (200, b"a.example")
        ] * 2
        assert [app(token_of(tenant)).status for tenant in ("nobody", "down", "a/b")] == [401, 503, 401]
        with pytest.raises(RuntimeError, match="of another issuer"):
            app(token_of("broken"))
