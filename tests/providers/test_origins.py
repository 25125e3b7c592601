import logging
from typing import Any

import pytest

from oauth_rs import Unavailable
from oauth_rs.flow import Aside, Call, Fetch, Flow, Reply, Run
from oauth_rs.providers.issuers import AllowedIssuers
from oauth_rs.providers.origins import Origins
from tests.providers.asking import DOWN, undecided
from tests.support.playing import play

ALLOW = ["https://login.example.com/*", "https://*.id.example", "https://ports.example:8443/a"]
MORE = ["https://keys.example.net", "https://*.keys.example", "http://127.0.0.1:8000"]
ISSUER = "https://login.example.com/a"
REPLY = Reply(200, b"")
ORIGINS = Origins.of(AllowedIssuers.of(ALLOW), MORE)


def fetching(url: str) -> Flow[Reply]:
    return (yield from Fetch("GET", url))


@pytest.mark.parametrize(
    "url",
    [
        *("https://login.example.com", "https://login.example.com/x?y", "https://login.example.com:443/jwks"),
        *("https://LOGIN.example.com?x", "https://a.id.example/jwks", "https://ports.example:8443/b"),
        *("https://keys.example.net/jwks", "https://a.keys.example", "http://127.0.0.1:8000/jwks"),
    ],
)
def test_what_is_at_an_origin_that_was_named_is_fetched(url: str) -> None:
    assert play(ORIGINS.hold(fetching(url), ISSUER), (Fetch("GET", url), REPLY)) is REPLY


@pytest.mark.parametrize(
    "url",
    [
        *("https://169.254.169.254/latest", "https://evil.example", "https://login.example.com.evil.example/"),
        *("https://login.example.com@evil.example", "https://evil.example\\@login.example.com/", "https://id.example"),
        *("https://user@login.example.com/", "https://login.example.com./", "https://login.example.com:8443/"),
        *("https://a.b.id.example/", "https://*.id.example/", "https://ports.example/a", "http://login.example.com/"),
        *("http://127.0.0.1/", "http://127.0.0.1:8001/", "https://127.0.0.1:8000/", "https://[::1]/", "https://", ""),
        *("https://login.example.com#@evil.example", "https://login\u3002example.com/", " https://login.example.com/"),
        *("https://login.example.com:0443/", "https://login.example.com:/", "https://log\nin.example.com/"),
    ],
    ids=ascii,
)
def test_nothing_is_fetched_from_anywhere_else(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with undecided("fetch_not_allowed"):
        Run(ORIGINS.hold(fetching(url), ISSUER))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(f"configuration: the metadata of {ISSUER} ")


STATED = ORIGINS.and_of(["https://auth_server:8443/jwks", "http://[::1]", "urn:nothing"])


@pytest.mark.parametrize("url", ["https://auth_server:8443/a", "https://auth_server:8443?a", "http://[::1]"])
def test_what_the_application_has_named_is_compared_to_the_letter(url: str) -> None:
    assert play(STATED.hold(fetching(url), ISSUER), (Fetch("GET", url), REPLY)) is REPLY


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://auth_server:8443@evil.example/",
            "https://auth_server:8443.evil.example/",
            "https://auth_server:84431/",
        ),
        *(
            "https://AUTH_server:8443/",
            "https://auth_server:8443\\@evil.example/",
            "https://auth_server/",
            "urn:nothing",
            "",
        ),
        *(
            "https://\u212aeys.example.net/",
            "http\u017f://login.example.com/",
            "https://auth_server:8443#@evil.example/",
        ),
    ],
    ids=ascii,
)
def test_nothing_is_fetched_from_what_only_looks_like_it(url: str) -> None:
    with undecided("fetch_not_allowed"):
        Run(STATED.hold(fetching(url), ISSUER))


def test_the_log_names_the_origin_and_nothing_more_of_a_url(caplog: pytest.LogCaptureFixture) -> None:
    for url in ("https://evil.example/s3cret?s3cret", "https://s3cret@evil.example/"):
        with undecided("fetch_not_allowed"):
            Run(ORIGINS.hold(fetching(url), ISSUER))
    assert "https://evil.example:443:" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_flow_may_go_on_after_a_fetch_that_was_not_allowed() -> None:
    def flow() -> Flow[str]:
        try:
            yield from fetching("https://evil.example")
        except Unavailable as error:
            return error.reason
        return ""

    assert play(ORIGINS.hold(flow(), ISSUER)) == "fetch_not_allowed"


def test_what_a_flow_starts_aside_is_held_too(caplog: pytest.LogCaptureFixture) -> None:
    def aside() -> Flow[None]:
        yield from fetching("https://login.example.com/")
        yield from Aside(later)

    def later() -> Flow[None]:
        yield from fetching("https://evil.example")

    def flow() -> Flow[None]:
        yield from Aside(aside)

    run = Run(ORIGINS.hold(flow(), ISSUER))
    assert isinstance(run.effect, Aside)
    started = Run(run.effect.start())
    started.send(REPLY)
    assert isinstance(started.effect, Aside)
    with undecided("fetch_not_allowed"):
        Run(started.effect.start())
    assert "evil.example" in caplog.text


def test_other_effects_pass_and_failures_reach_the_flow() -> None:
    effect = Call(arguments=("a",))

    def flow() -> Flow[str]:
        try:
            yield from effect
        except Unavailable as error:
            return error.reason
        return ""

    assert play(ORIGINS.hold(flow(), ISSUER), (effect, DOWN)) == DOWN.reason


def test_a_flow_that_asks_for_nothing_gives_what_it_gives() -> None:
    def flow() -> Flow[str]:
        yield from ()
        return "at once"

    assert play(ORIGINS.hold(flow(), ISSUER)) == "at once"


def test_a_flow_whose_caller_has_gone_is_ended() -> None:
    ended = []

    def flow() -> Flow[None]:
        try:
            yield from fetching("https://login.example.com/")
        finally:
            ended.append(True)

    Run(ORIGINS.hold(flow(), ISSUER)).close()
    assert ended == [True]


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ("https://keys.example.net", TypeError, "fetch_from is a list"),
        ([7], ValueError, "is no origin"),
        ([""], ValueError, "is no origin"),
        (["keys.example.net"], ValueError, "is no origin"),
        (["https://keys.example.net/jwks"], ValueError, "without a path"),
        (["https://keys.example.net/"], ValueError, "without a path"),
        (["https://KEYS.example.net"], ValueError, "lower case"),
        (["https://keys.example.net:99999"], ValueError, "is no origin"),
        (["http://keys.example.net"], ValueError, "over http"),
        (["https://*.net"], ValueError, "everybody's hosts"),
    ],
    ids=str,
)
def test_what_is_no_origin_is_refused(more: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Origins.of(AllowedIssuers.of(ALLOW), more)
