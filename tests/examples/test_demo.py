"""The demo ends well, and would not if an application answered otherwise."""

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import httpx2
import pytest

from examples.demo import shortened, tried
from examples.demo_access_cases import MANY_SCOPES
from examples.demo_cases import TRIES, all_cases, patiently
from examples.demo_oauth1_cases import LACKS_SCOPE, UNPROVED
from examples.demo_setup import built_world
from examples.demo_world import BAD_TOKEN, CANNOT_SAY, NOBODY, OK, Answer, App, Case, Expected, lacks
from tests.examples.conftest import PATIENCE, ROOT

APP = App(name="flask", url="http://127.0.0.1:1", path="/goals", scope="goals", form="/goals", posted=201)
BAD_MAC = Expected(401, "MAC", "The MAC is not good.")


def answered(status: int, *challenges: str, retry_after: str = "") -> Answer:
    headers = [("WWW-Authenticate", challenge) for challenge in challenges]
    return Answer(
        status=status, headers=httpx2.Headers([*headers, *[("Retry-After", retry_after)] * bool(retry_after)])
    )


def test_every_case_is_as_expected_against_both_applications() -> None:
    done = subprocess.run(
        [sys.executable, "examples/demo.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )
    *lines, last = done.stdout.splitlines()
    assert (done.returncode, done.stderr, last) == (0, "", f"{len(lines)} of {len(lines)} as expected")
    shown = [line for line in lines if "shows " in line or "hides " in line]
    assert len(set(shown)) == len(shown)  # whoever reads them can tell what differs
    apps = Counter(line.split()[1] for line in lines)
    assert set(apps) == {"flask", "starlette"}
    assert min(apps.values()) >= 180
    assert all(
        scheme in done.stdout
        for scheme in (
            *("three-legged", "replayed", "two-legged", "draft -05", "sandbox host", "tenant", "every route"),
            *("introspection, plain", "introspection, signed", "UserInfo, openid", "UserInfo, github"),
            *("status invalid", "logged out everywhere", "token exchanged", "refresh token revoked"),
        )
    )


def test_a_token_of_ten_thousand_scopes_has_them() -> None:
    assert len(set(MANY_SCOPES)) == 10_000


def test_a_wrong_expectation_fails_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    with built_world() as world:
        first, second, *_ = (next(cases) for cases in [all_cases(world)] * 2)
        assert tried([first, replace(second, expected=BAD_TOKEN)]) == 1
    right, wrong, last = capsys.readouterr().out.splitlines()
    assert (right[:4], wrong[:4], last) == ("ok  ", "FAIL", "1 of 2 as expected")


def test_a_demo_that_tried_nothing_has_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert tried([]) == 1
    assert capsys.readouterr().out == "0 of 0 as expected\n"


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        (OK, answered(204)),
        (OK, answered(200, "Bearer")),
        (OK, answered(200, retry_after="1")),
        (NOBODY, answered(401)),
        (NOBODY, answered(403, "Bearer")),
        (NOBODY, answered(401, 'Bearer error="invalid_token"')),
        (NOBODY, answered(401, "OAuth", "MAC")),
        (NOBODY, answered(401, "Bearer", "Bearer")),
        (BAD_TOKEN, answered(401, "Bearer")),
        (BAD_TOKEN, answered(401, 'Bearer error="invalid_request"')),
        (BAD_TOKEN, answered(401, "Bearer", 'MAC error="invalid_token"')),
        (lacks("goals"), answered(403)),
        (lacks("goals"), answered(403, 'Bearer error="insufficient_scope"')),
        (lacks("goals"), answered(403, 'Bearer scope="photos", error="insufficient_scope"')),
        (UNPROVED, answered(401, 'Bearer realm="goals"')),
        (UNPROVED, answered(401, 'OAuth realm="goals", error="invalid_token"')),
        (UNPROVED, answered(400, 'OAuth realm="goals"')),
        (LACKS_SCOPE, answered(403)),
        (BAD_MAC, answered(401, 'MAC realm="goals"')),
        (BAD_MAC, answered(401, 'MAC error="The request was received before."')),
        (CANNOT_SAY, answered(503)),
        (CANNOT_SAY, answered(503, "Bearer", retry_after="1")),
        (Expected(404), answered(404, "Bearer")),
    ],
)
def test_an_answer_that_is_not_quite_right_is_wrong(expected: Expected, answer: Answer) -> None:
    assert not expected.met_by(answer)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        (OK, answered(200)),
        (NOBODY, answered(401, 'Bearer realm="goals"')),
        (NOBODY, answered(401, 'Bearer realm="goals"', 'OAuth realm="goals"', 'MAC realm="goals"')),
        (lacks("goals"), answered(403, 'Bearer scope="goals", error="insufficient_scope"')),
        (UNPROVED, answered(401, 'Bearer realm="goals"', 'OAuth realm="goals"')),
        (BAD_MAC, answered(401, 'OAuth realm="goals"', 'MAC realm="goals", error="The MAC is not good."')),
        (CANNOT_SAY, answered(503, retry_after="1")),
    ],
)
def test_an_answer_with_all_that_belongs_to_it_is_right(expected: Expected, answer: Answer) -> None:
    assert expected.met_by(answer)


