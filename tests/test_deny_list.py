import logging
from collections.abc import Callable
from typing import Any

import pytest

from oauth_rs.deny_list import CLOCKS_DIFFER, MemoryDenyList, not_denied
from oauth_rs.errors import InvalidToken, Unavailable
from oauth_rs.flow import Call, Flow
from oauth_rs.model import Grant
from tests.support.deny_contract import DenyListContract, grant, verdict
from tests.support.playing import FakeClock, play

ASK = Call(blocking=print)


class TestContract(DenyListContract):
    @pytest.fixture
    def deny_list(self) -> MemoryDenyList:
        return MemoryDenyList()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        *(({"longest_life": odd}, "longest_life") for odd in (0, -1, float("inf"), float("nan"))),
        ({"entries": 0}, "entries"),
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused_when_it_is_made(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        MemoryDenyList(**options)


def test_a_denial_outlives_the_longest_lived_token_and_is_then_forgotten() -> None:
    monotonic = FakeClock(0.0)
    deny_list = MemoryDenyList(longest_life=600, monotonic=monotonic)
    deny_list.deny(jti="t1")
    monotonic.pass_seconds(600 + CLOCKS_DIFFER)
    assert verdict(deny_list, grant()) is True
    monotonic.pass_seconds(600 + CLOCKS_DIFFER)
    assert verdict(deny_list, grant()) is False


def test_a_full_list_says_so_and_keeps_what_it_has() -> None:
    deny_list = MemoryDenyList(entries=3)
    deny_list.deny(jti="t1")
    deny_list.deny(sid="s1")
    deny_list.deny(sub="ada")
    with pytest.raises(Unavailable) as caught:
        deny_list.deny(jti="t2")
    assert caught.value.reason == "deny_list_full"
    assert verdict(deny_list, grant(jti="t2", sid="s2", subject="bob")) is False
    assert verdict(deny_list, grant()) is True


def test_a_list_in_memory_never_waits() -> None:
    deny_list = MemoryDenyList()
    deny_list.deny(jti="t1")
    assert deny_list.denied(grant()) is True
    play(deny_list.warm())


# The check of a request


class Saying:
    """A list that says as it is told, at once or after it was waited for."""

    def __init__(self, said: Any, *, waits: bool = False) -> None:
        self.said, self.waits = said, waits

    def denied(self, _grant: Grant, /) -> Any:
        return self._after() if self.waits else self.said

    def warm(self) -> Flow[None]:
        yield from ()

    def _after(self) -> Flow[Any]:
        return (yield from ASK)


def test_a_grant_that_is_not_denied_passes() -> None:
    asked = grant()
    assert not_denied(Saying(False), asked, b"") is asked
    assert play(not_denied(Saying(None, waits=True), asked, b""), (ASK, False)) is asked


@pytest.mark.parametrize("said", [True, None, 0, 1, "", "no", []])
def test_a_list_that_was_waited_for_lets_in_only_what_it_says_is_not_denied(said: Any) -> None:
    with pytest.raises(InvalidToken):
        play(not_denied(Saying(None, waits=True), grant(), b""), (ASK, said))


@pytest.mark.parametrize("said", [None, 0, 1, "", []])
def test_a_list_that_says_neither_lets_nobody_in(said: Any) -> None:
    with pytest.raises((TypeError, InvalidToken)):
        play(not_denied(Saying(said), grant(), b""))


def test_a_list_that_cannot_say_refuses() -> None:
    with pytest.raises(Unavailable):
        play(not_denied(Saying(None, waits=True), grant(), b""), (ASK, Unavailable("deny_list_unavailable", "")))


@pytest.mark.parametrize(
    "make", [lambda: Saying(True), lambda: Saying(None, waits=True)], ids=["at once", "waited for"]
)
def test_the_refusal_names_the_scheme_and_traces_the_credentials(make: Callable[[], Saying]) -> None:
    script = [(ASK, True)] if make().waits else []
    with pytest.raises(InvalidToken) as caught:
        play(not_denied(make(), grant(), b"abc"), *script)
    error = caught.value
    assert (error.reason, error.status, error.scheme, error.credential) == (
        "token_denied",
        401,
        "Bearer",
        "ba7816bf8f01",
    )
    assert "ada" not in error.description


def test_nothing_of_what_is_denied_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    deny_list = MemoryDenyList()
    deny_list.deny(sub="ada")
    assert verdict(deny_list, grant()) is True
    assert not caplog.records
