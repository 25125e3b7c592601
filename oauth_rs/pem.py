"""Private keys and certificates of this application, as PEM holds them (RFC 7468).

Read once, when what uses them is made, and never shown. Does not check that a certificate is valid today, nor who
signed it: whoever it is shown to does.
"""

import re
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
_MIN_RSA_BITS = 2048  # RFC 7518 section 3.3
_KINDS: dict[str, type[PrivateKey]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSAPrivateKey),
    **dict.fromkeys(("ES256", "ES384", "ES512"), EllipticCurvePrivateKey),
    "EdDSA": Ed25519PrivateKey,
}
_PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}


def private_key(key: object, algorithm: str) -> PrivateKey:
    """`key`, or the one that it holds in PEM, when it can sign with `algorithm`.

    Raises TypeError and ValueError, which never show the key.
    """
    kind = _KINDS.get(algorithm)
    if kind is None:
        raise ValueError(f"{algorithm!r} signs nothing here: one of {', '.join(_KINDS)}")
    if not isinstance(key, str | bytes | PrivateKey):
        raise TypeError("key is a private key of cryptography: RSA, EC or Ed25519, or one of these in PEM")
    loaded = _loaded(key) if isinstance(key, str | bytes) else key
    if not isinstance(loaded, kind):
        # A PEM text may hold any key, so this is no TypeError.
        raise ValueError(f"the key is not one for {algorithm}: {_suited(loaded)}")  # noqa: TRY004
    if isinstance(loaded, RSAPrivateKey) and loaded.key_size < _MIN_RSA_BITS:
        raise ValueError(f"an RSA key has {_MIN_RSA_BITS} bits or more")
    if isinstance(loaded, EllipticCurvePrivateKey) and loaded.curve.name != _CURVES[algorithm]:
        raise ValueError(f"the key is not on the curve of {algorithm}: {_suited(loaded)}")
    return loaded


def _suited(key: object) -> str:
    """What to write for `key`."""
    curve = key.curve.name if isinstance(key, EllipticCurvePrivateKey) else ""
    fits = [name for name, class_ in _KINDS.items() if isinstance(key, class_) and _CURVES.get(name, curve) == curve]
    return f"write algorithm={fits[0]!r}" if fits else "no algorithm here has such keys"


def _loaded(pem: str | bytes) -> object:
    try:
        return load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, None)
    except (ValueError, TypeError):
        pass  # raised out here, because that error may show the key and would be chained
    raise ValueError("the key is not a private key in PEM without a password")


def check_pair(chain: str | PathLike[str], key: str | PathLike[str], password: str | None) -> None:
    """Returns when the file `chain` begins with a certificate and the file `key` has its private key.

    Raises ValueError, which names the files and shows neither the key nor the password.
    """
    try:
        certificates, keys = Path(chain).read_bytes(), Path(key).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in a path
        raise ValueError(f"the files of a certificate are there and can be read: {error}") from error
    certified, own = _certified(certificates), _public(keys, password)
    if certified is None:
        raise ValueError(f"there is no certificate in PEM in {chain}")
    if own is None:
        raise ValueError(f"there is no private key in PEM in {key}, or password= is not the one it has")
    if own != certified:
        raise ValueError(f"the key in {key} is not that of the first certificate in {chain}")


def _certified(pem: bytes) -> object:
    try:
        return load_pem_x509_certificate(pem).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _public(pem: bytes, password: str | None) -> object:
    """The public part of the private key in `pem`; None, not an error that may show the key, where there is none."""
    found = _PRIVATE_KEY.search(pem)  # parameters of its curve, or the certificate, may stand before it
    if found is None:
        return None
    # A key without a password is taken as it is, whatever password is given: so does OpenSSL.
    secret = (password or "").encode() if b"ENCRYPTED" in found[0] else None
    try:
        return load_pem_private_key(found[0], secret).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
