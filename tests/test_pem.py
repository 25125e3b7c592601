"""The keys and certificates that PEM files hold; what PrivateKeyJWT makes of a key is in test_client_auth.py."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from oauth_rs.fetch.certificates import ShownCertificate
from oauth_rs.flow import Certificate
from oauth_rs.pem import check_pair
from tests.support.trusting import certificate_of, encrypt

SECRET = "s3cret-s3cret"


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
