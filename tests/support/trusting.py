"""TLS between a test and its servers: whom to trust, and certificates of this side in files."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from oauth_rs.fetch import HTTPSettings
from oauth_rs.flow import Certificate


def trusting(ca: trustme.CA, **options: Any) -> HTTPSettings:
    """Settings that trust the system's authorities and `ca`."""

    def tls() -> ssl.SSLContext:
        context = ssl.create_default_context()
        ca.configure_trust(context)
        return context

    return HTTPSettings(tls=tls, **options)


def demanding(ca: trustme.CA) -> Callable[[Any], Any]:
    """For `serving`: TLS that only clients with a certificate of `ca` get through."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return lambda listening: context.wrap_socket(listening, server_side=True)


def certificate_of(ca: trustme.CA, folder: Path, *, unit: str = "the client") -> Certificate:
    """A certificate that `ca` gives the client, in files in `folder`; those of an earlier one are replaced."""
    issued = ca.issue_cert("client.example.com", organization_unit_name=unit)
    folder.mkdir(exist_ok=True)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return Certificate(str(chain), str(key))


def encrypt(key: Path, password: str) -> None:
    """The private key in the file `key` has `password` now."""
    loaded, encryption = load_pem_private_key(key.read_bytes(), None), BestAvailableEncryption(password.encode())
    key.write_bytes(loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
