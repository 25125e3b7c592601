"""Reading an issuer's metadata: where its keys and endpoints are (RFC 8414 section 3, OpenID Connect Discovery 1.0
section 4).

Believes a document only when its `issuer` is the one asked for. Does not cache: whoever asks does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .encoding import json_object
from .errors import Unavailable
from .flow import Fetch, Flow, Reply
from .urls import secure, secure_for_secrets, shown

_ACCEPT_JSON = (("Accept", "application/json"),)
_OK = 200
_ERRORS = 500  # and above
_BUSY = frozenset({408, 425, 429})  # of the 4xx these alone speak of the moment, not of the request
# What a path that a site does not know may lead to, its login or a long page: no more than a 404 it is an outage.
_OTHER_PAGES = {"redirected", "reply_too_large"}
_ELSEWHERE = "its metadata names a place that may not be asked"
UNREACHABLE = "The issuer of the access token could not be reached."


@dataclass(frozen=True, slots=True)
class IssuerMetadata:
    """The metadata of `issuer`, an https URL or an http one to this machine, as the place to look for what it has."""

    issuer: str

    def __post_init__(self) -> None:
        if not isinstance(self.issuer, str):
            raise TypeError("the issuer is a URL, as text")
        if not secure(self.issuer):
            raise ValueError(
                f"metadata is fetched over https, or over http from this machine, not from {shown(self.issuer)!r}: "
                "give the keys of such an issuer, as keys=StaticKeys(...) or keys=RemoteKeys(url)"
            )
        if "?" in self.issuer or "#" in self.issuer or "@" in urlsplit(self.issuer).netloc:
            # RFC 8414 section 2 knows none; and records of the log show an issuer whole.
            raise ValueError(f"an issuer has no name, password, query or fragment: {shown(self.issuer)!r} has")

    def __str__(self) -> str:
        return self.issuer

    def endpoint(self, name: str, *, shared: float) -> Flow[str]:
        """Where the issuer says that `name` is, as `jwks_uri` or `introspection_endpoint`.

        Raises Unavailable (`discovery_failed` also when that is no place we may fetch from; see discover).
        """
        url = yield from discover(self.issuer, name, shared=shared)
        return _allowed(url, issuer=self.issuer)


def endpoint_for_secrets(issuer: str, name: str, *, with_certificate: bool, shared: float) -> Flow[str]:
    """Where `issuer` says that its `name` is, for requests that hold tokens or secrets.

    For a client `with_certificate` its alias is meant, where there is one (RFC 8705 section 5). Raises Unavailable
    (`discovery_failed` also when that is no place for secrets; see discover).
    """
    named = yield from discover(issuer, name, with_certificate=with_certificate, shared=shared)
    url = _allowed(named, issuer=issuer)
    if not secure_for_secrets(url):
        raise _not_found(_ELSEWHERE)
    return url


def _allowed(url: object, *, issuer: str) -> str:
    """`url`, where the metadata of `issuer` may send us. Raises Unavailable (`discovery_failed`)."""
    if not isinstance(url, str) or not secure(url) or (_plain(url) and not _plain(issuer)):
        # An issuer elsewhere has nothing on this machine: it would send us, and our secrets, to whatever listens here.
        raise _not_found(_ELSEWHERE)
    return url


def _plain(url: str) -> bool:
    return url.lower().startswith("http:")


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Where the metadata of `issuer` may be, in the order to ask.

    The RFC 8414 form first, then the OpenID suffix inserted and appended: the same place when there is no path.
    """
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    forms = (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}/.well-known/openid-configuration{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    )
    return tuple(dict.fromkeys(forms))


def discover(issuer: str, name: str, *, with_certificate: bool = False, shared: float) -> Flow[object]:
    """What the metadata of `issuer`, an https URL or an http one to this machine, has as `name`, be it what it may.

    A place that has something else leads to the next, and so does a document without `name`: an OpenID provider may
    have its user endpoint in that of OpenID alone. An outage leads to none: it would be asked for again at each. Raises
    Unavailable (`discovery_failed`, `issuer_mismatch`) and what `Fetch` raises.
    """
    for url in metadata_urls(issuer):
        try:
            reply = yield from Fetch("GET", url, _ACCEPT_JSON, shared=shared)
        except Unavailable as error:
            if error.reason not in _OTHER_PAGES:
                raise
            continue
        if is_outage(reply.status):
            raise _not_found(f"its metadata answered {reply.status}")
        document = _document(reply)
        if document is None:
            continue
        if document.get("issuer") != issuer:
            # RFC 8414 section 3.3: MUST be identical, or another issuer's keys would speak for this one
            raise Unavailable("issuer_mismatch", UNREACHABLE, cause="metadata of another issuer")
        value = _member(document, name, with_certificate=with_certificate)
        if value is not None:
            return value
    raise _not_found("no metadata document has it")


def _not_found(cause: str) -> Unavailable:
    return Unavailable("discovery_failed", UNREACHABLE, cause=cause)


def _member(document: Mapping[str, Any], name: str, *, with_certificate: bool) -> object:
    value, aliases = document.get(name), document.get("mtls_endpoint_aliases")
    alias = aliases.get(name) if with_certificate and isinstance(aliases, dict) else None
    return value if alias is None else alias


def is_outage(status: int) -> bool:
    """True for a status of a server that cannot answer now, whatever it is asked."""
    return status >= _ERRORS or status in _BUSY


def _document(reply: Reply) -> Mapping[str, Any] | None:
    if reply.status != _OK:
        return None
    try:
        return json_object(reply.body)
    except ValueError:
        return None  # many sites answer an unknown path with their front page and 200
