"""Refusing what is no good, which is what a server under attack does most: against PyJWT refusing the same."""

import base64
import random
from collections.abc import Callable, Iterator

import jwt

from oauth_rs import InvalidToken

from . import tokens, verify
from .rows import Row, beside
from .timing import interleaved

JUNK_BYTES = 8192
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
Call = Callable[[], object]


def rows() -> Iterator[Row]:
    good = tokens.token("RS256")
    yield _row("refusing a bad signature", 0.45, bad_signature(good))
    yield _row("refusing 8 KB of junk", 0.03, junk(good), "begun like a JSON object", junk(good, begun="eyJ"))
    yield _row("refusing alg none", 0.12, unsigned(good))


def bad_signature(good: str) -> str:
    """`good` with one bit of its signature turned."""
    signed, _, signature = good.rpartition(".")
    return f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def junk(good: str, *, begun: str = "") -> str:
    """A header as it should be, and behind it random characters of the alphabet, after `begun`."""
    header = good.partition(".")[0]
    body = begun + "".join(random.Random(2).choices(_ALPHABET, k=JUNK_BYTES - len(header) - 345))
    return f"{header}.{body[: len(body) & ~3]}.{'A' * 342}"


def unsigned(good: str) -> str:
    """The claims of `good` under `alg: none`, without a signature."""
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    return f"{header}.{good.split('.')[1]}."


def _row(case: str, aim: float, text: str, variant: str = "", variant_text: str = "") -> Row:
    note = beside({variant: _ratio(variant_text)}) if variant else ""
    return Row(case=f"{case} / PyJWT", ratio=_ratio(text), aim=aim, note=note)


def _ratio(text: str) -> float:
    calls = {
        "ours": _refused(tokens.check(tokens.bearer("RS256"), text), InvalidToken),
        "pyjwt": _refused(verify.pyjwt("RS256", text), jwt.InvalidTokenError),
    }
    return interleaved(calls).ratio("ours", "pyjwt")


def _refused(call: Call, expected: type[Exception]) -> Call:
    def refused() -> object:
        try:
            call()
        except expected as error:
            return error
        raise RuntimeError("accepted what had to be refused")

    return refused
