import logging
from collections.abc import Callable
from typing import Any

import anyio
import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from oauth_rs.client_auth import BearerToken, ClientSecret, ClientSecretPost, PrivateKeyJWT
from oauth_rs.devserver import Client, DevServer
from oauth_rs.errors import OAuthError, Unavailable
from oauth_rs.fetch import HTTPSettings
from oauth_rs.outbound import ClientCredentials, OutboundError
from oauth_rs.outbound.answer import Token
from tests.outbound.provider import API, CLIENT, METADATA, SECRET, Provider, granted
from tests.support.misbehaving import FAILING
from tests.support.playing import FakeClock
from tests.support.processes import PATIENCE

ISSUER = "https://id.example.com"
TIMEOUT = 1.0
Kind = Callable[..., ClientCredentials]


def failure(source: ClientCredentials) -> str:
    with pytest.raises((OutboundError, OAuthError)) as caught:
        source.token()
    assert isinstance(caught.value, OutboundError | OAuthError)
    return caught.value.reason


# What it does


def test_one_object_serves_both_clients(provider: Provider, api: API) -> None:
    billing = ClientCredentials(provider.url, client=CLIENT, scopes=["bills.read"])

    async def call() -> int:
        async with httpx2.AsyncClient(auth=billing.auth(), trust_env=False) as client:
            return (await client.get(api.url)).status_code

    with httpx2.Client(auth=billing.auth(), trust_env=False) as client:
        assert client.get(api.url).status_code == 200
    assert [anyio.run(call, backend=backend) for backend in ("asyncio", "trio")] == [200, 200]
    assert api.sent == ["token-1"] * 3
    assert [billing.token(), anyio.run(billing.async_token)] == ["token-1"] * 2
    assert provider.hits == {METADATA: 1, "/token": 1}


def test_everything_that_was_named_is_asked_for(provider: Provider) -> None:
    ClientCredentials(
        provider.url,
        client=CLIENT,
        scopes=["bills.read", "bills.write"],
        audience="https://billing.example.com",
        resource=["https://a.example.com", "https://b.example.com"],
        extra={"tenant": "x"},
    ).token()
    asked = provider.asked[-1]
    assert (asked.method, asked.target) == ("POST", "/token")
    assert asked.fields == [
        ("grant_type", "client_credentials"),
        ("scope", "bills.read bills.write"),
        ("audience", "https://billing.example.com"),
        ("resource", "https://a.example.com"),
        ("resource", "https://b.example.com"),
        ("tenant", "x"),
    ]


def test_by_get_no_secret_is_in_the_url(provider: Provider) -> None:
    source = ClientCredentials(
        "a provider", client=CLIENT, scopes=["a"], token_endpoint=f"{provider.url}/token", method="GET"
    )
    assert source.token() == "token-1"
    (asked,) = provider.asked
    assert (asked.method, asked.body) == ("GET", b"")
    assert asked.target == "/token?grant_type=client_credentials&scope=a"
    assert asked.headers["Authorization"].startswith("Basic ")


def test_the_development_server_gives_tokens() -> None:
    client = Client("api", SECRET, scopes={"bills.read"})
    with DevServer.running(audience="https://billing.example.com", clients=[client]) as server:
        for prover in (ClientSecret("api", SECRET), ClientSecretPost("api", SECRET)):
            source = ClientCredentials(server.issuer, client=prover, scopes=["bills.read"])
            assert source.token().count(".") == 2
        by_get = ClientCredentials(server.issuer, client=CLIENT, method="GET")
        assert failure(by_get) == "token_endpoint_unusable", "it is switched off"
        assert (
            failure(ClientCredentials(server.issuer, client=ClientSecret("api", "wrong"))) == "token_endpoint_refused"
        )
        assert failure(ClientCredentials(server.issuer, client=CLIENT, scopes=["admin"])) == "invalid_scope"
        assert failure(ClientCredentials(server.issuer, client=CLIENT, audience="other")) == "invalid_target"


def test_the_development_server_takes_assertions_and_gets() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = {**ECAlgorithm(ECAlgorithm.SHA256).to_jwk(key.public_key(), as_dict=True), "kid": "k1"}
    clients = [Client("signer", jwks={"keys": [jwk]}), Client("api", SECRET)]
    with DevServer.running(audience="https://a.example.com", clients=clients, token_by_get=True) as server:
        signer = PrivateKeyJWT("signer", key, kid="k1")
        assert ClientCredentials(server.issuer, client=signer).token()
        assert ClientCredentials(server.issuer, client=CLIENT, method="GET").token()


