"""Which URL the caller used, and which URLs we may call (RFC 9110 section 4.2, RFC 7239).

The external URL comes from configuration, from the server's own view of the request, or from the forwarded headers of
proxies named beforehand: never from a header that any client can set. The path is always the raw target.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from .errors import InvalidRequest
from .model import Request

PATH_SAFE = "/!$&'()*+,;=:@~"  # RFC 3986 section 3.3: what a path holds unescaped
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_DEFAULT_PORT = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}


class ExternalURL(Protocol):
    """Gives the absolute URL of a request as its sender wrote it, without the query.

    Raises InvalidRequest (`bad_host`, `host_not_allowed`).
    """

    def of(self, request: Request, /) -> str: ...


@dataclass(frozen=True, slots=True)
class FixedURL:
    """Every request came to `base`, whatever its Host header says: the raw path is appended to it."""

    base: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.base)
        if parts.scheme not in _DEFAULT_PORT or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("FixedURL takes an absolute URL without query and fragment")
        object.__setattr__(self, "base", self.base.rstrip("/"))

    def of(self, request: Request, /) -> str:
        return self.base + _path(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectURL:
    """Clients connect straight to this server: its scheme, the Host header, the raw path.

    `hosts` lists the Host values that are served; empty allows any well-formed one. A default port is left out.
    """

    hosts: Iterable[str] = ()
    _hosts: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hosts", _lower(self.hosts))

    def of(self, request: Request, /) -> str:
        host = _single(request.header(b"host"))
        return _origin(request.url_scheme, host, self._hosts) + _path(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedURL:
    """Requests whose connection comes from one of `proxies` say their scheme and host in `X-Forwarded-Proto` and
    `X-Forwarded-Host`; every other request is taken as direct.

    `proxies` are addresses or networks. The last value of each header counts: it is the one the nearest proxy wrote.
    """

    proxies: Iterable[str]
    hosts: Iterable[str] = ()
    _networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = field(init=False, repr=False)
    _hosts: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.proxies, str):
            raise TypeError("proxies is a list, as ['10.0.0.0/8']")
        object.__setattr__(self, "_networks", tuple(map(ipaddress.ip_network, self.proxies)))
        object.__setattr__(self, "_hosts", _lower(self.hosts))

    def of(self, request: Request, /) -> str:
        scheme, host = request.url_scheme, _single(request.header(b"host"))
        if self._trusts(request.peer):
            scheme = _last(request.header(b"x-forwarded-proto")) or scheme
            host = _last(request.header(b"x-forwarded-host")) or host
        return _origin(scheme, host, self._hosts) + _path(request)

    def _trusts(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:  # a unix socket has no address, and nobody said to trust it
            return False
        address = getattr(address, "ipv4_mapped", None) or address  # how a dual-stack socket writes ::ffff:192.0.2.1
        return any(address in network for network in self._networks)


def secure(url: str) -> bool:
    """True for an https URL, or an http one to this machine: what we may fetch keys and verdicts from."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read for what it raises
    except ValueError:  # half an IPv6 literal, a port that is none: issuers' metadata is a stranger's text
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}


def _lower(hosts: Iterable[str]) -> frozenset[str]:
    if isinstance(hosts, str):
        raise TypeError("hosts is a list, as ['api.example.com']")
    return frozenset(map(str.lower, hosts))


def _origin(scheme: str, host: str, allowed: frozenset[str]) -> str:
    host = host.lower()
    if scheme not in _DEFAULT_PORT or not _HOST.fullmatch(host):
        raise InvalidRequest("bad_host", "The Host of the request is not well formed.")
    host = host.removesuffix(_DEFAULT_PORT[scheme])
    if allowed and host not in allowed:
        raise InvalidRequest("host_not_allowed", "This server does not answer for that Host.")
    return f"{scheme}://{host}"


def _path(request: Request) -> str:
    return request.raw_path.decode("latin-1") or "/"


def _single(values: Iterable[bytes]) -> str:
    found = list(values)
    return found[0].decode("latin-1") if len(found) == 1 else ""


def _last(values: Iterable[bytes]) -> str:
    return b",".join(values).rpartition(b",")[2].strip().decode("latin-1")
