import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.denials import CLAIMS, Claim, Denial, Denials
from oauth_rs.errors import Unavailable
from oauth_rs.model import Grant
from tests.support.playing import FakeClock

ISSUER, OTHER = "https://id.example.com", "https://other.example.com"
KEPT = 1000.0
INF = float("inf")


def grant(*, subject: str = "ada", issuer: str = ISSUER, **claims: Any) -> Grant:
    said = json.dumps({"jti": "t1", "sid": "s1", "iat": 500, **claims}).encode()
    return Grant("Bearer", "p", issuer, subject, "app", frozenset(), 0, said)


def denial(claim: Claim = "jti", value: str = "t1", *, issuer: str = "", before: float = INF) -> Denial:
    return Denial(claim, value, issuer, before)


def denials(*added: Denial, size: int = 1000) -> Denials:
    made = Denials(kept=KEPT, size=size)
    for one in added:
        made.add(one, 0.0)
    return made


def matches(made: Denials, asked: Grant, now: float = 0.0) -> bool:
    """The verdict on a grant that was never seen, which must be that on one that was."""
    first = made.match(asked, now)
    assert made.match(asked, now) is first
    return first


# Which grants


def test_nothing_is_denied_at_first() -> None:
    assert not matches(denials(), grant())


@pytest.mark.parametrize(
    "one",
    [
        denial(),
        denial("sid", "s1"),
        denial("sub", "ada"),
        denial("sub", "ada", before=500.1),
        denial("jti", "t1", issuer=ISSUER),
        denial("sid", "s1", issuer=ISSUER),
        denial("sub", "ada", issuer=ISSUER),
    ],
    ids=str,
)
def test_a_denial_covers_what_it_names(one: Denial) -> None:
    assert matches(denials(one), grant())


@pytest.mark.parametrize(
    "one",
    [
        *(denial("jti", value) for value in ("t", "t11", "T1", " t1", "t1 ", "s1", "ada", "t\u0131", "None", "*")),
        *(denial("sid", value) for value in ("s", "S1", "t1", "ada")),
        *(denial("sub", value) for value in ("ad", "Ada", "t1", "s1", "ada\u200b")),
        *(denial("sub", "ada", before=before) for before in (500.0, 499.9, 0.0, -INF)),
        *(denial(claim, "t1", issuer=issuer) for claim in CLAIMS for issuer in (OTHER, ISSUER + "/", "id.example.com")),
    ],
    ids=str,
)
def test_a_denial_covers_nothing_else(one: Denial) -> None:
    assert not matches(denials(one), grant())


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("value", ["", "None", "null", "False", "0", "[]", "['t1']", "{}"])
def test_a_grant_that_has_no_such_claim_is_not_covered(claim: Claim, value: str) -> None:
    bare = Grant("OAuth1", "p", ISSUER, "", "app", frozenset(), 0, b"{}")
    odd = grant(subject="", jti=None, sid=["t1"])
    made = denials(denial(claim, value)) if value else denials(denial(claim, "x"))
    assert not matches(made, bare)
    assert not matches(made, odd)


@pytest.mark.parametrize("odd", [None, "500", "600", [], {}, True])
def test_a_grant_that_does_not_say_when_it_was_issued_was_issued_before_any_moment(odd: Any) -> None:
    assert matches(denials(denial("sub", "ada", before=10.0)), grant(iat=odd))


def test_a_fraction_of_a_second_counts() -> None:
    made = denials(denial("sub", "ada", before=500.5))
    assert matches(made, grant(iat=500.4))
    assert not matches(made, grant(iat=500.5))


def test_the_later_of_two_moments_counts_whatever_their_order() -> None:
    for moments in ((100.0, 600.0), (600.0, 100.0), (600.0, 600.0)):
        made = denials(*(denial("sub", "ada", before=moment) for moment in moments))
        assert matches(made, grant())


def test_a_moment_of_one_issuer_is_not_that_of_another() -> None:
    made = denials(denial("sub", "ada", issuer=OTHER, before=900.0), denial("sub", "ada", issuer=ISSUER, before=100.0))
    assert not matches(made, grant())
    assert matches(made, grant(issuer=OTHER))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(CLAIMS), st.sampled_from("ab"), st.sampled_from(["", ISSUER, OTHER]), st.integers(0, 4)
        ),
        max_size=12,
    ),
    st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("abc"), st.integers(0, 4)),
    st.sampled_from([ISSUER, OTHER]),
)
@settings(max_examples=300, deadline=None)
def test_the_verdict_is_that_of_looking_at_each_denial(
    listed: list[tuple[Claim, str, str, int]], ids: tuple[str, str, str, int], issuer: str
) -> None:
    jti, sub, sid, iat = ids
    held = {"jti": jti, "sub": sub, "sid": sid}
    expected = any(
        held[claim] == value and named in {"", issuer} and iat < before for claim, value, named, before in listed
    )
    made = denials(*(denial(claim, value, issuer=named, before=before) for claim, value, named, before in listed))
    assert matches(made, grant(subject=sub, issuer=issuer, jti=jti, sid=sid, iat=iat)) is expected


