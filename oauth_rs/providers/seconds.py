"""Limits that providers have, in seconds and in tokens, and their defaults. Reads no clock."""

from math import inf

LEEWAY = 60.0  # of clock difference with the provider
MAX_LEEWAY = 300.0  # RFC 9068 section 4: "usually no more than a few minutes"
TIMEOUT = 5.0  # for one call; the settings of the middleware may allow less
CACHE_SECONDS = 60.0  # that the good answer of a server is believed: revocation takes as long to be seen
REFUSED_SECONDS = 5.0  # that a bad one is: long enough to spare the endpoint a client that tries on and on
MAX_CACHE_SECONDS = 300.0  # at most; a verdict never outlives its token or its key either
CACHE_SIZE = 20_000  # tokens; 20 MB, where a token has a kilobyte of claims


def check_seconds(option: str, value: object, *, most: float = inf) -> None:
    """Returns when `value` is a number from 0 to `most`. Raises TypeError and ValueError that name the option."""
    limits = f"0 to {most:.0f} seconds" if most < inf else "0 seconds or more"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{option} is a number, {limits}")
    if not 0 <= value <= most:  # NaN is not either
        raise ValueError(f"{option} is {limits}")


def check_cache_size(size: object) -> None:
    """Returns when `size` is a number of tokens, 0 or more. Raises TypeError and ValueError."""
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError("cache_size is a number of tokens")
    if size < 0:
        raise ValueError("cache_size is 0 or more tokens")
