import base64
from typing import Any
from urllib.parse import urlencode

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.devserver import Client, DevServer
from oauth_rs.devserver.grants import FIELDS_LIMIT, Grants, form
from oauth_rs.devserver.keys import KeyRing
from oauth_rs.devserver.ledger import Ledger
from oauth_rs.devserver.tokens import Mint
from tests.devserver.conftest import Read
from tests.support.issuing import private_key

GRANT = {"grant_type": "client_credentials"}
POSTED = {**GRANT, "client_id": "demo", "client_secret": "secret"}
BASIC = ("demo", "secret")
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - what is refused
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def refused(response: httpx2.Response, error: str, status: int = 400) -> bool:
    """True when the answer is the error JSON of RFC 6749 section 5.2."""
    body = response.json()
    return (
        (response.status_code, body.pop("error")) == (status, error)
        and set(body) <= {"error_description"}
        and response.headers["cache-control"] == "no-store"
        and response.headers.get("www-authenticate", "").startswith("Basic ") is (status == 401)
    )


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_client_secret_basic_gets_a_token(http: httpx2.Client, server: DevServer, read: Read) -> None:
    response = http.post("/token", data={**GRANT, "scope": "photos"}, auth=BASIC)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    claims = read(body.pop("access_token"), server.jwks())["claims"]
    assert body == {"expires_in": 600, "token_type": "Bearer", "scope": "photos"}
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("demo", "demo", "photos")
    assert (claims["iss"], claims["aud"]) == (server.issuer, "https://api.example.com")


def test_client_secret_post_gets_every_scope_when_none_is_asked_for(http: httpx2.Client) -> None:
    assert http.post("/token", data=POSTED).json()["scope"] == "albums photos"


def test_a_parameter_without_a_value_is_as_good_as_omitted(http: httpx2.Client) -> None:
    assert http.post("/token", data={**POSTED, "scope": "", "resource": ""}).json()["scope"] == "albums photos"


def test_a_client_without_scopes_gets_a_token_without_scope(http: httpx2.Client) -> None:
    body = http.post("/token", data={**POSTED, "client_id": "bare"}).json()
    assert "scope" not in body
    assert "scope" not in jwt.decode(body["access_token"], options={"verify_signature": False})


def test_basic_credentials_are_form_decoded(http: httpx2.Client) -> None:
    encoded = basic("odd%3Aid:s%25c%2Br%26t%3D")
    assert http.post("/token", data=GRANT, headers=encoded).status_code == 200


def test_unrecognised_parameters_are_ignored_even_with_names_oauthlib_uses(http: httpx2.Client) -> None:
    noise = {"client": "x", "scopes": "x", "expires_in": "x", "extra_credentials": "x", "state": "x", "a[]": "|"}
    assert http.post("/token", data={**POSTED, **noise}).status_code == 200


@pytest.mark.parametrize("name", ["resource", "audience"])
def test_a_known_resource_becomes_the_audience(http: httpx2.Client, name: str) -> None:
    token = http.post("/token", data={**POSTED, name: "https://other.example.com"}).json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == "https://other.example.com"


def test_several_resources_become_a_list_of_audiences(http: httpx2.Client) -> None:
    both = ["https://other.example.com", "https://api.example.com"]
    token = http.post("/token", data={**POSTED, "resource": both}).json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == both


@pytest.mark.parametrize("resource", ["https://evil.example", "https://api.example.com/", "x"])
def test_an_unknown_resource_is_an_invalid_target(http: httpx2.Client, resource: str) -> None:
    assert refused(http.post("/token", data={**POSTED, "resource": resource}), "invalid_target")


@pytest.mark.parametrize(
    "credentials", [("nobody", "secret"), ("demo", "wrong"), ("demo", ""), ("", ""), ("nobody", "\0")]
)
def test_wrong_credentials_are_an_invalid_client(http: httpx2.Client, credentials: tuple[str, str]) -> None:
    posted = {**GRANT, "client_id": credentials[0], "client_secret": credentials[1]}
    assert refused(http.post("/token", data=GRANT, auth=credentials), "invalid_client", 401)
    assert refused(http.post("/token", data=posted), "invalid_client", 401)


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !!!", "Basic /w==", "Basic ZGVtbw==", "Bearer x", b"Basic \xff\xfe", "Digest a=b"],
)
def test_unreadable_credentials_are_an_invalid_client(http: httpx2.Client, authorization: str | bytes) -> None:
    headers: dict[str, str | bytes] = {"Authorization": authorization}
    assert refused(http.post("/token", data=GRANT, headers=headers), "invalid_client", 401)  # type: ignore[arg-type]


def test_no_credentials_are_an_invalid_client(http: httpx2.Client) -> None:
    assert refused(http.post("/token", data=GRANT), "invalid_client", 401)


def test_two_authentication_methods_at_once_are_an_invalid_request(http: httpx2.Client) -> None:
    assert refused(http.post("/token", data=POSTED, auth=BASIC), "invalid_request")