# What is remembered of grants


def test_a_denial_reaches_a_grant_that_was_found_good() -> None:
    made, asked = denials(denial("jti", "another")), grant()
    assert not made.match(asked, 0.0)
    made.add(denial(), 0.0)
    assert made.match(asked, 0.0)


def test_two_grants_with_the_same_claims_are_told_apart() -> None:
    ada, bob = (Grant("OAuth1", "p", "", name, "app", frozenset(), 0, b"{}") for name in ("ada", "bob"))
    made = denials(denial("sub", "ada"))
    for _ in range(3):
        assert not made.match(bob, 0.0)
        assert made.match(ada, 0.0)


def test_claims_are_decoded_once_while_the_list_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, made = grant(), denials()
    decoded: list[bytes] = []

    def claims(asked: Grant) -> dict[str, Any]:
        decoded.append(asked.claims_json)
        found: dict[str, Any] = json.loads(asked.claims_json)
        return found

    monkeypatch.setattr(Grant, "claims", property(claims))
    for number in range(50):
        made.add(denial("jti", f"other {number}"), 0.0)
        assert not made.match(asked, 0.0)
    assert len(decoded) == 1


def test_grants_that_were_found_good_are_remembered_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oauth_rs.denials._REMEMBERED", 100)
    made = denials(denial())
    for number in range(1000):
        assert not made.match(grant(jti=str(number)), 0.0)
    assert len(made._passed) <= 100


# Time and room


@pytest.mark.parametrize(("at", "asked_at"), [(0.0, 999.9), (999.0, 1998.9), (500.0, 1999.0), (-300.0, 699.0)])
def test_a_denial_is_kept_as_long_as_it_must_be(at: float, asked_at: float) -> None:
    made = Denials(kept=KEPT, size=10)
    made.add(denial(), at)
    assert matches(made, grant(), asked_at)


@pytest.mark.parametrize("at", [0.0, 999.0, 500.0])
def test_a_denial_is_forgotten_in_the_end(at: float) -> None:
    made = Denials(kept=KEPT, size=10)
    made.add(denial(), at)
    assert not matches(made, grant(), at + 2 * KEPT)
    assert not len(made)


def test_a_denial_that_comes_anew_is_kept_anew() -> None:
    made = denials(denial())
    made.add(denial(), 1500.0)
    assert matches(made, grant(), 2499.0)


def test_a_full_list_refuses_what_it_does_not_have_and_forgets_nothing() -> None:
    made = denials(*(denial("jti", f"t{number}") for number in range(10)), size=10)
    with pytest.raises(Unavailable) as caught:
        made.check_room(denial("jti", "one more"), 0.0)
    assert caught.value.reason == "deny_list_full"
    made.check_room(denial("jti", "t3"), 0.0)
    made.check_room(denial("jti", "one more"), 0.0, times=2)
    made.check_room(denial("jti", "one more"), 2 * KEPT)
    assert not len(made)


def test_the_same_denial_again_takes_no_room() -> None:
    made = denials(size=2)
    for moment in range(1000):
        made.check_room(denial("sub", "ada", before=moment), 0.0)
        made.add(denial("sub", "ada", before=float(moment)), 0.0)
    assert list(made.items()) == [(denial("sub", "ada", before=999.0), 0.0)]


def test_a_list_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Denials(kept=KEPT, size=0)


def test_all_denials_can_be_listed_with_their_times() -> None:
    made = Denials(kept=KEPT, size=10)
    listed = {denial(): 1.0, denial("sub", "ada", issuer=ISSUER, before=3.0): 2.0, denial("sid", "s1"): 1500.0}
    for one, at in listed.items():
        made.add(one, at)
    assert dict(made.items()) == listed
    assert len(made) == 3


# Threads


def race(*functions: Callable[[], None]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)


def test_no_denial_is_lost_to_another_thread() -> None:
    made = Denials(kept=10.0, size=100_000)

    def deny(name: str) -> Callable[[], None]:
        def run() -> None:
            for number in range(300):
                made.add(denial("jti", f"{name} {number}"), number / 20)
                made.add(denial("sub", "ada", before=float(number)), number / 20)

        return run

    race(*(deny(name) for name in "abcd"))
    for name in "abcd":
        assert all(made.match(grant(jti=f"{name} {number}"), 15.0) for number in range(300))
    assert made.match(grant(iat=298), 15.0)


def test_a_grant_that_is_asked_for_while_it_is_denied_is_denied_after() -> None:
    for _ in range(200):
        made, asked, clock = denials(denial("jti", "another")), grant(), FakeClock(0.0)
        race(lambda made=made, asked=asked: made.match(asked, 0.0), lambda made=made: made.add(denial(), 0.0))  # type: ignore[misc]
        assert made.match(asked, clock())