def test_a_line_shows_the_challenge_that_was_expected(capsys: pytest.CaptureFixture[str]) -> None:
    answer = answered(401, 'Bearer realm="goals"', 'OAuth realm="goals"')
    tried([Case(app=APP, name="stale", sent="an hour old", send=lambda: answer, expected=UNPROVED)])
    assert capsys.readouterr().out.splitlines()[0].endswith('got 401  OAuth realm="goals"')


def test_a_line_shows_what_was_sent_expected_and_answered(capsys: pytest.CaptureFixture[str]) -> None:
    answer = answered(503, retry_after="7")
    tried([Case(app=APP, name="issuer down", sent="known key", send=lambda: answer, expected=CANNOT_SAY)])
    line = capsys.readouterr().out.splitlines()[0]
    assert re.split(r"\s{2,}", line)[1:] == [
        "flask",
        "issuer down",
        "known key",
        "expected 503, got 503",
        "Retry-After: 7",
    ]


CONTENTS = {
    "": Expected(200),
    "shows name": Expected(200, shows=('"name"',)),
    "shows name, address; hides credit": Expected(200, shows=('"name"', '"address"'), hides=('"credit"',)),
    "hides root": Expected(200, hides=("root",)),
    "shows number:1,total:165": Expected(200, shows=('{"number":1,"total":165}',)),
    "shows GET / any": Expected(0, shows=("\nGET /\n  any\n",)),
}


@pytest.mark.parametrize(("told", "expected"), CONTENTS.items(), ids=CONTENTS)
def test_a_line_shows_what_the_answer_must_show_and_hide(
    capsys: pytest.CaptureFixture[str], told: str, expected: Expected
) -> None:
    answer = answered(200)
    tried([Case(app=APP, name="customers", sent="GET /customers", send=lambda: answer, expected=expected)])
    line = capsys.readouterr().out.splitlines()[0]
    assert line.partition("got 200")[2].strip() == told


def test_what_must_be_shown_and_what_must_not_is_looked_for_in_the_body() -> None:
    expected = Expected(200, shows=("name", "age"), hides=("credit", "address"))
    bodies = {"name age": True, "name": False, "name age credit": False, "name age address": False}
    for body, met in bodies.items():
        assert expected.met_by(Answer(status=200, headers=httpx2.Headers(), body=body)) is met


def test_a_long_challenge_is_shortened() -> None:
    assert shortened("a" * 60) == "a" * 60
    assert shortened("a" * 61) == "a" * 57 + "..."


def test_a_client_that_is_told_to_come_back_gives_up_in_the_end() -> None:
    told = [answered(503, retry_after="0")] * TRIES + [answered(200)]
    assert patiently(iter(told).__next__).status == 503


def test_a_client_that_is_told_to_come_back_does() -> None:
    told = [answered(503, retry_after="0"), answered(200)]
    assert patiently(iter(told).__next__).status == 200
