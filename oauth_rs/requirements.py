"""What an operation may ask of a grant beside scopes: how and when the user authenticated (RFC 9470), and conditions.

They nest in `AllOf` and `AnyOf` and stand in policies and decorators like scopes. Does not authenticate anybody: the
challenge tells the client what to ask its authorization server for.
"""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .errors import InsufficientAuthentication, InsufficientScope
from .flow import Flow, call
from .headers import quotable
from .members import takes
from .request import Request
from .scopes import Granted, Lack

LEEWAY = 60.0  # seconds that the issuer's clock may be ahead of ours


class Acr:
    """Met when the claim `acr` is one of `values`, to the letter (RFC 9470 sections 3 and 6.2)."""

    __slots__ = ("values",)

    scopes: tuple[str, ...] = ()

    def __init__(self, *values: str) -> None:
        if not values:
            raise ValueError("Acr() can never be met: name at least one authentication context class")
        for value in values:
            if not isinstance(value, str):
                raise TypeError("Acr takes texts: write Acr('urn:example:mfa', 'urn:example:hardware')")
            if not value or " " in value:
                raise ValueError(f"{value!r} is not one authentication context class: no spaces, not empty")
            quotable(value)
        self.values = values

    def met_by(self, _held: Collection[str], /) -> bool:
        """False: scopes do not tell."""
        return False

    def shortfall(self, grant: Granted, _request: Request | None, /) -> Lack:
        if grant.claims.get("acr") in self.values:
            return None
        return InsufficientAuthentication(
            "acr_too_low", "This operation needs a stronger authentication of the user.", acr_values=self.values
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Acr) and self.values == other.values

    def __hash__(self) -> int:
        return hash((Acr, self.values))

    def __repr__(self) -> str:
        return f"Acr({', '.join(map(repr, self.values))})"


class MaxAge:
    """Met when the user authenticated at most `seconds` ago, by the claim `auth_time` (RFC 9470 sections 3 and 6.2).

    Without a readable `auth_time` it is not met.
    """

    __slots__ = ("_clock", "seconds")

    scopes: tuple[str, ...] = ()

    def __init__(self, seconds: int, *, clock: Callable[[], float] = time.time) -> None:
        if type(seconds) is not int or seconds < 0:  # 300.0 would stand so in a challenge, and True is an int too
            raise ValueError("MaxAge takes whole seconds, 0 or more: write MaxAge(300)")
        self.seconds = seconds
        self._clock = clock

    def met_by(self, _held: Collection[str], /) -> bool:
        """False: scopes do not tell."""
        return False

    def shortfall(self, grant: Granted, _request: Request | None, /) -> Lack:
        when, now = _number(grant.claims, "auth_time"), self._clock()
        if when is not None and now - self.seconds <= when <= now + LEEWAY:  # of 400 digits nothing can be subtracted
            return None
        return InsufficientAuthentication(
            "authentication_too_old", "This operation needs a more recent authentication.", max_age=self.seconds
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MaxAge) and self.seconds == other.seconds

    def __hash__(self) -> int:
        return hash((MaxAge, self.seconds))

    def __repr__(self) -> str:
        return f"MaxAge({self.seconds})"


class Condition:
    """Met when `function(grant, request)` gives True; False is a 403. It may be a coroutine function.

    `request` is the `Request` of the core, with `parameters`, whatever the framework. A plain function is called in a
    worker thread by the ASGI middleware, for it may block. It raises Unavailable when it cannot tell; any other
    exception, and any answer but a bool, ends as a 500.
    """

    __slots__ = ("_function",)

    needs_request = True
    scopes: tuple[str, ...] = ()

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        if isinstance(function, type) or not takes(function, 2):
            raise TypeError("Condition takes a function of a grant and a request")
        self._function = function

    def met_by(self, _held: Collection[str], /) -> bool:
        """False: scopes do not tell."""
        return False

    def shortfall(self, grant: Granted, request: Request | None, /) -> Flow[Lack]:
        if request is None:
            raise TypeError(f"{self!r} needs the request: ask for it with @requires or a policy")
        verdict = yield from call(self._function, grant, request)
        if type(verdict) is not bool:  # an empty cursor or result object counts as true
            raise TypeError(f"{self!r} gives {type(verdict).__name__}, not True or False")
        if verdict:
            return None
        return InsufficientScope("condition_not_met", "The grant does not cover this operation.", scope="")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and self._function == other._function

    def __hash__(self) -> int:
        return hash((Condition, self._function))

    def __repr__(self) -> str:
        return f"Condition({getattr(self._function, '__qualname__', type(self._function).__qualname__)})"


def _number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return value if type(value) in (int, float) else None  # not isinstance: True is an int to it