# A scope that is not granted


@pytest.mark.parametrize(
    ("given", "told"),
    [("a", ["{} does not grant: b c"]), ("", ["{} does not grant: a b c"]), ("c b a d", []), (None, [])],
)
def test_a_scope_that_is_not_granted_is_told_once(
    provider: Provider, caplog: pytest.LogCaptureFixture, given: Any, told: list[str]
) -> None:
    clock = FakeClock()
    provider.answers["/token"] = granted(scope=given)
    source = ClientCredentials(provider.url, client=CLIENT, scopes=["c", "a", "b"], monotonic=clock)
    for _ in range(3):
        assert source.token() == "token-1"
        clock.pass_seconds(3600)
    assert provider.tokens == 3
    assert [(level, text) for _, level, text in caplog.record_tuples] == [
        (logging.WARNING, text.format(provider.url)) for text in told
    ]


# What providers may answer


@pytest.mark.parametrize("fault", FAILING, ids=str)
def test_a_token_endpoint_that_misbehaves_is_an_outage(provider: Provider, fault: str) -> None:
    answer, reason = FAILING[fault]
    status = answer[0] if isinstance(answer, tuple) else 0
    provider.answers["/token"] = answer if callable(answer) else _header(status, answer[1], answer[2])
    http = HTTPSettings(timeout=TIMEOUT if reason == "fetch_timeout" else PATIENCE)
    assert failure(ClientCredentials(provider.url, client=CLIENT, http=http)) == reason


def _header(status: int, headers: dict[str, str], body: bytes) -> Callable[[Any], None]:
    def answer(handler: Any) -> None:
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, b"<html>"), "token_endpoint_failed"),
        (b"<html>", "token_endpoint_unusable"),
        ((401, b"<html>"), "token_endpoint_refused"),
        ((404, {}), "token_endpoint_unusable"),
        (b'{"access_token": "a", "token_type": "bearer", "expires_in": 1e400}', "token_endpoint_unusable"),
        (b'{"access_token": "a", "access_token": "b", "token_type": "bearer"}', "token_endpoint_unusable"),
        ((401, {"error": "invalid_client"}), "token_endpoint_refused"),
        ((400, {"error": "unheard_of"}), "token_refused"),
        (granted(None), "malformed_answer"),
        (granted("a\r\nX-Evil: 1"), "malformed_answer"),
        (granted(token_type="mac"), "not_bearer"),
        (granted(token_type=None), "malformed_answer"),
        (granted(expires_in="abc"), "malformed_answer"),
        (granted(expires_in=-1), "malformed_answer"),
        (granted(expires_in=True), "malformed_answer"),
    ],
    ids=str,
)
def test_an_answer_that_is_no_token_gives_none(provider: Provider, answer: Any, reason: str) -> None:
    provider.answers["/token"] = answer
    assert failure(ClientCredentials(provider.url, client=CLIENT)) == reason


def test_a_provider_that_is_down_is_an_outage() -> None:
    source = ClientCredentials("http://127.0.0.1:1", client=CLIENT)
    assert failure(source) == "fetch_failed"


@pytest.mark.parametrize("answer", [(500, {}), {"issuer": "https://evil.example.com"}, {}, b"<html>"], ids=str)
def test_metadata_that_cannot_be_used_is_an_outage(provider: Provider, answer: Any) -> None:
    provider.answers[METADATA] = answer
    assert failure(ClientCredentials(provider.url, client=CLIENT)) in {"discovery_failed", "issuer_mismatch"}
    assert provider.tokens == 0


# Sharing


class Shelf:
    """Tokens of other processes, in a dict."""

    def __init__(self) -> None:
        self.tokens: dict[bytes, Token] = {}

    def get(self, key: bytes, /) -> Token | None:
        return self.tokens.get(key)

    def put(self, key: bytes, token: Token, /) -> None:
        self.tokens[key] = token


class AsyncShelf(Shelf):
    async def get(self, key: bytes, /) -> Token | None:  # type: ignore[override]
        return super().get(key)

    async def put(self, key: bytes, token: Token, /) -> None:  # type: ignore[override]
        super().put(key, token)


