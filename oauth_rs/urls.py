"""Which URL the caller used, and which URLs we may call (RFC 9110 section 4.2, RFC 7239).

The external URL comes from configuration, from the server's own view of the request, or from the forwarded headers of
proxies named beforehand: never from a header that any client can set. The path is always the raw target.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from .errors import InvalidRequest
from .request import Request

PATH_SAFE = "/!$&'()*+,;=:@~"  # RFC 3986 section 3.3: what a path holds unescaped
DEFAULT_PORT = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}
# Bounded: what is well formed is remembered.
_PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_HOST = re.compile(rf"(?:[A-Za-z0-9._~-]{{1,255}}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::(?:{_PORT}))?")
_SHOWN = 300  # characters of a URL in the log: others name some of them, as metadata does
_NOT_PLAIN = "a URL that is not plain"


def shown(url: str) -> str:
    """`url` for logs and errors: without user, password, query and fragment, which may be secrets, and not too long."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _NOT_PLAIN
    text = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return text[:_SHOWN] if text.isascii() and text.isprintable() else _NOT_PLAIN


class ExternalURL(Protocol):
    """Gives the absolute URL of a request as its sender wrote it, without the query.

    `names_hosts` is True when requests for a Host that was not named beforehand are refused, or none is looked at.
    `of` raises InvalidRequest (`bad_host`, `host_not_allowed`, `bad_target`).
    """

    @property
    def names_hosts(self) -> bool: ...

    def of(self, request: Request, /) -> str: ...


@dataclass(frozen=True, slots=True)
class FixedURL:
    """Every request came to `base`, whatever its Host header says: the raw path is appended to it."""

    base: str

    def __post_init__(self) -> None:
        if not isinstance(self.base, str):
            raise TypeError("FixedURL takes a URL, as https://api.example.com")
        if not self.base.isascii():
            raise ValueError("FixedURL takes a URL as it goes over the wire: in ASCII, other characters encoded")
        parts = urlsplit(self.base)
        host = parts.netloc.lower().removesuffix(":")  # RFC 3986 section 6.2.3: an empty port is the default one
        if parts.scheme not in DEFAULT_PORT or not _HOST.fullmatch(host) or parts.query or parts.fragment:
            raise ValueError(
                "FixedURL takes an absolute URL without query and fragment, as https://api.example.com:8443/v1"
            )
        origin = f"{parts.scheme}://{host.removesuffix(DEFAULT_PORT[parts.scheme])}"
        object.__setattr__(self, "base", origin + parts.path.rstrip("/"))

    @property
    def names_hosts(self) -> bool:
        return True

    def serves(self, host: str) -> bool:
        """True for the host of `base`: every request counts as one to it."""
        return urlsplit(self.base).netloc == host

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

    @property
    def names_hosts(self) -> bool:
        return bool(self._hosts)

    def serves(self, host: str) -> bool:
        """True for one of `hosts`, and for any where there are none."""
        return _serves(self._hosts, host)

    def of(self, request: Request, /) -> str:
        values = request.header(b"host")
        return _origin(request.url_scheme, values[0] if len(values) == 1 else b"", self._hosts) + _path(request)


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

    @property
    def names_hosts(self) -> bool:
        return bool(self._hosts)

    def serves(self, host: str) -> bool:
        """True for one of `hosts`, and for any where there are none."""
        return _serves(self._hosts, host)

    def of(self, request: Request, /) -> str:
        scheme, values = request.url_scheme, request.header(b"host")
        host = values[0] if len(values) == 1 else b""
        if self._trusts(request.peer):
            scheme = _last(request.header(b"x-forwarded-proto")).decode("latin-1") or scheme
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


def secure_for_secrets(url: str) -> bool:
    """True for a URL that is secure and has no name, password or fragment: what tokens and secrets may be sent to."""
    return secure(url) and "#" not in url and "@" not in urlsplit(url).netloc


def _lower(hosts: Iterable[str]) -> frozenset[str]:
    if isinstance(hosts, str):
        raise TypeError("hosts is a list, as ['api.example.com']")
    lower = frozenset(map(str.lower, hosts))
    for host in lower:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is no Host: write 'api.example.com', or 'api.example.com:8443'")
    return lower


def _serves(hosts: frozenset[str], host: str) -> bool:
    return not hosts or not hosts.isdisjoint((host, *(host + port for port in DEFAULT_PORT.values())))


@lru_cache(maxsize=256)  # callers come by few names; whoever invents more only makes it forget
def _origin(scheme: str, sent: bytes, allowed: frozenset[str]) -> str:
    host = sent.decode("latin-1").lower()
    if scheme not in DEFAULT_PORT or not _HOST.fullmatch(host):
        raise InvalidRequest("bad_host", "The Host of the request is not well formed.")
    host = host.removesuffix(DEFAULT_PORT[scheme])
    if allowed and host not in allowed and host + DEFAULT_PORT[scheme] not in allowed:
        raise InvalidRequest("host_not_allowed", "This server does not answer for that Host.")
    return f"{scheme}://{host}"


def _path(request: Request) -> str:
    path = request.raw_path.decode("latin-1")
    if path and path[0] != "/":  # it would run into the host
        raise InvalidRequest("bad_target", "The target of the request is not well formed.")
    return path or "/"


def _last(values: Iterable[bytes]) -> bytes:
    return b",".join(values).rpartition(b",")[2].strip()
