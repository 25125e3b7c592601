import time
from collections.abc import Callable
from typing import Any

import pytest

from oauth_rs.errors import Unavailable
from oauth_rs.flow import Aside, Fetch, Flow, Reply, Run
from oauth_rs.keys import KeySource
from oauth_rs.remote_keys import RemoteKeys
from oauth_rs.status_list.list_token import MAX_LIST_TOKEN, StatusList
from oauth_rs.status_list.remote import CEILING, COOLDOWN, TTL, RemoteStatusList, Signer
from tests.support.issuing import ISSUER, Issuer
from tests.support.playing import FakeClock, play
from tests.support.status_lists import URI, list_token, status_list

FETCH = Fetch("GET", URI, (("Accept", "application/statuslist+jwt"),), limit=MAX_LIST_TOKEN, shared=0.5)
DOWN = Unavailable("fetch_failed", "A server did not answer.")
SIGNER = Issuer()
NOW = int(time.time())


class Clocks:
    """A wall clock and one that never goes back, which go at the same pace."""

    def __init__(self) -> None:
        self.wall, self.monotonic = FakeClock(NOW), FakeClock(1000.0)

    def pass_seconds(self, seconds: float) -> None:
        self.wall.pass_seconds(seconds)
        self.monotonic.pass_seconds(seconds)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


Make = Callable[..., RemoteStatusList]


@pytest.fixture
def make(clocks: Clocks) -> Make:
    def make(*, keys: KeySource | None = None, max_age: float = CEILING, algorithms: Any = None) -> RemoteStatusList:
        signer = Signer(
            issuer=ISSUER,
            keys=keys or SIGNER.keys(),
            algorithms=algorithms,
            max_age=max_age,
            clock=clocks.wall,
            monotonic=clocks.monotonic,
        )
        return RemoteStatusList(URI, signer)

    return make


def reply(status: int = 200, **changes: Any) -> Reply:
    """An answer with a list that is fresh for 100 seconds and expires after 1000."""
    return Reply(status, list_token(SIGNER, **{"iat": NOW, "exp": NOW + 1000, "ttl": 100, **changes}))


@pytest.fixture
def warm(make: Make) -> RemoteStatusList:
    remote = make()
    play(remote.find(), (FETCH, reply()))
    return remote


def refused(flow: Flow[Any], *script: tuple[Any, Any]) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        play(flow, *script)
    return caught.value


def aside(remote: RemoteStatusList) -> Flow[None]:
    """What `find` wants to have run off the path of the request; it has its answer at once."""
    run = Run(remote.find())
    effect = run.effect
    assert isinstance(effect, Aside)
    run.send(None)
    assert run.result is not None
    return effect.start()


def is_at_hand(remote: RemoteStatusList, clocks: Clocks) -> bool:
    return remote.peek(clocks.monotonic.now) is not None


# Cold


def test_a_list_is_fetched_once_and_then_at_hand(make: Make, clocks: Clocks) -> None:
    remote = make()
    assert not is_at_hand(remote, clocks)
    found = play(remote.find(), (FETCH, reply()))
    assert remote.peek(clocks.monotonic.now) is found is play(remote.find())
    assert found.status(1) == 1


def test_a_list_may_end_in_a_new_line(make: Make) -> None:
    assert play(make().find(), (FETCH, Reply(200, reply().body + b"\n"))).status(2) == 2


def test_without_an_answer_nothing_can_be_said(make: Make) -> None:
    assert refused(make().find(), (FETCH, DOWN)) is DOWN


