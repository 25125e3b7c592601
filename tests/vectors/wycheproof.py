"""Reads the files of Project Wycheproof that concern signatures (github.com/C2SP/wycheproof, testvectors_v1).

Which answers are binding is said by the README of the published vectors; the exceptions are the tables below.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from oauth_rs import pem_key, symmetric_key
from oauth_rs.jose.jwk import Key, public_key

from .cases import Case, Expected, Reader, skipped, taken, trusted, verified, when

JsonObject = Mapping[str, Any]

# 367 and 370 are byte for byte the valid 357; 372 and 373 have a `?` inside a segment and are called valid.
_VOID = frozenset({367, 370, 372, 373})
# Called valid: keys whose `alg` is not that of the token (PS256 for PS384), or is a typing error ("ES521").
_EITHER = frozenset({346, 347, 350, 351})


def signatures(document: JsonObject) -> Iterator[Case]:
    """json_web_signature_test.json: one key per group."""
    for group, test in _tests(document):
        yield _jws(group, test, _expected(test))


def keys(document: JsonObject) -> Iterator[Case]:
    """json_web_key_test.json: one key set per group, some of which are to be refused whole."""
    for group, test in _tests(document):
        yield _jws(group, test, _result(test))


def crypto(document: JsonObject) -> Iterator[Case]:
    """json_web_crypto_test.json: signatures and encryption in one file."""
    for group, test in _tests(document):
        yield _jws(group, test, _result(test)) if "jws" in test else skipped(str(test["tcId"]), "encrypted (JWE)")


def ecdsa(algorithm: str) -> Reader:
    """ecdsa_*_p1363_test.json: r and s side by side, the form that JWS uses."""
    return partial(_raw, lambda group: _asymmetric(group, algorithm), algorithm)


def ed25519(document: JsonObject) -> Iterable[Case]:
    return _raw(lambda group: _asymmetric(group, "EdDSA"), "EdDSA", document)


def rsa_pss(algorithm: str) -> Reader:
    """rsa_pss_*_test.json with the salt length of JWS, that of the hash (RFC 7518 section 3.5)."""
    return partial(_raw, lambda group: _asymmetric(group, algorithm), algorithm)


def foreign_curve(document: JsonObject) -> Iterator[Case]:
    """ecdsa_secp256k1_*_test.json: not a curve we know, so no key may come of it, neither as JWK nor as PEM."""
    for group, test in _tests(document):
        yield Case(id=str(test["tcId"]), expected=Expected.REFUSE, attempt=partial(_any_key, group))


def hmac(algorithm: str, bits: int) -> Reader:
    """hmac_*_test.json: only whole tags under keys of at least the hash's length are any good in a JWS."""
    return partial(_hmac, algorithm, bits)


def _hmac(algorithm: str, bits: int, document: JsonObject) -> Iterator[Case]:
    for group, test in _tests(document):
        whole = group["tagSize"] == bits and group["keySize"] >= bits
        attempt = partial(_tag_verified, algorithm, test)
        yield Case(id=str(test["tcId"]), expected=_result(test) if whole else Expected.REFUSE, attempt=attempt)


def _raw(key_of: Callable[[JsonObject], Key], algorithm: str, document: JsonObject) -> Iterator[Case]:
    for group, test in _tests(document):
        attempt = partial(_signature_verified, key_of, algorithm, group, test)
        yield Case(id=str(test["tcId"]), expected=_result(test), attempt=attempt)


def _signature_verified(
    key_of: Callable[[JsonObject], Key], algorithm: str, group: JsonObject, test: JsonObject
) -> bool:
    return key_of(group).verify(algorithm, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))


def _tag_verified(algorithm: str, test: JsonObject) -> bool:
    try:
        key = symmetric_key(bytes.fromhex(test["key"]), algorithm=algorithm)
    except ValueError:
        return False
    return key.verify(algorithm, bytes.fromhex(test["msg"]), bytes.fromhex(test["tag"]))


def _asymmetric(group: JsonObject, algorithm: str) -> Key:
    """The key of a group, from its JWK where it has one. All keys of these files are sound: a ValueError is a fault."""
    if "publicKeyJwk" in group:
        return public_key(group["publicKeyJwk"])
    return pem_key(group["publicKeyPem"], algorithm=algorithm)


def _any_key(group: JsonObject) -> bool:
    as_jwk = "publicKeyJwk" in group and taken(lambda: public_key(group["publicKeyJwk"]))
    return as_jwk or taken(lambda: pem_key(group["publicKeyPem"], algorithm="ES256"))


def _jws(group: JsonObject, test: JsonObject, expected: Expected) -> Case:
    jwks = group.get("public") or group["private"]
    return Case(
        id=f"{test['tcId']} {test['comment']}",
        expected=expected,
        attempt=lambda: verified(test["jws"], lambda: trusted(jwks)),
    )


def _expected(test: JsonObject) -> Expected:
    if test["tcId"] in _VOID:
        return Expected.VOID
    return Expected.EITHER if test["tcId"] in _EITHER else _result(test)


def _result(test: JsonObject) -> Expected:
    return when(test["result"] == "valid")


def _tests(document: JsonObject) -> Iterator[tuple[JsonObject, JsonObject]]:
    for group in document["testGroups"]:
        for test in group["tests"]:
            yield group, test
