import json
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.errors import OAuthError
from oauth_rs.policy import APIScopes, NoScopes, OperationScopes, PassThrough, Public
from oauth_rs.policy_files import policy_of, read_policy
from oauth_rs.policy_writing import policy_data
from oauth_rs.requirements import Acr, Condition, MaxAge
from oauth_rs.scopes import AllOf, AnyOf
from oauth_rs.smart import CONTEXTS, smart


def owns(_grant: Any, _request: Any) -> bool:
    return True


class Own:
    """A requirement of one's own; that one names scopes does not make it one of SMART."""

    scopes = ("patient/Patient.r", "user/Patient.r", "system/Patient.r")

    def met_by(self, held: Collection[str], /) -> bool:
        return bool(held)

    def shortfall(self, _grant: Any, _request: Any, /) -> OAuthError | None:
        return None

    def __repr__(self) -> str:
        return repr(smart("Patient", "r"))


@pytest.mark.parametrize(
    ("rule", "data"),
    [
        (Public(), {"public": True}),
        (PassThrough(), {"pass_through": True}),
        (AllOf(), {"any_grant": True}),
        ("a", "a"),
        ("t:{id}", "t:{id}"),
        (AllOf("a"), "a"),
        (AllOf("a", "b"), {"all": ["a", "b"]}),
        (AnyOf("a"), {"any": ["a"]}),
        (AnyOf("a", AllOf("b"), "t:{id}"), {"any": ["a", {"all": ["b"]}, "t:{id}"]}),
        (AllOf("a", Acr("x"), MaxAge(60)), {"all": ["a"], "acr": ["x"], "max_age": 60}),
        (AllOf("a", MaxAge(60)), {"all": ["a"], "max_age": 60}),
        (AllOf("a", MaxAge(60), Acr("x")), {"all": ["a", {"max_age": 60}], "acr": ["x"]}),
        (AllOf(Acr("x"), MaxAge(60)), {"all": [{"acr": ["x"]}], "max_age": 60}),
        (AllOf(Acr("x"), "a"), {"all": [{"acr": ["x"]}, "a"]}),
        (AllOf(AnyOf("a", "b")), {"all": [{"any": ["a", "b"]}]}),
        (Acr("x", "y"), {"acr": ["x", "y"]}),
        (MaxAge(0), {"max_age": 0}),
        (smart("Patient", "r"), {"smart": "Patient.r"}),
        (smart("*", "cruds", patient="id"), {"smart": "*.cruds", "patient": "id"}),
        (
            smart("Patient", "rs", contexts=("user", "patient"), filtered=True),
            {"smart": "Patient.rs", "contexts": ["user", "patient"], "filtered": True},
        ),
        (AllOf("a", smart("Patient", "r")), {"all": ["a", {"smart": "Patient.r"}]}),
    ],
    ids=repr,
)
def test_a_rule_is_written_so_that_it_is_read_as_the_same(rule: Any, data: Any) -> None:
    policy = OperationScopes({"GET /x/<id>": rule})
    assert policy_data(policy) == {"operations": {"GET /x/<id>": data}}
    assert shown(policy_of(policy_data(policy))) == shown(policy)


def shown(policy: Any) -> tuple[str, list[tuple[str, str]]]:
    return type(policy).__name__, [(name, repr(rule)) for name, rule in policy.rules()]


@pytest.mark.parametrize(
    ("policy", "data"),
    [
        (NoScopes(), {"any_grant": True}),
        (APIScopes("a"), {"api": ["a"]}),
        (APIScopes("a", AnyOf("b", "c"), MaxAge(9)), {"api": ["a", {"any": ["b", "c"]}, {"max_age": 9}]}),
        (OperationScopes({}, default=Public()), {"operations": {}, "default": {"public": True}}),
        (OperationScopes({"GET /": "a"}, default="b"), {"operations": {"GET /": "a"}, "default": "b"}),
    ],
    ids=repr,
)
def test_a_policy_is_written_in_its_form(policy: Any, data: Any) -> None:
    assert policy_data(policy) == data
    assert shown(policy_of(data)) == shown(policy)


@pytest.mark.parametrize(
    "rule",
    [Condition(owns), AllOf("a", Condition(owns)), AnyOf("a", AllOf("b", Condition(owns))), Own(), AnyOf("a", Own())],
    ids=range(5),
)
def test_functions_and_requirements_of_ones_own_cannot_stand_in_a_file(rule: Any) -> None:
    with pytest.raises(ValueError, match=r"GET /x: .* cannot stand in a file: state this policy in code"):
        policy_data(OperationScopes({"GET /a": "a", "GET /x": rule}))
    with pytest.raises(ValueError, match=r"every operation: .* cannot stand in a file"):
        policy_data(APIScopes("a", rule))


@pytest.mark.parametrize("rule", [AllOf("a", AllOf()), AllOf(AllOf())], ids=repr)
def test_what_asks_for_nothing_inside_of_a_rule_cannot_either(rule: Any) -> None:
    with pytest.raises(ValueError, match=r"AllOf\(\) cannot stand in a file"):
        policy_data(OperationScopes({"GET /x": rule}))


def test_a_policy_of_ones_own_is_not_written() -> None:
    class OwnPolicy:
        def find(self, _request: Any, /) -> None:
            return None

        def rules(self) -> Any:
            return iter(())

    with pytest.raises(TypeError, match="what can be written is NoScopes"):
        policy_data(OwnPolicy())


def test_what_was_written_can_be_put_into_files(tmp_path: Path) -> None:
    policy = OperationScopes(
        {"GET /x/<id>": AllOf("t:{id}", AnyOf("b", Acr("y"))), "* /<path:p>": Public()}, default="z"
    )
    data = {"policy": policy_data(policy)}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    assert shown(read_policy(tmp_path / "a.yaml")) == shown(policy)
    assert shown(policy_of(json.loads(json.dumps(data))["policy"])) == shown(policy)
    toml = "".join(f"{json.dumps(name)} = {inline(rule)}\n" for name, rule in data["policy"]["operations"].items())
    text = f"[policy]\ndefault = 'z'\n[policy.operations]\n{toml}"
    assert tomllib.loads(text) == data
    (tmp_path / "a.toml").write_text(text)
    assert shown(read_policy(tmp_path / "a.toml")) == shown(policy)


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {inline(inner)}" for key, inner in value.items()) + " }"
    return "[" + ", ".join(map(inline, value)) + "]" if isinstance(value, list) else json.dumps(value)


LEAVES = (
    st.sampled_from(["a", "b", "t:{id}", "{{c}}"])
    | st.builds(Acr, st.sampled_from(["x", "y"]))
    | st.builds(MaxAge, st.integers(0, 999))
    | st.builds(
        smart,
        st.sampled_from(["*", "Patient"]),
        st.sampled_from(["r", "rs", "cruds"]),
        contexts=st.permutations(CONTEXTS),
        filtered=st.booleans(),
        patient=st.sampled_from(["", "id"]),
    )
)
PARTS: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
        lambda parts: st.sampled_from([AllOf(*parts), AnyOf(*parts)])
    ),
    max_leaves=6,
)
RULES = PARTS | st.builds(Public) | st.builds(PassThrough) | st.builds(AllOf)


@given(RULES, st.none() | st.sampled_from(["z", Public(), AllOf()]))
def test_every_rule_survives_being_written_and_read(rule: Any, default: Any) -> None:
    policy = OperationScopes({"GET /x/<id>": rule, "GET /y": "y"}, default=default)
    data = json.loads(json.dumps(policy_data(policy)))
    assert shown(policy_of(data)) == shown(policy)
    assert policy_data(policy_of(data)) == data
