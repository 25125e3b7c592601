"""Reads the examples of the JOSE texts (RFC 7515, 7520, 7797) and the suite of github.com/nst/JSONTestSuite."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from oauth_rs.encoding import json_object

from .cases import Case, Expected, parsed, skipped, taken, trusted, verified, when

JsonObject = Mapping[str, Any]

# Legal JSON, but names are unique in a header (RFC 7515 section 4) and in a claims set (RFC 7519 section 4).
_REPEATED_NAMES = frozenset({"y_object_duplicated_key", "y_object_duplicated_key_and_value"})
_GENERATED = {"n_structure_open_array_object": b'[{"":' * 50_000 + b"\n"}


def json_suite(document: JsonObject) -> Iterator[Case]:
    """json_parsing_suite.json: y_ is accepted, n_ refused, i_ either; only ValueError is ever raised."""
    expected = {"accept": Expected.ACCEPT, "reject": Expected.REFUSE, "either": Expected.EITHER}
    for vector in document["vectors"]:
        name = vector["id"]
        sentence = Expected.REFUSE if name in _REPEATED_NAMES else expected[vector["expected"]["json"]]
        yield Case(id=name, expected=sentence, attempt=partial(_json_accepted, _json_text(vector)))


def _json_text(vector: JsonObject) -> bytes:
    inputs = vector["inputs"]
    if "base64" in inputs:
        return b64decode(inputs["base64"], validate=True)
    text = _GENERATED[vector["id"]]
    if len(text) != inputs["bytes"]:
        raise ValueError(f"{vector['id']} is made by {inputs['generator']}")
    return text


def _json_accepted(text: bytes) -> bool:
    # Most of the suite is arrays and numbers, which json_object refuses whatever they say: as a member they count.
    return taken(lambda: json_object(text)) or taken(lambda: json_object(b'{"v": ' + text + b"}"))


def rfc7515(document: JsonObject) -> Iterator[Case]:
    """rfc7515_appendix_a.json: compact ones are verified, unsecured and JSON ones refused."""
    some_key = next(vector["inputs"]["jwk"] for vector in document["vectors"] if vector["id"] == "A.3")
    for vector in document["vectors"]:
        name, inputs = vector["id"], vector["inputs"]
        if vector["kind"] == "jwk-thumbprint":
            yield skipped(name, "key thumbprints come with DPoP")
        elif vector["kind"] == "jws-json":
            yield _not_compact(name, inputs["json_serialization"])
        else:
            yield _jws(
                name, inputs["jws"], inputs.get("jwk", some_key), inputs["alg"], when(vector["expected"]["valid"])
            )


def cookbook(document: JsonObject) -> Iterator[Case]:
    """rfc7520_cookbook.json: each serialisation of each example is a case of its own."""
    for vector in document["vectors"]:
        yield from _COOKBOOK[vector["kind"]](vector["id"], vector)


def _cookbook_jws(name: str, vector: JsonObject) -> Iterator[Case]:
    given, output = vector["inputs"]["input"], vector["expected"]["output"]
    if "compact" in output:
        attached = "detached" not in name  # RFC 7515 appendix F: no access token has its payload elsewhere
        yield _jws(f"{name} compact", output["compact"], given["key"], given["alg"], when(attached))
    yield from (_not_compact(f"{name} {form}", token) for form, token in output.items() if form != "compact")


def _cookbook_jwk(name: str, vector: JsonObject) -> Iterator[Case]:
    jwk = vector["inputs"]["jwk"]
    yield Case(id=name, expected=when(jwk["use"] == "sig"), attempt=lambda: taken(lambda: trusted(jwk)))


def _cookbook_refused(name: str, vector: JsonObject) -> Iterator[Case]:
    """Encryption (RFC 7516), and unencoded payloads (RFC 7797)."""
    yield from (_not_compact(f"{name} {form}", token) for form, token in vector["expected"]["output"].items())


def _cookbook_nested(name: str, vector: JsonObject) -> Iterator[Case]:
    """RFC 7520 section 6, a JWS inside a JWE."""
    sign, encrypt = vector["inputs"]["sign"], vector["inputs"]["encrypt"]
    given = sign["input"]
    yield _jws(f"{name} signed", sign["output"]["compact"], given["key"], given["alg"], Expected.ACCEPT)
    yield from (_not_compact(f"{name} encrypted {form}", token) for form, token in encrypt["output"].items())


def _cookbook_other(name: str, vector: JsonObject) -> Iterator[Case]:
    return _cookbook_nested(name, vector) if "sign" in vector["inputs"] else _cookbook_refused(name, vector)


_COOKBOOK: Mapping[str, Callable[[str, JsonObject], Iterator[Case]]] = {
    "jws": _cookbook_jws,
    "jwe": _cookbook_refused,
    "jwk": _cookbook_jwk,
    "jose": _cookbook_other,
}


def _jws(name: str, token: str, jwk: JsonObject, algorithm: str, expected: Expected) -> Case:
    return Case(id=name, expected=expected, attempt=lambda: verified(token, lambda: trusted(jwk, algorithm=algorithm)))


def _not_compact(name: str, token: object) -> Case:
    return Case(id=name, expected=Expected.REFUSE, attempt=lambda: parsed(token))
