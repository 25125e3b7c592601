import time
from base64 import b64decode
from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from oauth_rs.client_auth import (
    ASSERTION,
    ASSERTION_SECONDS,
    BearerToken,
    ClientCertificate,
    ClientSecret,
    ClientSecretPost,
    PrivateKeyJWT,
    Proof,
)
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Call, Certificate, Flow, Run

URL = "https://id.example.com/token"
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
RSA_KEY = rsa.generate_private_key(65537, 2048)
SECRET = "s3cret-s3cret"


def pem(key: Any, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    coded: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return coded


@pytest.mark.parametrize(
    ("client_id", "secret", "pair"),
    [
        ("api", "secret", "api:secret"),
        ("a:b", "c:d", "a%3Ab:c%3Ad"),
        ("https://api.example.com", "ä +%", "https%3A%2F%2Fapi.example.com:%C3%A4+%2B%25"),
    ],
)
def test_a_secret_goes_into_the_header_form_encoded(client_id: str, secret: str, pair: str) -> None:
    proof = ClientSecret(client_id, secret).prove(URL)
    ((name, value),) = proof.headers
    assert (name, b64decode(value.removeprefix("Basic ")).decode()) == ("Authorization", pair)
    assert proof._replace(headers=()) == Proof()


def test_a_secret_goes_into_the_form_where_that_is_wanted() -> None:
    assert ClientSecretPost("api", SECRET).prove(URL) == Proof(fields=(("client_id", "api"), ("client_secret", SECRET)))


def test_a_certificate_is_shown_and_the_form_names_the_client(certificate: Certificate) -> None:
    expected = Proof(fields=(("client_id", "api"),), certificate=certificate)
    assert ClientCertificate("api", certificate).prove(URL) == expected


def test_a_token_goes_into_the_header() -> None:
    assert BearerToken("t0ken").prove(URL) == Proof(headers=(("Authorization", "Bearer t0ken"),))


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (EC_KEY, "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ec.generate_private_key(ec.SECP521R1()), "ES512"),
        (RSA_KEY, "RS256"),
        (RSA_KEY, "PS512"),
        (ED_KEY, "EdDSA"),
        (pem(EC_KEY), "ES256"),
        (pem(EC_KEY).decode(), "ES256"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 9 else type(value).__name__,
)
def test_an_assertion_is_one_that_others_verify(key: Any, algorithm: str) -> None:
    fields = dict(PrivateKeyJWT("api", key, algorithm=algorithm, kid="k1").prove(URL).fields)
    public = (EC_KEY if isinstance(key, str | bytes) else key).public_key()
    assertion = fields["client_assertion"]
    claims = jwt.decode(assertion, public, [algorithm], audience=URL, issuer="api")
    assert fields["client_assertion_type"] == ASSERTION
    assert jwt.get_unverified_header(assertion)["kid"] == "k1"
    assert (claims["sub"], fields["client_id"]) == ("api", "api")
    assert claims["exp"] - claims["iat"] == ASSERTION_SECONDS
    assert abs(claims["iat"] - time.time()) < 5


def test_no_two_assertions_are_alike() -> None:
    auth = PrivateKeyJWT("api", EC_KEY, clock=lambda: 1_000_000.0)
    claims = [
        jwt.decode(dict(auth.prove(URL).fields)["client_assertion"], options={"verify_signature": False})
        for _ in range(2)
    ]
    assert claims[0]["jti"] != claims[1]["jti"]
    assert claims[0]["iat"] == 1_000_000


def test_an_assertion_names_the_audience_that_the_provider_wants() -> None:
    fields = dict(PrivateKeyJWT("api", EC_KEY, audience="https://id.example.com").prove(URL).fields)
    claims = jwt.decode(fields["client_assertion"], options={"verify_signature": False})
    assert claims["aud"] == "https://id.example.com"
    assert "kid" not in jwt.get_unverified_header(fields["client_assertion"])


@pytest.mark.parametrize(("key", "error"), [("s3cret-s3cret", ValueError), (RSA_KEY, ValueError), (None, TypeError)])
def test_a_key_that_cannot_sign_is_refused_at_once(key: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="key is") as caught:  # all that there are: tests/test_pem.py
        PrivateKeyJWT("api", key)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("make", [ClientSecret, ClientSecretPost])
@pytest.mark.parametrize(("client_id", "secret"), [("", "secret"), ("api", ""), ("a\r\nb", "secret"), ("api", "a\0b")])
def test_an_id_and_a_secret_are_printable_text(make: Any, client_id: str, secret: str) -> None:
    with pytest.raises(ValueError, match="client"):
        make(client_id, secret)


@pytest.mark.parametrize("token", ["", "a\nb", "a b", "ä", "Bearer t0ken"])
def test_a_token_is_printable_ascii_without_spaces(token: str) -> None:
    with pytest.raises(ValueError, match="client"):
        BearerToken(token)


def given(proving: Proof | Flow[Proof]) -> Proof:
    """The proof that must be asked for."""
    assert not isinstance(proving, Proof)
    return BlockingHTTP(HTTPSettings()).drive(Run(proving))


async def awaited() -> str:
    return "t0ken"


@pytest.mark.parametrize("function", [lambda: "t0ken", awaited, partial(awaited)], ids=["plain", "async", "partial"])
def test_a_function_is_asked_for_the_token_of_each_proof(function: Any) -> None:
    assert given(BearerToken(function).prove(URL)) == Proof(headers=(("Authorization", "Bearer t0ken"),))


@pytest.mark.parametrize(("text", "error"), [(None, TypeError), (b"s3cret", TypeError), ("s3 cret", ValueError)])
def test_a_function_that_gives_no_token_ends_the_request(text: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="token") as caught:
        given(BearerToken(lambda: text).prove(URL))
    assert "cret" not in str(caught.value)


class Renewed:
    """Gives `t0ken-1`, and another one when that was refused."""

    def __init__(self) -> None:
        self.number = 1

    def current(self, refused: str, /) -> Flow[str]:
        self.number += refused == f"t0ken-{self.number}"
        yield from Call(blocking=int)
        return f"t0ken-{self.number}"


def test_a_token_that_is_kept_elsewhere_can_be_renewed() -> None:
    auth = BearerToken(Renewed(), "api")
    for number in (1, 2):
        proof = given(auth.prove(URL))
        assert proof.headers == (("Authorization", f"Bearer t0ken-{number}"),)
        assert proof.renew is not None
        assert given(proof.renew()).headers == (("Authorization", f"Bearer t0ken-{number + 1}"),)
        assert "t0ken" not in repr((auth, proof.renew))


def test_a_certificate_names_its_client(certificate: Certificate) -> None:
    with pytest.raises(ValueError, match="client"):
        ClientCertificate("", certificate)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ClientSecret("api", None), "are text"),  # type: ignore[arg-type]
        (lambda: ClientSecret(b"api", SECRET), "are text"),  # type: ignore[arg-type]
        (lambda: ClientSecretPost("api", SECRET.encode()), "are text"),  # type: ignore[arg-type]
        (lambda: BearerToken(SECRET.encode()), "is text, a function"),  # type: ignore[arg-type]
        (lambda: BearerToken(None), "is text, a function"),  # type: ignore[arg-type]
        (lambda: BearerToken(Renewed), "is text, a function"),
        (lambda: BearerToken(given), "is text, a function"),  # type: ignore[arg-type]
        (lambda: BearerToken(SECRET, 7), "are text"),  # type: ignore[arg-type]
        (lambda: PrivateKeyJWT(7, EC_KEY), "are text"),  # type: ignore[arg-type]
        (lambda: PrivateKeyJWT("api", EC_KEY, kid=7), "are text"),  # type: ignore[arg-type]
        (lambda: PrivateKeyJWT("api", EC_KEY, audience=[URL]), "are text"),  # type: ignore[arg-type]
        (lambda: ClientCertificate("api", "chain.pem"), "certificate is Certificate"),  # type: ignore[arg-type]
    ],
)
def test_what_is_of_the_wrong_kind_is_refused_at_once(make: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        make()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "auth",
    [
        ClientSecret("api", SECRET),
        ClientSecretPost("api", SECRET),
        BearerToken(SECRET),
        BearerToken(lambda: SECRET),
        PrivateKeyJWT("api", EC_KEY),
    ],
)
def test_no_secret_is_shown(auth: Any) -> None:
    assert SECRET not in repr(auth)
    assert "PRIVATE" not in repr(auth)
