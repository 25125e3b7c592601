"""Whether an option is an object with the members that are needed, as a Protocol lists them.

Looks at names only, not at what they stand for: start-up is to find what was mixed up, not to prove a type.
"""


def offers(value: object, *members: str) -> bool:
    """True for an object that has all `members`; False for a class, which has those of its objects too."""
    return not isinstance(value, type) and all(hasattr(value, member) for member in members)
