"""The keys and certificates that PEM files hold, and private keys that are no files."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from oauth_rs.fetch.certificates import ShownCertificate
from oauth_rs.flow import Certificate
from oauth_rs.pem import check_pair, private_key
from tests.support.trusting import certificate_of, encrypt

SECRET = "s3cret-s3cret"
EC_KEY, RSA_KEY = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
ED_KEY = ed25519.Ed25519PrivateKey.generate()
SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what the test is about
OTHER_CURVE = ec.generate_private_key(ec.SECP256K1())


def pem(key: Any, password: str = "") -> bytes:
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    coded: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return coded


GOOD_KEYS = [
    (EC_KEY, "ES256"),
    (ec.generate_private_key(ec.SECP384R1()), "ES384"),
    (ec.generate_private_key(ec.SECP521R1()), "ES512"),
    (ED_KEY, "EdDSA"),
    *((RSA_KEY, name) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
]


@pytest.mark.parametrize(("key", "algorithm"), GOOD_KEYS, ids=[name for _, name in GOOD_KEYS])
def test_a_key_that_can_sign_is_taken_as_it_is_and_in_pem(key: Any, algorithm: str) -> None:
    assert private_key(key, algorithm) is key
    for text in (pem(key), pem(key).decode()):
        assert pem(private_key(text, algorithm)) == pem(key)


BAD_KEYS: dict[str, tuple[Any, str, type[Exception], str]] = {
    "a public key": (EC_KEY.public_key(), "ES256", TypeError, "key is a private key"),
    "for agreement": (x25519.X25519PrivateKey.generate(), "EdDSA", TypeError, "key is a private key"),
    "Ed448": (ed448.Ed448PrivateKey.generate(), "EdDSA", TypeError, "key is a private key"),
    "nothing": (None, "EdDSA", TypeError, "key is a private key"),
    "Ed448 in PEM": (pem(ed448.Ed448PrivateKey.generate()), "EdDSA", ValueError, "EdDSA: no algorithm here"),
    "EC for RSA": (EC_KEY, "PS256", ValueError, "not one for PS256: write algorithm='ES256'"),
    "EC for Ed25519": (EC_KEY, "EdDSA", ValueError, "not one for EdDSA"),
    "RSA for EC": (RSA_KEY, "ES256", ValueError, "not one for ES256: write algorithm='RS256'"),
    "Ed25519 for EC": (ED_KEY, "ES256", ValueError, "not one for ES256: write algorithm='EdDSA'"),
    "another curve": (EC_KEY, "ES384", ValueError, "curve of ES384: write algorithm='ES256'"),
    "a curve of others": (OTHER_CURVE, "ES256", ValueError, "curve of ES256: no algorithm here"),
    "a short one": (SHORT, "RS256", ValueError, "2048 bits"),
    "with a password": (pem(EC_KEY, SECRET), "ES256", ValueError, "without a password"),
    "text": (SECRET, "ES256", ValueError, "not a private key in PEM"),
    "empty": (b"", "ES256", ValueError, "not a private key in PEM"),
    "unsigned": (EC_KEY, "none", ValueError, "signs nothing here"),
    "symmetric": (SECRET.encode() * 5, "HS256", ValueError, "signs nothing here"),
    "in lower case": (EC_KEY, "es256", ValueError, "signs nothing here"),
}


@pytest.mark.parametrize(("key", "algorithm", "error", "message"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_key_that_cannot_sign_is_refused(key: Any, algorithm: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        private_key(key, algorithm)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.fixture
def pair(tmp_path: Path) -> Certificate:
    """A certificate whose files a test may spoil."""
    return certificate_of(trustme.CA(), tmp_path)


def _no_chain(folder: Path) -> None:
    (folder / "chain.pem").unlink()


def _no_key(folder: Path) -> None:
    (folder / "key.pem").unlink()


def _key_for_chain(folder: Path) -> None:
    (folder / "chain.pem").write_bytes((folder / "key.pem").read_bytes())


def _chain_for_key(folder: Path) -> None:
    (folder / "key.pem").write_bytes((folder / "chain.pem").read_bytes())


def _garbled_chain(folder: Path) -> None:
    (folder / "chain.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def _garbled_key(folder: Path) -> None:
    (folder / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")


def _another_key(folder: Path) -> None:
    another = ec.generate_private_key(ec.SECP256R1())
    (folder / "key.pem").write_bytes(another.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _encrypted(folder: Path) -> None:
    encrypt(folder / "key.pem", SECRET)


@pytest.mark.parametrize(
    ("spoil", "password", "message"),
    [
        (_no_chain, None, "can be read: .*No such file.*chain.pem"),
        (_no_key, None, "can be read: .*No such file.*key.pem"),
        (_key_for_chain, None, "no certificate in PEM in .*chain.pem"),
        (_chain_for_key, None, "no private key in PEM in .*key.pem"),
        (_garbled_chain, None, "no certificate in PEM in .*chain.pem"),
        (_garbled_key, None, "no private key in PEM in .*key.pem"),
        (_another_key, None, "not that of the first certificate"),
        (_encrypted, None, "password= is not the one"),
        (_encrypted, "", "password= is not the one"),
        (_encrypted, "s3cret", "password= is not the one"),
        (_encrypted, SECRET * 100, "password= is not the one"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_certificate_that_cannot_be_shown_is_refused_at_once(
    pair: Certificate, tmp_path: Path, spoil: Callable[[Path], None], password: str | None, message: str
) -> None:
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        check_pair(pair.chain, pair.key, password)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in str(caught.value.__context__)


def test_a_path_that_no_file_can_have_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="can be read"):
        check_pair("a\0b", "a\0b", None)


def _in_one_file(folder: Path) -> None:
    (folder / "key.pem").write_bytes((folder / "chain.pem").read_bytes() + (folder / "key.pem").read_bytes())


def _with_parameters(folder: Path) -> None:
    key = (folder / "key.pem").read_bytes()
    (folder / "key.pem").write_bytes(
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + key
    )


def _old_encryption(folder: Path) -> None:
    key, encryption = (
        load_pem_private_key((folder / "key.pem").read_bytes(), None),
        BestAvailableEncryption(SECRET.encode()),
    )
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption))


@pytest.mark.parametrize("change", [str, _in_one_file, _with_parameters, _encrypted, _old_encryption])
@pytest.mark.parametrize("kind", [str, Path])
def test_what_openssl_takes_is_taken(
    pair: Certificate, tmp_path: Path, change: Callable[[Path], object], kind: type[str | Path]
) -> None:
    change(tmp_path)
    certificate = Certificate(kind(pair.chain), kind(pair.key), SECRET)
    check_pair(certificate.chain, certificate.key, certificate.password)
    assert ShownCertificate(ssl.create_default_context, certificate).context() is not None
