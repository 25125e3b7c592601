"""What becomes of requests to a route, by examples of its path: which servers let them pass, and for what.

Asks servers and policies what they would do. Serves no request. What the examples do not show is not known:
docs/inventory.md says which there are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from ..errors import OAuthError
from ..policy import OperationRule, PassThrough, Policy, Public
from ..scopes import AllOf
from ..server import ResourceServer
from .places import Asked, Example, Examples, Served

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_WITHOUT_GRANT = ("public", "pass-through")

Protected: TypeAlias = Literal["unprotected", "public", "pass-through", "protected", "closed", "refused"]


class Stage(NamedTuple):
    """What one server does with a request, what it asks for beyond any grant, and the rule that it follows."""

    word: Literal["protected", "public", "pass-through", "refused", "optional"]
    asked: tuple[Asked, ...] = ()
    rule: tuple[Policy, OperationRule] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of a request. `closed`: something asks for a grant where there is none, so nobody gets there."""

    protection: Protected
    asked: tuple[Asked, ...]
    stages: tuple[Stage, ...] = field(compare=False)
    method: str = field(compare=False)
    path: str = field(compare=False)


@dataclass(slots=True)
class EmptyRequest:
    """A request that is led to a route, with nothing in it; for policies."""

    method: str
    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    raw_path: bytes = b""
    query: bytes = b""
    url_scheme: str = "https"
    peer: str = ""

    def header(self, _name: bytes, /) -> Sequence[bytes]:
        return ()


def outcomes(found: Served, examples_of: Examples) -> list[Outcome]:
    """What becomes of requests with each of the methods, each outcome once, with the first path that has it."""
    ends: list[Outcome] = []
    for method, examples in requests(found, examples_of):
        of_method: list[Outcome] = []
        for example in examples:
            end = outcome(found, method, example)
            if end not in of_method:
                of_method.append(end)
        ends += of_method
    return ends


def requests(found: Served, examples_of: Examples, more: Iterable[str] = ()) -> Iterator[tuple[str, Sequence[Example]]]:
    """Each method of requests to `found`, of those for any the methods `more` too, and examples of their paths."""
    examples = examples_of(found.place)
    if found.method == "*":
        methods = dict.fromkeys((*_METHODS, *more))
        yield from ((method, found.led_here(method, examples)) for method in methods)
    else:
        yield "GET" if found.method == "WEBSOCKET" else found.method, found.led_here(found.method, examples)


def outcome(found: Served, method: str, example: Example) -> Outcome:
    """What becomes of one request."""
    host = found.place.host.lower()
    stages = tuple(_stage(server, method, "".join(example[depth:]), host) for server, depth, _ in found.place.passed)
    words = [stage.word for stage in stages]
    return Outcome(
        protection=_of_words(words, asks=bool(found.asked)),
        asked=tuple(one for stage in stages for one in stage.asked),
        stages=stages,
        method=method,
        path="".join(example),
    )


def _of_words(words: Sequence[str], *, asks: bool) -> Protected:
    if "refused" in words:
        return "refused"
    if asks:
        return "closed" if words and words[-1] in _WITHOUT_GRANT else "protected"
    if "protected" in words:
        return "protected"
    if "public" in words:
        return "public"
    return "pass-through" if "pass-through" in words else "unprotected"


def _stage(server: ResourceServer, method: str, path: str, host: str) -> Stage:
    if server.public is not None and server.public.cover(path, host):
        return Stage("public")
    policy = server.policy
    if policy is None:
        is_optional = server.credentials == "optional"
        return Stage("optional") if is_optional else Stage("protected", (Asked("server", AllOf()),))
    rule = _rule(policy, EmptyRequest(method, path))
    if rule is None:
        return Stage("refused")
    if isinstance(rule, Public | PassThrough):
        return Stage("public" if isinstance(rule, Public) else "pass-through", rule=(policy, rule))
    return Stage("protected", (Asked("policy", rule),), (policy, rule))


def _rule(policy: Policy, request: EmptyRequest) -> OperationRule | None:
    try:
        operation = policy.find(request)
    except OAuthError:  # as for a path that can be read in more than one way
        return None
    return None if operation is None else operation.rule
