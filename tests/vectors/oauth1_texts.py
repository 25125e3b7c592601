"""Reads the examples of OAuth 1.0a: RFC 5849, the test cases of wiki.oauth.net, oauthlib's, the body hash draft's.

What is a whole request goes through a whole server, a base string that says how it is signed too. Values that their
texts misprint are refused. Keys of 1024 bits are for the function alone: a client with one is refused.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from oauth_rs import OAuth1, OAuth1Client, OAuth1Token, ResourceServer, SignatureMethod, StaticCredentials
from oauth_rs.errors import InvalidRequest
from oauth_rs.headers import is_form
from oauth_rs.oauth1_request import parameters_of, take_parameters, with_form
from oauth_rs.oauth1_signature import (
    base_string,
    encoded_parameters,
    escape,
    header_parameters,
    hmac_signature,
    normalized,
    plaintext_signature,
    rsa_signed,
    same,
)
from oauth_rs.replay import MemoryReplay
from oauth_rs.urls import DirectURL, FixedURL
from tests.support.playing import PlainRequest

from .cases import Case, Expected, let_through, skipped, taken, when

JsonObject = Mapping[str, Any]
Pairs = Iterable[Sequence[str]]
_METHODS = {method.value: method for method in SignatureMethod}
_METHOD = re.compile(r"(?:HMAC|RSA)-SHA[0-9]+")
_FOLD = re.compile(r"\r?\n[ \t]+")
# The secrets of RFC 5849's long example stand in section 3.1; section 3.4.1 prints the request with another signature.
_SECTION_3_1 = {"client_secret": "j49sk3j29djd", "token_secret": "dh893hdasih9"}
# Wrong values that a vector only mentions: one that the body hash draft prints without its secrets, and one that the
# documents of Twitter printed with the URL of the other version.
_MISPRINTED = {"A.1a": "08bUFF/jmp59mWB7cSgCYBUpJ0U=", "update-v1": "hCtSmYh+iHYCEqBWrE7C7hYmtUk="}


class _Sent(NamedTuple):
    """A request as it arrives at `origin`."""

    request: PlainRequest
    origin: str
    body: bytes

    @property
    def credentials(self) -> bytes:
        return self.request.header(b"authorization")[0].removeprefix(b"OAuth ")

    @property
    def protocol(self) -> Mapping[str, str]:
        """The protocol parameters, decoded."""
        pairs = (pair.split("=") for pair in header_parameters(self.credentials).split("&"))
        return {unquote(name): unquote(value) for name, value in pairs}

    @property
    def signed(self) -> str:
        """The parameters that are signed, normalized."""
        found = parameters_of(self.credentials, self.request)
        if is_form(self.request):
            found = with_form(found, self.body)
        return take_parameters(normalized(found), _METHODS)[1]

    @property
    def base_string(self) -> str:
        return base_string(self.request.method, FixedURL(self.origin).of(self.request), self.signed).decode()


def oauth1(document: JsonObject) -> Iterator[Case]:
    """rfc5849.json and the other files of OAuth 1.0a."""
    for vector in document["vectors"]:
        method = _method(vector)
        if method in {"HMAC-SHA512", "RSA-SHA512"}:
            yield skipped(vector["id"], f"{method} is not a method of this package")
        else:
            yield from _KINDS[vector["kind"]](vector)


def _encode(vector: JsonObject) -> Iterator[Case]:
    yield _right(vector, lambda: escape(vector["inputs"]["text"]) == vector["expected"]["encoded"])


def _normalize(vector: JsonObject) -> Iterator[Case]:
    inputs = vector["inputs"]
    found = encoded_parameters(inputs["query"].encode()) if "query" in inputs else _encoded(inputs["params"])
    yield _right(vector, lambda: normalized(found).replace(" ", "=") == vector["expected"]["normalized"])


def _collect(vector: JsonObject) -> Iterator[Case]:
    expected = sorted(map(tuple, vector["expected"]["decoded_params"]))
    yield _right(vector, lambda: sorted(_decoded(_as_printed(vector).signed.replace(" ", "="))) == expected)


def _header(vector: JsonObject) -> Iterator[Case]:
    """RFC 5849 prints it folded. RFC 9112 section 5.2: servers refuse that, or put a space there before we see it."""
    expected = {name: value for name, value in vector["expected"]["params"].items() if name != "realm"}
    folded = vector["inputs"]["headers"]["Authorization"].removeprefix("OAuth ")
    unfolded = _FOLD.sub(" ", folded).encode()
    yield _right(vector, lambda: dict(_decoded(header_parameters(unfolded))) == expected)
    yield _refused(vector, "folded", lambda: taken(lambda: header_parameters(folded.encode())))


def _base_uri(vector: JsonObject) -> Iterator[Case]:
    """Both ways to know a URL agree: configured, and as the server sees it."""
    inputs, expected = vector["inputs"], vector["expected"]
    if "url" not in inputs:
        scheme, host, target = inputs["scheme"], inputs["headers"]["Host"], inputs["target"]
    else:
        scheme, host, target, _, _ = urlsplit(inputs["url"])
    # As clients send it: no space goes over the wire, and no colon without a port.
    path, headers = quote(target.partition("?")[0], safe="/%"), {"Host": host.removesuffix(":")}
    answers = partial(_urls, scheme, host, PlainRequest(path=path, headers=headers, url_scheme=scheme))
    if "error" in expected:
        yield Case(id=vector["id"], expected=Expected.REFUSE, attempt=lambda: any(answers()))
    else:
        yield _right(vector, lambda: set(answers()) == {expected["base_string_uri"]})


def _urls(scheme: str, host: str, request: PlainRequest) -> Iterator[str]:
    try:
        yield FixedURL(f"{scheme}://{host}").of(request)
    except ValueError:
        yield ""
    try:
        yield DirectURL().of(request)
    except InvalidRequest:
        yield ""


def _base_string(vector: JsonObject) -> Iterator[Case]:
    inputs, expected = vector["inputs"], vector["expected"]["base_string"]
    if "headers" in inputs:
        sent = _as_printed(vector)
        yield _right(vector, lambda: sent.base_string == expected)
        yield _refused(vector, "with the signature it prints", lambda: _granted(sent, _SECTION_3_1))
        return
    if "params" in inputs:
        parameters = _encoded(pair for pair in inputs["params"] if pair[0] != "oauth_signature")
        sent = _sent(inputs["method"], inputs["url"], {})
        url = FixedURL(sent.origin).of(sent.request)
    else:
        parameters, url = inputs["normalized"], inputs["base_string_uri"]
    made = base_string(inputs["method"], url, normalized(parameters)).decode()
    yield _right(vector, lambda: made == expected)


def _request(vector: JsonObject) -> Iterator[Case]:
    """A request with its secrets. Some print their base string as well."""
    inputs, expected = vector["inputs"], vector["expected"]
    good = vector["verified"] and expected.get("accept_signature", True)
    printed = "Authorization" in inputs.get("headers", {})
    sent = _as_printed(vector) if printed else _presented(inputs, expected["signature"])
    yield Case(id=vector["id"], expected=when(good), attempt=lambda: _granted(sent, inputs))
    if "base_string" in expected:
        yield _right(vector, lambda: sent.base_string == expected["base_string"], "base string")
    if vector["id"] in _MISPRINTED:
        other = _presented(inputs, _MISPRINTED[vector["id"]])
        yield _refused(vector, "with the signature it misprints", lambda: _granted(other, inputs))


def _body_hash(vector: JsonObject) -> Iterator[Case]:
    yield from _request(vector)
    other = _presented({**vector["inputs"], "body": "another body"}, vector["expected"]["signature"])
    yield _refused(vector, "with another body", lambda: _granted(other, vector["inputs"]))


def _sign(vector: JsonObject) -> Iterator[Case]:
    inputs, expected = vector["inputs"], vector["expected"]
    if "params" in inputs:  # a path that its maker signs before it is escaped, and sends after that
        yield _right(vector, lambda: _signed_by_hmac({**inputs, **expected}, "HMAC-SHA1", expected["signature"]))
        sent = _presented({**inputs, "url": quote(inputs["url"], safe=":/")}, expected["signature"])
        yield _refused(vector, "as it is sent", lambda: _granted(sent, inputs))
    else:
        yield from _signature(vector, expected["signature"], Expected.ACCEPT)


def _verify(vector: JsonObject) -> Iterator[Case]:
    yield from _signature(vector, vector["inputs"]["presented_signature"], when(vector["expected"]["accept_signature"]))


def _signature(vector: JsonObject, signature: str, expected: Expected) -> Iterator[Case]:
    inputs, method, name = vector["inputs"], _method(vector), vector["id"]
    if "public_key_pem" in inputs or "certificate_pem" in inputs:
        yield Case(id=name, expected=expected, attempt=lambda: _signed_by_rsa(inputs, method, signature))
        return
    yield Case(id=name, expected=expected, attempt=lambda: _signed_by_hmac(inputs, method, signature))
    if f"oauth_signature_method%3D{method}%26" in inputs["base_string"]:
        sent = _from_base_string(inputs["base_string"], signature)
        yield Case(id=f"{name} as a request", expected=expected, attempt=lambda: _granted(sent, inputs))


def _rsa(vector: JsonObject) -> Iterator[Case]:
    yield from _signature(vector, vector["expected"]["signature"], Expected.ACCEPT)
    client = partial(OAuth1Client, client_id="c", rsa_key=_rsa_key(vector["inputs"]))
    yield _refused(vector, "as the key of a client: 1024 bits", lambda: taken(client))


def _plaintext(vector: JsonObject) -> Iterator[Case]:
    inputs, expected = vector["inputs"], vector["expected"]["signature"]
    made = plaintext_signature(inputs["client_secret"], inputs["token_secret"])
    yield _right(vector, lambda: same(_escaped(expected), made))
    if "headers" in inputs:
        yield _right(vector, lambda: _granted(_as_printed(vector), inputs), "as a request")
        url = f"http://{inputs['url'].removeprefix('https://')}"
        in_clear = _sent(inputs["method"], url, inputs["headers"])
        yield _refused(vector, "without TLS", lambda: not _raises_invalid_request(in_clear, inputs))


_KINDS: Mapping[str, Callable[[JsonObject], Iterator[Case]]] = {
    "oauth1-encode": _encode,
    "oauth1-normalize": _normalize,
    "oauth1-collect": _collect,
    "oauth1-header-parse": _header,
    "oauth1-base-uri": _base_uri,
    "oauth1-base-string": _base_string,
    "oauth1-request": _request,
    "oauth1-body-hash": _body_hash,
    "oauth1-sign": _sign,
    "oauth1-verify": _verify,
    "oauth1-rsa": _rsa,
    "oauth1-plaintext": _plaintext,
}


def _right(vector: JsonObject, attempt: Callable[[], bool], which: str = "") -> Case:
    return Case(id=f"{vector['id']} {which}".rstrip(), expected=Expected.ACCEPT, attempt=attempt)


def _refused(vector: JsonObject, which: str, attempt: Callable[[], bool]) -> Case:
    return Case(id=f"{vector['id']} {which}", expected=Expected.REFUSE, attempt=attempt)


def _method(vector: JsonObject) -> str:
    """The signature method, which some vectors have in their name alone."""
    found = _METHOD.search(vector["id"].upper())
    return found[0] if found else ""


def _granted(sent: _Sent, secrets: JsonObject) -> bool:
    """True when a server that knows the client and its token, at the time of the request, lets it through."""
    protocol = sent.protocol
    client_id, token_id = protocol["oauth_consumer_key"], protocol.get("oauth_token", "")
    client = OAuth1Client(
        client_id=client_id, secret=secrets["client_secret"], methods=[protocol["oauth_signature_method"]]
    )
    token = OAuth1Token(token=token_id or "none", client_id=client_id, secret=secrets["token_secret"])
    scheme = OAuth1(
        StaticCredentials(clients=[client], tokens=[token]),
        methods=SignatureMethod,
        clock=lambda: float(protocol.get("oauth_timestamp", 0)),
    )
    return let_through(
        ResourceServer(scheme, url=FixedURL(sent.origin), replay=MemoryReplay()), sent.request, sent.body
    )


def _raises_invalid_request(sent: _Sent, secrets: JsonObject) -> bool:
    try:
        _granted(sent, secrets)
    except InvalidRequest:
        return True
    return False


def _as_printed(vector: JsonObject) -> _Sent:
    inputs = vector["inputs"]
    return _sent(inputs["method"], inputs["url"], inputs["headers"], inputs.get("body", ""))


def _presented(inputs: JsonObject, signature: str) -> _Sent:
    """The protocol parameters in a header; the others where the vector has them, or else in the query."""
    protocol = {name: value for name, value in inputs["params"] if name.startswith("oauth_")}
    protocol["oauth_signature"] = signature
    header = ", ".join(f'{name}="{_escaped(value)}"' for name, value in protocol.items())
    there = parse_qsl(urlsplit(inputs["url"]).query, keep_blank_values=True)
    there += parse_qsl(inputs.get("body", ""), keep_blank_values=True)
    left = [(name, value) for name, value in inputs["params"] if name not in protocol and (name, value) not in there]
    url = inputs["url"] + ("&" if "?" in inputs["url"] else "?") + urlencode(left) if left else inputs["url"]
    headers = {"Authorization": f"OAuth {header}", **inputs.get("headers", {})}
    return _sent(inputs["method"], url, headers, inputs.get("body", ""))


def _from_base_string(text: str, signature: str) -> _Sent:
    method, url, parameters = map(unquote, text.split("&"))
    return _presented({"method": method, "url": url, "params": _decoded(parameters)}, signature)


def _sent(method: str, url: str, headers: Mapping[str, str], body: str = "") -> _Sent:
    scheme, host, path, query, _ = urlsplit(url)
    request = PlainRequest(method, path, headers=headers, query=query.encode(), url_scheme=scheme)
    return _Sent(request, f"{scheme}://{host}", body.encode())


def _signed_by_hmac(inputs: JsonObject, method: str, signature: str) -> bool:
    base = inputs["base_string"].encode()
    made = hmac_signature(SignatureMethod(method), base, inputs["client_secret"], inputs["token_secret"])
    return same(_escaped(signature), made)


def _signed_by_rsa(inputs: JsonObject, method: str, signature: str) -> bool:
    return rsa_signed(SignatureMethod(method), inputs["base_string"].encode(), _escaped(signature), _rsa_key(inputs))


def _rsa_key(inputs: JsonObject) -> RSAPublicKey:
    key: object
    if "certificate_pem" in inputs:
        key = load_pem_x509_certificate(inputs["certificate_pem"].encode()).public_key()
    else:
        key = load_pem_public_key(inputs["public_key_pem"].encode())
    if not isinstance(key, RSAPublicKey):
        raise TypeError("the keys of these vectors are RSA keys")
    return key


def _escaped(text: str) -> str:
    return quote(text, safe="")


def _encoded(pairs: Pairs) -> str:
    return "&".join(f"{escape(name)}={escape(value)}" for name, value in pairs)


def _decoded(parameters: str) -> list[tuple[str, str]]:
    pairs = (pair.partition("=") for pair in parameters.split("&"))
    return [(unquote(name), unquote(value)) for name, _, value in pairs]
