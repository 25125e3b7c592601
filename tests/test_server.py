import json
import logging
from collections.abc import Collection, Generator, Mapping, Sequence
from copy import copy
from hashlib import sha256
from typing import Any
from unittest.mock import ANY

import pytest

from oauth_rs import (
    AllOf,
    AnyOf,
    Bearer,
    DirectURL,
    ExternalURL,
    FixedURL,
    FormField,
    ForwardedURL,
    Grant,
    Header,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    LegacyQuery,
    MissingCredentials,
    OAuthError,
    OnHost,
    RemoteKeys,
    RequestTooLarge,
    ResourceServer,
    Unavailable,
)
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.fields import FieldFilter
from oauth_rs.flow import Call, Fetch, Flow, ReadBody, Reply
from oauth_rs.headers import challenge
from oauth_rs.permission import authorize
from oauth_rs.policy import APIScopes, OperationScopes, PassThrough, Public
from oauth_rs.refusal import Refusal
from oauth_rs.replay import MemoryReplay
from oauth_rs.request import Request
from oauth_rs.requirements import Condition
from oauth_rs.schemes import Places, Site
from oauth_rs.schemes.bearer import AUTHORIZATION
from oauth_rs.scopes import Granted, lacking
from oauth_rs.server import checked_server
from tests.support.issuing import Issuer
from tests.support.playing import PlainRequest, play

FORM = ("Content-Type", "application/x-www-form-urlencoded")
READ = ReadBody(65_536)
JWKS_URL = "https://id.example.com/jwks"
FETCH = Fetch("GET", JWKS_URL, (("Accept", "application/jwk-set+json, application/json"),), shared=1.0)


class Ticket:
    """A second scheme: one ticket is good, all others are refused. `waits` for what it then finds in the body."""

    name = "Ticket"
    authorization_names: Collection[bytes] = frozenset({b"ticket"})
    places = Places(headers=frozenset({b"x-ticket"}))
    catalogue: ScopeCatalogue | None = None

    def __init__(self, *, binds: bool = False, waits: bool = False) -> None:
        self.binds_requests = self.needs_hosts = binds
        self.looks_elsewhere = waits
        self.warmed = False
        self.site: Site | None = None

    def elsewhere(self, _request: Request, /) -> Flow[Sequence[bytes]]:
        body = yield from ReadBody(7)
        return (body,) if body else ()

    def authenticate(self, _request: Request, credentials: bytes, site: Site, /) -> Flow[Grant]:
        yield from ()
        self.site = site
        if credentials != b"good":
            error = InvalidToken("bad_ticket", "The ticket is not good.")
            error.scheme = self.name
            raise error
        return Grant(
            scheme="Ticket",
            provider="t",
            issuer="t",
            subject="t",
            client_id="",
            scopes=self.catalogue.held(["admin"]) if self.catalogue else frozenset(),
            expires_at=0,
        )

    def challenge(self, *, scope: str = "", error: str = "", description: str = "", **_more: Any) -> str:
        return challenge("Ticket", (("scope", scope), ("error", error), ("error_description", description)))

    def private(self, _request: Request, /) -> bool:
        return False

    def warm(self) -> Flow[None]:
        yield from ()
        self.warmed = True

    def with_catalogue(self, catalogue: ScopeCatalogue, /) -> "Ticket":
        bound = copy(self)
        bound.catalogue = catalogue
        return bound


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return ResourceServer(Bearer(issuer.provider()))


@pytest.fixture
def everywhere(issuer: Issuer) -> ResourceServer:
    """Looks for tokens in every place that can be switched on."""
    places = (Header("Authorization", "Bearer"), Header("Access-Token"), FormField(), LegacyQuery())
    return ResourceServer(Bearer(issuer.provider(), presentation=places))


def bearing(token: str, scheme: str = "Bearer") -> PlainRequest:
    return PlainRequest(headers={"Authorization": f"{scheme} {token}"})


def refused(server: ResourceServer, request: Request, *script: tuple[Any, Any]) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        play(server.authenticate(request), *script)
    return caught.value


def challenges(refusal: Refusal) -> list[str]:
    return [value for name, value in refusal.headers if name == "WWW-Authenticate"]


# Whose credentials


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_a_scheme_is_recognised_in_any_case(server: ResourceServer, issuer: Issuer, scheme: str) -> None:
    grant = play(server.authenticate(bearing(issuer.token(), scheme)))
    assert grant is not None
    assert grant.subject == "ada"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("POST", "/photos", {"Cookie": "token=a"}),
        ("GET", "/", {"X-Authorization": "Bearer a", "Access-Token": "a"}),
    ],
    ids=str,
)
def test_without_credentials_no_code_is_named(
    server: ResourceServer, method: str, path: str, headers: Mapping[str, str]
) -> None:
    error = refused(server, PlainRequest(method, path, headers=headers))
    assert (type(error), error.reason, error.error) == (MissingCredentials, "no_credentials", "")


@pytest.mark.parametrize(
    "value",
    [
        "Basic YTpi",
        "Digest a",
        "Negotiate",
        "",
        " ",
        "Bearer:a",
        "Bearer\ta",
        "Bearer\xa0a",
        "bearer2 a",
        "DPoP a",
        "a",
    ],
)
def test_an_unsupported_scheme_is_refused_without_a_code(server: ResourceServer, value: str) -> None:
    error = refused(server, PlainRequest(headers={"Authorization": value}))
    assert (type(error), error.reason) == (MissingCredentials, "unsupported_scheme")


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer a b", "Bearer a,Bearer b", "Bearer \ta", "Bearer a\t"])
def test_a_malformed_bearer_is_a_bad_request(server: ResourceServer, value: str) -> None:
    assert refused(server, PlainRequest(headers={"Authorization": value})).reason == "malformed_credentials"


