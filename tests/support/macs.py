"""Requests signed with OAuth 2.0 MAC as a client would, without the code under test."""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from oauth_rs.errors import OAuthError
from oauth_rs.flow import Run
from tests.support.playing import PlainRequest

NOW = 1_800_000_000
KEY = "489dks293j39"
HOST = "api.example.com"


def mac(string: str, *, key: str = KEY, algorithm: str = "sha256") -> str:
    """The MAC of `string`, in base64."""
    return b64encode(hmac.digest(key.encode(), string.encode("latin-1"), algorithm)).decode()


def header(**attributes: str) -> bytes:
    """The attributes as they follow the scheme; `seq_nr` stands for `seq-nr`. Those that are None are left out."""
    names = {"seq_nr": "seq-nr"}
    return ", ".join(f'{names.get(name, name)}="{value}"' for name, value in attributes.items()).encode()


def signed_00(*lines: str, nonce: str = "60:n1", **attributes: str) -> bytes:
    """Signed as in -00: `lines` are method, target, host, port, body hash and ext."""
    return header(id="k1", nonce=nonce, mac=mac("\n".join((nonce, *lines, ""))), **attributes)


def signed_02(*lines: str, ts: object = NOW, nonce: str = "n1", kid: str = "k1", **attributes: str) -> bytes:
    """Signed as in -01 and -02: `lines` are method, target, host, port and ext."""
    return header(id=kid, ts=str(ts), nonce=nonce, mac=mac("\n".join((str(ts), nonce, *lines, ""))), **attributes)


def signed_05(*lines: str, ts: object = NOW, kid: str = "k1", key: str = KEY, **attributes: str) -> bytes:
    """Signed as in -03 to -05: `lines` are all lines, with the time stamp where the client puts it."""
    return header(kid=kid, ts=str(ts), mac=mac("\n".join((*lines, "")), key=key), **attributes)


def request(
    method: str = "GET", path: str = "/photos", *more: tuple[str, str], query: bytes = b"", host: str = HOST
) -> PlainRequest:
    return PlainRequest(method, path, headers=[("Host", host), *more], query=query)


def reason(flow: Any, *answers: object) -> str:
    """Why `flow` refuses, after it was given `answers` to what it asked for."""
    try:
        run = Run(flow)
        for answer in answers:
            run.send(answer)
    except OAuthError as error:
        return error.reason
    raise AssertionError("it was let through")


def reasons(flows: Sequence[Any]) -> list[str]:
    return [reason(flow) for flow in flows]