@pytest.mark.parametrize(
    "answer",
    [
        *(reply(status) for status in (201, 204, 404, 410, 500, 503)),
        Reply(200, b""),
        Reply(200, b"<!doctype html><h1>Sign in</h1>", "text/html"),
        Reply(200, b"{}"),
        Reply(200, list_token(Issuer(kid="stranger"))),
        Reply(200, SIGNER.token(sub=URI, status_list=status_list()).encode()),
        reply(sub="https://id.example.com/statuslists/2"),
        reply(iss="https://evil.example"),
        reply(exp=NOW - 1),
        reply(header={"kid": "k9"}),
        reply(header={"typ": "at+jwt"}),
    ],
    ids=lambda answer: f"{answer.status} {answer.body[:8]!r}",
)
def test_an_answer_without_a_list_is_no_answer(make: Make, clocks: Clocks, answer: Reply) -> None:
    remote = make()
    assert refused(remote.find(), (FETCH, answer)).reason == "status_list_unusable"
    assert not is_at_hand(remote, clocks)
    clocks.pass_seconds(0.9)
    assert refused(remote.find()).reason == "status_list_unavailable"


def test_what_is_wrong_with_a_list_is_logged(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    refused(make().find(), (FETCH, reply(sub="https://id.example.com/2")))
    assert caplog.messages == [f"the status list {URI} gave no answer to use: it is the list of another address"]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Reply(404, b""), "answered 404"),
        (reply(header={"kid": "k9"}), "no such key"),
        (Unavailable("redirected", "", cause="a redirect"), "a redirect"),
    ],
)
def test_why_there_is_no_list_is_told_once_a_minute(
    make: Make, clocks: Clocks, caplog: pytest.LogCaptureFixture, answer: Any, cause: str
) -> None:
    remote = make()
    for _ in range(3):
        refused(remote.find(), (FETCH, answer))
        clocks.pass_seconds(15)
    assert caplog.messages == [f"the status list {URI} gave no answer to use: {cause}"]


def test_what_is_busy_here_is_no_failure_of_the_server(make: Make) -> None:
    remote = make()
    for _ in range(3):
        assert refused(remote.find(), (FETCH, Unavailable("fetch_busy", ""))).reason == "fetch_busy"


def test_attempts_back_off_while_they_fail(make: Make, clocks: Clocks) -> None:
    remote = make()
    for pause in (1, 2, 4, 8, 16, 30, 30):
        assert refused(remote.find(), (FETCH, DOWN)) is DOWN
        clocks.pass_seconds(pause - 0.5)
        assert refused(remote.find()).retry_after == 1
        clocks.pass_seconds(0.5)
    assert play(remote.find(), (FETCH, reply())).status(0) == 0
    clocks.pass_seconds(1001)
    refused(remote.find(), (FETCH, DOWN))
    assert refused(remote.find()).retry_after == 1


def test_those_who_share_a_failure_count_it_once(make: Make, clocks: Clocks) -> None:
    remote = make()
    runs = [Run(remote.find()) for _ in range(3)]
    for run in runs:
        with pytest.raises(Unavailable):
            run.throw(Unavailable("fetch_failed", ""))
    clocks.pass_seconds(1)
    play(remote.find(), (FETCH, reply()))


def test_those_who_share_an_answer_read_it_once(make: Make) -> None:
    remote = make()
    runs = [Run(remote.find()) for _ in range(3)]
    for run in runs:
        run.send(reply())
    assert len({id(run.result) for run in runs}) == 1


def test_a_failure_after_a_success_is_of_no_account(make: Make, clocks: Clocks) -> None:
    remote = make()
    slow, quick = Run(remote.find()), Run(remote.find())
    quick.send(reply())
    with pytest.raises(Unavailable):
        slow.throw(Unavailable("fetch_failed", ""))
    assert is_at_hand(remote, clocks)
    clocks.pass_seconds(100)
    play(remote.find(), (FETCH, reply()))  # waited for, as where nothing has failed


# Keys


@pytest.mark.parametrize("algorithms", [["RS256"], []], ids=str)
def test_a_list_is_signed_with_an_algorithm_of_the_provider(make: Make, algorithms: list[str]) -> None:
    assert refused(make(algorithms=algorithms).find(), (FETCH, reply())).reason == "status_list_unusable"
    assert play(make(algorithms=["ES256"]).find(), (FETCH, reply())).status(1) == 1