@pytest.mark.parametrize("place", ["header", "form", "query"])
def test_a_token_is_taken_from_each_place_that_is_on(everywhere: ResourceServer, issuer: Issuer, place: str) -> None:
    token = issuer.token()
    form = f"access_token={token}".encode()
    request, script = {
        "header": (PlainRequest(headers={"Access-Token": token}), []),
        "query": (PlainRequest(query=form), []),
        "form": (PlainRequest("POST", headers=[FORM]), [(READ, form)]),
    }[place]
    grant = play(everywhere.authenticate(request), *script)
    assert grant is not None
    assert grant.subject == "ada"


BOTH = [("Authorization", "Bearer a"), ("Access-Token", "a")]


@pytest.mark.parametrize(
    ("method", "headers", "query", "script"),
    [
        ("GET", BOTH, b"", []),
        ("GET", [BOTH[0], BOTH[0]], b"", []),
        ("GET", [BOTH[0], ("Authorization", "Basic YTpi")], b"", []),
        ("GET", [("Authorization", "Basic YTpi")], b"access_token=a", []),
        ("GET", [BOTH[1], BOTH[1]], b"", []),
        ("GET", [BOTH[0]], b"access_token=a", []),
        ("GET", [BOTH[0]], b"access_token", []),
        ("GET", [], b"access_token=a&access_token=a", []),
        ("POST", [FORM], b"access_token=a", [(READ, b"access_token=a")]),
        ("POST", [FORM, BOTH[0]], b"", [(READ, b"access_token=a")]),
        ("POST", [FORM], b"", [(READ, b"access_token=a&access%5ftoken=b")]),
    ],
    ids=str,
)
def test_more_than_one_set_of_credentials_is_a_bad_request(
    everywhere: ResourceServer,
    method: str,
    headers: Sequence[tuple[str, str]],
    query: bytes,
    script: list[tuple[Any, Any]],
) -> None:
    error = refused(everywhere, PlainRequest(method, headers=headers, query=query), *script)
    assert (type(error), error.reason, error.scheme) == (InvalidRequest, "several_credentials", "")


def test_good_credentials_do_not_make_up_for_a_second_set(everywhere: ResourceServer, issuer: Issuer) -> None:
    token = issuer.token()
    request = PlainRequest(headers={"Authorization": f"Bearer {token}", "Access-Token": token})
    assert refused(everywhere, request).reason == "several_credentials"


def test_places_that_are_off_are_invisible(server: ResourceServer, issuer: Issuer) -> None:
    request = PlainRequest(
        "POST", headers=[FORM, ("Access-Token", "a")], query=b"access_token=" + issuer.token().encode()
    )
    assert refused(server, request).reason == "no_credentials"
    assert not server.marks_private


def test_a_form_that_is_too_large_is_413(everywhere: ResourceServer) -> None:
    error = refused(everywhere, PlainRequest("POST", headers=[FORM]), (READ, None))
    assert (type(error), everywhere.refuse(error).status) == (RequestTooLarge, 413)


def test_the_error_names_the_scheme_whose_credentials_were_refused(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()), Ticket())
    assert refused(server, bearing("a")).scheme == "Bearer"
    assert refused(server, bearing("bad", "Ticket")).scheme == "Ticket"
    grant = play(server.authenticate(bearing("good", "Ticket")))
    assert grant is not None
    assert grant.scheme == "Ticket"


@pytest.mark.parametrize(
    ("query", "private"), [(b"access_token=a", True), (b"access%5ftoken", True), (b"", False), (b"x=1", False)]
)
def test_only_a_token_in_the_query_makes_the_answer_private(
    everywhere: ResourceServer, query: bytes, private: object
) -> None:
    assert everywhere.marks_private
    assert everywhere.private(PlainRequest(query=query)) is private


def test_one_scheme_that_finds_a_token_in_the_query_is_enough_for_privacy(issuer: Issuer) -> None:
    header = Bearer(issuer.provider(), presentation=[Header("Access-Token")])
    query = Bearer(issuer.provider(), presentation=[LegacyQuery()])
    assert ResourceServer(header, query).private(PlainRequest(query=b"access_token=a"))


# Waiting


@pytest.mark.parametrize(
    ("headers", "query"),
    [({"Access-Token": Issuer().token()}, b""), ({}, b"access_token=" + Issuer().token().encode())],
    ids=["header", "query"],
)
def test_what_is_found_without_waiting_is_answered_at_once(
    everywhere: ResourceServer, headers: dict[str, str], query: bytes
) -> None:
    assert isinstance(everywhere.authenticate(PlainRequest(headers=headers, query=query)), Grant)


def test_what_is_missing_or_too_much_is_refused_at_once(everywhere: ResourceServer) -> None:
    for request, reason in (
        (PlainRequest(), "no_credentials"),
        (PlainRequest(headers=BOTH), "several_credentials"),
        (PlainRequest(headers={"Authorization": "Basic YTpi"}), "unsupported_scheme"),
        (PlainRequest(headers={"Access-Token": "a b"}), "malformed_credentials"),
    ):
        with pytest.raises(OAuthError, match=reason):
            everywhere.authenticate(request)


