import base64
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote_plus

import httpx2
import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth2 import InvalidClientError, InvalidRequestError, OAuth2Error

from oauth_rs.devserver import DevServer
from oauth_rs.devserver.authentication import ASSERTION_LIFETIME, LEEWAY, ClientAuthentication
from oauth_rs.devserver.clients import Client
from tests.devserver.conftest import ASSERTION_TYPE, RSA_SIGNER, SIGNER, Clock, assertion, refused
from tests.support.issuing import Issuer, encode

GRANT = {"grant_type": "client_credentials"}
ISSUER = "https://id.example.com"
CLIENTS = {
    client.client_id: client
    for client in (
        Client("demo", "secret"),
        Client("odd:id", "s%c+r&t="),
        Client("signer", jwks=SIGNER.jwks),
        Client("both", "secret", jwks=SIGNER.jwks),
    )
}
OTHER = Issuer("ES256", kid="c1-other", issuer="signer")
ENDPOINTS = ["/token", "/introspect", "/revoke"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authentication(clock: Clock) -> ClientAuthentication:
    return ClientAuthentication(CLIENTS, issuer=ISSUER, clock=clock)


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def asserted(token: str, **more: str) -> dict[str, str]:
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token, **more}


def good(clock: Clock, **changes: Any) -> dict[str, Any]:
    """The claims of an assertion that is taken, with `changes`; those that are None are left out."""
    claims = {"iss": "signer", "sub": "signer", "aud": ISSUER, "exp": int(clock.now) + 60, "jti": "1", **changes}
    return {name: value for name, value in claims.items() if value is not None}


def signed(claims: dict[str, Any], *, by: Issuer = SIGNER, **header: Any) -> str:
    members = {"alg": by.algorithm, "kid": SIGNER.kid, **header}
    return by.sign({name: value for name, value in members.items() if value is not None}, encode(claims))


@pytest.mark.parametrize(
    ("client_id", "secret"),
    [
        *(("nobody", "secret"), ("demo", "wrong"), ("demo", ""), ("", ""), ("", "secret"), ("nobody", "\0")),
        *(("signer", ""), ("signer", "\0"), ("signer", "secret"), ("Demo", "secret"), ("demo", "secret ")),
    ],
)
def test_a_wrong_secret_proves_nothing(authentication: ClientAuthentication, client_id: str, secret: str) -> None:
    with pytest.raises(InvalidClientError):
        authentication.authenticate({"client_id": client_id, "client_secret": secret}, None)
    with pytest.raises(InvalidClientError):
        authentication.authenticate({}, basic(quote_plus(client_id), quote_plus(secret)))
    with pytest.raises(InvalidClientError):
        authentication.basic(basic(client_id, secret))


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !!!", "Basic /w==", "Basic ZGVtbw==", "Bearer ZGVtbzpzZWNyZXQ=", "\xff\xfe", "Basic \xff"],
)
def test_an_unreadable_header_proves_nothing(authentication: ClientAuthentication, authorization: str) -> None:
    with pytest.raises(InvalidClientError):
        authentication.authenticate({}, authorization)
    with pytest.raises(InvalidClientError):
        authentication.basic(authorization)


@pytest.mark.parametrize(
    ("fields", "authorization"),
    [
        ({"client_secret": "secret", "client_id": "demo"}, basic("demo", "secret")),
        (asserted("x"), basic("demo", "secret")),
        (asserted("x", client_id="demo", client_secret="secret"), None),
        (asserted("x", client_secret="secret"), ""),
    ],
    ids=["secret twice", "header and assertion", "secret and assertion", "three"],
)
def test_two_methods_at_once_are_an_invalid_request(
    authentication: ClientAuthentication, fields: dict[str, str], authorization: str | None
) -> None:
    with pytest.raises(InvalidRequestError):
        authentication.authenticate(fields, authorization)


