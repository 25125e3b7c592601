import gc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from oauth_rs import (
    Bearer,
    DirectURL,
    Grant,
    Header,
    InvalidRequest,
    InvalidToken,
    JWTProvider,
    LegacyQuery,
    RemoteKeys,
    ResourceServer,
    Unavailable,
)
from oauth_rs.asgi import OAuthMiddleware as ASGIMiddleware
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.clients import FunctionClients, RegisteredClient
from oauth_rs.providers import Provider
from oauth_rs.providers.choosing import Choice
from oauth_rs.providers.issuers import AllowedIssuers, IssuedBy
from oauth_rs.providers.presented import Presented
from oauth_rs.providers.request_selection import InHeader, OnHost, UnderPath, WithHeader, WithoutHeader
from oauth_rs.providers.selection import CarriesScope, JWTShape, Opaque, Reads, Selector, TokenPrefix
from oauth_rs.roles import RoleMap
from oauth_rs.schemes.bearer import AUTHORIZATION
from oauth_rs.scope_declarations import Scope
from oauth_rs.wsgi import OAuthMiddleware as WSGIMiddleware
from tests.providers.presenting import Minted, digest, presented, refused
from tests.support.calling import bearer, call_asgi, call_wsgi
from tests.support.issuing import ISSUER, Issuer, encode
from tests.support.playing import play

OTHER = "https://other.example"
JWT = Issuer().token()
LIVE, SANDBOX = "api.example.com", "sandbox.api.example.com"


def jwt(name: str = "ours", *, issuer: str = ISSUER, accepts: Any = (), **options: Any) -> JWTProvider:
    return Issuer(issuer=issuer).provider(name=name, accepts=accepts, **options)


def chosen(providers: Sequence[Provider], token: Presented) -> str:
    """The name of the provider whose grant it is."""
    choice = Choice(providers, headers=(b"authorization", b"x-partner-token"))
    return (choice.recall(token.digest) or play(choice.grant(token))).provider


def mint(*tokens: str, name: str = "minted", accepts: Any = ()) -> Minted:
    return Minted(*tokens, name=name, accepts=accepts)


# One of several


PARTNERS = TokenPrefix("pt_")


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("pt_1", "partner"),
        (JWT, "ours"),
        (Issuer(issuer=OTHER).token(), "other"),
        (f"jx_{JWT}", "prefixed"),
    ],
    ids=["opaque", "jwt", "another jwt", "behind a prefix"],
)
def test_a_token_goes_to_the_provider_whose_selectors_hold(token: str, name: str) -> None:
    assert chosen(four(), presented(token)) == name


def four() -> list[Provider]:
    partner, prefixed = mint("pt_1", name="partner", accepts=PARTNERS), jwt("prefixed", accepts=TokenPrefix("jx_"))
    return [partner, jwt("ours"), jwt("other", issuer=OTHER), prefixed]


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (f"jx_{Issuer(issuer=OTHER).token()}", "unknown_issuer"),
        (f"jx_jx_{JWT}", "malformed_token"),
        (f"JX_{JWT}", "malformed_token"),
        ("jx_a.b.c", "malformed_token"),
        ("jx_1", "unknown_issuer"),
        ("1", "unknown_issuer"),
        (f"pt_{JWT}", "unknown_token"),
    ],
)
def test_a_token_of_none_of_them_says_why(token: str, reason: str) -> None:
    with refused(reason):
        chosen(four(), presented(token))


@pytest.mark.parametrize("token", ["1", "pt_1", "PT_1", "1.2", "a.b.c.d.e", "pt_1.2"])
def test_an_opaque_token_is_shown_to_the_one_that_takes_it(token: str) -> None:
    partner, rest = mint(token, name="partner", accepts=[PARTNERS]), mint(token, name="rest", accepts=TokenPrefix("1"))
    name = "partner" if token.startswith("pt_") else "rest" if token.startswith("1") else ""
    if name:
        assert chosen([partner, jwt(), rest], presented(token)) == name
    else:
        with refused("unknown_issuer"):
            chosen([partner, jwt(), rest], presented(token))
    assert partner.shown == [token] * (name == "partner")
    assert rest.shown == [token] * (name == "rest")


