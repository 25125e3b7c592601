from collections.abc import Mapping
from typing import Any

import pytest

from oauth_rs import Grant, InvalidToken, RoleMap, ScopeCatalogue, Unavailable
from oauth_rs.breaker import Breaker
from oauth_rs.clients import RegisteredClient
from oauth_rs.flow import Flow, Run
from oauth_rs.providers.asked import AskedServer
from oauth_rs.providers.endpoint import Endpoint, Question
from oauth_rs.providers.scoping import terms_of
from oauth_rs.providers.verdicts import Verdicts
from tests.providers.asking import DOWN, played, said, undecided
from tests.providers.presenting import digest, presented, refused
from tests.support.playing import FakeClock, play

URL = "https://id.example.com/introspect"
NOW = 1_000_000
TERMS = terms_of(None, (), "attributes", None, "")
QUESTION = Question(about=b"t1", fields=(("token", "t0ken"),))


def made(clock: FakeClock | None = None, **options: Any) -> AskedServer:
    clock = FakeClock(NOW) if clock is None else clock
    endpoint = Endpoint(URL, breaker=Breaker(failures=1), monotonic=clock)
    verdicts = Verdicts(seconds=options.pop("seconds", 60), refused_seconds=5, clock=clock, monotonic=clock)
    named = {"name": "partner", "issuer": "https://id.example.com", "clients": None, "leeway": 60}
    return AskedServer(endpoint, verdicts, options.pop("terms", TERMS), clock=clock, **{**named, **options})


def granted(server: AskedServer, **claims: Any) -> Grant:
    return play(server.granted({"client_id": "app", **claims}, subject="ada"))


# Grants


def test_what_is_said_of_a_token_becomes_a_grant() -> None:
    claims = {"client_id": "app", "scope": "photos", "exp": NOW + 600}
    assert granted(made(), **claims) == Grant(
        scheme="Bearer",
        provider="partner",
        issuer="https://id.example.com",
        subject="ada",
        client_id="app",
        scopes=frozenset({"photos"}),
        expires_at=NOW + 600,
        claims_json=b'{"client_id":"app","scope":"photos","exp":1000600}',
        names=TERMS.names,
    )


def test_what_a_token_is_bound_to_is_in_the_grant() -> None:
    assert play(made().granted({}, subject="", confirmation={"jkt": "abc"})).confirmation == {"jkt": "abc"}


def test_scopes_are_those_of_the_terms() -> None:
    roles = RoleMap("roles", {"manager": ["audit", "internal"]})
    terms = terms_of(["photos", "audit"], roles, (), None, "")
    assert granted(made(terms=terms), scope="photos films", roles=["manager"]).scopes == {"photos", "audit"}


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": NOW - 60}, "expired"),
        ({"nbf": NOW + 61}, "not_yet_valid"),
        ({"exp": "soon"}, "malformed_claim"),
        ({"scope": 7}, "malformed_claim"),
        ({"client_id": 7}, "malformed_claim"),
        ({"client_id": "stranger"}, "client_not_registered"),
        ({"client_id": ""}, "client_not_registered"),
    ],
    ids=str,
)
def test_what_is_said_is_held_to_like_the_claims_of_a_jwt(claims: Mapping[str, Any], reason: str) -> None:
    server = made(clients=[RegisteredClient("app")])
    assert granted(server).client_id == "app"
    with refused(reason):
        granted(server, **claims)


# What is remembered


def saying(grant: Grant | None, asked: list[tuple[str, bytes]]) -> Any:
    def ask(text: str, digest: bytes) -> Flow[Grant]:
        asked.append((text, digest))
        yield from ()
        if grant is None:
            raise InvalidToken("inactive_token", "The access token is not active.")
        return grant

    return ask


def test_a_verdict_is_remembered_by_the_digest_of_the_token() -> None:
    server, asked = made(), list[tuple[str, bytes]]()
    grant = play(server.verdict(presented("t0ken"), saying(granted(server), asked)))
    assert asked == [("t0ken", digest("t0ken"))]
    assert server.remembers
    assert server.recall(digest("t0ken")) is grant


def test_the_digest_is_made_where_nobody_has_made_it() -> None:
    server, asked, token = made(seconds=0), list[tuple[str, bytes]](), presented("t0ken")
    token.digest = b""
    play(server.verdict(token, saying(granted(server), asked)))
    assert asked == [("t0ken", digest("t0ken"))]
    assert not server.remembers


def test_a_refusal_is_remembered_too() -> None:
    server = made()
    with refused("inactive_token"):
        play(server.verdict(presented("t0ken"), saying(None, [])))
    with refused("inactive_token"):
        server.verdict(presented("t0ken"), saying(granted(server), []))


@pytest.mark.parametrize(("seconds", "shared"), [(60, 1), (1, 0.5), (0, 0)])
def test_an_answer_is_shared_for_no_longer_than_a_verdict_is_remembered(seconds: float, shared: float) -> None:
    reply, (fetch,) = played(made(seconds=seconds).ask(QUESTION), said(active=True))
    assert (reply.status, fetch.url, fetch.shared) == (200, URL, shared)


def test_the_endpoint_is_found() -> None:
    assert play(made().find()) == URL


# Catalogues


def test_a_catalogue_changes_the_scopes_and_forgets_what_was_granted_without_it() -> None:
    server = made()
    play(server.verdict(presented("t0ken"), saying(granted(server), [])))
    bound = server.with_catalogue(ScopeCatalogue({"photos": {"thumbnails": {}}}))
    assert granted(bound, scope="photos").scopes == {"photos", "thumbnails"}
    assert granted(server, scope="photos").scopes == {"photos"}
    assert bound.recall(digest("t0ken")) is None
    assert server.recall(digest("t0ken")) is not None


def test_with_a_catalogue_the_endpoint_is_the_same() -> None:
    server = made()
    bound = server.with_catalogue(ScopeCatalogue({"photos": {}}))
    with undecided("fetch_failed"):
        played(server.ask(QUESTION), DOWN)
    with undecided("endpoint_resting"):
        Run(bound.ask(QUESTION))


def test_a_catalogue_must_have_the_scopes_of_the_terms() -> None:
    with pytest.raises(ValueError, match="there is no scope 'films'"):
        made(terms=terms_of(["films"], (), (), None, "")).with_catalogue(ScopeCatalogue({"photos": {}}))


# Options


@pytest.mark.parametrize("leeway", [-1, 301, float("nan")])
def test_the_leeway_is_some_seconds(leeway: float) -> None:
    with pytest.raises(ValueError, match="leeway is 0 to 300 seconds"):
        made(leeway=leeway)


def test_a_registry_that_cannot_tell_leaves_it_undecided() -> None:
    class Down:
        def find(self, _client_id: str, /) -> Flow[RegisteredClient | None]:
            yield from ()
            raise DOWN

        def find_by_key(self, _digest: str, /) -> None: ...

    with pytest.raises(Unavailable):
        granted(made(clients=Down()))
