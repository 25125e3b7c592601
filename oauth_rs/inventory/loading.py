"""Finds the application that a command line names: `module:app`, or `module:create_app()` for one to be made.

Imports and runs the module, as servers do. Does not look at the application.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from traceback import extract_tb
from types import FunctionType
from typing import Any

from ..entries import meant

_TARGET = re.compile(r"((?:\w+\.)*\w+):((?:\w+\.)*\w+)(\(\))?")
_NOTHING = object()


class LoadError(Exception):
    """The application is not there, or cannot be made; said in one line."""


def load(target: str) -> Any:
    """What `target` names, called when it ends in `()`. Raises LoadError."""
    parts = _TARGET.fullmatch(target)
    if parts is None:
        raise LoadError(f"{target!r} names no application: write module:app or module:create_app()")
    module, path, call = parts.groups()
    thing = _imported(module)
    for name in path.split("."):
        with _in_one_line(f"{module}:{path} cannot be read"):
            known, thing = vars(thing) if hasattr(thing, "__dict__") else (), getattr(thing, name, _NOTHING)
        if thing is _NOTHING:
            raise LoadError(f"{module} has no {path}: {meant(name, known)}")
    if call:
        with _in_one_line(f"{target} cannot be called"):
            return thing()
    if isinstance(thing, FunctionType):
        raise LoadError(f"{target} is a function: write {target}() for the application that it makes")
    return thing


def _imported(module: str) -> Any:
    try:
        with _in_one_line(f"{module} cannot be imported"):
            return import_module(module)
    except LoadError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name and f"{module}.".startswith(f"{cause.name}."):
            raise LoadError(f"there is no module {cause.name!r}: write it as an import does") from cause
        raise


@contextmanager
def _in_one_line(what: str) -> Iterator[None]:
    try:
        yield
    # Code of the user's may raise anything, and none of it can pass for an application here. A script that ends the
    # process when it is imported would do so with status 0.
    except (Exception, SystemExit) as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise LoadError(f"{what}: {text} ({_place(error)})") from error


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    last = extract_tb(error.__traceback__)[-1]
    return f"{last.filename}:{last.lineno}"