def test_a_jwt_of_nobody_is_shown_to_nobody() -> None:
    opaque = mint(accepts=Opaque())
    with refused("unknown_issuer"):
        chosen([opaque, jwt()], presented(Issuer(issuer=OTHER).token()))
    assert opaque.shown == []


def test_a_token_that_its_provider_refuses_is_not_shown_to_another() -> None:
    first, second = mint(name="first", accepts=TokenPrefix("a")), mint("a1", name="second", accepts=TokenPrefix("b"))
    with refused("unknown_token"):
        chosen([first, second], presented("a1"))
    assert second.shown == []


def test_a_jwt_that_its_provider_refuses_is_not_shown_to_another() -> None:
    strict = jwt("strict", audience="https://a.example", accepts=CarriesScope("photos"))
    with refused("wrong_audience"):
        chosen([strict, jwt("lax", accepts=CarriesScope("films"))], presented(JWT))


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("opaque", "malformed_token"),
        ("a.b.c", "malformed_token"),
        ("a.b.c.d.e", "encrypted_token"),
        ("a" * 20_000, "token_too_long"),
        (Issuer().token(header={"crit": ["x"]}), "crit_not_supported"),
        (Issuer().token(header={"alg": "none"}), "algorithm_not_allowed"),
        (Issuer().sign({"alg": "ES256"}, encode(b"[]")), "malformed_claims"),
        (Issuer(issuer="https://third.example").token(), "unknown_issuer"),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)
def test_where_all_tokens_are_jwts_the_reason_is_that_of_the_jwt(token: str, reason: str) -> None:
    for selectors in ([()], [CarriesScope("photos"), CarriesScope("films")]):
        providers = [
            jwt(f"{issuer} {one}", issuer=issuer, accepts=one) for issuer in (ISSUER, OTHER) for one in selectors
        ]
        with refused(reason):
            chosen(providers, presented(token))


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("opaque", "unknown_issuer"),
        ("a.b.c.d.e", "unknown_issuer"),
        ("a" * 20_000, "unknown_issuer"),
        ("a.b.c", "malformed_token"),
        (Issuer().token(header={"alg": "none"}), "algorithm_not_allowed"),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)
def test_where_others_are_opaque_it_is_so_for_what_looks_like_one(token: str, reason: str) -> None:
    with refused(reason):
        chosen([jwt(), mint(accepts=PARTNERS)], presented(token))


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("pt_", "unknown_token"),
        ("pt_" + "a" * 16_381, "unknown_token"),
        ("pt_" + "a" * 16_382, "token_too_long"),
        ("pt_ 1", "malformed_token"),
        ("pt_1,pt_2", "malformed_token"),
        ("pt_1\t", "malformed_token"),
        ("pt_1\0", "malformed_token"),
        ("pt_1\r\nX: y", "malformed_token"),
        ("pt_\x7f", "malformed_token"),
        ("pt_\u00e9", "malformed_token"),
    ],
    ids=lambda value: ascii(value) if len(value) < 30 else "",
)
def test_what_cannot_be_one_token_is_shown_to_nobody(token: str, reason: str) -> None:
    opaque = mint("pt_ 1", accepts=PARTNERS)
    with refused(reason):
        chosen([opaque], presented(token, headers={"Authorization": ""}))
    assert opaque.shown == [token] * (reason == "unknown_token")


class CountingToken(Presented):
    """Counts how often it is taken apart."""

    __slots__ = ("parsed",)
    parsed: int

    @property
    def jws(self) -> Any:
        self.parsed += 1
        return super().jws


def test_junk_is_taken_apart_once_however_many_might_have_minted_it() -> None:
    plain = presented("opaque")
    token = CountingToken(plain.text, plain.digest, plain.request, plain.url)
    token.parsed = 0
    with refused("malformed_token"):
        chosen([jwt(str(number), accepts=CarriesScope(f"s{number}")) for number in range(5)], token)
    assert token.parsed == 1


def test_of_many_issuers_one_is_found_at_once() -> None:
    providers = [jwt(str(number), issuer=f"https://id{number}.example") for number in range(50)]
    assert chosen(providers, presented(Issuer(issuer="https://id49.example").token())) == "49"
    for iss in (["https://id1.example"], {"https://id1.example": 1}, None, 7, "", "https://id1.example/"):
        with refused("unknown_issuer"):
            chosen(providers, presented(Issuer().token(iss=iss)))


