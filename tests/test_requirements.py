import json
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.errors import InsufficientAuthentication, InsufficientScope, OAuthError, Unavailable
from oauth_rs.flow import Call
from oauth_rs.model import Grant
from oauth_rs.requirements import LEEWAY, Acr, Condition, MaxAge
from oauth_rs.scopes import AllOf, AnyOf, Requirement
from tests.support.playing import FakeClock, PlainRequest, play

NOW = 2_000_000_000
CLOCK = FakeClock(NOW)
REQUEST = PlainRequest("GET", "/photos/7", parameters={"id": 7})


def grant(*scopes: str, **claims: Any) -> Grant:
    return Grant(
        scheme="Bearer",
        provider="https://id.example.com",
        issuer="https://id.example.com",
        subject="ada",
        client_id="app",
        scopes=frozenset(scopes),
        expires_at=0,
        claims_json=json.dumps(claims).encode(),
    )


def lack_of(requirement: Requirement, held: Grant, *script: tuple[Any, Any]) -> OAuthError | None:
    return play(requirement.shortfall(held, REQUEST), *script)


# Acr


@pytest.mark.parametrize("acr", ["urn:example:mfa", "urn:example:hardware"])
def test_any_of_the_authentication_contexts_will_do(acr: str) -> None:
    assert lack_of(Acr("urn:example:mfa", "urn:example:hardware"), grant(acr=acr)) is None


@pytest.mark.parametrize(
    "claims",
    [
        {},
        *(
            {"acr": acr}
            for acr in (None, "", "urn:example:pwd", "URN:EXAMPLE:MFA", "urn:example:mfa ", " urn:example:mfa")
        ),
        *({"acr": acr} for acr in ("urn:example", "urn:example:mfa2", "urn:example:mfa\n", "urn:ex\u0430mple:mfa")),
        *({"acr": acr} for acr in (["urn:example:mfa"], {"urn:example:mfa": 1}, 1, True, "urn:example:mfa urn:x")),
        {"amr": ["mfa"], "ACR": "urn:example:mfa"},
    ],
    ids=str,
)
def test_another_authentication_context_is_a_401_that_names_the_good_ones(claims: dict[str, Any]) -> None:
    lack = lack_of(Acr("urn:example:mfa", "urn:example:hardware"), grant(**claims))
    assert isinstance(lack, InsufficientAuthentication)
    assert (lack.status, lack.reason, lack.max_age) == (401, "acr_too_low", None)
    assert lack.acr_values == ("urn:example:mfa", "urn:example:hardware")


@pytest.mark.parametrize("value", ["", "a b", 'a"b', "a\\b", "caf\u00e9", "a\n", "a\x00"])
def test_what_cannot_stand_in_a_challenge_is_no_authentication_context(value: str) -> None:
    with pytest.raises(ValueError, match=r"is not one authentication context|cannot stand in a challenge"):
        Acr("urn:example:mfa", value)


@pytest.mark.parametrize("value", [None, 1, ["urn:example:mfa"], b"mfa"], ids=repr)
def test_authentication_contexts_are_texts(value: Any) -> None:
    with pytest.raises(TypeError, match="Acr takes texts"):
        Acr(value)


def test_no_authentication_context_could_never_be_met() -> None:
    with pytest.raises(ValueError, match="can never be met"):
        Acr()


# MaxAge


@pytest.mark.parametrize("ago", [0, 1, 299, 300, 299.5, -1, -LEEWAY])
def test_a_recent_authentication_will_do(ago: float) -> None:
    assert lack_of(MaxAge(300, clock=CLOCK), grant(auth_time=NOW - ago)) is None


@pytest.mark.parametrize(
    "claims",
    [
        {},
        *({"auth_time": NOW - ago} for ago in (301, 300.5, 10**6, NOW, -LEEWAY - 1, -(10**6))),
        *({"auth_time": when} for when in (None, True, False, "", str(NOW), [NOW], {"at": NOW}, 0, -1)),
        *({"auth_time": when} for when in (10**400, -(10**400), float("inf"), float("-inf"), float("nan"))),
        {"iat": NOW, "AUTH_TIME": NOW},
    ],
    ids=lambda claims: str(claims)[:40],
)
def test_an_old_or_unreadable_authentication_is_a_401_that_names_the_age(claims: dict[str, Any]) -> None:
    lack = lack_of(MaxAge(300, clock=CLOCK), grant(**claims))
    assert isinstance(lack, InsufficientAuthentication)
    assert (lack.status, lack.reason, lack.max_age, lack.acr_values) == (401, "authentication_too_old", 300, ())


@pytest.mark.parametrize(
    "seconds", [-1, 0.5, 300.0, True, None, "300", float("nan"), float("inf"), float("-inf"), [300]], ids=repr
)
def test_an_age_is_whole_seconds(seconds: Any) -> None:
    with pytest.raises(ValueError, match="MaxAge takes whole seconds"):
        MaxAge(seconds)


def test_an_age_of_nothing_asks_for_an_authentication_this_second() -> None:
    assert lack_of(MaxAge(0, clock=CLOCK), grant(auth_time=NOW)) is None
    assert lack_of(MaxAge(0, clock=CLOCK), grant(auth_time=NOW - 1)) is not None


# Condition


def owns(held: Grant, request: Any) -> bool:
    return bool(held.claims["photos"] == request.parameters["id"])


async def awaits(_held: Grant, _request: Any) -> bool:
    return True


class Asked:
    def __call__(self, _held: Grant, _request: Any) -> bool:
        return True


class Awaited:
    async def __call__(self, _held: Grant, _request: Any) -> bool:
        return True


