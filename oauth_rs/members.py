"""Whether an option is an object with the members that are needed, as a Protocol lists them, or takes what it is given.

Looks at names only, not at what they stand for: start-up is to find what was mixed up, not to prove a type.
"""

from inspect import signature


def offers(value: object, *members: str) -> bool:
    """True for an object that has all `members`; False for a class, which has those of its objects too."""
    return not isinstance(value, type) and all(hasattr(value, member) for member in members)


def takes(function: object, count: int) -> bool:
    """True for what can be called with `count` arguments by position, and for a callable that does not tell."""
    if not callable(function):
        return False
    try:
        known = signature(function)
    except (TypeError, ValueError):  # as of some that are written in C
        return True
    try:
        known.bind(*[None] * count)
    except TypeError:
        return False
    return True


def check_flag(option: str, value: object) -> None:
    """Returns when `value` is True or False: "no" and "false" would count as yes. Raises TypeError."""
    if not isinstance(value, bool):
        raise TypeError(f"{option} is True or False, not {value!r}")