def test_a_refusal_leaves_no_circle_behind() -> None:
    choice = Choice([jwt("a", accepts=CarriesScope("a")), jwt("b", accepts=CarriesScope("b"))])
    gc.collect()
    gc.disable()
    try:
        gone = []
        for text in ("opaque", Issuer(issuer="https://third.example").token()):
            token = CountingToken(text.encode(), b"", presented(text).request, DirectURL())
            token.parsed = 0
            gone.append(weakref.ref(token.request))
            with pytest.raises(InvalidToken):
                choice.grant(token)
            del token
        assert [one() for one in gone] == [None, None]
    finally:
        gc.enable()


# One alone


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (Issuer(issuer=OTHER).token(), "wrong_issuer"),
        (Issuer().token(drop=["iss"]), "wrong_issuer"),
        ("opaque", "malformed_token"),
    ],
)
def test_one_provider_of_jwts_looks_at_all_of_them_itself(token: str, reason: str) -> None:
    with refused(reason):
        chosen([jwt()], presented(token))


def test_one_provider_of_another_kind_is_not_shown_the_jwts_of_other_issuers() -> None:
    partner = mint(JWT, accepts=IssuedBy(ISSUER))
    with refused("unknown_issuer"):
        chosen([partner], presented(Issuer(issuer=OTHER).token()))
    assert partner.shown == []
    assert chosen([partner], presented(JWT)) == "minted"


@pytest.mark.parametrize(
    ("provider", "good", "bad"),
    [
        (mint("1", "pt_1"), "1", ""),
        (mint("pt_1", accepts=PARTNERS), "pt_1", "1"),
        (mint("a.b.c", accepts=JWTShape()), "a.b.c", "a.b"),
        (jwt(accepts=CarriesScope("photos")), JWT, Issuer().token(scope="films")),
        (jwt(accepts=PARTNERS), f"pt_{JWT}", JWT),
        (jwt(accepts=OnHost(LIVE)), JWT, Issuer(issuer=OTHER).token()),
    ],
    ids=["all", "prefix", "shape", "scope", "jwt behind a prefix", "host"],
)
def test_one_provider_is_shown_what_it_accepts_alone(provider: Any, good: str, bad: str) -> None:
    assert chosen([provider], presented(good)) == provider.name
    if bad:
        with pytest.raises(InvalidToken):
            chosen([provider], presented(bad))
    assert bad not in getattr(provider, "shown", [])


def test_a_token_of_nobody_causes_no_effect() -> None:
    cold = jwt(keys=RemoteKeys(f"{ISSUER}/jwks"), accepts=OnHost(LIVE))
    with refused("unknown_issuer"):
        chosen([cold], presented(Issuer().token(), headers={"Host": SANDBOX}))


# More than one


BY_SCOPE = (CarriesScope("partner.*"), CarriesScope("internal.*"))


def test_a_token_that_is_for_two_is_for_none() -> None:
    providers = [jwt("partner", accepts=BY_SCOPE[0]), jwt("internal", accepts=BY_SCOPE[1])]
    token = Issuer().token(scope="partner.read internal.read")
    for _ in range(2):
        with refused("ambiguous_provider"):
            chosen(providers, presented(token))
    assert chosen(providers, presented(Issuer().token(scope="partner.read"))) == "partner"


class WithLetter:
    """A selector of somebody's own, who says that it excludes all others."""

    def __init__(self, letter: str) -> None:
        self._letter = letter.encode()

    reads = Reads.TEXT

    def matches(self, token: Presented, /) -> bool:
        return self._letter in token.text

    def excludes(self, _other: Selector, /) -> bool:
        return True


def test_selectors_that_lie_about_each_other_let_nobody_in() -> None:
    one, other = mint("ab", name="one", accepts=[WithLetter("a")]), mint("ab", name="other", accepts=[WithLetter("b")])
    with refused("ambiguous_provider"):
        chosen([one, other], presented("ab"))
    assert one.shown == other.shown == []