class Rotating:
    """Keys that must be waited for, and may be replaced."""

    max_age = 600.0

    def __init__(self) -> None:
        self.keys = SIGNER.keys()
        self.basis: object = object()

    def peek(self, _algorithm: str, _kid: str | None, /) -> None:
        return None

    def find(self, algorithm: str, kid: str | None, /) -> Flow[Any]:
        yield from Fetch("GET", "https://id.example.com/jwks")
        return (yield from self.keys.find(algorithm, kid))

    def outlast(self, _until: float, /) -> bool:
        return True

    def warm(self) -> Flow[None]:
        yield from ()


KEYS = Fetch("GET", "https://id.example.com/jwks")


def test_a_list_waits_for_its_key(make: Make, clocks: Clocks) -> None:
    remote = make(keys=Rotating())
    play(remote.find(), (FETCH, reply()), (KEYS, Reply(200, b"")))
    assert is_at_hand(remote, clocks)


def test_a_list_whose_key_cannot_be_had_cannot_be_had(make: Make, clocks: Clocks) -> None:
    remote = make(keys=Rotating())
    assert refused(remote.find(), (FETCH, reply()), (KEYS, DOWN)) is DOWN
    clocks.pass_seconds(0.5)
    assert refused(remote.find()).reason == "status_list_unavailable"


def test_a_list_that_was_read_while_its_key_was_waited_for_is_not_read_again(make: Make) -> None:
    remote = make(keys=Rotating())
    runs = [Run(remote.find()) for _ in range(2)]
    for run in runs:
        run.send(reply())
    for run in runs:
        run.send(Reply(200, b""))
    assert runs[0].result is runs[1].result


def test_a_list_goes_with_its_key(make: Make, clocks: Clocks) -> None:
    keys = Rotating()
    remote = make(keys=keys)
    play(remote.find(), (FETCH, reply()), (KEYS, Reply(200, b"")))
    keys.basis = object()
    assert not is_at_hand(remote, clocks)
    again = play(remote.find(), (FETCH, reply(iat=NOW - 10)), (KEYS, Reply(200, b"")))
    assert remote.peek(clocks.monotonic.now) is again


def test_a_list_is_void_when_its_key_went_while_it_was_read(make: Make, clocks: Clocks) -> None:
    keys = Rotating()
    remote = make(keys=keys)
    run = Run(remote.find())
    run.send(reply())
    keys.basis = object()
    run.send(Reply(200, b""))
    assert not is_at_hand(remote, clocks)


def test_keys_are_not_asked_for_those_of_a_stranger_again_and_again(make: Make, clocks: Clocks) -> None:
    keys = RemoteKeys("https://id.example.com/jwks", monotonic=clocks.monotonic)
    remote = make(keys=keys)
    run = Run(remote.find())
    run.send(Reply(200, list_token(Issuer(kid="stranger"))))
    assert isinstance(run.effect, Fetch)
    with pytest.raises(Unavailable):
        run.send(Reply(200, str(SIGNER.jwks).replace("'", '"').encode()))
    clocks.pass_seconds(2)
    assert refused(remote.find(), (FETCH, Reply(200, list_token(Issuer(kid="stranger"))))).reason == (
        "status_list_unusable"
    )


# Fresh, stale, gone


def test_a_list_is_refreshed_aside_at_four_fifths_of_its_age(warm: RemoteStatusList, clocks: Clocks) -> None:
    clocks.pass_seconds(79.9)
    assert is_at_hand(warm, clocks)
    clocks.pass_seconds(0.2)
    assert not is_at_hand(warm, clocks)
    task = aside(warm)
    assert is_at_hand(warm, clocks)  # for all others, while that goes on
    play(task, (FETCH, reply(status_list=status_list({0: 1}))))
    assert play(warm.find()).status(0) == 1


def test_a_refresh_that_came_to_nothing_is_sent_again(warm: RemoteStatusList, clocks: Clocks) -> None:
    clocks.pass_seconds(80)
    aside(warm)
    clocks.pass_seconds(19.9)  # a fifth of its age
    assert is_at_hand(warm, clocks)
    clocks.pass_seconds(0.1)
    assert not is_at_hand(warm, clocks)


