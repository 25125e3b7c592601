"""Which rule of a policy an operation of an OpenAPI document falls under.

A document gives no values for parameters, so templates are compared by their form first; where a policy has none of
that form, for it may take `/<path:rest>` for many, it is asked about paths with sample values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidRequest
from ..policy import OperationRule, Policy
from .document import Described

_VARIABLE = re.compile(r"<[^<>]*>")
_SAMPLES = ("~", "1")  # a text that no template has as it stands, and a number


class RuleFinder:
    """Finds the rules of `policy`."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._default: OperationRule | None = None
        self._by_form: dict[tuple[str, str], list[OperationRule]] = {}
        for name, rule in policy.rules():
            method, _, template = name.partition(" ")
            self._by_form.setdefault((method, _form(template)), []).append(rule)
            if name == "default":
                self._default = rule

    def find(self, described: Described) -> OperationRule | None:
        """The rule that `described` falls under; None when there is none.

        Raises ValueError where the values of its parameters decide.
        """
        method, _, template = described.operation.partition(" ")
        form = _form(template)
        methods = (method, "GET", "*") if method == "HEAD" else (method, "*")
        rules = next((self._by_form[one, form] for one in methods if (one, form) in self._by_form), None)
        if rules is None:
            asked = [self._ask(method, _VARIABLE.sub(sample, template)) for sample in _SAMPLES]
            found = [rule for rule in asked if rule is not None]
            # The default is for what is not mapped, and a sample may just not be what a converter takes.
            rules = [rule for rule in found if rule is not self._default] or found
        if len(set(rules)) > 1:
            raise ValueError(
                f"{described.name} falls under several rules, by the values of its parameters: map it alone"
            )
        return rules[0] if rules else None

    def _ask(self, method: str, path: str) -> OperationRule | None:
        try:
            operation = self._policy.find(_Asked(method=method, path=path))
        except InvalidRequest:  # nobody can ask for that path
            return None
        return None if operation is None else operation.rule


def _form(template: str) -> str:
    return _VARIABLE.sub("<>", template).rstrip("/")


@dataclass(slots=True, kw_only=True)
class _Asked:
    """A request that nobody has sent."""

    method: str
    path: str
    query: bytes = b""
    url_scheme: str = "https"
    peer: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def raw_path(self) -> bytes:
        return self.path.encode()

    def header(self, _name: bytes, /) -> Sequence[bytes]:
        return ()