APART: list[tuple[Any, Any]] = [
    (jwt("a"), jwt("b", issuer=OTHER)),
    (jwt("a"), mint(accepts=Opaque())),
    (jwt("a"), mint(accepts=PARTNERS)),
    (jwt("a"), mint(accepts=IssuedBy(OTHER))),
    (jwt("a"), jwt("b", accepts=PARTNERS)),
    (jwt("a", accepts=TokenPrefix("jx_")), mint(accepts=TokenPrefix("jx_pt_"))),
    (jwt("a", accepts=InHeader("Authorization")), jwt("b", accepts=InHeader("X-Partner-Token"))),
    (jwt("a", accepts=WithoutHeader("X-Env")), jwt("b", accepts=WithHeader("X-Env", "sandbox"))),
    (jwt("a", accepts=WithHeader("X-Env", "live")), jwt("b", accepts=WithHeader("X-Env", "sandbox"))),
    (jwt("a", accepts=OnHost(LIVE)), jwt("b", accepts=OnHost(SANDBOX))),
    (jwt("a", accepts=UnderPath("/live/*")), jwt("b", accepts=UnderPath("/sandbox/*"))),
    (jwt("a", accepts=BY_SCOPE[0]), jwt("b", accepts=BY_SCOPE[1])),
    (mint(name="a", accepts=PARTNERS), mint(accepts=TokenPrefix("px_"))),
    (mint(name="a", accepts=JWTShape()), mint(accepts=Opaque())),
    (mint(name="a", accepts=AllowedIssuers.of(["https://login.example.com/*"])), jwt("b")),
    (mint(name="a", accepts=OnHost(LIVE)), jwt("b", accepts=OnHost(SANDBOX))),
]


@pytest.mark.parametrize(("one", "other"), APART, ids=str)
def test_providers_that_can_be_told_apart_are_accepted(one: Any, other: Any) -> None:
    headers = (b"authorization", b"x-partner-token")
    assert Choice([one, other], headers=headers).providers == (one, other)
    assert Choice([other, one], headers=headers).providers == (other, one)


ALIKE: list[tuple[Any, Any]] = [
    (jwt("a"), jwt("b")),
    (jwt("a"), jwt("b", audience="https://b.example")),
    (jwt("a"), mint(name="b")),
    (jwt("a"), mint(name="b", accepts=JWTShape())),
    (jwt("a"), mint(name="b", accepts=TokenPrefix("eyJ"))),
    (jwt("a"), mint(name="b", accepts=TokenPrefix("Dev_"))),
    (jwt("a"), mint(name="b", accepts=OnHost(LIVE))),
    (jwt("a"), mint(name="b", accepts=AllowedIssuers.of(["https://*.example.com"]))),
    (jwt("a"), jwt("b", accepts=TokenPrefix("ex_"))),
    (jwt("a"), jwt("b", accepts=CarriesScope("partner.*"))),
    (jwt("a"), jwt("b", accepts=UnderPath("/sandbox/*"))),
    (jwt("a"), jwt("b", accepts=WithHeader("X-Env", "sandbox"))),
    (jwt("a", accepts=PARTNERS), mint(name="b", accepts=PARTNERS)),
    (jwt("a", accepts=PARTNERS), mint(name="b", accepts=TokenPrefix("pt"))),
    (jwt("a", accepts=TokenPrefix("pt_jx_")), mint(name="b", accepts=PARTNERS)),
    (jwt("a", accepts=OnHost(LIVE)), jwt("b", accepts=UnderPath("/sandbox/*"))),
    (jwt("a", accepts=UnderPath("/*")), jwt("b", accepts=UnderPath("/sandbox/*"))),
    (jwt("a", accepts=CarriesScope("partner.*")), jwt("b", accepts=CarriesScope("partner.read"))),
    (mint(name="a"), mint(name="b")),
    (mint(name="a", accepts=PARTNERS), mint(name="b")),
    (mint(name="a", accepts=PARTNERS), mint(name="b", accepts=TokenPrefix("pt_x"))),
    (mint(name="a", accepts=PARTNERS), mint(name="b", accepts=Opaque())),
]


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=str)
def test_providers_that_one_token_could_be_for_are_refused_at_the_start(one: Any, other: Any) -> None:
    for pair in ([one, other], [other, one], [one, mint(name="c", accepts=TokenPrefix("qc_")), other]):
        with pytest.raises(ValueError, match=r"for provider '[abc]' and for '[abc]': tell them apart by accepts="):
            Choice(pair)


# Verdicts that are remembered


def environments(**options: Any) -> list[JWTProvider]:
    return [jwt("live", accepts=OnHost(LIVE), **options), jwt("sandbox", accepts=OnHost(SANDBOX), **options)]


