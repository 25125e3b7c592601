"""No token, secret, assertion or refresh token gets into a log, an error, a repr or a URL, whatever happens."""

import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec

from oauth_rs.client_auth import ClientAuth, ClientSecret, ClientSecretPost, PrivateKeyJWT
from oauth_rs.errors import OAuthError
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.outbound import ClientCredentials, Connection, OutboundError, RefreshToken, TokenExchange
from oauth_rs.outbound.redis import RedisTokens
from tests.outbound.provider import API, Provider, granted
from tests.support.misbehaving import drops, silent, talks_nonsense
from tests.support.ports import free_port
from tests.support.redis_server import wait_until

HTTP = HTTPSettings(timeout=0.3)
SECRET, TOKEN, SUBJECT, REFRESH = "s3cret-Client", "t0ken-Access", "t0ken-Subject", "t0ken-Refresh"
SECRETS = (SECRET, TOKEN, SUBJECT, REFRESH)
CLIENTS: list[ClientAuth] = [
    ClientSecret("api", SECRET),
    ClientSecretPost("api", SECRET),
    PrivateKeyJWT("api", ec.generate_private_key(ec.SECP256R1())),
]
TALE = f"{SECRET} {TOKEN} {SUBJECT} {REFRESH}"  # a server that repeats what it was sent
ANSWERS: dict[str, Any] = {
    "good": granted(TOKEN, refresh_token=f"{REFRESH}-2", scope=TALE),
    "refused": (400, {"error": "invalid_grant", "error_description": TALE}),
    "refused oddly": (401, {"error": TALE}),
    "outage": (500, TALE.encode()),
    "page": TALE.encode(),
    "malformed": granted(f"{TOKEN}\r\n{TALE}"),
    "of another type": granted(TOKEN, token_type=TALE),
    "with an odd life": granted(TOKEN, expires_in=TALE),
    "silent": silent,
    "dropped": drops,
    "nonsense": talks_nonsense,
}


def sources(provider: Provider, client: ClientAuth) -> list[Any]:
    down = RedisTokens(f"redis://:{SECRET}@127.0.0.1:{free_port()}/0", keys=[Fernet.generate_key()])
    return [
        ClientCredentials(provider.url, client=client, scopes=["a"], shared=down, http=HTTP),
        RefreshToken(provider.url, client=client, refresh_token=REFRESH, http=HTTP),
        TokenExchange(provider.url, client=client, http=HTTP).of(SUBJECT),
    ]


def shown_by(work: Callable[[], object]) -> str:
    """The whole text of the error that `work` ends with."""
    try:
        work()
    except (OutboundError, OAuthError) as error:
        return f"{error!r} {error} {vars(error)} {''.join(traceback.format_exception(error))}"
    return ""


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("client", CLIENTS, ids=["secret", "secret in the form", "assertion"])
def test_nothing_secret_is_shown(
    provider: Provider, api: API, caplog: pytest.LogCaptureFixture, client: ClientAuth, answer: str
) -> None:
    provider.answers["/token"] = ANSWERS[answer]
    api.good = set()
    shown = []
    with caplog.at_level(logging.DEBUG):
        for source in sources(provider, client):
            connection = Connection(api.url, auth=source)
            with connection.client() as http:
                shown.append(shown_by(partial(http.get, "/bills")))
            shown.append(shown_by(source.token))
            shown.append(repr([source, connection, connection.auth, getattr(source, "source", source)]))
    asked = [part for one in provider.asked for part in (one.target, *dict(one.fields).values())]
    assertions = [dict(one.fields).get("client_assertion", SECRET) for one in provider.asked]
    urls = " ".join(one.target for one in provider.asked) + " ".join(path for _, path, _ in api.seen)
    seen = " ".join((*shown, caplog.text, *map(repr, map(vars, caplog.records)), urls))
    assert asked
    assert caplog.records
    assert not [secret for secret in (*SECRETS, *assertions) if secret in seen]


@pytest.mark.parametrize("answer", ANSWERS)
def test_nothing_secret_is_kept_of_a_request_that_ended(provider: Provider, answer: str) -> None:
    provider.answers["/token"] = ANSWERS[answer]
    for source in sources(provider, ClientSecretPost("api", SECRET)):
        shown_by(source.token)
        http = getattr(source, "source", source)._http
        wait_until(partial(nothing_is_kept, http), 5.0)  # a call whose time is up has not always ended yet


def nothing_is_kept(http: BlockingHTTP) -> bool:
    return not any(flights.of for flights in http._flights.values())


@pytest.mark.parametrize("answer", ["good", "refused", "outage"])
def test_nothing_secret_is_shown_to_those_who_await(
    provider: Provider, api: API, caplog: pytest.LogCaptureFixture, answer: str
) -> None:
    provider.answers["/token"] = ANSWERS[answer]
    api.good = set()

    async def call(source: Any) -> None:
        async with Connection(api.url, auth=source).async_client() as client:
            with suppress(httpx2.HTTPError):
                await client.get("/bills")

    with caplog.at_level(logging.DEBUG):
        shown = [shown_by(partial(anyio.run, call, one)) for one in sources(provider, CLIENTS[0])]
    seen = " ".join((*shown, caplog.text, *map(repr, map(vars, caplog.records))))
    assert not [secret for secret in SECRETS if secret in seen]