def test_a_posted_client_id_must_be_the_one_that_authenticated(http: httpx2.Client) -> None:
    assert refused(http.post("/token", data={**GRANT, "client_id": "bare"}, auth=BASIC), "invalid_client", 401)
    assert http.post("/token", data={**GRANT, "client_id": "demo"}, auth=BASIC).status_code == 200


@pytest.mark.parametrize("scope", ["admin", "photos admin", "photos  albums", " ", 'photos"', "\N{SNOWMAN}"])
def test_a_scope_the_client_does_not_have_is_an_invalid_scope(http: httpx2.Client, scope: str) -> None:
    assert refused(http.post("/token", data={**POSTED, "scope": scope}), "invalid_scope")


@pytest.mark.parametrize("grant", ["password", "authorization_code", "refresh_token", "x"])
def test_another_grant_is_unsupported(http: httpx2.Client, grant: str) -> None:
    assert refused(http.post("/token", data={**POSTED, "grant_type": grant}), "unsupported_grant_type")


@pytest.mark.parametrize("name", ["grant_type", "client_id", "client_secret", "scope"])
def test_a_repeated_parameter_is_an_invalid_request(http: httpx2.Client, name: str) -> None:
    repeated = {**POSTED, "scope": "photos", name: ["photos", "photos"]}
    assert refused(http.post("/token", data=repeated), "invalid_request")


@pytest.mark.parametrize(
    "body",
    [b"", b"%", b"=", b"&&&", b"\xff", b"grant_type=%ff", b"grant_type", b"{}", b"a=1&" * (FIELDS_LIMIT + 1), b"\0"],
)
def test_a_body_without_a_grant_type_is_an_invalid_request(http: httpx2.Client, body: bytes) -> None:
    assert refused(http.post("/token", content=body, headers=FORM), "invalid_request")


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_another_content_type_is_an_invalid_request(http: httpx2.Client, content_type: str) -> None:
    body = b"grant_type=client_credentials&client_id=demo&client_secret=secret"
    assert refused(http.post("/token", content=body, headers={"Content-Type": content_type}), "invalid_request")


def test_a_client_does_not_print_its_secret() -> None:
    assert "hush" not in repr(Client("demo", "hush", scopes={"photos"}))


@pytest.mark.parametrize(("client_id", "secret"), [("", "secret"), ("demo", ""), ("", "")])
def test_a_client_needs_an_id_and_a_secret(client_id: str, secret: str) -> None:
    with pytest.raises(ValueError, match="id and a secret"):
        Client(client_id, secret)


@pytest.mark.parametrize("scope", ["", "a b", 'a"b', "a\\b", "\u00e9", "a\n"])
def test_a_client_scope_keeps_to_the_charset(scope: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        Client("demo", "secret", scopes={"photos", scope})


@pytest.mark.parametrize("rsa_key", ["", "PEM", PRIVATE.public_key()], ids=["empty", "no PEM", "too short"])
def test_a_client_key_is_an_rsa_key_of_good_length(rsa_key: Any) -> None:
    with pytest.raises(ValueError, match=r"2048|PEM"):
        Client("demo", "secret", rsa_key=rsa_key)


def test_a_client_signs_with_its_secret_or_with_its_key() -> None:
    one = Client("demo", "secret", scopes={"photos"}).oauth1()
    other = Client("demo", "secret", rsa_key=private_key("RS256", "client").public_key()).oauth1()
    assert (one.secret, one.methods, one.scopes) == ("secret", {"HMAC-SHA1", "HMAC-SHA256"}, {"photos"})
    assert (other.secret, other.methods) == ("", {"RSA-SHA1", "RSA-SHA256"})


def test_grants_know_what_they_offer() -> None:
    assert (GRANTS.grant_types, GRANTS.scopes) == (["client_credentials"], ["photos"])


def test_form_keeps_order_and_repeats_and_leaves_blanks_out() -> None:
    assert form(b"b=1&a=%20&b=2&c=&d") == [("b", "1"), ("a", " "), ("b", "2")]


MINT = Mint(issuer="http://127.0.0.1:9000", audience="urn:api", client_id="demo", keys=KeyRing("Ed25519"))
GRANTS = Grants(Ledger(None, mint=MINT), clients=[Client("demo", "secret", scopes={"photos"})], audiences=["urn:api"])
NAMES = st.sampled_from(
    ["grant_type", "client_id", "client_secret", "scope", "resource", "audience", "token_type", "client", "x"]
)
VALUES = st.sampled_from(["client_credentials", "demo", "secret", "photos", "urn:api", "mac", ""]) | st.text()
HEADERS = st.binary().map(lambda data: "Basic " + base64.b64encode(data).decode())


@given(
    body=st.binary() | st.lists(st.tuples(NAMES, VALUES)).map(lambda fields: urlencode(fields).encode()),
    authorization=st.none() | st.just("Basic ZGVtbzpzZWNyZXQ=") | HEADERS | st.text(st.characters(max_codepoint=255)),
)
def test_nothing_sent_to_the_token_endpoint_raises(body: bytes, authorization: str | None) -> None:
    reply = GRANTS.respond(body, content_type=FORM["Content-Type"], authorization=authorization)
    assert reply.status in {200, 400, 401}
    assert ("access_token" in reply.body) is (reply.status == 200)
