import json
from base64 import urlsafe_b64encode
from hashlib import sha256

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from oauth_rs.devserver.keys import ALGORITHMS, RETIRED_LIMIT, KeyRing, SigningKey

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k"}


@pytest.fixture(scope="module", params=list(ALGORITHMS))
def key(request: pytest.FixtureRequest) -> SigningKey:
    return SigningKey.generate(request.param)


def test_the_published_key_verifies_what_the_private_key_signed(key: SigningKey) -> None:
    jwk = {name: value for name, value in key.jwk().items() if name != "alg"}
    public = jwt.PyJWK(jwk, {"Ed25519": "EdDSA"}.get(key.algorithm, key.algorithm))
    assert public.Algorithm.verify(b"message", public.key, key.sign(b"message"))
    assert not public.Algorithm.verify(b"another", public.key, key.sign(b"message"))


def test_a_published_key_has_no_private_member(key: SigningKey) -> None:
    assert PRIVATE_MEMBERS.isdisjoint(key.jwk())


def test_a_published_key_names_use_algorithm_and_thumbprint(key: SigningKey) -> None:
    jwk = key.jwk()
    members = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}[jwk["kty"]]
    canonical = json.dumps({name: jwk[name] for name in members}, separators=(",", ":")).encode()
    assert (jwk["use"], jwk["alg"]) == ("sig", key.algorithm)
    assert jwk["kid"] == urlsafe_b64encode(sha256(canonical).digest()).decode().rstrip("=")
    assert "key_ops" not in jwk


def test_the_public_half_is_there_as_pem_too(key: SigningKey) -> None:
    public = load_pem_public_key(key.public_pem())
    assert public == key.private.public_key()


def test_a_key_does_not_print_its_secrets(key: SigningKey) -> None:
    assert repr(key) == f"SigningKey(algorithm={key.algorithm!r}, kid={key.kid!r})"


def test_rsa_keys_have_2048_bits() -> None:
    assert SigningKey.generate("RS256").private.key_size == 2048


@pytest.mark.parametrize("algorithm", ["none", "HS256", "es256", "", "RS257"])
def test_an_unknown_algorithm_is_refused_with_the_known_ones(algorithm: str) -> None:
    with pytest.raises(ValueError, match="choose one of RS256, ES256, Ed25519, EdDSA"):
        KeyRing(algorithm)


def test_the_signing_key_stays_the_same_until_it_is_rotated() -> None:
    ring = KeyRing("ES256")
    first = ring.signing()
    assert ring.signing() is first
    assert ring.rotate() is ring.signing() is not first


def test_a_rotated_key_is_withdrawn() -> None:
    ring = KeyRing("ES256")
    fresh = ring.rotate()
    assert [key["kid"] for key in ring.jwks()["keys"]] == [fresh.kid]


def test_a_kept_key_stays_published_behind_the_new_one_until_a_rotation_without_keep() -> None:
    ring = KeyRing("ES256")
    old, fresh = ring.signing(), ring.rotate(keep=True)
    assert [key["kid"] for key in ring.jwks()["keys"]] == [fresh.kid, old.kid]
    ring.rotate()
    assert len(ring.jwks()["keys"]) == 1


def test_kept_keys_are_bounded_and_the_oldest_goes_first() -> None:
    ring = KeyRing("Ed25519")
    first = ring.signing()
    kids = [ring.rotate(keep=True).kid for _ in range(RETIRED_LIMIT + 1)]
    assert [key["kid"] for key in ring.jwks()["keys"]] == kids[::-1]
    assert first.kid not in kids


def test_a_key_for_another_algorithm_is_made_once_and_published() -> None:
    ring = KeyRing("ES256")
    other = ring.signing("EdDSA")
    assert ring.signing("EdDSA") is other
    assert [key["alg"] for key in ring.jwks()["keys"]] == ["ES256", "EdDSA"]
