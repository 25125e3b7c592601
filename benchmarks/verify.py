"""Verifying a token that was never seen, and finding one that was: against PyJWT, with joserfc and Authlib beside."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import joserfc.jwk
import joserfc.jwt
import jwt
from authlib.deprecate import AuthlibDeprecationWarning  # type: ignore[import-untyped]
from joserfc.errors import SecurityWarning

from oauth_rs import HTTPSettings, RemoteKeys
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Run
from oauth_rs.providers.presented import Presented
from tests.support.serving import serving

from . import tokens
from .rows import Row, beside
from .timing import Samples, interleaved

# Authlib says that joserfc will follow it, and joserfc that EdDSA is now called Ed25519.
warnings.filterwarnings("ignore", category=AuthlibDeprecationWarning)
warnings.filterwarnings("ignore", category=SecurityWarning)
from authlib.jose import JsonWebKey, JsonWebToken  # type: ignore[import-untyped]  # noqa: E402

Call = Callable[[], object]

COLD = {"RS256": 0.45, "ES256": 0.70, "EdDSA": 0.78, "HS256": 0.23}
KEY_SET = {"RS256": 0.27, "ES256": 0.50, "EdDSA": 0.59}
HIT = 0.020


def rows() -> Iterator[Row]:
    for algorithm, aim in COLD.items():
        yield _cold(algorithm, aim)
    for algorithm, aim in KEY_SET.items():
        yield _key_set(algorithm, aim)
    yield _hit()


def pyjwt(algorithm: str, text: str) -> Call:
    key = tokens.checking_key(algorithm)
    return lambda: jwt.decode(text, key, algorithms=[algorithm], audience=tokens.API, issuer=tokens.ISSUER)


def _cold(algorithm: str, aim: float) -> Row:
    text = tokens.token(algorithm)
    calls = {
        "ours": tokens.check(tokens.bearer(algorithm), text),
        "provider": _provider(algorithm, text),
        "pyjwt": pyjwt(algorithm, text),
        "joserfc": _joserfc(algorithm, text),
    }
    if algorithm != "EdDSA":  # not among the algorithms of Authlib's own module
        calls["Authlib"] = _authlib(algorithm, text)
    return _row(f"JWT cold {algorithm} / PyJWT decode", aim, interleaved(calls))


def _key_set(algorithm: str, aim: float) -> Row:
    text = tokens.token(algorithm)
    with serving() as issuer:
        issuer.answers["/jwks"] = tokens.jwks(algorithm)
        client = jwt.PyJWKClient(f"{issuer.url}/jwks")
        source = RemoteKeys(f"{issuer.url}/jwks")
        BlockingHTTP(HTTPSettings()).drive(Run(source.warm()), lambda _limit: None)

        def fetched() -> object:
            key = client.get_signing_key_from_jwt(text)
            return jwt.decode(text, key, algorithms=[algorithm], audience=tokens.API, issuer=tokens.ISSUER)

        samples = interleaved({"ours": tokens.check(tokens.bearer(algorithm, source=source), text), "pyjwt": fetched})
    return _row(f"key set {algorithm} / PyJWKClient + decode", aim, samples)


def _hit() -> Row:
    text = tokens.token("RS256")
    cached = tokens.check(tokens.bearer("RS256", cache_size=20_000), text)
    samples = interleaved({"ours": cached, "pyjwt": pyjwt("RS256", text)})
    return _row("verified-token cache hit / PyJWT RS256", HIT, samples)


def _row(case: str, aim: float, samples: Samples) -> Row:
    names = {"provider": "provider alone", "joserfc": "joserfc", "Authlib": "Authlib"}
    others = {label: samples.ratio(name, "pyjwt") for name, label in names.items() if name in samples}
    return Row(case=case, ratio=samples.ratio("ours", "pyjwt"), aim=aim, note=beside(others))


def _provider(algorithm: str, text: str) -> Call:
    verify, credentials, digest = tokens.provider(algorithm).verify, text.encode(), bytes(32)
    return lambda: tokens.granted(verify(Presented(credentials, digest, tokens.REQUEST, tokens.SITE.url)))


def _joserfc(algorithm: str, text: str) -> Call:
    key = joserfc.jwk.import_key(tokens.jwk(algorithm))
    registry = joserfc.jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": tokens.ISSUER},
        aud={"essential": True, "value": tokens.API},
        exp={"essential": True},
    )

    def decode() -> object:
        decoded = joserfc.jwt.decode(text, key, algorithms=[algorithm])
        registry.validate(decoded.claims)
        return decoded

    return decode


def _authlib(algorithm: str, text: str) -> Call:
    key = JsonWebKey.import_key(tokens.jwk(algorithm))
    decoder = JsonWebToken([algorithm])
    options: dict[str, Any] = {
        "iss": {"essential": True, "value": tokens.ISSUER},
        "aud": {"essential": True, "value": tokens.API},
        "exp": {"essential": True},
    }

    def decode() -> object:
        claims = decoder.decode(text, key, claims_options=options)
        claims.validate()
        return claims

    return decode
