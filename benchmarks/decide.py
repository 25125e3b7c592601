"""Deciding about a request whose token is known: a large API, with a policy and a catalogue, against a small one."""

from collections.abc import Callable, Iterator

from oauth_rs import ResourceServer
from oauth_rs.asgi import ASGIRequest
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.policy import OperationScopes
from oauth_rs.scope_declarations import Scope

from . import tokens
from .rows import Row, beside
from .timing import interleaved

SMALL, LARGE = 10, 1_000
AIM = 2.0
_SCOPES = ("openid", "profile", "photos", "photos.upload", "orders.read")  # those of the token


def rows() -> Iterator[Row]:
    token = tokens.token("RS256")
    calls = {
        "small": decide(server(SMALL), SMALL, token),
        "large": decide(server(LARGE), LARGE, token),
        "neither": decide(ResourceServer(tokens.bearer("RS256", cache_size=20_000)), SMALL, token),
    }
    samples = interleaved(calls)
    yield Row(
        case=f"deciding among {LARGE:,} operations and scopes / {SMALL}",
        ratio=samples.ratio("large", "small"),
        aim=AIM,
        note=beside({"without policy and catalogue": samples.ratio("neither", "small")}),
    )


def server(size: int) -> ResourceServer:
    """A server of `size` operations and as many scopes, half of them below one that the token holds."""
    others = [f"photos.part{number}" for number in range(size - len(_SCOPES))]
    catalogue = {name: Scope(children=others[: size // 2] if name == "photos" else ()) for name in _SCOPES}
    operations = {f"GET /resources{number}/<int:id>/parts": "photos" for number in range(size)}
    return ResourceServer(
        tokens.bearer("RS256", cache_size=20_000),
        policy=OperationScopes(operations),
        scopes=ScopeCatalogue({**catalogue, **{name: Scope() for name in others}}),
    )


def decide(server: ResourceServer, size: int, token: str) -> Callable[[], object]:
    """One request, to the operation in the middle."""
    path = f"/resources{size // 2}/7/parts"
    headers = [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers}

    def call() -> object:
        verdict = server.authenticate(ASGIRequest(scope))
        if verdict is None:
            raise RuntimeError("let through what needs a grant")
        return tokens.granted(verdict)

    grant = tokens.granted(call())
    if server.catalogue is not None and len(grant.scopes) < size // 2:
        raise RuntimeError("the catalogue has not been applied")
    return call