@pytest.mark.parametrize("kind", [Shelf, AsyncShelf])
def test_a_token_is_shared(provider: Provider, kind: type[Shelf]) -> None:
    shelf = kind()
    sources = [ClientCredentials(provider.url, client=CLIENT, scopes=["a"], shared=shelf) for _ in range(3)]
    assert [source.token() for source in sources] == ["token-1"] * 3
    assert provider.tokens == 1


def test_a_shared_token_that_is_to_be_renewed_is_not_taken(provider: Provider) -> None:
    shelf = Shelf()
    source = ClientCredentials(provider.url, client=CLIENT, shared=shelf)
    shelf.tokens[source._key] = Token(text="old", life=60, fresh=0)
    assert source.token() == "token-1"
    assert shelf.tokens[source._key].text == "token-1"


def test_a_shared_token_that_was_refused_is_not_taken_again(provider: Provider, api: API) -> None:
    shelf = Shelf()
    source = ClientCredentials(provider.url, client=CLIENT, shared=shelf)
    shelf.tokens[source._key] = Token(text="withdrawn", life=60, fresh=50)
    api.good = {"token-1"}
    with httpx2.Client(auth=source.auth(api.url), trust_env=False) as client:
        assert client.get(api.url).status_code == 200
    assert api.sent == ["withdrawn", "token-1"]


def test_an_outage_of_the_provider_is_nothing_to_who_finds_a_token(provider: Provider) -> None:
    shelf = Shelf()
    source = ClientCredentials(provider.url, client=CLIENT, shared=shelf)
    shelf.tokens[source._key] = Token(text="shared", life=60, fresh=50)
    provider.answers["/token"] = (500, {})
    assert source.token() == "shared"


@pytest.mark.parametrize(
    "options",
    [
        {"scopes": ["b"]},
        {"audience": "b"},
        {"resource": "https://b.example"},
        {"extra": {"tenant": "b"}},
        {"client": ClientSecret("b", SECRET)},
        {"token_endpoint": "https://id.example.com/b"},
        {"method": "GET"},
    ],
    ids=str,
)
def test_sources_that_ask_for_other_things_share_nothing(options: dict[str, Any]) -> None:
    asks = {"client": CLIENT, "scopes": ["a"]}
    assert key_of(ISSUER, **asks) != key_of(ISSUER, **{**asks, **options})
    assert key_of(ISSUER, **asks) != key_of("https://other.example.com", **asks)


def test_the_key_of_a_shared_token_knows_no_secret() -> None:
    assert key_of(ISSUER, client=ClientSecret("api", "a")) == key_of(ISSUER, client=ClientSecret("api", "b"))


def test_no_token_is_shared_by_clients_that_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="give the client its client_id"):
        ClientCredentials(ISSUER, client=BearerToken("a"), shared=Shelf())
    assert key_of(ISSUER, client=BearerToken("a", "one")) != key_of(ISSUER, client=BearerToken("a", "two"))


def key_of(issuer: str, **options: Any) -> bytes:
    return ClientCredentials(issuer, **options)._key


# Configuration


@pytest.mark.parametrize(
    "options",
    [
        {"scopes": ["a b"]},
        {"token_endpoint": "http://id.example.com/token"},
        {"method": "PUT"},
        {"method": "GET", "client": ClientSecretPost("api", SECRET)},
        {"extra": {"grant_type": "password"}},
        {"resource": "billing"},
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_when_made(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        ClientCredentials(ISSUER, **{"client": CLIENT, **options})


def test_an_outage_is_one_that_the_middlewares_answer(provider: Provider) -> None:
    provider.answers["/token"] = (500, {})
    with pytest.raises(Unavailable) as caught:
        ClientCredentials(provider.url, client=CLIENT).token()
    assert caught.value.retry_after == 1


def test_it_shows_whom_it_asks_as_which_client_and_no_secret() -> None:
    shown = repr(ClientCredentials(ISSUER, client=CLIENT, extra={"pin": "1234"}))
    assert shown == "ClientCredentials('https://id.example.com', client_id='api')"


@pytest.mark.parametrize("shared", [5, "redis://127.0.0.1", Shelf], ids=repr)
def test_what_shares_no_tokens_is_refused_when_made(shared: Any) -> None:
    with pytest.raises(TypeError, match=r"^shared is RedisTokens"):
        ClientCredentials("https://id.example.com", client=CLIENT, shared=shared)
