"""What every deny list keeps, as tests: a class with a `deny_list` fixture runs them."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pytest

from oauth_rs.deny_list import CLOCKS_DIFFER, LONGEST_LIFE, DenyList, not_denied
from oauth_rs.errors import OAuthError
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Run
from oauth_rs.model import Grant
from tests.support.issuing import ISSUER
from tests.support.playing import started

OTHER = "https://other.example.com"
NOW = time.time()  # when the cases were written down; `shifted` says what they mean later
YEAR = 31_536_000.0


class Denying(DenyList, Protocol):
    """A deny list that applications write to."""

    @property
    def deny(self) -> Callable[..., None]: ...


def grant(*, subject: str = "ada", issuer: str = ISSUER, **claims: Any) -> Grant:
    """A grant from a token that was issued a minute ago."""
    said = json.dumps({"jti": "t1", "sid": "s1", "iat": int(time.time()) - 60, **claims}).encode()
    return Grant("Bearer", "p", issuer, subject, "app", frozenset(), 0, said)


def verdict(deny_list: DenyList, asked: Grant) -> bool | str:
    """True when the list denies `asked`; the reason where it cannot say."""
    drive = BlockingHTTP(HTTPSettings()).drive
    run: Run[Grant]
    try:
        run = started(not_denied(deny_list, asked, b"credentials"))
        assert drive(run) is asked
    except OAuthError as error:
        return error.reason == "token_denied" or error.reason
    return False


def shifted(denied: Mapping[str, Any]) -> dict[str, Any]:
    """`denied`, with its times as far from now as they were from NOW."""
    late = time.time() - NOW
    times = {name: denied[name] + late for name in ("until", "issued_before") if denied.get(name)}
    return {**denied, **times}


class DenyListContract:
    @pytest.mark.parametrize(
        "denied",
        [
            {"jti": "t1"},
            {"jti": "t1", "until": NOW + 60},
            {"jti": "t1", "until": NOW - CLOCKS_DIFFER + 60},
            {"jti": "t1", "until": NOW + LONGEST_LIFE - 60},
            {"jti": "t1", "until": 0},
            {"jti": "t1", "until": None},
            {"jti": "t1", "issuer": ISSUER},
            {"sid": "s1"},
            {"sid": "s1", "issuer": ISSUER},
            {"sub": "ada"},
            {"sub": "ada", "issuer": ISSUER},
            {"sub": "ada", "issued_before": NOW},
            {"sub": "ada", "issued_before": int(NOW) - 30},
        ],
        ids=lambda denied: ascii(list(denied))[:60],
    )
    def test_what_is_denied_is_denied_at_once(self, deny_list: Denying, denied: Mapping[str, Any]) -> None:
        asked = grant()
        assert verdict(deny_list, asked) is False
        deny_list.deny(**shifted(denied))
        assert verdict(deny_list, asked) is True
        assert verdict(deny_list, grant()) is True

    @pytest.mark.parametrize(
        "denied",
        [
            *({"jti": value} for value in ("t", "t2", "s1", "ada", "T1", "t1\0", "\u00e4" * 1000)),
            {"jti": "t1", "issuer": OTHER},
            {"jti": "t1", "until": NOW - CLOCKS_DIFFER - 60},
            *({"sid": value} for value in ("s2", "t1", "ada")),
            {"sid": "s1", "issuer": OTHER},
            *({"sub": value} for value in ("bob", "t1", "s1", "Ada", "ada ")),
            {"sub": "ada", "issuer": OTHER},
            {"sub": "ada", "issued_before": NOW - 90},
            {"sub": "ada", "issued_before": 0},
        ],
        ids=lambda denied: ascii(list(denied))[:60],
    )
    def test_what_is_not_denied_is_not(self, deny_list: Denying, denied: Mapping[str, Any]) -> None:
        deny_list.deny(**shifted(denied))
        assert verdict(deny_list, grant()) is False

    def test_who_logs_in_again_is_let_in(self, deny_list: Denying) -> None:
        deny_list.deny(sub="ada")
        assert verdict(deny_list, grant()) is True
        assert verdict(deny_list, grant(iat=int(time.time()) + 1)) is False

    @pytest.mark.parametrize(
        ("denied", "error"),
        [
            ({}, TypeError),
            ({"issuer": ISSUER}, TypeError),
            ({"jti": "t1", "sub": "ada"}, TypeError),
            ({"jti": "t1", "sid": ""}, TypeError),
            ({"sub": "ada", "until": NOW}, TypeError),
            ({"sid": "s1", "until": NOW}, TypeError),
            ({"jti": "t1", "issued_before": NOW}, TypeError),
            ({"sid": "s1", "issued_before": NOW}, TypeError),
            ({"jti": "t1", "until": NOW + LONGEST_LIFE + 60}, ValueError),
            ({"jti": "t1", "until": NOW * 1000}, ValueError),
            ({"jti": "t1", "until": float("nan")}, ValueError),
            ({"jti": "t1", "until": float("inf")}, ValueError),
            ({"jti": "t1", "until": -NOW}, ValueError),
            ({"jti": "t1", "until": "1800000000"}, TypeError),
            ({"sub": "ada", "issued_before": None}, TypeError),
            ({"sub": "ada", "issued_before": "now"}, TypeError),
            ({"sub": "ada", "issued_before": NOW + CLOCKS_DIFFER + 60}, ValueError),
            ({"sub": "ada", "issued_before": NOW * 1000}, ValueError),
            ({"sub": "ada", "issued_before": float("nan")}, ValueError),
            *(({claim: ""}, ValueError) for claim in ("jti", "sub", "sid")),
            *(
                ({"jti": odd}, ValueError)
                for odd in (None, 7, True, ["t1"], b"t1", "\ud800", "x" * 2049, "\u00e4" * 1025)
            ),
            ({"jti": "t1", "issuer": None}, ValueError),
            ({"jti": "t1", "issuer": "\ud800"}, ValueError),
        ],
        ids=lambda value: ascii(value)[:60],
    )
    def test_what_cannot_be_meant_is_not_done(
        self, deny_list: Denying, denied: Mapping[str, Any], error: type[Exception]
    ) -> None:
        with pytest.raises(error) as caught:
            deny_list.deny(**shifted(denied))
        assert "t1" not in str(caught.value)
        assert verdict(deny_list, grant()) is False

    def test_warming_is_for_all(self, deny_list: Denying) -> None:
        BlockingHTTP(HTTPSettings()).drive(Run(deny_list.warm()))
        assert isinstance(deny_list.denied(grant()), bool)