@pytest.mark.parametrize(("body", "subject"), [(b"", "ada"), (None, "ada")])
def test_a_search_that_waits_does_not_lose_what_is_there_at_once(
    issuer: Issuer, body: bytes | None, subject: str
) -> None:
    ticket, bearer = Ticket(waits=True), Bearer(issuer.provider(), presentation=[LegacyQuery()])
    for schemes in ((ticket, bearer), (bearer, ticket)):
        request = PlainRequest(query=b"access_token=" + issuer.token().encode())
        verdict = ResourceServer(*schemes).authenticate(request)
        assert isinstance(verdict, Generator)
        grant = play(verdict, (ReadBody(7), body))
        assert grant is not None
        assert grant.subject == subject


def test_what_two_schemes_wait_for_is_two_sets_of_credentials(issuer: Issuer) -> None:
    bearer = Bearer(issuer.provider(), presentation=[FormField()])
    for schemes, script in (
        ((Ticket(waits=True), bearer), [(ReadBody(7), b"good"), (READ, b"access_token=a")]),
        ((bearer, Ticket(waits=True)), [(READ, b"access_token=a"), (ReadBody(7), b"good")]),
    ):
        error = refused(ResourceServer(*schemes), PlainRequest("POST", headers=[FORM]), *script)
        assert error.reason == "several_credentials"


@pytest.mark.parametrize(
    ("headers", "body", "subject"),
    [({}, b"good", "t"), ({"Authorization": "Ticket good"}, b"", "t"), ({}, b"", None)],
    ids=["body", "header", "nowhere"],
)
def test_what_was_waited_for_is_checked_like_the_rest(
    headers: dict[str, str], body: bytes, subject: str | None
) -> None:
    server = ResourceServer(Ticket(waits=True), credentials="optional")
    grant = play(server.authenticate(PlainRequest(headers=headers)), (ReadBody(7), body))
    assert (grant and grant.subject) == subject


@pytest.mark.parametrize("verdict", [None, False, 7, object(), ()], ids=repr)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["header", "elsewhere"])
def test_a_scheme_that_gives_no_grant_lets_nobody_in(verdict: Any, elsewhere: object) -> None:
    class Careless(Ticket):
        def elsewhere(self, _request: Request, /) -> Any:
            return (b"good",) if elsewhere else ()

        def authenticate(self, _request: Request, _credentials: bytes, _site: Site, /) -> Any:
            return verdict

    server = ResourceServer(Careless(waits=True), credentials="optional")
    headers = {} if elsewhere else {"Authorization": "Ticket good"}
    with pytest.raises(TypeError):
        play(server.authenticate(PlainRequest(headers=headers)))


# What a server shares with its schemes

NAMED = DirectURL(hosts=["api.example.com"])


