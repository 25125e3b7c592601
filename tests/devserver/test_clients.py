from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from oauth_rs.devserver.clients import Client
from tests.devserver.conftest import SIGNER
from tests.support.issuing import private_key

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - what is refused


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


@pytest.mark.parametrize(
    "jwks",
    [{"keys": []}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, {"keys": {}}, {"key": 1}],
    ids=["empty", "symmetric", "no list", "no set"],
)
def test_a_key_set_has_a_public_key(jwks: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="key"):
        Client("demo", jwks=jwks)


def test_a_private_key_is_refused() -> None:
    with pytest.raises(ValueError, match="no key of the set"):
        Client("demo", jwks={"keys": [{**SIGNER.jwk, "d": "AAAA"}]})


def test_opaque_tokens_have_no_status() -> None:
    with pytest.raises(ValueError, match="Leave one of the two out"):
        Client("demo", "secret", opaque=True, status=True)


def test_a_client_with_keys_alone_signs_no_oauth1_requests() -> None:
    client = Client("demo", jwks=SIGNER.jwks)
    assert not client.signs
    with pytest.raises(ValueError, match="needs a secret"):
        client.oauth1()


def test_a_client_may_have_both() -> None:
    client = Client("demo", "secret", jwks=SIGNER.jwks)
    assert client.signs
    assert client.keys.select("ES256", "c1") is not None


def test_clients_are_values() -> None:
    one, other = (Client("demo", "secret", jwks=SIGNER.jwks) for _ in range(2))
    assert (one, hash(one)) == (other, hash(other))