def test_the_id_in_the_form_must_be_the_one_that_was_proved(authentication: ClientAuthentication, clock: Clock) -> None:
    with pytest.raises(InvalidClientError):
        authentication.authenticate({"client_id": "both"}, basic("demo", "secret"))
    with pytest.raises(InvalidClientError):
        authentication.authenticate(asserted(signed(good(clock)), client_id="both"), None)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"iss": "both"},
        {"iss": "nobody"},
        {"iss": "demo", "sub": "demo"},
        {"iss": ["signer"]},
        {"sub": None},
        {"sub": "both"},
        {"sub": ["signer"]},
        {"aud": None},
        {"aud": "https://id.example.com/"},
        {"aud": f"{ISSUER}/userinfo"},
        {"aud": []},
        {"aud": [1, ISSUER]},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": 1_800_000_000 - LEEWAY},
        {"exp": 1_800_000_000 + ASSERTION_LIFETIME + LEEWAY + 1},
        {"nbf": 1_800_000_000 + LEEWAY + 1},
        {"iat": 1_800_000_000 + LEEWAY + 1},
        {"jti": None},
        {"jti": ""},
        {"jti": 1},
    ],
    ids=str,
)
def test_an_assertion_with_another_claim_proves_nothing(
    authentication: ClientAuthentication, clock: Clock, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidClientError):
        authentication.authenticate(asserted(signed(good(clock, **changes))), None)
    assert authentication.authenticate(asserted(signed(good(clock))), None) is CLIENTS["signer"]


@pytest.mark.parametrize(
    ("header", "by"),
    [
        ({}, OTHER),
        ({"kid": "c2"}, SIGNER),
        ({"alg": "none"}, SIGNER),
        ({"alg": "HS256"}, SIGNER),
        ({"alg": "ES384"}, SIGNER),
        ({"typ": "at+jwt"}, SIGNER),
        ({"typ": "dpop+jwt"}, SIGNER),
        ({"crit": ["x"]}, SIGNER),
        ({"kid": 1}, SIGNER),
    ],
    ids=str,
)
def test_an_assertion_that_no_key_of_the_client_signed_proves_nothing(
    authentication: ClientAuthentication, clock: Clock, header: dict[str, Any], by: Issuer
) -> None:
    with pytest.raises(InvalidClientError):
        authentication.authenticate(asserted(signed(good(clock), by=by, **header)), None)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a.b.c.d.e", "\N{SNOWMAN}", "." * 20_000, "e" * 20_000])
def test_what_is_no_jwt_proves_nothing(authentication: ClientAuthentication, token: str) -> None:
    with pytest.raises(InvalidClientError):
        authentication.authenticate(asserted(token), None)


@pytest.mark.parametrize(
    "assertion_type", [None, "", "jwt", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"]
)
def test_an_assertion_says_what_it_is(
    authentication: ClientAuthentication, clock: Clock, assertion_type: str | None
) -> None:
    fields = {"client_assertion": signed(good(clock)), "client_assertion_type": assertion_type}
    with pytest.raises(InvalidClientError):
        authentication.authenticate({name: value for name, value in fields.items() if value is not None}, None)


def test_an_assertion_type_alone_proves_nothing(authentication: ClientAuthentication) -> None:
    with pytest.raises(InvalidClientError):
        authentication.authenticate({"client_assertion_type": ASSERTION_TYPE, "client_id": "signer"}, None)


def test_an_assertion_is_good_once_until_it_is_over(authentication: ClientAuthentication, clock: Clock) -> None:
    token = signed(good(clock))
    authentication.authenticate(asserted(token), None)
    for later in (0, 60, 59 + LEEWAY):
        clock.now = 1_800_000_000.0 + later
        with pytest.raises(InvalidClientError):
            authentication.authenticate(asserted(token), None)


def test_a_refused_assertion_is_not_used_up(authentication: ClientAuthentication, clock: Clock) -> None:
    with pytest.raises(InvalidClientError):
        authentication.authenticate(asserted(signed(good(clock), by=OTHER)), None)
    assert authentication.authenticate(asserted(signed(good(clock))), None) is CLIENTS["signer"]


def test_one_id_of_two_clients_is_good_for_both(authentication: ClientAuthentication, clock: Clock) -> None:
    for client_id in ("signer", "both"):
        token = signed(good(clock, iss=client_id, sub=client_id))
        assert authentication.authenticate(asserted(token), None) is CLIENTS[client_id]


@pytest.mark.parametrize(
    "audience", [ISSUER, f"{ISSUER}/token", f"{ISSUER}/introspect", [f"{ISSUER}/revoke", "https://other.example.com"]]
)
@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "client-authentication+jwt"}, {"kid": None}], ids=str)
def test_an_assertion_proves_its_client(
    authentication: ClientAuthentication, clock: Clock, audience: str | list[str], header: dict[str, Any]
) -> None:
    token = signed(good(clock, aud=audience), **header)
    assert authentication.authenticate(asserted(token, client_id="signer"), None) is CLIENTS["signer"]