def test_a_stale_list_is_not_at_hand_because_it_is_being_refreshed(warm: RemoteStatusList, clocks: Clocks) -> None:
    clocks.pass_seconds(95)
    aside(warm)
    clocks.pass_seconds(4.9)
    assert is_at_hand(warm, clocks)
    clocks.pass_seconds(0.1)
    assert not is_at_hand(warm, clocks)
    play(warm.find(), (FETCH, reply()))


def test_a_list_of_short_age_is_tried_again_sooner(make: Make, clocks: Clocks) -> None:
    remote = make()
    play(remote.find(), (FETCH, reply(ttl=10)))
    clocks.pass_seconds(10)
    play(remote.find(), (FETCH, DOWN))
    clocks.pass_seconds(1)
    play(aside(remote), (FETCH, DOWN))
    clocks.pass_seconds(1.9)
    assert is_at_hand(remote, clocks)
    clocks.pass_seconds(0.1)
    play(aside(remote), (FETCH, reply(iat=NOW + 5)))


def test_a_refresh_that_somebody_else_has_done_is_not_done_again(warm: RemoteStatusList, clocks: Clocks) -> None:
    clocks.pass_seconds(80)
    task = aside(warm)
    clocks.pass_seconds(20)
    play(warm.find(), (FETCH, reply()))
    play(task)


def test_a_refresh_that_fails_leaves_the_last_good_list(
    warm: RemoteStatusList, clocks: Clocks, caplog: pytest.LogCaptureFixture
) -> None:
    clocks.pass_seconds(80)
    play(aside(warm), (FETCH, DOWN))
    assert is_at_hand(warm, clocks)
    assert caplog.messages == ["a status list was not refreshed, the last good one stays: fetch_failed"]


def test_a_list_with_a_long_age_is_tried_again_soon(make: Make, clocks: Clocks) -> None:
    remote = make()
    play(remote.find(), (FETCH, reply(ttl=50_000, exp=NOW + 80_000)))
    clocks.pass_seconds(40_000)
    play(aside(remote), (FETCH, DOWN))
    clocks.pass_seconds(COOLDOWN)
    play(aside(remote), (FETCH, reply(iat=NOW + 1, ttl=10)))
    assert is_at_hand(remote, clocks)


def test_a_stale_list_is_waited_for_once(warm: RemoteStatusList, clocks: Clocks) -> None:
    clocks.pass_seconds(100)
    assert not is_at_hand(warm, clocks)
    assert play(warm.find(), (FETCH, reply(status_list=status_list({0: 1})))).status(0) == 1


def test_a_stale_list_serves_while_there_is_no_other_and_its_exp_allows(warm: RemoteStatusList, clocks: Clocks) -> None:
    clocks.pass_seconds(100)
    assert play(warm.find(), (FETCH, DOWN)).status(1) == 1
    assert is_at_hand(warm, clocks)  # nobody else waits
    clocks.pass_seconds(20)
    play(aside(warm), (FETCH, DOWN))
    assert is_at_hand(warm, clocks)
    clocks.pass_seconds(879.9)
    assert play(aside(warm), (FETCH, DOWN)) is None
    assert is_at_hand(warm, clocks)
    clocks.pass_seconds(0.1)
    assert not is_at_hand(warm, clocks)
    assert refused(warm.find()).reason == "status_list_unavailable"


def test_a_list_that_expires_while_it_is_waited_for_is_not_believed(warm: RemoteStatusList, clocks: Clocks) -> None:
    clocks.pass_seconds(999)
    run = Run(warm.find())
    clocks.pass_seconds(2)
    with pytest.raises(Unavailable):
        run.throw(Unavailable("fetch_timeout", ""))


