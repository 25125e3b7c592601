"""Options in seconds, and their defaults, of providers that ask a server. Reads no clock."""

from math import inf

LEEWAY = 60.0  # of clock difference with the provider
MAX_LEEWAY = 300.0  # as for JWTs
TIMEOUT = 5.0  # for one call; the settings of the middleware may allow less
CACHE_SECONDS = 60.0  # that a good answer is believed: revocation takes as long to be seen
REFUSED_SECONDS = 5.0  # that a bad one is: long enough to spare the endpoint a client that tries on and on
MAX_CACHE_SECONDS = 300.0  # as for JWTs


def check_seconds(option: str, value: object, *, most: float = inf) -> None:
    """Returns when `value` is a number from 0 to `most`. Raises TypeError and ValueError that name the option."""
    limits = f"0 to {most:.0f} seconds" if most < inf else "0 seconds or more"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{option} is a number, {limits}")
    if not 0 <= value <= most:  # NaN is not either
        raise ValueError(f"{option} is {limits}")
