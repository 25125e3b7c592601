"""What stands around an application: middlewares, as far as they can be looked through.

Runs none of them. Knows no framework.
"""

from types import MethodType
from typing import Any

# What middlewares call the application behind them. One that keeps it elsewhere hides all that is further in.
_NAMES = ("app", "_app", "application")
_DEEPEST = 100  # an object that makes up its attributes would go on for ever


def layers(app: Any, *whole: type) -> list[Any]:
    """`app` and what it stands around, from the outside in; what is of a type in `whole` is not looked through."""
    found: list[Any] = []
    while app is not None and len(found) < _DEEPEST and not any(app is one for one in found):
        found.append(app)
        app = None if isinstance(app, (type, *whole)) else _inner(app)
    return found


def _inner(layer: Any) -> Any:
    if isinstance(layer, MethodType):
        return layer.__self__
    candidates = (getattr(layer, name, None) for name in _NAMES)
    return next((inner for inner in candidates if callable(inner)), None)
