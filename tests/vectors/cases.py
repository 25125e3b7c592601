"""What every published vector is turned into, and the questions that most of them ask of this package.

A reader (wycheproof.py, texts.py) makes one `Case` of each vector; published.py runs them. Nothing here decides what a
vector means.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import GeneratorType
from typing import Any

from oauth_rs import ResourceServer, StaticKeys, symmetric_key
from oauth_rs.encoding import base64url_decode
from oauth_rs.errors import InvalidToken, MissingCredentials
from oauth_rs.flow import ReadBody, Run
from oauth_rs.jose import jws
from oauth_rs.jose.jwk import Key
from oauth_rs.request import Request
from tests.support.playing import play

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


class Expected(Enum):
    ACCEPT = "accepted"
    REFUSE = "refused"
    EITHER = "either"  # it is tried and must answer yes or no; both are right
    VOID = "void"  # the same, because the vector contradicts itself
    SKIP = "skipped"  # not tried; `why` says for what reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One vector. `attempt` is True when our code accepts it; it raises nothing unless our code is broken."""

    id: str
    expected: Expected
    attempt: Callable[[], bool]
    why: str = ""


Reader = Callable[[Mapping[str, Any]], Iterable[Case]]


def when(good: bool) -> Expected:  # noqa: FBT001 - the one thing it is given
    return Expected.ACCEPT if good else Expected.REFUSE


def skipped(identity: str, why: str) -> Case:
    return Case(id=identity, expected=Expected.SKIP, attempt=bool, why=why)


def trusted(jwks: Mapping[str, Any], *, algorithm: str = "HS256") -> StaticKeys:
    """The keys of a JWK or JWK Set as a server is configured with them: secrets as such, private keys by their public
    half. `algorithm` is that of secrets which name none. Raises ValueError for what this package does not take.
    """
    listed = jwks.get("keys", [jwks])
    if all(jwk["kty"] == "oct" for jwk in listed):
        return StaticKeys(*(_secret(jwk, algorithm) for jwk in listed))
    return StaticKeys.from_jwks({"keys": [_public_half(jwk) for jwk in listed]})


def taken(make: Callable[[], object]) -> bool:
    """True when `make` does not refuse with a ValueError."""
    try:
        make()
    except ValueError:
        return False
    return True


def parsed(token: object) -> bool:
    """True when `token`, a text or a JSON serialisation, has the form of a compact JWS without unknown extensions."""
    try:
        jws.parse(_octets(token))
    except InvalidToken:
        return False
    return True


def verified(token: object, keys: Callable[[], StaticKeys]) -> bool:
    """True when `token` is such a JWS, and its signature is good under one of `keys`."""
    try:
        signed = jws.parse(_octets(token))
        key = play(keys().find(signed.header.alg, signed.header.kid))
    except (InvalidToken, ValueError):
        return False
    return key.verify(signed.header.alg, signed.signing_input, signed.signature)


def let_through(server: ResourceServer, request: Request, body: bytes = b"") -> bool:
    """True when `server` grants `request`, False when it answers 401. Any other refusal is raised: none is expected."""
    try:
        verdict = server.authenticate(request)
        if isinstance(verdict, GeneratorType):
            run = Run(verdict)
            while isinstance(run.effect, ReadBody):
                run.send(body)
            verdict = run.result
    except (InvalidToken, MissingCredentials):
        return False
    return verdict is not None


def _octets(token: object) -> bytes:
    return (token if isinstance(token, str) else json.dumps(token)).encode()


def _secret(jwk: Mapping[str, Any], algorithm: str) -> Key:
    secret = base64url_decode(jwk["k"].encode())
    return symmetric_key(secret, algorithm=jwk.get("alg", algorithm), kid=jwk.get("kid"))


def _public_half(jwk: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in _PRIVATE_MEMBERS}