def at(host: str, token: str = JWT) -> Presented:
    return presented(token, headers={"Host": host})


def warmed(providers: Sequence[Any]) -> Sequence[Any]:
    for provider in providers:
        provider.recall(b"")  # the first time it looks at its keys
    return providers


def test_a_plain_provider_is_asked_for_its_verdicts_first() -> None:
    ours = jwt()
    choice = Choice(warmed([ours, mint(accepts=PARTNERS)]))
    assert len(choice.recalls) == 2
    grant = play(choice.grant(presented(JWT)))
    assert choice.recall(digest(JWT)) is grant
    assert choice.recall(digest("pt_1")) is None


def test_a_verdict_is_remembered_where_it_was_made() -> None:
    choice = Choice(warmed(environments()))
    assert choice.remembers
    assert choice.recalls == ()
    grant = play(choice.grant(at(LIVE)))
    assert play(choice.grant(at(LIVE))) is grant


@pytest.mark.parametrize(
    ("live", "sandbox", "request_of"),
    [
        (OnHost(LIVE), OnHost(SANDBOX), {"headers": {"Host": SANDBOX}}),
        (UnderPath("/live/*"), UnderPath("/sandbox/*"), {"path": "/sandbox/1"}),
        (WithoutHeader("X-Env"), WithHeader("X-Env", "sandbox"), {"headers": {"X-Env": "sandbox"}}),
        (
            InHeader("Authorization"),
            InHeader("X-Partner-Token"),
            {"headers": {"Authorization": "", "X-Partner-Token": JWT}},
        ),
    ],
    ids=["host", "path", "header", "place"],
)
def test_a_token_that_the_live_provider_remembers_is_not_good_in_the_sandbox(
    live: Selector, sandbox: Selector, request_of: Any
) -> None:
    providers = warmed([jwt("live", accepts=live), jwt("sandbox", audience="https://sandbox.example", accepts=sandbox)])
    choice = Choice(providers, headers=(b"authorization", b"x-partner-token"))
    assert play(choice.grant(presented(JWT, path="/live/1"))).provider == "live"
    assert providers[0].recall(digest(JWT)) is not None
    with refused("wrong_audience"):
        choice.grant(presented(JWT, **request_of))


@pytest.mark.parametrize("options", [{}, {"cache_size": 0}], ids=["remembering", "forgetful"])
def test_each_environment_has_its_own_grants(options: dict[str, int]) -> None:
    choice = Choice(warmed(environments(**options)))
    found = [play(choice.grant(at(host))).provider for host in (LIVE, SANDBOX, LIVE, SANDBOX)]
    assert found == ["live", "sandbox", "live", "sandbox"]


def test_a_verdict_is_of_no_use_where_its_provider_is_not_chosen() -> None:
    choice = Choice(warmed([jwt("live", accepts=OnHost(LIVE))]))
    play(choice.grant(at(LIVE)))
    with refused("unknown_issuer"):
        choice.grant(at(SANDBOX))


def test_a_verdict_does_not_hide_that_another_provider_may_be_meant() -> None:
    partner = jwt("partner", accepts=[CarriesScope("partner.*"), OnHost(SANDBOX)])
    choice = Choice(warmed([jwt("ours", accepts=CarriesScope("photos")), partner]))
    token = Issuer().token(scope="photos partner.read")
    for _ in range(2):
        assert play(choice.grant(at(LIVE, token))).provider == "ours"
        with refused("ambiguous_provider"):
            choice.grant(at(SANDBOX, token))
    assert play(choice.grant(at(SANDBOX))).provider == "ours"


def test_a_verdict_is_good_where_the_other_cannot_read_the_token() -> None:
    partner = jwt("partner", accepts=[TokenPrefix("pt"), CarriesScope("partner.*"), OnHost(LIVE)])
    choice = Choice(warmed([jwt("ours", accepts=[TokenPrefix("pte"), CarriesScope("photos")]), partner]))
    assert [play(choice.grant(at(LIVE, f"pte{JWT}"))).provider for _ in range(2)] == ["ours", "ours"]


def test_a_token_may_be_taken_apart_first_where_nothing_else_is_taken_nor_asked() -> None:
    assert Choice([jwt()]).takes_jwts
    assert Choice([jwt(), jwt("other", issuer=OTHER)]).takes_jwts
    assert not Choice([jwt(), mint(accepts=Opaque())]).takes_jwts
    assert not Choice([jwt(accepts=PARTNERS)]).takes_jwts
    assert not Choice(environments()).takes_jwts
    assert Choice(environments(cache_size=0)).takes_jwts


