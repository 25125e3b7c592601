"""Reads the examples of the bearer token texts: RFC 9068 (JWT access tokens) and RFC 6750 (requests and challenges)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from types import GeneratorType
from typing import Any

from oauth_rs import (
    Bearer,
    FormField,
    Grant,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    LegacyQuery,
    MissingCredentials,
    OAuthError,
    ResourceServer,
)
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.flow import Flow, Run
from oauth_rs.providers.presented import Presented
from oauth_rs.providers.selection import Selector
from oauth_rs.schemes.bearer import AUTHORIZATION
from tests.support.issuing import Issuer, encode
from tests.support.playing import SITE, PlainRequest, play

from .cases import Case, Expected, skipped

JsonObject = Mapping[str, Any]
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_EVERYWHERE = (AUTHORIZATION, FormField(), LegacyQuery())


def bearer(document: JsonObject) -> Iterator[Case]:
    """rfc9068_7662_9701_6750.json; what it says of introspection is not for this stage."""
    for vector in document["vectors"]:
        attempt = _KINDS.get(vector["kind"])
        if attempt is None:
            yield skipped(vector["id"], "introspection is not here yet")
            continue
        yield Case(id=vector["id"], expected=Expected.ACCEPT, attempt=partial(attempt, vector))
        if "if" in vector["expected"]:  # a place that is read only where it is switched on
            attempt = partial(_carries, (AUTHORIZATION,))
            yield Case(id=f"{vector['id']} by default", expected=Expected.REFUSE, attempt=partial(attempt, vector))


def _access_token(vector: JsonObject) -> bool:
    header, claims = vector["inputs"]["header"], vector["inputs"]["claims"]
    issuer = Issuer(header["alg"], kid=header["kid"], issuer=claims["iss"])
    provider = issuer.provider(audience=claims["aud"], clock=lambda: vector["inputs"]["clock"])
    token = issuer.sign(header, encode(claims)).encode()
    try:
        grant = play(Bearer(provider).authenticate(PlainRequest(), token, SITE))
    except OAuthError:
        return False
    return grant.scopes == frozenset(vector["expected"]["scopes"])


def _carries(presentation: Sequence[Any], vector: JsonObject) -> bool:
    """True when the token of the vector, and no other, is found in its request."""
    inputs = vector["inputs"]
    path, _, query = inputs["path"].partition("?")
    request = PlainRequest(inputs["method"], path, headers=inputs["headers"], query=query.encode())
    provider = _OneToken(vector["expected"]["token"].encode())
    try:
        verdict = ResourceServer(Bearer(provider, presentation=presentation)).authenticate(request)
        if isinstance(verdict, GeneratorType):
            run = Run(verdict)
            if run.effect is not None:
                run.send(inputs["body"].encode())
            verdict = run.result
    except OAuthError:
        return False
    return verdict is provider.grant


class _OneToken:
    """A provider that remembers one token, and knows it by its digest alone."""

    name = "one token"
    remembers = True
    accepts: Sequence[Selector] = ()

    def __init__(self, token: bytes) -> None:
        self._digest = sha256(token).digest()
        self.grant = Grant(
            scheme="Bearer",
            provider=self.name,
            issuer="",
            subject="ada",
            client_id="",
            scopes=frozenset(),
            expires_at=0,
            claims_json=b"{}",
            confirmation=None,
        )

    def recall(self, digest: bytes, /) -> Grant | None:
        return self.grant if digest == self._digest else None

    def verify(self, _token: Presented, /) -> Flow[Grant]:
        raise NotImplementedError

    def warm(self) -> Flow[None]:
        yield from ()

    def with_catalogue(self, _catalogue: ScopeCatalogue, /) -> "_OneToken":
        return self


def _answers(vector: JsonObject) -> bool:
    if "www_authenticate" not in vector["expected"]:
        return _has_codes(vector["expected"])
    (printed,) = vector["expected"]["www_authenticate"]
    parameters = dict(_PARAMETER.findall(printed))
    scheme = Bearer(_OneToken(b""), realm=parameters.pop("realm"))
    description = parameters.pop("error_description", "")
    status = InvalidToken.status if parameters else MissingCredentials.status
    return (scheme.challenge(**parameters, description=description), status) == (printed, vector["expected"]["status"])


def _has_codes(expected: JsonObject) -> bool:
    codes = {one.error: one.status for one in (InvalidRequest, InvalidToken, InsufficientScope)}
    none = f"{MissingCredentials.status} with no error code"
    return not MissingCredentials.error and {**codes, "no_credentials": none} == dict(expected)


_KINDS: Mapping[str, Callable[[JsonObject], bool]] = {
    "at-jwt": _access_token,
    "bearer-extract": partial(_carries, _EVERYWHERE),
    "http-response-example": _answers,
}
