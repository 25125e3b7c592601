from concurrent.futures import ThreadPoolExecutor

import pytest

from oauth_rs.devserver.temporary import LIFETIME, LIMIT, TemporaryCredentials
from tests.support.playing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def temporary(clock: FakeClock) -> TemporaryCredentials:
    temporary = TemporaryCredentials(clock=clock)
    add(temporary, "t1")
    return temporary


def add(temporary: TemporaryCredentials, identifier: str) -> None:
    temporary.add(identifier, client_id="demo", secret="s", callback="oob", scopes=("photos",))


def test_what_nobody_asked_for_is_not_there(temporary: TemporaryCredentials) -> None:
    assert temporary.find("t2") is None
    assert temporary.take("t2") is None
    assert not temporary.approve("t2", subject="ada", verifier="v")


def test_what_has_expired_is_not_there(temporary: TemporaryCredentials, clock: FakeClock) -> None:
    clock.pass_seconds(LIFETIME)
    assert temporary.find("t1") is None
    assert not temporary.approve("t1", subject="ada", verifier="v")
    assert temporary.take("t1") is None


def test_they_are_there_until_they_expire(temporary: TemporaryCredentials, clock: FakeClock) -> None:
    clock.pass_seconds(LIFETIME - 1)
    assert temporary.find("t1") is not None


@pytest.mark.parametrize("verifier", ["", "v", "\N{SNOWMAN}"])
def test_no_verifier_is_good_before_somebody_approved(temporary: TemporaryCredentials, verifier: str) -> None:
    found = temporary.find("t1")
    assert found is not None
    assert not found.verified_by(verifier)


@pytest.mark.parametrize("verifier", ["", "V", "v1", "\N{SNOWMAN}"])
def test_another_verifier_is_not_good(temporary: TemporaryCredentials, verifier: str) -> None:
    temporary.approve("t1", subject="ada", verifier="v")
    found = temporary.find("t1")
    assert found is not None
    assert not found.verified_by(verifier)


def test_who_approves_second_changes_nothing(temporary: TemporaryCredentials) -> None:
    assert temporary.approve("t1", subject="ada", verifier="v")
    assert not temporary.approve("t1", subject="eve", verifier="e")
    found = temporary.take("t1")
    assert found is not None
    assert (found.subject, found.verified_by("v"), found.verified_by("e")) == ("ada", True, False)


def test_what_was_taken_is_not_there(temporary: TemporaryCredentials) -> None:
    assert temporary.take("t1") is not None
    assert temporary.take("t1") is None
    assert temporary.find("t1") is None


def test_of_many_who_take_at_once_one_gets_them(temporary: TemporaryCredentials) -> None:
    with ThreadPoolExecutor(16) as threads:
        taken = list(threads.map(temporary.take, ["t1"] * 64))
    assert sum(found is not None for found in taken) == 1


def test_the_oldest_go_where_there_are_too_many(temporary: TemporaryCredentials) -> None:
    for number in range(LIMIT):
        add(temporary, f"more {number}")
    assert temporary.find("t1") is None
    assert temporary.find("more 0") is not None


def test_a_log_shows_neither_secret_nor_verifier(temporary: TemporaryCredentials) -> None:
    temporary.add("t3", client_id="demo", secret="hushhush", callback="oob", scopes=())
    temporary.approve("t3", subject="ada", verifier="hushhush")
    assert "hushhush" not in repr(temporary.find("t3"))
