"""The three legs, walked by requests-oauthlib over HTTP, and by clients that stumble."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1 import Client as Signer
from requests_oauthlib import OAuth1Session

from oauth_rs.devserver import Client, DevServer
from oauth_rs.devserver.app import BODY_LIMIT
from oauth_rs.devserver.keys import KeyRing
from oauth_rs.devserver.ledger import Ledger
from oauth_rs.devserver.oauth1 import ThreeLegged
from oauth_rs.devserver.tokens import Mint
from oauth_rs.stores.sql import SQLCredentials
from tests.devserver.conftest import found, made_store

CALLBACK = "https://app.example.com/back?x=1"
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE_PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC_PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
CLIENTS = [
    Client("demo", "secret", scopes={"photos", "albums"}),
    Client("press", "secret", scopes={"photos"}, rsa_key=PUBLIC_PEM),
    Client("other", "secret", scopes={"photos"}),
]
DEMO = {"client_key": "demo", "client_secret": "secret"}
PRESS = {"client_key": "press", "rsa_key": PRIVATE_PEM}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SQLCredentials:
    return made_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def server(store: SQLCredentials) -> Iterator[DevServer]:
    with DevServer.running(audience="urn:api", algorithm="ES256", clients=CLIENTS, credentials=store) as running:
        yield running


def session(**options: Any) -> OAuth1Session:
    made = OAuth1Session(**{**DEMO, "callback_uri": CALLBACK, **options})
    made.trust_env = False
    return made


def initiated(server: DevServer, client: OAuth1Session, *scopes: str) -> dict[str, str]:
    temporary: dict[str, str] = client.fetch_request_token(f"{server.issuer}/oauth1/initiate", realm=scopes)
    return temporary


def approve(server: DevServer, **query: str) -> httpx2.Response:
    return httpx2.get(f"{server.issuer}/oauth1/authorize", params=query, trust_env=False)


def approved(server: DevServer, client: OAuth1Session, *scopes: str, user: str = "ada") -> httpx2.Response:
    """The answer of the second leg, after the first."""
    return approve(server, oauth_token=initiated(server, client, *scopes)["oauth_token"], user=user)


def verified(server: DevServer, client: OAuth1Session) -> None:
    """The client is ready for the third leg."""
    client.parse_authorization_response(approved(server, client).headers["location"])


def exchange(server: DevServer, client: OAuth1Session) -> requests.Response:
    reply: requests.Response = client.post(f"{server.issuer}/oauth1/token")
    return reply


def initiate(server: DevServer, *, body: str | None = None, query: str = "", **options: Any) -> httpx2.Response:
    """The first leg, signed by oauthlib alone: `options` may make the client stumble."""
    url = f"{server.issuer}/oauth1/initiate{query}"
    signer = Signer(**{**DEMO, "callback_uri": CALLBACK, **options})
    url, headers, body = signer.sign(url, "POST", body, FORM if body else None)
    return httpx2.post(url, headers=headers, content=body, trust_env=False)


def refused(reply: Any, status: int) -> bool:
    challenged = reply.headers.get("www-authenticate") == 'OAuth realm="oauth_rs devserver"'
    return reply.status_code == status and challenged is (status == 401) and "oauth_token=" not in reply.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_secret": "wrong"},
        {"client_secret": ""},
        {"client_key": "nobody"},
        {"client_key": "nobody", "signature_method": "RSA-SHA1", "rsa_key": PRIVATE_PEM},
        {"client_key": "press"},
        {"signature_method": "RSA-SHA256", "rsa_key": PRIVATE_PEM},
    ],
    ids=["secret", "no secret", "client", "client with a key", "HMAC of an RSA client", "RSA of an HMAC client"],
)
def test_a_client_that_proves_nothing_gets_nothing(server: DevServer, wrong: dict[str, str]) -> None:
    assert refused(initiate(server, **wrong), 401)


@pytest.mark.parametrize(
    "wrong",
    [
        {"callback_uri": None},
        {"callback_uri": "javascript:alert(1)"},
        {"callback_uri": "https://app.example.com/\r\nSet-Cookie: a=b"},
        {"callback_uri": "//app.example.com"},
        {"callback_uri": "https://app.example.com/" + "a" * 3000},
        {"signature_method": "PLAINTEXT"},
        {"signature_method": "HMAC-SHA512"},
        {"timestamp": str(int(time.time()) - 3600)},
        {"timestamp": str(int(time.time()) + 3600)},
        {"timestamp": "x" * 10},
        {"nonce": ""},
        {"nonce": "a b"},
        {"nonce": "a" * 256},
        {"realm": "photos admin"},
        {"realm": "photos  albums"},
        {"resource_owner_key": "t1"},
    ],
    ids=lambda wrong: "-".join(f"{name} {str(value)[:24]!r}" for name, value in wrong.items()),
)
def test_a_malformed_first_leg_is_a_400(server: DevServer, wrong: dict[str, Any]) -> None:
    assert refused(initiate(server, **wrong), 400)


@pytest.mark.parametrize("query", ["?x[]=1", "?a=|", "?%FF=%FF", "?a=%zz", "?oauth_token=t1", "?oauth_callback=oob"])
@pytest.mark.parametrize("authorization", ["Bearer x", "OAuth", "OAuth x", "OAuth a=b, a=b", ""])
@pytest.mark.parametrize("leg", ["initiate", "token"])
def test_what_oauthlib_cannot_read_is_a_400(server: DevServer, leg: str, query: str, authorization: str) -> None:
    headers = {"Authorization": authorization, **FORM}
    reply = httpx2.post(f"{server.issuer}/oauth1/{leg}{query}", headers=headers, content=b"\xff|", trust_env=False)
    assert refused(reply, 400)


def test_two_authorization_headers_are_a_400(server: DevServer) -> None:
    _, headers, _ = Signer(**DEMO, callback_uri="oob").sign(f"{server.issuer}/oauth1/initiate", "POST")
    twice = [("Authorization", headers["Authorization"])] * 2
    assert httpx2.post(f"{server.issuer}/oauth1/initiate", headers=twice, trust_env=False).status_code == 400


def test_parameters_in_two_places_are_a_400(server: DevServer) -> None:
    assert refused(initiate(server, body="oauth_callback=oob"), 400)


def test_a_first_leg_that_is_sent_again_is_refused(server: DevServer) -> None:
    url = f"{server.issuer}/oauth1/initiate"
    _, headers, _ = Signer(**DEMO, callback_uri=CALLBACK).sign(url, "POST")
    first, second = (httpx2.post(url, headers=headers, trust_env=False) for _ in range(2))
    assert (first.status_code, refused(second, 401)) == (200, True)


def test_a_nonce_is_not_used_up_by_who_cannot_sign(server: DevServer) -> None:
    once = {"nonce": "n1", "timestamp": str(int(time.time()))}
    assert refused(initiate(server, client_secret="guess", **once), 401)
    assert initiate(server, **once).status_code == 200


@pytest.mark.parametrize("user", ["", "demo", "press", "a\nb", "a" * 256])
def test_nobody_approves_without_a_name_or_with_that_of_a_client(server: DevServer, user: str) -> None:
    client = session()
    assert refused(approved(server, client, user=user), 400)
    assert approve(server, oauth_token=client.token["oauth_token"], user="ada").status_code == 302


@pytest.mark.parametrize("query", [{"user": "ada"}, {"oauth_token": ""}, {"oauth_token": "t1"}, {"oauth_token": "[|]"}])
def test_what_was_never_asked_for_is_not_approved(server: DevServer, query: dict[str, str]) -> None:
    assert refused(approve(server, **{"user": "ada", **query}), 400)


def test_temporary_credentials_are_approved_once(server: DevServer) -> None:
    client = session()
    assert approved(server, client).status_code == 302
    assert refused(approve(server, oauth_token=client.token["oauth_token"], user="eve"), 400)


@pytest.mark.parametrize("leg", ["initiate", "token"])
def test_two_legs_are_not_walked_with_a_get(server: DevServer, leg: str) -> None:
    assert httpx2.get(f"{server.issuer}/oauth1/{leg}", trust_env=False).status_code == 405


@pytest.mark.parametrize("verifier", ["guess", "a" * 30, "a b", "a" * 256, None])
def test_a_wrong_verifier_gets_nothing_and_harms_nobody(server: DevServer, verifier: str | None) -> None:
    client = session()
    verified(server, client)
    right, client._client.client.verifier = client._client.client.verifier, verifier
    assert exchange(server, client).status_code in {400, 401}
    client._client.client.verifier = right
    assert exchange(server, client).status_code == 200


def test_what_nobody_approved_gets_nothing(server: DevServer) -> None:
    client = session(verifier="guess")
    initiated(server, client)
    client._client.client.verifier = "guess"
    assert refused(exchange(server, client), 401)


@pytest.mark.parametrize(
    "other",
    [{"client_key": "other"}, {"resource_owner_key": "t1"}, {"resource_owner_secret": "guess"}, {"client_secret": "x"}],
    ids=str,
)
def test_what_is_anothers_gets_nothing(server: DevServer, other: dict[str, str]) -> None:
    client = session()
    verified(server, client)
    for name, value in other.items():
        setattr(client._client.client, name, value)
    assert refused(exchange(server, client), 401)


def test_temporary_credentials_are_exchanged_once(server: DevServer) -> None:
    client = session()
    verified(server, client)
    assert exchange(server, client).status_code == 200
    assert refused(exchange(server, client), 401)


def test_of_many_exchanges_at_once_one_gets_a_token(server: DevServer) -> None:
    client = session()
    verified(server, client)
    url = f"{server.issuer}/oauth1/token"
    signed = [client._client.client.sign(url, "POST")[1] for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda headers: httpx2.post(url, headers=headers, trust_env=False), signed))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


def test_a_third_leg_without_a_token_is_a_400(server: DevServer) -> None:
    assert refused(exchange(server, session(verifier="v")), 400)


def test_a_body_over_the_limit_is_a_413(server: DevServer) -> None:
    content = b"a" * (BODY_LIMIT + 1)
    reply = httpx2.post(f"{server.issuer}/oauth1/initiate", content=content, headers=FORM, trust_env=False)
    assert reply.status_code == 413


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"signature_method": "HMAC-SHA256"},
        {"signature_type": "query"},
        {"signature_type": "body"},
        {**PRESS, "client_secret": None, "signature_method": "RSA-SHA1"},
        {**PRESS, "client_secret": None, "signature_method": "RSA-SHA256"},
    ],
    ids=["HMAC-SHA1", "HMAC-SHA256", "query", "body", "RSA-SHA1", "RSA-SHA256"],
)
def test_three_legs_give_a_token_that_resource_servers_find(
    server: DevServer, store: SQLCredentials, options: dict[str, Any]
) -> None:
    client = session(**options)
    client.parse_authorization_response(approved(server, client).headers["location"])
    given = client.fetch_access_token(f"{server.issuer}/oauth1/token")
    client_id = options.get("client_key", "demo")
    known, token = found(store.oauth1(client_id, given["oauth_token"]))
    assert known is not None
    assert token is not None
    assert (token.client_id, token.subject, token.scopes) == (client_id, "ada", known.scopes)
    assert token.secret == given["oauth_token_secret"]


@pytest.mark.parametrize(("realm", "granted"), [([], "albums photos"), (["photos"], "photos")], ids=["all", "one"])
def test_the_realm_names_scopes_and_without_it_all_are_granted(
    server: DevServer, realm: list[str], granted: str
) -> None:
    client = session()
    client.parse_authorization_response(approved(server, client, *realm).headers["location"])
    assert dict(parse_qsl(exchange(server, client).text))["oauth_authorized_realms"] == granted


def test_the_callback_keeps_its_query(server: DevServer) -> None:
    client = session()
    location = approved(server, client).headers["location"]
    sent = dict(parse_qsl(urlsplit(location).query))
    assert location.startswith(CALLBACK)
    assert (sent["x"], sent["oauth_token"]) == ("1", client.token["oauth_token"])


def test_out_of_band_the_verifier_is_shown(server: DevServer) -> None:
    client = session(callback_uri="oob")
    shown = approved(server, client)
    client._client.client.verifier = dict(parse_qsl(shown.text))["oauth_verifier"]
    assert (shown.status_code, exchange(server, client).status_code) == (200, 200)


def test_answers_are_kept_by_no_cache(server: DevServer) -> None:
    client = session(callback_uri="oob")
    answers = [initiate(server), initiate(server, client_secret="wrong"), approved(server, client)]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


def test_an_authorization_header_of_a_browser_does_not_disturb(server: DevServer) -> None:
    query = urlencode({"oauth_token": initiated(server, session())["oauth_token"], "user": "Ada Lovelace"})
    url = f"{server.issuer}/oauth1/authorize?{query}"
    assert httpx2.get(url, headers={"Authorization": "Basic YTpi"}, trust_env=False).status_code == 302


def test_without_a_store_there_are_no_legs() -> None:
    with DevServer.running(audience="urn:api", algorithm="ES256", clients=CLIENTS) as server:
        assert refused(initiate(server), 404)


MINT = Mint(issuer="http://127.0.0.1:9000", audience="urn:api", client_id="demo", keys=KeyRing("Ed25519"))
LEGS = ThreeLegged(Ledger(None, mint=MINT), clients=[client.oauth1() for client in CLIENTS])
OAUTH = ["token", "verifier", "consumer_key", "signature", "signature_method"]
OAUTH += ["timestamp", "nonce", "callback", "version"]
NAMES = st.sampled_from([*(f"oauth_{name}" for name in OAUTH), "user", "realm", "x[]"])
VALUES = st.sampled_from(["demo", "HMAC-SHA1", "RSA-SHA1", "1.0", "oob", "photos", str(int(time.time())), "ada", ""])
PAIRS = st.lists(st.tuples(NAMES, VALUES | st.text())).map(urlencode)
HEADERS = st.lists(st.tuples(NAMES, VALUES | st.text(st.characters(max_codepoint=255)))).map(
    lambda pairs: "OAuth " + ", ".join(f'{name}="{value}"' for name, value in pairs)
)


@given(
    path=st.sampled_from(sorted(LEGS.paths)),
    query=PAIRS | st.text(st.characters(min_codepoint=33, max_codepoint=126)),
    body=st.binary() | PAIRS.map(str.encode),
    authorization=HEADERS | st.text(st.characters(max_codepoint=255)),
)
def test_nothing_sent_raises(path: str, query: str, body: bytes, authorization: str) -> None:
    headers = {"authorization": authorization, "content-type": FORM["Content-Type"]}
    assert LEGS.respond(path, query=query, body=body, headers=headers)[2] in {400, 401}