@pytest.mark.parametrize("function", [owns, partial(owns), Asked(), lambda _held, _request: True], ids=str)
def test_a_plain_function_is_called_as_one_that_may_block(function: Callable[..., Any]) -> None:
    held = grant(photos=7)
    asked = Call(blocking=function, arguments=(held, REQUEST))
    assert lack_of(Condition(function), held, (asked, True)) is None


@pytest.mark.parametrize("function", [awaits, partial(awaits), Awaited()], ids=str)
def test_a_coroutine_function_is_awaited(function: Callable[..., Any]) -> None:
    held = grant()
    asked = Call(awaiting=function, arguments=(held, REQUEST))
    assert lack_of(Condition(function), held, (asked, True)) is None


def test_a_condition_that_is_not_met_is_a_403_without_a_scope() -> None:
    held = grant(photos=8)
    lack = lack_of(Condition(owns), held, (Call(blocking=owns, arguments=(held, REQUEST)), False))
    assert isinstance(lack, InsufficientScope)
    assert (lack.status, lack.reason, lack.scope) == (403, "condition_not_met", "")


@pytest.mark.parametrize("verdict", [None, 1, 0, "yes", "", [], [1], object(), REQUEST], ids=repr)
def test_a_verdict_is_true_or_false_and_nothing_that_looks_like_it(verdict: object) -> None:
    held = grant()
    with pytest.raises(TypeError, match="not True or False"):
        lack_of(Condition(owns), held, (Call(blocking=owns, arguments=(held, REQUEST)), verdict))


def test_a_coroutine_is_no_verdict_and_is_awaited_for_one() -> None:
    held = grant()
    coroutine = awaits(held, REQUEST)
    asked = Call(blocking=owns, arguments=(held, REQUEST)), coroutine
    assert isinstance(lack_of(Condition(owns), held, asked, (ANY, False)), InsufficientScope)
    coroutine.close()


def test_a_condition_that_cannot_tell_is_a_503() -> None:
    held = grant()
    with pytest.raises(Unavailable, match="database_down"):
        lack_of(
            Condition(owns), held, (Call(blocking=owns, arguments=(held, REQUEST)), Unavailable("database_down", ""))
        )


def test_a_condition_cannot_be_asked_without_the_request() -> None:
    with pytest.raises(TypeError, match="needs the request"):
        play(Condition(owns).shortfall(grant(photos=7), None))
    with pytest.raises(TypeError, match="needs the request"):
        grant(photos=7).require(Condition(owns))
    with pytest.raises(TypeError, match="needs the request"):
        grant(photos=7).allows(AnyOf("a", Condition(owns)))


@pytest.mark.parametrize("function", [None, "owns", True, Asked, Grant, lambda _grant: True, lambda: True], ids=str)
def test_a_condition_is_made_of_a_function(function: Any) -> None:
    with pytest.raises(TypeError, match="takes a function of a grant and a request"):
        Condition(function)


# All of them


@pytest.mark.parametrize("requirement", [Acr("a"), MaxAge(3), Condition(owns)], ids=repr)
def test_scopes_do_not_tell_whether_they_are_met(requirement: Requirement) -> None:
    assert requirement.scopes == ()
    assert not requirement.met_by({"a", "acr", "photos"})
    assert isinstance(requirement, Requirement)


@pytest.mark.parametrize(
    ("requirement", "shown"),
    [
        (Acr("a", "b"), "Acr('a', 'b')"),
        (MaxAge(300), "MaxAge(300)"),
        (Condition(owns), "Condition(owns)"),
        (Condition(Asked()), "Condition(Asked)"),
        (Condition(partial(owns)), "Condition(partial)"),
    ],
)
def test_a_requirement_shows_how_it_was_written(requirement: Requirement, shown: str) -> None:
    assert repr(requirement) == shown


def test_both_kinds_of_lack_are_told_at_once() -> None:
    lack = lack_of(AllOf("transfer", Acr("mfa"), MaxAge(300), MaxAge(60)), grant("transfer"))
    assert isinstance(lack, InsufficientAuthentication)
    assert (lack.acr_values, lack.max_age) == (("mfa",), 60)


def test_who_lacks_scopes_is_not_sent_to_authenticate_again() -> None:
    for requirement in (
        AllOf("transfer", Acr("mfa")),
        AllOf(Acr("mfa"), AllOf("transfer")),
        AllOf(Acr("mfa"), AnyOf("a", "b")),
    ):
        assert isinstance(lack_of(requirement, grant("other")), InsufficientScope)


def test_who_holds_the_scopes_of_one_way_is_told_what_that_way_takes() -> None:
    either = AnyOf("admin", AllOf("transfer", Acr("mfa")), AllOf("audit", MaxAge(300)))
    lack = lack_of(either, grant("transfer"))
    assert isinstance(lack, InsufficientAuthentication)
    assert lack.acr_values == ("mfa",)
    assert lack_of(either, grant("admin")) is None
    assert lack_of(either, grant("transfer", acr="mfa")) is None
    assert isinstance(lack_of(either, grant("other", acr="mfa")), InsufficientScope)


def test_a_lack_is_made_anew_so_that_no_request_changes_anothers() -> None:
    requirement = AllOf(Acr("mfa"), MaxAge(300))
    first, second = lack_of(requirement, grant()), lack_of(requirement, grant())
    assert first is not second
    assert isinstance(lack_of(Acr("mfa"), grant()), InsufficientAuthentication)
    assert lack_of(Acr("mfa"), grant()) is not lack_of(Acr("mfa"), grant())


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["acr", "auth_time"]), JSON))
def test_no_claims_raise_anything(claims: dict[str, Any]) -> None:
    for requirement in (Acr("mfa"), MaxAge(300, clock=CLOCK), AllOf(Acr("mfa"), MaxAge(300, clock=CLOCK))):
        lack = lack_of(requirement, grant(**claims))
        assert lack is None or lack.status == 401