def test_a_list_that_came_back_ends_the_failing(warm: RemoteStatusList, clocks: Clocks) -> None:
    clocks.pass_seconds(100)
    play(warm.find(), (FETCH, DOWN))
    clocks.pass_seconds(20)
    play(aside(warm), (FETCH, reply(iat=NOW + 100)))
    clocks.pass_seconds(79)
    assert is_at_hand(warm, clocks)


def test_a_list_without_exp_is_not_believed_beyond_its_ttl(make: Make, clocks: Clocks) -> None:
    remote = make()
    play(remote.find(), (FETCH, reply(drop=["exp"])))
    clocks.pass_seconds(99.9)
    assert play(aside(remote), (FETCH, DOWN)) is None
    clocks.pass_seconds(0.1)
    assert refused(remote.find()).reason == "status_list_unavailable"


def test_the_last_good_list_serves_for_a_day_at_most(make: Make, clocks: Clocks) -> None:
    remote = make()
    play(remote.find(), (FETCH, reply(exp=NOW + 10 * CEILING)))
    clocks.pass_seconds(CEILING - 1)
    play(remote.find(), (FETCH, DOWN))
    clocks.pass_seconds(1)
    assert refused(remote.find(), (FETCH, DOWN)) is DOWN


@pytest.mark.parametrize(
    ("changes", "max_age", "age"),
    [
        ({"ttl": 100}, CEILING, 100),
        ({"ttl": 10}, CEILING, 10),
        ({"ttl": 0.001}, CEILING, 1),
        ({"drop": ["ttl"]}, CEILING, TTL),
        ({"drop": ["ttl", "exp"]}, CEILING, TTL),
        ({"ttl": 100, "exp": NOW + 30}, CEILING, 30),
        ({"ttl": 100}, 20, 20),
        ({"ttl": 10**9, "exp": NOW + 10**9}, CEILING, CEILING),
    ],
    ids=str,
)
def test_how_long_a_list_is_fresh(
    make: Make, clocks: Clocks, changes: dict[str, Any], max_age: float, age: float
) -> None:
    remote = make(max_age=max_age)
    play(remote.find(), (FETCH, reply(**changes)))
    assert remote.stale_at == pytest.approx(clocks.monotonic.now + age)
    clocks.pass_seconds(age * 0.79)
    assert is_at_hand(remote, clocks)
    clocks.pass_seconds(age * 0.22)
    assert not is_at_hand(remote, clocks)


def test_a_wall_clock_that_is_set_changes_nothing(warm: RemoteStatusList, clocks: Clocks) -> None:
    clocks.wall.pass_seconds(-10_000)
    clocks.monotonic.pass_seconds(999)
    assert play(warm.find(), (FETCH, DOWN)).status(1) == 1
    clocks.monotonic.pass_seconds(1)
    assert not is_at_hand(warm, clocks)


@pytest.mark.parametrize("iat", [NOW - 1, NOW - 10_000, 0])
def test_a_list_that_is_older_than_the_one_here_does_not_replace_it(
    warm: RemoteStatusList, clocks: Clocks, iat: int
) -> None:
    clocks.pass_seconds(100)
    assert play(warm.find(), (FETCH, reply(iat=iat, status_list=status_list({})))).status(1) == 1


def test_an_older_list_is_better_than_none(warm: RemoteStatusList, clocks: Clocks) -> None:
    clocks.pass_seconds(1000)
    assert play(warm.find(), (FETCH, reply(iat=NOW - 5, exp=NOW + 2000))).status(1) == 1


# Dropped


def test_a_dropped_list_answers_who_waits_and_is_not_kept(make: Make, clocks: Clocks) -> None:
    remote = make()
    run: Run[StatusList] = Run(remote.find())
    remote.drop()
    run.send(reply())
    assert run.result.status(1) == 1
    assert not is_at_hand(remote, clocks)
    assert remote.stale_at == float("-inf")


def test_a_dropped_list_is_forgotten(warm: RemoteStatusList, clocks: Clocks) -> None:
    warm.drop()
    assert not is_at_hand(warm, clocks)