def test_a_secret_proves_its_client(authentication: ClientAuthentication) -> None:
    posted = {"client_id": "both", "client_secret": "secret"}
    assert authentication.authenticate(posted, None) is CLIENTS["both"]
    assert authentication.authenticate({"client_id": "demo"}, basic("demo", "secret")) is CLIENTS["demo"]
    assert authentication.authenticate({}, basic("demo", "secret").replace("Basic", "bASIC")) is CLIENTS["demo"]


def test_a_header_is_encoded_for_oauth_and_plain_elsewhere(authentication: ClientAuthentication) -> None:
    encoded, plain = basic("odd%3Aid", "s%25c%2Br%26t%3D"), basic("demo", "secret")
    assert authentication.authenticate({}, encoded) is CLIENTS["odd:id"]
    assert authentication.basic(plain) is CLIENTS["demo"]
    with pytest.raises(InvalidClientError):
        authentication.basic(encoded)


@given(
    fields=st.dictionaries(
        st.sampled_from(["client_id", "client_secret", "client_assertion"]), st.sampled_from(["demo", ""]) | st.text()
    ),
    authorization=st.none() | st.text(),
    typed=st.booleans(),
)
def test_nothing_sent_raises_anything_else(fields: dict[str, str], authorization: str | None, typed: bool) -> None:  # noqa: FBT001 - drawn
    authentication = ClientAuthentication(CLIENTS, issuer=ISSUER, clock=time.time)
    more = {"client_assertion_type": ASSERTION_TYPE} if typed else {}
    with pytest.raises(OAuth2Error):
        authentication.authenticate({**fields, **more}, authorization)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_every_endpoint_refuses_a_client_that_proves_nothing(http: httpx2.Client, path: str) -> None:
    form = {**GRANT, "token": "x"}
    assert refused(http.post(path, data=form), "invalid_client", 401)
    assert refused(http.post(path, data=form, auth=("demo", "wrong")), "invalid_client", 401)
    assert refused(http.post(path, data={**form, "client_id": "demo"}), "invalid_client", 401)
    assert refused(http.post(path, data={**form, **asserted("x")}), "invalid_client", 401)
    assert refused(http.post(path, data={**form, **asserted("x")}, auth=("demo", "secret")), "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_every_endpoint_takes_an_assertion_once(http: httpx2.Client, server: DevServer, path: str) -> None:
    form = {**GRANT, "token": "x", **assertion(server)}
    assert http.post(path, data=form).status_code == 200
    assert refused(http.post(path, data=form), "invalid_client", 401)


def test_an_assertion_that_comes_many_times_at_once_is_good_once(http: httpx2.Client, server: DevServer) -> None:
    form = {"token": "x", **assertion(server)}
    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(pool.map(lambda _: http.post("/introspect", data=form).status_code, range(16)))
    assert statuses == [200, *[401] * 15]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_authlib_authenticates_by_every_method_everywhere(server: DevServer, method: str) -> None:
    token_url = f"{server.issuer}/token"
    secret, client_id = ("secret", "demo")
    if method == "private_key_jwt":
        pem = RSA_SIGNER.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        secret, client_id = pem.decode(), "signer"
    methods = {"token_endpoint_auth_method": method, "revocation_endpoint_auth_method": method}
    session = OAuth2Session(client_id, secret, scope="photos", **methods)
    session.trust_env = False
    if method == "private_key_jwt":
        session.register_client_auth_method(PrivateKeyJWT(token_url, alg="RS256"))
    token = session.fetch_token(token_url, grant_type="client_credentials")["access_token"]
    assert session.introspect_token(f"{server.issuer}/introspect", token).json()["client_id"] == client_id
    assert session.revoke_token(f"{server.issuer}/revoke", token).status_code == 200
    assert session.introspect_token(f"{server.issuer}/introspect", token).json() == {"active": False}