class Remembers:
    """A store that is empty, and says so; `failure` is what warming it raises."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.warmed = False

    def __len__(self) -> int:
        return 0

    def first_use(self, _key: bytes, _signed_at: float, _until: float, _now: float, /) -> bool:
        raise NotImplementedError

    def warm(self) -> Flow[None]:
        yield from ()
        self.warmed = True
        if self.failure is not None:
            raise self.failure


@pytest.mark.parametrize(
    "url",
    [None, DirectURL(), DirectURL(hosts=[]), ForwardedURL(proxies=["10.0.0.0/8"])],
    ids=["none", "any", "no host", "any forwarded"],
)
def test_signed_requests_demand_a_url_that_names_its_hosts(issuer: Issuer, url: ExternalURL | None) -> None:
    with pytest.raises(ValueError, match=r"name yours, as url=DirectURL\(hosts="):
        ResourceServer(Bearer(issuer.provider()), Ticket(binds=True), url=url, replay=Remembers())


@pytest.mark.parametrize(
    "url",
    [NAMED, FixedURL("https://api.example.com"), ForwardedURL(proxies=["10.0.0.0/8"], hosts=["api.example.com"])],
)
def test_a_scheme_gets_the_url_and_the_store_of_its_server(url: ExternalURL) -> None:
    ticket, store = Ticket(binds=True), Remembers()
    server = ResourceServer(ticket, url=url, replay=store)
    play(server.authenticate(PlainRequest(headers={"Authorization": "Ticket good", "Host": "api.example.com"})))
    assert ticket.site is not None
    assert ticket.site.url is url
    assert ticket.site.replay is store


def test_a_store_that_was_not_given_is_one_in_memory_and_one_for_all() -> None:
    ticket = Ticket()
    server = ResourceServer(ticket)
    sites = []
    for _ in range(2):
        play(server.authenticate(bearing("good", "Ticket")))
        sites.append(ticket.site)
    assert sites[0] is not None
    assert isinstance(sites[0].replay, MemoryReplay)
    assert sites[0] is sites[1]


def test_nonces_in_memory_are_warned_of_where_requests_are_signed(caplog: pytest.LogCaptureFixture) -> None:
    ResourceServer(Ticket(binds=True), url=NAMED)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages == ["used nonces are kept in the memory of this process: give replay= where there are more"]


def test_nobody_is_warned_who_chose_or_who_needs_no_nonces(issuer: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    ResourceServer(Ticket(binds=True), url=NAMED, replay=MemoryReplay())
    ResourceServer(Ticket(binds=True), url=NAMED, replay=Remembers())
    ResourceServer(Bearer(issuer.provider()), Ticket())
    assert not caplog.records


# Requests that need no grant


@pytest.fixture
def optional(issuer: Issuer) -> ResourceServer:
    return ResourceServer(Bearer(issuer.provider()), credentials="optional")


def test_where_credentials_are_optional_a_request_without_any_is_anonymous(optional: ResourceServer) -> None:
    assert play(optional.authenticate(PlainRequest())) is None
    assert optional.credentials == "optional"


def test_where_credentials_are_optional_a_request_without_any_is_anonymous_wherever_they_may_be(issuer: Issuer) -> None:
    bearer = Bearer(issuer.provider(), presentation=[Header("Access-Token"), LegacyQuery()])
    assert play(ResourceServer(bearer, credentials="optional").authenticate(PlainRequest(query=b"a=b"))) is None


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer opaque", f"Bearer {Issuer().token(exp=1)}", "Basic YTpi", "Nonsense", "Bearer a b"],
    ids=lambda value: value[:20],
)
def test_where_credentials_are_optional_bad_ones_are_still_refused(optional: ResourceServer, value: str) -> None:
    refused(optional, PlainRequest(headers={"Authorization": value}))


def test_where_credentials_are_optional_an_unreachable_issuer_is_not_anonymous(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider(keys=RemoteKeys(JWKS_URL))), credentials="optional")
    down = Unavailable("fetch_failed", "A server did not answer.")
    assert refused(server, bearing(issuer.token()), (FETCH, down)) is down


@pytest.fixture
def public(issuer: Issuer) -> ResourceServer:
    return ResourceServer(Bearer(issuer.provider()), public=["/health", "/docs/*"])


@pytest.mark.parametrize("path", ["/health", "/docs/", "/docs/a", "/docs/a/b.html", "/docs/.hidden", "/docs/a b"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer bad"}, {"Authorization": "Basic x"}], ids=str)
def test_a_public_path_needs_no_grant_and_looks_at_none(
    public: ResourceServer, path: str, headers: dict[str, str]
) -> None:
    assert play(public.authenticate(PlainRequest(path=path, headers=headers))) is None


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "/health/", "//health", "/Health", "/health2", "/health;x", "/health%2f", "health", "/health\n"),
        *("/docs", "/docs2", "/Docs/", "//docs/", "/docs//", "/docs/../photos", "/docs/..", "/docs/./a", "/docs/."),
        *("/docs/a/../../photos", "/docs\\photos", "/docs/\\..\\photos", "/docs/..\\photos", "/docs/\x00", "/docs/\r"),
        *("/x/../health", "/photos/../docs/a", "/docs//../photos"),
    ],
)
def test_a_path_that_could_be_read_as_another_is_not_public(public: ResourceServer, path: str) -> None:
    assert refused(public, PlainRequest(path=path)).reason == "no_credentials"


def test_the_decoded_path_decides_not_the_raw_one(public: ResourceServer) -> None:
    request = PlainRequest(path="/docs/../photos", raw_path=b"/docs/..%2fphotos")
    assert refused(public, request).reason == "no_credentials"
    request = PlainRequest(path="/photos", raw_path=b"/health")
    assert refused(public, request).reason == "no_credentials"


PREFLIGHT = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}


def test_a_preflight_passes(server: ResourceServer) -> None:
    assert play(server.authenticate(PlainRequest("OPTIONS", headers=PREFLIGHT))) is None


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("OPTIONS", {}),
        ("OPTIONS", {"Origin": "https://app.example"}),
        ("OPTIONS", {"Access-Control-Request-Method": "GET"}),
        ("GET", PREFLIGHT),
        ("POST", PREFLIGHT),
        ("options", PREFLIGHT),
    ],
    ids=str,
)
def test_what_only_resembles_a_preflight_is_checked(
    server: ResourceServer, method: str, headers: dict[str, str]
) -> None:
    assert refused(server, PlainRequest(method, headers=headers)).reason == "no_credentials"


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("evil.example", "host_not_allowed"),
        ("api.example.com.evil.example", "host_not_allowed"),
        ("api.example.com:8443", "host_not_allowed"),
        ("api.example.com/photos", "bad_host"),
        ("api.example.com?", "bad_host"),
        ("", "bad_host"),
    ],
)
def test_a_host_that_is_not_served_is_a_bad_request(issuer: Issuer, host: str, reason: str) -> None:
    server = ResourceServer(Bearer(issuer.provider()), url=DirectURL(hosts=["api.example.com"]))
    headers = {"Authorization": f"Bearer {issuer.token()}", "Host": host}
    error = refused(server, PlainRequest(headers=headers))
    assert (type(error), error.reason) == (InvalidRequest, reason)


def test_a_host_that_is_served_passes(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()), url=DirectURL(hosts=["api.example.com"]))
    headers = {"Authorization": f"Bearer {issuer.token()}", "Host": "API.example.com:443"}
    assert play(server.authenticate(PlainRequest(headers=headers))) is not None


# Refusals


def test_a_refusal_carries_exactly_what_a_client_needs(server: ResourceServer) -> None:
    refusal = server.refuse(refused(server, bearing(Issuer().token(exp=1))))
    body = b'{"error": "invalid_token", "error_description": "The access token has expired."}'
    assert refusal == Refusal(
        401,
        (
            ("Content-Type", "application/json"),
            ("Cache-Control", "no-store"),
            (
                "WWW-Authenticate",
                'Bearer error="invalid_token", error_description="The access token has expired."',
            ),
            ("Content-Length", str(len(body))),
        ),
        body,
    )


def test_a_401_without_credentials_has_a_bare_challenge_and_no_error_member(server: ResourceServer) -> None:
    refusal = server.refuse(refused(server, PlainRequest()))
    assert refusal.status == 401
    assert challenges(refusal) == ["Bearer"]
    assert json.loads(refusal.body) == {"error_description": "This resource needs credentials."}


def test_every_scheme_challenges_where_none_was_used(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()), Ticket())
    error = MissingCredentials("no_credentials", "This resource needs an access token.", scope="a b")
    assert challenges(server.refuse(error)) == ['Bearer scope="a b"', 'Ticket scope="a b"']


def test_a_401_puts_the_error_on_the_scheme_that_was_used(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()), Ticket())
    refusal = server.refuse(refused(server, bearing("bad", "Ticket")))
    assert challenges(refusal) == [
        "Bearer",
        'Ticket error="invalid_token", error_description="The ticket is not good."',
    ]


def test_a_403_lists_all_scopes_and_offers_no_other_scheme(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()), Ticket())
    grant = play(server.authenticate(bearing(issuer.token(scope="a"))))
    with pytest.raises(InsufficientScope) as caught:
        authorize(grant, AllOf("a", AnyOf("b", "c"), "d"))
    refusal = server.refuse(caught.value)
    assert refusal.status == 403
    assert challenges(refusal) == [
        (
            'Bearer scope="a b c d", error="insufficient_scope", '
            'error_description="The grant does not cover this operation."'
        )
    ]


def test_a_400_with_several_credentials_is_put_on_every_scheme(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()), Ticket())
    headers = [("Authorization", "Bearer a"), ("Authorization", "Ticket a")]
    refusal = server.refuse(refused(server, PlainRequest(headers=headers)))
    assert refusal.status == 400
    assert [one.partition(",")[0] for one in challenges(refusal)] == [
        'Bearer error="invalid_request"',
        'Ticket error="invalid_request"',
    ]


@pytest.mark.parametrize(("seconds", "header"), [(0, "1"), (0.1, "1"), (1, "1"), (12.1, "13"), (30, "30")])
def test_a_503_says_when_to_try_again_and_challenges_nobody(
    server: ResourceServer, seconds: float, header: str
) -> None:
    refusal = server.refuse(Unavailable("keys_unavailable", "The issuer could not be reached.", retry_after=seconds))
    assert refusal.status == 503
    assert dict(refusal.headers)["Retry-After"] == header
    assert dict(refusal.headers)["Cache-Control"] == "no-store"
    assert challenges(refusal) == []
    assert json.loads(refusal.body)["error"] == "temporarily_unavailable"


HOSTILE = ['opaque"><script>', 'a", error="x', "a\r\nX-Evil: 1", "\xff\xfe", "a" * 20_000, "\x00"]


@pytest.mark.parametrize("token", HOSTILE, ids=lambda token: repr(token[:12]))
def test_nothing_of_a_request_is_echoed(server: ResourceServer, token: str) -> None:
    refusal = server.refuse(refused(server, bearing(token)))
    text = f"{refusal.headers} {refusal.body.decode()}"
    assert token not in text
    assert repr(token)[1:-1] not in text


# The log


def test_the_log_has_the_reason_and_a_short_hash(server: ResourceServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oauth_rs")
    token = Issuer().token(sub="secret-subject", exp=1)
    server.refuse(refused(server, bearing(token)))
    (record,) = caplog.records
    assert record.getMessage() == "refused: expired"
    assert (record.__dict__["oauth_reason"], record.__dict__["oauth_status"]) == ("expired", 401)
    assert record.__dict__["oauth_credential"] == sha256(token.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    "token",
    [Issuer().token(sub="secret-subject", exp=1), Issuer(kid="k9").token(sub="secret-subject"), "secret-opaque"],
    ids=["expired", "unknown key", "opaque"],
)
def test_the_log_has_no_token_and_no_claim(
    server: ResourceServer, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server.refuse(refused(server, bearing(token)))
    logged = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert logged
    assert token not in logged
    assert token.rsplit(".", maxsplit=1)[-1] not in logged
    assert "secret-subject" not in logged


def test_a_request_without_credentials_has_no_hash(server: ResourceServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oauth_rs")
    server.refuse(refused(server, PlainRequest()))
    assert caplog.records[0].__dict__["oauth_credential"] == ""


# What an operation asks of a grant


def test_a_grant_that_covers_the_operation_is_returned(server: ResourceServer, issuer: Issuer) -> None:
    grant = play(server.authenticate(bearing(issuer.token(scope="a b"))))
    assert authorize(grant, AllOf("a", "b")) is grant
    assert authorize(grant, AllOf()) is grant


def test_no_grant_covers_nothing_and_the_challenge_names_the_scopes(server: ResourceServer) -> None:
    with pytest.raises(MissingCredentials) as caught:
        authorize(None, AllOf("a", "b"))
    assert challenges(server.refuse(caught.value)) == ['Bearer scope="a b"']
    with pytest.raises(MissingCredentials):
        authorize(None, AllOf())


# Warming and configuration


def test_warming_warms_every_scheme(issuer: Issuer) -> None:
    ticket = Ticket()
    server = ResourceServer(Bearer(issuer.provider(keys=RemoteKeys(JWKS_URL))), ticket)
    play(server.warm(), (FETCH, Reply(200, json.dumps(issuer.jwks).encode())))
    assert ticket.warmed
    assert play(server.authenticate(bearing(issuer.token()))) is not None


def test_warming_warms_the_store_too() -> None:
    store = Remembers()
    play(ResourceServer(Ticket(), replay=store).warm())
    assert store.warmed


def test_warming_goes_on_where_the_store_cannot_be_reached(caplog: pytest.LogCaptureFixture) -> None:
    ticket, down = Ticket(), Unavailable("replay_unavailable", "Used nonces cannot be looked up now.")
    play(ResourceServer(ticket, replay=Remembers(down)).warm())
    assert ticket.warmed
    expected = "the replay store could not be reached ahead of the first request: replay_unavailable"
    assert caplog.messages == [expected]


def test_a_store_that_is_set_up_wrongly_is_heard_of_when_warming() -> None:
    with pytest.raises(ValueError, match="evicts"):
        play(ResourceServer(Ticket(), replay=Remembers(ValueError("the store evicts keys"))).warm())


def test_a_wider_audience_does_not_come_from_the_request(server: ResourceServer, issuer: Issuer) -> None:
    request = PlainRequest(
        headers={"Authorization": f"Bearer {issuer.token(aud='https://b.example')}", "Host": "b.example"}
    )
    assert refused(server, request).reason == "wrong_audience"


# Policies


class Owner:
    """A requirement that is met by the one whose name the path has, after it has waited."""

    scopes = ("own",)

    def met_by(self, _held: Collection[str], /) -> bool:
        return False

    def shortfall(self, _grant: Granted, request: Request | None, /) -> Flow[OAuthError | None]:
        body = yield from ReadBody(1)
        return None if request and request.parameters["name"].encode() == body else lacking(self)


@pytest.fixture
def mapped(issuer: Issuer) -> ResourceServer:
    policy = OperationScopes(
        {
            "GET /photos": "photos",
            "GET /any": AllOf(),
            "GET /open": Public(),
            "GET /legacy/<path:rest>": PassThrough(),
            "GET /users/<name>": Owner(),
            "POST /forms": "photos",
        }
    )
    return ResourceServer(Bearer(issuer.provider(), presentation=[AUTHORIZATION, FormField()]), policy=policy)


def at(path: str, token: str = "", method: str = "GET") -> PlainRequest:
    return PlainRequest(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})


@pytest.mark.parametrize(("path", "scope"), [("/photos", "photos"), ("/photos/", "photos"), ("/any", "other")])
def test_a_grant_that_meets_the_rule_of_the_operation_passes(
    mapped: ResourceServer, issuer: Issuer, path: str, scope: str
) -> None:
    grant = play(mapped.authenticate(at(path, issuer.token(scope=scope))))
    assert isinstance(grant, Grant)


def test_a_grant_that_does_not_is_refused_with_the_scopes_of_the_operation(
    mapped: ResourceServer, issuer: Issuer
) -> None:
    error = refused(mapped, at("/photos", issuer.token(scope="photo photos.read PHOTOS")))
    assert (error.status, error.reason) == (403, "insufficient_scope")
    assert 'scope="photos"' in challenges(mapped.refuse(error))[0]


@pytest.mark.parametrize(
    "operation", ["GET /unknown", "POST /photos", "GET /users", "DELETE /open", "OPTIONS /any"], ids=str
)
def test_an_operation_that_is_not_mapped_is_refused(mapped: ResourceServer, issuer: Issuer, operation: str) -> None:
    method, path = operation.split()
    assert refused(mapped, at(path, method=method)).reason == "no_credentials"
    error = refused(mapped, at(path, issuer.token(), method))
    assert (error.status, error.reason) == (403, "operation_not_mapped")
    assert challenges(mapped.refuse(error)) == [
        'Bearer error="insufficient_scope", error_description="Nobody is granted this operation."'
    ]


@pytest.mark.parametrize("path", ["/open", "/legacy/a/b"])
@pytest.mark.parametrize("token", ["", "rubbish"])
def test_public_and_passed_through_operations_look_at_no_credentials(
    mapped: ResourceServer, path: str, token: str
) -> None:
    assert play(mapped.authenticate(at(path, token))) is None


@pytest.mark.parametrize(
    "path", ["/legacy/../photos", "/legacy//a", "/photos//", "//photos", "/open/.", "/photos;x", "/photos\\"]
)
def test_a_path_that_can_be_read_in_two_ways_is_a_bad_request(mapped: ResourceServer, path: str) -> None:
    assert refused(mapped, at(path)).reason == "ambiguous_path"


@pytest.mark.parametrize(("path", "scope"), [("/photos", "photos"), ("/users/ada", "own"), ("/any", ""), ("/no", "")])
def test_without_credentials_the_challenge_names_the_scopes_of_the_operation(
    mapped: ResourceServer, path: str, scope: str
) -> None:
    told = challenges(mapped.refuse(refused(mapped, at(path))))
    assert told == [f'Bearer scope="{scope}"' if scope else "Bearer"]


def test_a_form_that_is_read_first_is_followed_by_the_policy(mapped: ResourceServer, issuer: Issuer) -> None:
    request = PlainRequest("POST", "/forms", headers=[FORM])
    body = f"access_token={issuer.token(scope='photos')}".encode()
    assert isinstance(play(mapped.authenticate(request), (READ, body)), Grant)
    other = f"access_token={issuer.token(scope='other')}".encode()
    assert refused(mapped, request, (READ, other)).reason == "insufficient_scope"
    told = challenges(mapped.refuse(refused(mapped, request, (READ, b"a=b"))))
    assert told == ['Bearer scope="photos"']


@pytest.mark.parametrize(("name", "passes"), [("a", True), ("b", False)])
def test_a_rule_that_waits_sees_the_parameters_of_the_path(
    mapped: ResourceServer,
    issuer: Issuer,
    name: str,
    passes: bool,  # noqa: FBT001
) -> None:
    request = at(f"/users/{name}", issuer.token(scope="own"))
    if passes:
        assert isinstance(play(mapped.authenticate(request), (ReadBody(1), b"a")), Grant)
    else:
        error = refused(mapped, request, (ReadBody(1), b"a"))
        assert (error.reason, error.scheme) == ("insufficient_scope", "Bearer")


def test_a_form_and_a_rule_may_both_be_waited_for(issuer: Issuer) -> None:
    policy = OperationScopes({"POST /users/<name>": Owner()})
    server = ResourceServer(Bearer(issuer.provider(), presentation=[FormField()]), policy=policy)
    request = PlainRequest("POST", "/users/a", headers=[FORM])
    body = f"access_token={issuer.token(scope='own')}".encode()
    assert isinstance(play(server.authenticate(request), (READ, body), (ReadBody(1), b"a")), Grant)


def test_preflights_and_public_paths_come_before_the_policy(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()), policy=APIScopes("photos"), public=["/health"])
    assert play(server.authenticate(at("/health"))) is None
    cors = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}
    assert play(server.authenticate(PlainRequest("OPTIONS", "/photos", headers=cors))) is None


@pytest.mark.parametrize(("host", "passes"), [("sandbox.example.com", True), ("api.example.com", False)])
def test_a_path_may_be_public_at_one_host_alone(issuer: Issuer, host: str, passes: bool) -> None:  # noqa: FBT001
    url = DirectURL(hosts=["api.example.com", "sandbox.example.com"])
    server = ResourceServer(Bearer(issuer.provider()), public=["//sandbox.example.com/*"], url=url)
    request = PlainRequest(path="/photos", headers={"Host": host})
    if passes:
        assert play(server.authenticate(request)) is None
    else:
        assert refused(server, request).reason == "no_credentials"
    assert refused(server, PlainRequest(path="/photos", headers={"Host": "evil.example"})).reason == "host_not_allowed"


@pytest.mark.parametrize("url", [None, DirectURL()])
def test_a_path_that_is_public_at_one_host_needs_a_list_of_hosts(issuer: Issuer, url: ExternalURL | None) -> None:
    with pytest.raises(ValueError, match="name yours"):
        ResourceServer(Bearer(issuer.provider()), public=["//sandbox.example.com/*"], url=url)
    with pytest.raises(ValueError, match="name yours"):
        ResourceServer(Bearer(issuer.provider(accepts=OnHost("sandbox.example.com"))), url=url)


@pytest.mark.parametrize("url", [DirectURL(hosts=["api.example.com"]), FixedURL("https://api.example.com")], ids=repr)
def test_a_host_that_is_not_served_is_a_mistake(issuer: Issuer, url: ExternalURL) -> None:
    by_host = Bearer(issuer.provider(accepts=OnHost("sandbox.example.com")))
    with pytest.raises(ValueError, match=r"no request to 'sandbox\.example\.com' comes through"):
        ResourceServer(Bearer(issuer.provider()), public=["//sandbox.example.com/*"], url=url)
    with pytest.raises(ValueError, match=r"no request to 'sandbox\.example\.com' comes through"):
        ResourceServer(by_host, url=url)
    ResourceServer(by_host, url=DirectURL(hosts=["sandbox.example.com:443"]))


def test_a_policy_for_urls_that_does_not_tell_its_hosts_is_believed(issuer: Issuer) -> None:
    class Own:
        names_hosts = True

        def of(self, _request: Any, /) -> str:
            return "https://sandbox.example.com/"

    ResourceServer(Bearer(issuer.provider()), public=["//sandbox.example.com/*"], url=Own())


def test_a_catalogue_is_given_to_every_scheme() -> None:
    catalogue = ScopeCatalogue({"admin": {"photos": {}}})
    server = ResourceServer(Ticket(), scopes=catalogue, policy=APIScopes("photos"))
    grant = play(server.authenticate(PlainRequest(headers={"Authorization": "Ticket good"})))
    assert grant is not None
    assert grant.scopes == {"admin", "photos"}


def test_the_scopes_to_publish_are_those_of_the_catalogue_else_of_the_policy() -> None:
    policy = OperationScopes({"GET /b": AnyOf("b", "a"), "GET /a": "a", "GET /open": Public()})
    catalogue = ScopeCatalogue({"c": {}, "b": {"a": {}}})
    assert ResourceServer(Ticket(), policy=policy).scopes_supported == ["b", "a"]
    assert set(ResourceServer(Ticket(), policy=policy, scopes=catalogue).scopes_supported) == {"a", "b", "c"}
    assert ResourceServer(Ticket()).scopes_supported == []


def test_credentials_are_hidden_where_schemes_say_they_stand() -> None:
    assert ResourceServer(Ticket(), hide_credentials=True).hidden == (Places(headers=frozenset({b"x-ticket"})),)
    assert ResourceServer(Ticket()).hidden == ()


def test_filters_are_found_by_operation() -> None:
    fields = FieldFilter({"profile": ["name"]})
    filters = ResourceServer(Ticket(), filters={"GET /customers/<id>": fields}).filters
    assert filters is not None
    assert filters.match("GET", "/customers/7") == (fields, {"id": "7"})


@pytest.mark.parametrize(
    "request_",
    [
        PlainRequest(path="/health", headers={"Host": "evil.example"}),
        PlainRequest(path="/open", headers={"Host": "evil.example"}),
        PlainRequest(path="/legacy/a", headers={"Host": "evil.example"}),
        PlainRequest(
            "OPTIONS", headers={"Host": "evil.example", "Origin": "x", "Access-Control-Request-Method": "GET"}
        ),
        PlainRequest(path="/photos", headers={"Host": "evil.example"}),
        PlainRequest(
            path="/photos", headers=[("Host", "evil.example"), ("Authorization", "a"), ("Authorization", "b")]
        ),
        PlainRequest(path="/photos", headers={"Host": "evil.example", "Authorization": "Basic x"}),
        PlainRequest(path="/photos", headers={"Host": "evil.example", "Authorization": "Bearer x"}),
    ],
    ids=["public", "public operation", "pass-through", "preflight", "nothing", "two", "unknown scheme", "token"],
)
def test_another_host_is_refused_whatever_else_the_request_is(issuer: Issuer, request_: PlainRequest) -> None:
    policy = OperationScopes({"GET /open": Public(), "GET /legacy/<path:rest>": PassThrough(), "GET /photos": "photos"})
    server = ResourceServer(Bearer(issuer.provider()), policy=policy, public=["/health"], url=NAMED)
    assert refused(server, request_).reason == "host_not_allowed"


# Denied tokens, and users


class Denies:
    """A deny list that is asked in time, or waits; it warms as told."""

    def __init__(self, *, denied: bool = False, waits: bool = False, failure: Unavailable | None = None) -> None:
        self._denied, self._waits, self._failure = denied, waits, failure
        self.warmed = False

    def denied(self, _grant: Grant, /) -> bool | Flow[bool]:
        return self._wait() if self._waits else self._denied

    def _wait(self) -> Flow[bool]:
        yield from ReadBody(1)
        return self._denied

    def warm(self) -> Flow[None]:
        yield from ()
        self.warmed = True
        if self._failure is not None:
            raise self._failure


TICKET = PlainRequest(headers={"Authorization": "Ticket good"})


def load(grant: Grant) -> str:
    return f"user {grant.subject}"


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("user", [None, load])
@pytest.mark.parametrize("scheme", ["at once", "waiting"])
def test_a_grant_that_is_denied_is_refused(issuer: Issuer, waits: bool, user: Any, scheme: str) -> None:  # noqa: FBT001
    schemes = Bearer(issuer.provider()), Ticket()
    asked = bearing(issuer.token()) if scheme == "at once" else TICKET
    script = [(ReadBody(1), b"")] if waits else []
    server = ResourceServer(*schemes, deny=Denies(denied=True, waits=waits), user=user)
    error = refused(server, asked, *script)
    assert (error.status, error.reason, bool(error.credential)) == (401, "token_denied", True)
    found = [(Call(load, None, (ANY,)), "ada's")] if user else []
    good = ResourceServer(*schemes, deny=Denies(waits=waits), user=user)
    grant = play(good.authenticate(asked), *script, *found)
    assert grant is not None
    assert grant.user == ("ada's" if user else None)


def test_a_user_is_found_for_every_grant_and_for_no_other_request(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()), user=load, public=["/health"])
    assert play(server.authenticate(PlainRequest(path="/health"))) is None
    for _ in range(2):  # the grant is remembered, the user is not
        grant = play(server.authenticate(bearing(issuer.token())), (Call(load, None, (ANY,)), "ada's"))
        assert grant is not None
        assert grant.user == "ada's"
    assert refused(server, PlainRequest()).reason == "no_credentials"


def test_a_policy_sees_the_user(issuer: Issuer) -> None:
    def is_ada(grant: Grant, _request: Request) -> bool:
        return bool(grant.user == "ada")

    server = ResourceServer(Bearer(issuer.provider()), user=load, policy=APIScopes(Condition(is_ada)))
    script = (Call(load, None, (ANY,)), "ada"), (Call(is_ada, None, (ANY, ANY)), True)
    assert play(server.authenticate(bearing(issuer.token())), *script) is not None


def test_the_deny_list_is_warmed_and_may_be_out_of_reach(caplog: pytest.LogCaptureFixture) -> None:
    deny = Denies(failure=Unavailable("deny_list_unavailable", "It cannot be known."))
    play(ResourceServer(Ticket(), deny=deny).warm())
    assert deny.warmed
    assert caplog.messages == ["the deny list could not be reached ahead of the first request: deny_list_unavailable"]


def test_a_server_is_told_from_what_is_none(issuer: Issuer) -> None:
    server = ResourceServer(Bearer(issuer.provider()))
    assert checked_server(server) is server
    with pytest.raises(TypeError, match="server is a ResourceServer"):
        checked_server(Bearer(issuer.provider()))
