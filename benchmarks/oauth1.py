"""OAuth 1.0a: signatures and whole checks against oauthlib, a protected Flask application against Authlib's.

A request has six parameters of its own in its query or form, and is signed by oauthlib, with a client and a token. Both
sides are given the same ones, each with a nonce of its own, and remember the nonces. RSA keys are given as PEM text,
which is what the peers take; they read it with every request. Authlib's nonces are in the memory cache that Flask
applications have: a bare dict would never forget one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from io import BytesIO
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import unquote

from authlib.integrations.flask_oauth1 import ResourceProtector, create_exists_nonce_func
from authlib.oauth1 import ClientMixin, TokenCredentialMixin
from authlib.oauth1.errors import OAuth1Error
from cachelib import SimpleCache
from flask import Flask
from oauthlib.oauth1 import Client, RequestValidator, ResourceEndpoint
from oauthlib.oauth1.rfc5849 import signature as oauthlib_signature
from werkzeug.test import create_environ

from oauth_rs import (
    DirectURL,
    Grant,
    MemoryReplay,
    OAuth1,
    OAuth1Client,
    OAuth1Token,
    OAuthError,
    ResourceServer,
    SignatureMethod,
    StaticCredentials,
)
from oauth_rs.asgi import ASGIRequest
from oauth_rs.flask import protect, requires
from oauth_rs.flow import Run
from oauth_rs.oauth1_request import take_parameters
from oauth_rs.oauth1_signature import (
    base_string,
    encoded_parameters,
    header_parameters,
    hmac_signature,
    normalized,
    rsa_signed,
    same,
)
from oauth_rs.schemes import Site
from oauth_rs.wsgi import OAuthMiddleware

from . import asgi_overhead, tokens, wsgi_overhead
from .rows import Row, beside
from .timing import Samples, interleaved

HMAC, RSA = "HMAC-SHA1", "RSA-SHA1"
SIGNATURE = {(HMAC, "GET"): 0.16, (HMAC, "POST"): 0.15, (RSA, "GET"): 0.27, (RSA, "POST"): 0.24}
WHOLE = {HMAC: 0.12, RSA: 0.22}
FLASK = 0.22
BATCH_SECONDS = 0.01  # of Flask: the first requests of a batch find the processor's caches full of another's code
REQUESTS = 4_000  # with a nonce each, to begin with again when all were used

HOST = "photos.example.net"
URL = f"https://{HOST}/photos"
PARAMETERS = "file=vacation.jpg&size=original&page=3&sort=date%20desc&q=hello%2Bworld&lang=en"
CLIENT_ID, SECRET = "dpf43f3p2l4k3l03abcdef", "kd94hf93k423kf44kd94hf93"
TOKEN, TOKEN_SECRET = "nnch734d00sl2jdkabcdef", "pfkkdhi9sl3r4s00pfkkdhi9"
FORM = "application/x-www-form-urlencoded"
METHODS = {HMAC: SignatureMethod.HMAC_SHA1, RSA: SignatureMethod.RSA_SHA1}

Call = Callable[[], object]


class Signed:
    """A request, as each side takes it. Its parameters are in `query` or in `form`."""

    def __init__(self, verb: str, authorization: str, query: str, form: str) -> None:
        self.verb, self.authorization, self.query, self.form = verb, authorization, query, form
        self.url = f"{URL}?{query}" if query else URL
        self.headers = {"Authorization": authorization, **({"Content-Type": FORM} if form else {})}
        self.credentials = authorization.removeprefix("OAuth ").encode()
        scope = {"type": "http", "method": verb, "scheme": "https", "path": "/photos", "raw_path": b"/photos"}
        self.wire = authorization.encode()
        headers = [(b"host", HOST.encode()), (b"authorization", self.wire)]
        self.view = ASGIRequest({**scope, "query_string": query.encode(), "headers": headers})

    def altered(self) -> "Signed":
        """Another request under the same signature."""
        return Signed(self.verb, self.authorization, self.query.replace("page=3", "page=4"), self.form)


Check = Callable[[Signed], object]


def rows() -> Iterator[Row]:
    for (method, verb), aim in SIGNATURE.items():
        yield _signature(method, verb, aim)
    for method, aim in WHOLE.items():
        yield _whole(method, aim)
    yield _flask()


def signed(method: str, verb: str = "GET", parameters: str = PARAMETERS) -> Signed:
    """A request of this moment, with a nonce that no other has."""
    client = Client(
        CLIENT_ID,
        client_secret=SECRET,
        resource_owner_key=TOKEN,
        resource_owner_secret=TOKEN_SECRET,
        signature_method=method,
        rsa_key=tokens.signing_key("RS256"),
    )
    query, form = (parameters, "") if verb == "GET" else ("", parameters)
    unsigned = Signed(verb, "", query, form)
    _, headers, _ = client.sign(unsigned.url, verb, form or None, unsigned.headers)
    return Signed(verb, headers["Authorization"], query, form)


def _signature(method: str, verb: str, aim: float) -> Row:
    samples = _signature_samples(signed(method, verb))
    spaces = _signature_samples(signed(method, verb, PARAMETERS.replace("%20", "+")))
    return Row(
        case=f"OAuth 1.0a {method} signature {verb} / oauthlib",
        ratio=samples.ratio("ours", "oauthlib"),
        aim=aim,
        note=beside({"with + for a space": spaces.ratio("ours", "oauthlib")}),
    )


def _signature_samples(request: Signed) -> Samples:
    calls = {"ours": _our_signature(request), "oauthlib": _oauthlib_signature(request)}
    for name, call in calls.items():
        if call() is not True:
            raise RuntimeError(f"a good signature is none for {name}")
    return interleaved(calls)


def _our_signature(request: Signed) -> Call:
    sent, encoded = request.credentials, (request.query or request.form).encode()
    key = tokens.checking_key("RS256")

    def check() -> bool:
        parameters = f"{header_parameters(sent)}&{encoded_parameters(encoded)}"
        found, left = take_parameters(normalized(parameters), METHODS)
        base = base_string(request.verb, URL, left)
        if found.method is SignatureMethod.RSA_SHA1:
            return rsa_signed(found.method, base, found.signature, key)
        return same(found.signature, hmac_signature(found.method, base, SECRET, TOKEN_SECRET))

    return check


def _oauthlib_signature(request: Signed) -> Call:
    """collect_parameters and verify_...: this calls normalize_parameters, base_string_uri and signature_base_string."""
    pem = tokens.public_pem("RS256") if RSA in request.authorization else ""
    found = re.search('oauth_signature="([^"]*)"', request.authorization)
    view = SimpleNamespace(http_method=request.verb, uri=request.url, signature=unquote(found[1] if found else ""))

    def check() -> object:
        view.params = oauthlib_signature.collect_parameters(request.query, request.form, request.headers)
        if pem:
            return oauthlib_signature.verify_rsa_sha1(view, pem)
        return oauthlib_signature.verify_hmac_sha1(view, SECRET, TOKEN_SECRET)

    return check


def _whole(method: str, aim: float) -> Row:
    requests = [signed(method) for _ in range(REQUESTS)]
    starts = {"ours": _scheme, "server": _server, "oauthlib": _endpoint, "authlib": _protector}
    for name, start in starts.items():
        confirm(name, start(), *requests[:2])
    samples = interleaved({name: one_after_another(start, requests) for name, start in starts.items()})
    return Row(
        case=f"OAuth 1.0a {method} whole check / oauthlib",
        ratio=samples.ratio("ours", "oauthlib"),
        aim=aim,
        note=beside(
            {
                "through ResourceServer": samples.ratio("server", "oauthlib"),
                "Authlib": samples.ratio("authlib", "oauthlib"),
            }
        ),
    )


def one_after_another(start: Callable[[], Check], requests: Iterable[Signed]) -> Call:
    """What checks one more of `requests` each time; begins again, remembering none, when there are no more."""

    def endlessly() -> Iterator[object]:
        while True:
            yield from map(start(), requests)

    return endlessly().__next__


def confirm(name: str, let_in: Check, request: Signed, other: Signed) -> None:
    """Raises RuntimeError unless `let_in` accepts `request` once, and no other under the signature of `other`."""
    for tried, good in ((other.altered(), False), (request, True), (request, False)):
        try:
            accepted = bool(let_in(tried))
        except (OAuthError, OAuth1Error):
            accepted = False
        if accepted != good:
            raise RuntimeError(f"{name} does not check as it should")


def _scheme() -> Check:
    scheme, site = OAuth1(_credentials()), Site(DirectURL(hosts=[HOST]), MemoryReplay())
    return lambda request: tokens.granted(scheme.authenticate(request.view, request.credentials, site))


def _server() -> Check:
    server = _resource_server()

    def let_in(request: Signed) -> Grant | None:
        verdict = server.authenticate(request.view)
        return verdict if verdict is None or isinstance(verdict, Grant) else Run(verdict).result

    return let_in


def _resource_server() -> ResourceServer:
    return ResourceServer(OAuth1(_credentials()), url=DirectURL(hosts=[HOST]), replay=MemoryReplay())


@cache
def _credentials() -> StaticCredentials:
    client = OAuth1Client(client_id=CLIENT_ID, secret=SECRET, rsa_key=tokens.public_pem("RS256"))
    token = OAuth1Token(token=TOKEN, client_id=CLIENT_ID, secret=TOKEN_SECRET, scopes=["photos"])
    return StaticCredentials(clients=[client], tokens=[token])


def _endpoint() -> Check:
    check = ResourceEndpoint(_Validator()).validate_protected_resource_request
    return lambda request: check(request.url, request.verb, "", request.headers)[0]


class _Validator(RequestValidator):  # type: ignore[misc]
    allowed_signature_methods = (HMAC, RSA)
    client_key_length = access_token_length = (10, 50)
    dummy_client, dummy_access_token = "nobody-there", "nothing-there"

    def __init__(self) -> None:
        super().__init__()
        self._secrets = {CLIENT_ID: SECRET}
        self._keys = {CLIENT_ID: tokens.public_pem("RS256")}
        self._token_secrets = {(CLIENT_ID, TOKEN): TOKEN_SECRET}
        self._seen: set[tuple[str, str, str, str]] = set()

    def validate_client_key(self, client_key: str, _request: Any) -> bool:
        return client_key in self._secrets

    def validate_access_token(self, client_key: str, token: str, _request: Any) -> bool:
        return (client_key, token) in self._token_secrets

    def get_client_secret(self, client_key: str, _request: Any) -> str:
        return self._secrets.get(client_key, "nobody's")

    def get_access_token_secret(self, client_key: str, token: str, _request: Any) -> str:
        return self._token_secrets.get((client_key, token), "nobody's")

    def get_rsa_key(self, client_key: str, _request: Any) -> str:
        return self._keys[client_key]

    def validate_realms(self, *_arguments: Any, **_named: Any) -> bool:
        return True

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, _request: Any, access_token: str = "", **_named: Any
    ) -> bool:
        use = (client_key, access_token, timestamp, nonce)
        if use in self._seen:
            return False
        self._seen.add(use)
        return True


class _AuthlibClient(ClientMixin):  # type: ignore[misc]
    def get_client_secret(self) -> str:
        return SECRET

    def get_rsa_public_key(self) -> str:
        return tokens.public_pem("RS256")


class _AuthlibToken(TokenCredentialMixin):  # type: ignore[misc]
    def get_oauth_token(self) -> str:
        return TOKEN

    def get_oauth_token_secret(self) -> str:
        return TOKEN_SECRET


def _lookups() -> dict[str, Any]:
    clients, granted = {CLIENT_ID: _AuthlibClient()}, {(CLIENT_ID, TOKEN): _AuthlibToken()}
    return {
        "query_client": clients.get,
        "query_token": lambda client_id, token: granted.get((client_id, token)),
        "exists_nonce": create_exists_nonce_func(SimpleCache(threshold=10 * REQUESTS)),
    }


class _Protector(ResourceProtector):  # type: ignore[misc]
    SUPPORTED_SIGNATURE_METHODS: ClassVar = [HMAC, RSA]


def _protector() -> Check:
    protector = _Protector(**_lookups())
    return lambda request: protector.validate_request(request.verb, request.url, {}, request.headers)


def _flask() -> Row:
    requests = [signed(HMAC) for _ in range(REQUESTS)]
    apps = {
        "bare": wsgi_overhead.flask_app,
        "ours": _our_app,
        "authlib": _authlib_app,
        "bare WSGI": lambda: wsgi_overhead.photos,
        "ours, no Flask": lambda: OAuthMiddleware(wsgi_overhead.photos, _resource_server()),
    }
    starts = {name: partial(_served, make) for name, make in apps.items()}
    for name, start in starts.items():
        if not name.startswith("bare"):
            confirm(name, start(), *requests[:2])
    calls = {name: one_after_another(start, requests) for name, start in starts.items()}
    samples = interleaved(calls, rounds=150, batch_seconds=BATCH_SECONDS)
    over_nothing = (samples.median("ours, no Flask") - samples.median("bare WSGI")) / (
        samples.median("authlib") - samples.median("bare")
    )
    return Row(
        case="WSGI overhead OAuth 1.0a / Authlib on Flask",
        ratio=samples.ratio("ours", "authlib", over="bare"),
        aim=FLASK,
        note=beside({"around a bare WSGI app": over_nothing}),
    )


def _our_app() -> Flask:
    app = wsgi_overhead.flask_app(requires("photos"))
    protect(app, _resource_server())
    return app


def _authlib_app() -> Flask:
    return wsgi_overhead.flask_app(_Protector(**_lookups())())


def _served(make: Callable[[], Any]) -> Check:
    """Requests with the eight headers of the other rows."""
    app = make()
    headers = {name.decode(): value.decode() for name, value in asgi_overhead.headers_with("")}
    template = create_environ(f"/photos?{PARAMETERS}", f"https://{HOST}", headers={**headers, "host": HOST})

    def let_in(request: Signed) -> bool:
        statuses: list[str] = []
        authorization = str(request.wire, "latin-1")  # new with each request, as a server makes it
        sent = {"HTTP_AUTHORIZATION": authorization, "QUERY_STRING": request.query, "wsgi.input": BytesIO()}
        answer = app({**template, **sent}, lambda status, *_rest: statuses.append(status))
        for _ in answer:
            pass
        if hasattr(answer, "close"):
            answer.close()
        return statuses[0] == "200 OK"

    return let_in
