"""What the schemes that check signed requests have in common: how far a clock may be off, bodies, being good once.

Knows no signature: oauth1.py and mac.py do.
"""

from collections.abc import Callable
from math import inf

from ..errors import InvalidToken, RequestTooLarge
from ..flow import Flow, ReadBody

WINDOW = 300.0  # seconds that a timestamp may be off, either way
MAX_BODY_BYTES = 1_048_576  # of a body with a hash: it is kept in memory until it is checked


def checked_limits(window: float, *sizes: int) -> None:
    """Returns when `window`, in seconds, and `sizes`, in bytes, can be held to. Raises ValueError."""
    if not 0 < window < inf:
        raise ValueError("window is a number of seconds above 0")
    if any(size < 0 for size in sizes):
        raise ValueError("max_form and max_body are numbers of bytes, 0 or more")


def read_body(limit: int) -> Flow[bytes]:
    """The body of the request. Raises RequestTooLarge (`body_too_large`)."""
    body = yield from ReadBody(limit)
    if body is None:
        raise RequestTooLarge("body_too_large", "The body is longer than this server reads to check a signature.")
    return body


def stale() -> InvalidToken:
    return InvalidToken("stale_timestamp", "The timestamp is too far from the time here.")


def replayed() -> InvalidToken:
    return InvalidToken("replayed", "The request was received before.")


def in_time(answer: Flow[bool], until: float, clock: Callable[[], float]) -> Flow[bool]:
    """What a store answers that had to be waited for. Raises InvalidToken (`stale_timestamp`) where that took too long:
    the store may have forgotten the request meanwhile, and have said so to the second of two.
    """
    first = yield from answer
    if clock() > until:
        raise stale()
    return first