def test_nobody_makes_a_digest_for_providers_that_remember_nothing() -> None:
    assert not Choice([jwt(cache_size=0), jwt("b", issuer=OTHER, cache_size=0)]).remembers


# Configuration


@pytest.mark.parametrize("providers", [["https://id.example.com"], [JWTProvider], [None], [jwt(), 7]], ids=str)
def test_providers_are_providers(providers: Any) -> None:
    with pytest.raises(TypeError, match="JWTProvider"):
        Choice(providers)


def test_a_provider_says_what_it_accepts() -> None:
    bare = mint("1")
    del bare.accepts
    with pytest.raises(TypeError, match="JWTProvider"):
        Choice([bare])


def test_two_providers_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two providers are named '.*', which is their issuer"):
        Choice([jwt("a"), jwt("a", issuer=OTHER)])


def test_a_header_that_the_scheme_does_not_read_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"provider 'ours' accepts tokens InHeader.* alone, where this scheme reads none"
    ):
        Choice([jwt(accepts=InHeader("X-Other"))], headers=(b"x-partner-token",))


def test_a_host_must_be_known_only_where_providers_are_told_by_it() -> None:
    assert Choice(environments()).hosts
    assert not Choice([jwt()]).hosts


# Through both shells


def named(grant: Grant) -> bytes:
    return f"{grant.provider}: {' '.join(sorted(grant.scopes))}".encode()


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [named(environ["oauth_rs.grant"])]


