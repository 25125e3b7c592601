from typing import Any

import anyio
import httpx2
import pytest

from oauth_rs.outbound import ClientCredentials, Connection, Connections, RefreshToken, TokenExchange, WrongOrigin
from tests.outbound.provider import API, CLIENT, Provider

BILLING = "https://billing.example.com/v1"


@pytest.fixture
def billing(provider: Provider, api: API) -> Connection:
    return Connection(f"{api.url}/v1", auth=ClientCredentials(provider.url, client=CLIENT))


def test_a_client_calls_the_api_with_a_token(billing: Connection, api: API) -> None:
    with billing.client() as client:
        assert client.get("/bills").status_code == 200
    assert api.seen == [("GET", "/v1/bills", "token-1")]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_client_that_awaits_does_too(billing: Connection, api: API, backend: str) -> None:
    async def call() -> int:
        async with billing.async_client() as client:
            return (await client.get("bills")).status_code

    assert anyio.run(call, backend=backend) == 200
    assert api.seen == [("GET", "/v1/bills", "token-1")]


def test_a_client_of_the_applications_own_may_use_the_auth(billing: Connection, api: API) -> None:
    with httpx2.Client(trust_env=False) as client:
        assert client.get(f"{api.url}/v1/bills", auth=billing.auth).status_code == 200
    assert api.sent == ["token-1"]


def test_no_call_takes_the_token_to_another_origin(billing: Connection, other: API) -> None:
    with billing.client() as client, pytest.raises(WrongOrigin, match="other_origin"):
        client.get(f"{other.url}/x")
    assert not other.seen


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_takes_the_token_to_another_origin(billing: Connection, api: API, other: API, status: int) -> None:
    api.redirects["/v1/bills"] = (status, f"{other.url}/x")
    with billing.client() as client:
        assert client.get("/bills").status_code == status, "redirects are followed when asked to"
        assert client.get("/bills", follow_redirects=True).status_code == 200
    assert other.sent == [""]


def test_the_options_of_a_client_are_those_of_httpx2(billing: Connection, api: API) -> None:
    with billing.client(headers={"X-A": "1"}, timeout=1.5, trust_env=True) as client:
        assert (client.headers["x-a"], client.timeout.read, client.trust_env) == ("1", 1.5, True)
    with billing.client() as client:
        assert (client.trust_env, client.follow_redirects) == (False, False)
    for taken in ("auth", "base_url"):
        with pytest.raises(TypeError, match=taken):
            billing.client(**{taken: None})
        with pytest.raises(TypeError, match=taken):
            billing.async_client(**{taken: None})
    assert not api.seen


def test_a_refresh_token_authorizes_too(provider: Provider, api: API) -> None:
    connection = Connection(api.url, auth=RefreshToken(provider.url, client=CLIENT, refresh_token="r"))
    with connection.client() as client:
        assert client.get("/").status_code == 200


def test_a_caller_is_acted_for_by_a_connection_of_its_own(provider: Provider, api: API) -> None:
    records = Connection(api.url, auth=TokenExchange(provider.url, client=CLIENT))
    for token in ("caller-1", "caller-2", "caller-1"):
        with records.on_behalf_of(token).client() as client:
            client.get("/records")
    assert api.sent == ["token-1", "token-2", "token-1"]


def test_nobody_is_acted_for_without_a_token(provider: Provider, billing: Connection) -> None:
    records = Connection(BILLING, auth=TokenExchange(provider.url, client=CLIENT))
    for make in (records.client, records.async_client, lambda: records.auth):
        with pytest.raises(TypeError, match="on_behalf_of"):
            make()
    with pytest.raises(TypeError, match="TokenExchange"):
        billing.on_behalf_of("caller")


@pytest.mark.parametrize(
    "url",
    ["", "billing", "/v1", "http://billing.internal", "http://192.0.2.1", "ftp://a.example", "https://u:p@a.example"],
)
def test_a_url_that_no_token_may_go_to_is_refused_when_made(provider: Provider, url: str) -> None:
    with pytest.raises(ValueError, match="token"):
        Connection(url, auth=ClientCredentials(provider.url, client=CLIENT))


def test_plain_http_is_allowed_by_name(provider: Provider) -> None:
    source = ClientCredentials(provider.url, client=CLIENT)
    connection = Connection("http://billing.internal", auth=source, plain_http=True)
    request = httpx2.Request("GET", "http://billing.internal/x")
    assert next(connection.auth.sync_auth_flow(request)).headers["Authorization"] == "Bearer token-1"
    with pytest.raises(WrongOrigin):
        next(connection.auth.sync_auth_flow(httpx2.Request("GET", "http://other.internal/x")))


def test_plain_http_is_allowed_for_callers_too(provider: Provider) -> None:
    exchange = TokenExchange(provider.url, client=CLIENT)
    records = Connection("http://records.internal", auth=exchange, plain_http=True).on_behalf_of("caller")
    request = httpx2.Request("GET", "http://records.internal/x")
    assert next(records.auth.sync_auth_flow(request)).headers["Authorization"] == "Bearer token-1"


def test_connections_are_found_by_name(billing: Connection) -> None:
    outbound = Connections({"billing": billing, "bills": billing})
    assert outbound["billing"] is billing
    assert (list(outbound), len(outbound), "records" in outbound) == (["billing", "bills"], 2, False)
    with pytest.raises(KeyError, match="no connection 'records': there are billing, bills"):
        outbound["records"]


@pytest.mark.parametrize("wrong", [BILLING, None, ("a", "b")], ids=str)
def test_what_is_no_connection_is_refused_when_made(wrong: Any) -> None:
    with pytest.raises(TypeError, match="Connection"):
        Connections({"billing": wrong})


def test_they_show_where_and_as_whom_and_no_secret(provider: Provider) -> None:
    source = ClientCredentials("https://id.example.com", client=CLIENT)
    caller = Connection(BILLING, auth=TokenExchange(provider.url, client=CLIENT)).on_behalf_of("callers-token")
    shown = repr(Connections({"billing": Connection(BILLING, auth=source)}))
    assert shown == f"Connections({{'billing': Connection('{BILLING}', auth={source!r})}})"
    assert "callers-token" not in repr(caller)
    assert "s3cret" not in repr(Connection("https://api.example.com?key=s3cret", auth=source))


@pytest.mark.parametrize("auth", [None, 5, "token", ClientCredentials, CLIENT], ids=lambda one: type(one).__name__)
def test_what_authorizes_nothing_is_refused_when_made(auth: Any) -> None:
    with pytest.raises(TypeError, match=r"^auth is ClientCredentials"):
        Connection(BILLING, auth=auth)


def test_a_url_is_text(provider: Provider) -> None:
    wrong: Any = None
    with pytest.raises(TypeError, match="base_url and origins are URLs"):
        Connection(wrong, auth=ClientCredentials(provider.url, client=CLIENT))


@pytest.mark.parametrize("wrong", [None, [("a", 1)], 5, "billing"], ids=repr)
def test_connections_are_a_mapping(wrong: Any) -> None:
    with pytest.raises(TypeError, match="Connections maps names"):
        Connections(wrong)


def test_the_names_of_connections_are_text(billing: Connection) -> None:
    wrong: Any = {5: billing}
    with pytest.raises(TypeError, match="Connections maps names"):
        Connections(wrong)