async def asgi(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": named(scope["oauth_rs.grant"])})


def call(server: ResourceServer, *headers: tuple[str, str], host: str = LIVE, target: str = "/") -> tuple[int, str]:
    """Status and body of the answer, which is the same by WSGI and by ASGI."""
    sent = [("Host", host), *headers]
    answers = [
        call_wsgi(WSGIMiddleware(wsgi, server), target=target, headers=sent),
        call_asgi(ASGIMiddleware(asgi, server), target=target, headers=sent),
    ]
    assert answers[0].body == answers[1].body
    assert answers[0].header("www-authenticate") == answers[1].header("www-authenticate")
    assert answers[0].status == answers[1].status
    return answers[0].status, answers[0].body.decode()


URL = DirectURL(hosts=[LIVE, SANDBOX])
PLACES = (AUTHORIZATION, Header("X-Partner-Token"), LegacyQuery())


def server(*providers: Provider, presentation: Any = (AUTHORIZATION,)) -> ResourceServer:
    return ResourceServer(Bearer(*providers, presentation=presentation), url=URL)


def test_a_sandbox_beside_the_live_environment() -> None:
    sandbox = Issuer(issuer=OTHER)
    ours = server(jwt("live", accepts=OnHost(LIVE)), jwt("sandbox", issuer=OTHER, accepts=OnHost(SANDBOX)))
    live_token, sandbox_token = bearer(JWT), bearer(sandbox.token(scope="photos"))
    for _ in range(2):
        assert call(ours, *live_token) == (200, "live: photos profile")
        assert call(ours, *sandbox_token, host=SANDBOX) == (200, "sandbox: photos")
        assert call(ours, *live_token, host=SANDBOX)[0] == 401
        assert call(ours, *sandbox_token)[0] == 401
        assert call(ours, *live_token, host="evil.example")[0] == 400


def test_a_partner_has_a_header_of_its_own() -> None:
    ours = server(
        jwt("ours", accepts=InHeader("Authorization")),
        mint("pt_1", JWT, name="partner", accepts=InHeader("X-Partner-Token")),
        presentation=PLACES,
    )
    for _ in range(2):
        assert call(ours, *bearer(JWT)) == (200, "ours: photos profile")
        assert call(ours, ("X-Partner-Token", "pt_1")) == (200, "partner: ")
        assert call(ours, ("X-Partner-Token", JWT)) == (200, "partner: ")
        assert call(ours, *bearer("pt_1"))[0] == 401
        assert call(ours, target=f"/?access_token={JWT}")[0] == 401
        assert call(ours, *bearer(JWT), ("X-Partner-Token", JWT))[0] == 400
        assert call(ours, ("X-Partner-Token", JWT), target=f"/?access_token={JWT}")[0] == 400


@pytest.mark.parametrize("path", ["/sandbox/../photos", "/sandbox//photos", "/%2e%2e/sandbox/photos", "/photos"])
def test_an_ambiguous_path_leads_to_no_environment(path: str) -> None:
    ours = server(
        jwt("live", accepts=UnderPath("/live/*")), jwt("sandbox", issuer=OTHER, accepts=UnderPath("/sandbox/*"))
    )
    assert call(ours, *bearer(Issuer(issuer=OTHER).token(scope="")), target="/sandbox/photos") == (200, "sandbox: ")
    for issuer in (ISSUER, OTHER):
        assert call(ours, *bearer(Issuer(issuer=issuer).token()), target=path)[0] == 401


def test_a_header_that_is_there_twice_leads_to_no_environment() -> None:
    ours = server(
        jwt("live", accepts=WithoutHeader("X-Env")),
        jwt("sandbox", issuer=OTHER, accepts=WithHeader("X-Env", "sandbox")),
    )
    token = bearer(Issuer(issuer=OTHER).token(scope=""))
    assert call(ours, *token, ("X-Env", "sandbox")) == (200, "sandbox: ")
    assert call(ours, *token, ("X-Env", "sandbox"), ("X-Env", "sandbox"))[0] == 401
    assert call(ours, *token)[0] == 401


@pytest.mark.parametrize("credentials", ["", " ", "a,b", "pt_1,pt_1", "pt_1 x", "pt_1\tx", "a.b.c,a.b.c", "x,pt_1"])
def test_two_tokens_in_one_header_are_a_bad_request(credentials: str) -> None:
    ours = server(jwt(), mint("pt_1", "pt_1,pt_1", accepts=PARTNERS))
    assert call(ours, ("Authorization", f"Bearer {credentials}"))[0] == 400


def test_hosts_that_the_server_does_not_name_select_nobody() -> None:
    scheme = Bearer(*environments())
    assert scheme.needs_hosts
    with pytest.raises(ValueError, match="name yours"):
        ResourceServer(scheme)


def test_a_malformed_host_is_a_bad_request() -> None:
    with pytest.raises(InvalidRequest):
        Choice(environments()).grant(at("a@b"))


async def find(client_id: str) -> RegisteredClient | None:
    if client_id == "down":
        raise Unavailable("directory_down", "The clients cannot be looked up.")
    return RegisteredClient(client_id, disabled=client_id == "gone") if client_id in {"app", "gone"} else None


@pytest.mark.parametrize("clients", [FunctionClients(find=find), {"app", "other"}], ids=["function", "ids"])
def test_tokens_of_clients_that_are_not_registered_are_refused(clients: Any) -> None:
    ours = server(jwt(clients=clients))
    for _ in range(2):
        assert call(ours, *bearer(JWT)) == (200, "ours: photos profile")
        assert call(ours, *bearer(Issuer().token(client_id="gone")))[0] == 401
        assert call(ours, *bearer(Issuer().token(client_id="stranger")))[0] == 401
    status = call(ours, *bearer(Issuer().token(client_id="down")))[0]
    assert status == (503 if isinstance(clients, FunctionClients) else 401)


def test_providers_are_told_apart_by_any_spelling_of_a_scope() -> None:
    catalogue = ScopeCatalogue({"withdraw": Scope(id=17), "internal": Scope(id=99)})
    providers = (jwt("a", accepts=CarriesScope("withdraw")), jwt("b", accepts=CarriesScope("internal")))
    both = ResourceServer(Bearer(*providers), scopes=catalogue)
    assert call(both, *bearer(Issuer().token(scope=[17]))) == (200, "a: withdraw")
    assert call(both, *bearer(Issuer().token(scope="99"))) == (200, "b: internal")
    assert call(both, *bearer(Issuer().token(scope="17 internal")))[0] == 401
    with pytest.raises(ValueError, match=r"accepts of provider 'a'.*did you mean 'withdraw'"):
        ResourceServer(Bearer(jwt("a", accepts=CarriesScope("witdraw"))), scopes=catalogue)


def test_a_catalogue_and_roles_through_both_shells() -> None:
    roles = RoleMap("roles", {"manager": {"withdraw"}, "root": {"internal"}})
    providers = [
        jwt("ours", roles=roles),
        jwt("partner", issuer=OTHER, roles=roles, scopes={"withdraw"}),
    ]
    catalogue = ScopeCatalogue({"withdraw": Scope(id=17, children={"deposit": {}}), "internal": Scope(id=99)})
    both = ResourceServer(Bearer(*providers), scopes=catalogue)
    claims: dict[str, Any] = {"scope": [17, "99", "internal"], "roles": ["root", "manager"]}
    assert call(both, *bearer(Issuer().token(**claims))) == (200, "ours: deposit internal withdraw")
    assert call(both, *bearer(Issuer(issuer=OTHER).token(**claims))) == (200, "partner: deposit withdraw")
    assert call(both, *bearer(Issuer().token(**{**claims, "roles": 7})))[0] == 401


# Whatever comes


def unsigned(claims: dict[str, Any]) -> str:
    return b".".join([encode({"alg": "ES256"}), encode(claims), encode(bytes(64))]).decode()


SELECTORS = st.sampled_from(
    [
        *(TokenPrefix("p"), TokenPrefix("pt_"), TokenPrefix("px_"), TokenPrefix("e"), TokenPrefix("v4.public.")),
        *(JWTShape(), Opaque(), IssuedBy(ISSUER), IssuedBy(OTHER), AllowedIssuers.of([f"{OTHER}/*", ISSUER])),
        *(CarriesScope("a"), CarriesScope("b.*"), CarriesScope("b.c"), OnHost(LIVE), OnHost(SANDBOX)),
        *(UnderPath("/a/*"), UnderPath("/a/b"), UnderPath("/c"), WithHeader("X-Env", "a"), WithHeader("X-Env", "b")),
        *(WithoutHeader("X-Env"), InHeader("Authorization"), InHeader("X-Partner-Token")),
    ]
)
JWTS = st.builds(
    lambda iss, scope: unsigned({"iss": iss, "scope": scope}),
    st.sampled_from([ISSUER, OTHER, f"{OTHER}/a", f"{OTHER}/"]),
    st.sampled_from(["", "a", "b.c", "a b.c", "b.d a"]),
)
TOKENS = st.builds(
    "{}{}".format,
    st.sampled_from(["", "p", "pt_", "px_", "pt_px_", "e", "v4.public."]),
    JWTS | st.sampled_from(["", "opaque", "a.b", "a.b.c", "a.b.c.d.e"]),
)
HEADERS = st.fixed_dictionaries(
    {"Host": st.sampled_from([LIVE, SANDBOX])},
    optional={"X-Env": st.sampled_from(["a", "b", ""]), "X-Partner-Token": st.just("the token")},
)
ACCEPTS = st.lists(SELECTORS, max_size=3)


@settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(ACCEPTS, ACCEPTS, TOKENS, HEADERS, st.sampled_from(["/a/b", "/a/", "/c", "/a/../c"]))
def test_no_token_is_for_two_providers_that_were_told_apart(
    one: list[Selector], other: list[Selector], token: str, headers: dict[str, str], path: str
) -> None:
    if "X-Partner-Token" in headers:
        headers = {**headers, "Authorization": "", "X-Partner-Token": token}
    try:
        providers = [mint(token, name="a", accepts=one), mint(token, name="b", accepts=other)]
        choice = Choice(providers, headers=(b"authorization", b"x-partner-token"))
    except ValueError:
        reject()
    try:
        play(choice.grant(presented(token, headers=headers, path=path)))
    except InvalidToken as error:
        carry_scopes = [any(isinstance(selector, CarriesScope) for selector in listed) for listed in (one, other)]
        assert error.reason != "ambiguous_provider" or carry_scopes == [True, True]  # noqa: PT017 - one of several


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.binary(max_size=60) | TOKENS.map(str.encode), st.lists(ACCEPTS, min_size=1, max_size=3))
def test_no_bytes_raise_anything_but_a_refusal(token: bytes, accepts: list[list[Selector]]) -> None:
    try:
        providers = [mint(name=str(number), accepts=one) for number, one in enumerate(accepts)]
        choice = Choice(providers, headers=(b"authorization", b"x-partner-token"))
    except ValueError:
        reject()
    with pytest.raises(InvalidToken):
        choice.grant(Presented(token, b"", presented("t1").request, URL))
