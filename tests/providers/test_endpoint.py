import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from oauth_rs import IssuerMetadata, Unavailable
from oauth_rs.breaker import Breaker
from oauth_rs.client_auth import BearerToken, ClientCertificate, ClientSecret, ClientSecretPost, Proof
from oauth_rs.flow import Certificate, Fetch, Flow, Pace, Reply, Run
from oauth_rs.providers.endpoint import MAX_ANSWER_BYTES, Endpoint, Question
from tests.providers.asking import DOWN, form, played, said, undecided
from tests.support.issuing import ISSUER
from tests.support.playing import FakeClock

URL = "https://id.example.com/introspect"
ASKED = Question(about=b"t1", fields=(("token", "t0ken"),))
OTHER = replace(ASKED, about=b"t2")
GOOD = said(active=True)
CLIENT = ClientSecret("api", "secret")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def endpoint(clock: FakeClock) -> Endpoint:
    return Endpoint(URL, client=CLIENT, monotonic=clock)


@pytest.fixture
def found(clock: FakeClock) -> Endpoint:
    """An endpoint that metadata names."""
    return Endpoint(IssuerMetadata(ISSUER), name="introspection_endpoint", client=CLIENT, monotonic=clock)


def metadata(**changes: Any) -> Reply:
    return said(**{"issuer": ISSUER, "introspection_endpoint": URL, **changes})


def asked(endpoint: Endpoint, question: Question = ASKED) -> Fetch:
    """What the endpoint is asked, when it answers."""
    _, (fetch,) = played(endpoint.ask(question), GOOD)
    return fetch


def fails(endpoint: Endpoint, answer: Reply | Unavailable = DOWN, question: Question = ASKED) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        played(endpoint.ask(question), answer)
    return caught.value


def rests(endpoint: Endpoint) -> bool:
    try:
        played(endpoint.ask(OTHER), GOOD)
    except Unavailable as error:
        return error.reason == "endpoint_resting"
    return False


# What is asked


def test_the_answer_to_a_question_is_given(endpoint: Endpoint) -> None:
    assert played(endpoint.ask(ASKED), GOOD)[0] is GOOD


def test_a_token_goes_into_the_body_and_never_into_the_url(endpoint: Endpoint) -> None:
    fetch = asked(endpoint)
    assert (fetch.method, fetch.url, form(fetch)) == ("POST", URL, {"token": "t0ken"})
    assert ("Content-Type", "application/x-www-form-urlencoded") in fetch.headers


def test_the_client_proves_itself_by_header(endpoint: Endpoint) -> None:
    assert asked(endpoint).headers[0] == CLIENT.prove(URL).headers[0]


def test_the_client_proves_itself_in_the_form_and_by_a_certificate(certificate: Certificate) -> None:
    assert form(asked(Endpoint(URL, client=ClientSecretPost("api", "s c"))))["client_secret"] == "s c"
    fetch = asked(Endpoint(URL, client=ClientCertificate("api", certificate)))
    assert (form(fetch)["client_id"], fetch.certificate) == ("api", certificate)


ELSEWHERE = Fetch("GET", "https://elsewhere.example.com")


class Asking:
    """Proves a client with what another server says."""

    client_id = "api"

    def prove(self, _url: str, /) -> Flow[Proof]:
        reply = yield from ELSEWHERE
        return Proof(headers=(("Authorization", f"Bearer {reply.body.decode()}"),))


def test_a_client_may_have_to_ask_first_how_to_prove_itself() -> None:
    _, fetches = played(Endpoint(URL, client=Asking()).ask(ASKED), Reply(200, b"abc"), GOOD)
    assert fetches[0] is ELSEWHERE
    assert ("Authorization", "Bearer abc") in fetches[1].headers


class Kept:
    """A token that is kept and renewed: `token-1`, and while there are `more` another for one that was refused."""

    def __init__(self, more: int = 9) -> None:
        self.number, self.last = 1, 1 + more

    def current(self, refused: str, /) -> Flow[str]:
        yield from ()
        self.number = min(self.last, self.number + (refused == f"token-{self.number}"))
        return f"token-{self.number}"


def sent(fetches: list[Fetch]) -> list[str]:
    return [value.removeprefix("Bearer ") for fetch in fetches for name, value in fetch.headers if name[0] == "A"]


def test_a_token_that_is_refused_is_renewed_and_the_question_asked_once_more(clock: FakeClock) -> None:
    endpoint = Endpoint(URL, client=BearerToken(Kept()), monotonic=clock)
    reply, fetches = played(endpoint.ask(ASKED), said(401), GOOD)
    assert (reply, sent(fetches)) == (GOOD, ["token-1", "token-2"])
    assert form(fetches[1]) == form(fetches[0])
    assert fetches[0].shared_by != fetches[1].shared_by, "or it would get the refusal once more"
    assert sent(played(endpoint.ask(OTHER), GOOD)[1]) == ["token-2"]


def test_a_token_that_is_refused_is_renewed_once(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    endpoint = Endpoint(URL, client=BearerToken(Kept()), monotonic=clock)
    with undecided("endpoint_refused"):
        played(endpoint.ask(ASKED), said(401), said(401))
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("token", "status"), [(Kept(more=0), 401), (lambda: "token-1", 401), ("token-1", 401), (Kept(), 403), (Kept(), 500)]
)
def test_without_another_token_nothing_is_asked_again(token: Any, status: int) -> None:
    client = BearerToken(token)
    run = Run(Endpoint(URL, client=client).ask(ASKED))
    while not isinstance(run.effect, Fetch):
        run.send("token-1")  # of the function
    with pytest.raises(Unavailable):
        run.send(said(status))


def test_questions_about_the_same_share_an_answer_while_the_token_is_the_same() -> None:
    kept = Kept()
    endpoint = Endpoint(URL, client=BearerToken(kept))
    one, again = asked(endpoint), asked(endpoint)
    kept.number += 1
    assert one.shared_by == again.shared_by != asked(endpoint).shared_by
    assert b"token" not in one.flight


def test_a_401_that_is_an_answer_renews_nothing() -> None:
    question = replace(ASKED, answers=(200, 401))
    assert played(Endpoint(URL, client=BearerToken(Kept())).ask(question), said(401))[0].status == 401


def test_a_question_may_be_something_else_than_a_form() -> None:
    headers = (("Authorization", "Bearer t0ken"),)
    fetch = asked(Endpoint(URL), Question(about=b"t1", method="GET", headers=headers))
    assert (fetch.method, fetch.headers, fetch.body) == ("GET", headers, b"")
    assert asked(Endpoint(URL), Question(about=b"t1", body=b"{}")).body == b"{}"


def test_an_answer_is_bounded_in_size_and_time() -> None:
    fetch = asked(Endpoint(URL, timeout=0.5), replace(ASKED, shared=0.25))
    assert (fetch.limit, fetch.timeout, fetch.shared) == (MAX_ANSWER_BYTES, 0.5, 0.25)


def test_no_question_shows_a_token() -> None:
    question = Question(about=b"t1", headers=(("A", "t0ken"),), fields=(("token", "t0ken"),), body=b"t0ken")
    assert "t0ken" not in repr(question)
    assert "t0ken" not in repr(asked(Endpoint(URL), question))


# Who shares an answer


def test_questions_about_the_same_share_an_answer_however_they_are_proved(endpoint: Endpoint) -> None:
    one, again, other = asked(endpoint), asked(endpoint), asked(endpoint, OTHER)
    assert one.shared_by == again.shared_by != other.shared_by


def test_two_endpoints_share_no_answer(endpoint: Endpoint) -> None:
    assert asked(endpoint).shared_by != asked(Endpoint(URL, client=CLIENT)).shared_by


def test_an_endpoint_finds_no_answer_of_one_that_is_gone() -> None:
    assert len({asked(Endpoint(URL)).flight for _ in range(20)}) == 20


def test_an_answer_of_now_serves_those_who_ask_for_one_meanwhile_and_nobody_else(endpoint: Endpoint) -> None:
    of_now = replace(ASKED, shared=0.0)
    one, again, before = asked(endpoint, of_now), asked(endpoint, of_now), asked(endpoint)
    assert (one.shared, before.shared) == (0, 1)
    assert one.shared_by == again.shared_by != before.shared_by


def test_a_failure_is_not_shared_with_those_who_ask_after_it(endpoint: Endpoint) -> None:
    before = asked(endpoint)
    fails(endpoint)
    assert asked(endpoint).shared_by != before.shared_by


# Statuses


@pytest.mark.parametrize(
    ("status", "reason", "retry_after"),
    [
        (201, "endpoint_unusable", 1),
        (204, "endpoint_unusable", 1),
        (400, "endpoint_unusable", 1),
        (401, "endpoint_refused", 30),
        (403, "endpoint_unusable", 1),
        (404, "endpoint_unusable", 1),
        (408, "endpoint_failed", 1),
        (413, "endpoint_unusable", 1),
        (425, "endpoint_failed", 1),
        (429, "endpoint_failed", 1),
        (500, "endpoint_failed", 1),
        (503, "endpoint_failed", 1),
        (599, "endpoint_failed", 1),
    ],
)
def test_another_status_is_no_answer(endpoint: Endpoint, status: int, reason: str, retry_after: int) -> None:
    error = fails(endpoint, said(status, active=True))
    assert (error.status, error.reason, error.retry_after) == (503, reason, retry_after)


def test_a_status_that_is_asked_for_is_an_answer(endpoint: Endpoint) -> None:
    question = Question(about=b"t1", answers=(200, 401, 500))
    for status in (401, 500):
        assert played(endpoint.ask(question), said(status))[0].status == status


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_of_ours_are_logged_as_configuration(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    fails(endpoint, said(status))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == (f"configuration: {URL} does not accept how this application proves itself: {status}")


OF_THE_CLIENT = [
    ("invalid_client", "does not accept how this application proves itself"),
    ("unauthorized_client", "does not let this application ask"),
]


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize(("code", "words"), OF_THE_CLIENT, ids=lambda text: text.partition(" ")[0])
def test_a_code_that_is_for_the_client_is_configuration_too(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture, status: int, code: str, words: str
) -> None:
    error = fails(endpoint, said(status, error=code))
    told = ("endpoint_unusable", 1) if (status, code) == (400, "unauthorized_client") else ("endpoint_refused", 30)
    assert (error.reason, error.retry_after) == told
    assert caplog.record_tuples == [("oauth_rs", logging.ERROR, f"configuration: {URL} {words}: {status} {code}")]


@pytest.mark.parametrize(
    "answer",
    [
        said(400, error="invalid_request"),
        said(400, error="invalid_client "),
        said(400, error=["invalid_client"]),
        said(400, error_description="invalid_client"),
        said(404, error="invalid_client"),
        Reply(400, b'{"error":"invalid_client"'),
        Reply(400, b'["invalid_client"]'),
    ],
    ids=["another code", "spelled otherwise", "list", "elsewhere", "404", "no JSON", "no object"],
)
def test_what_does_not_say_that_it_is_for_the_client_is_not(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture, answer: Reply
) -> None:
    assert fails(endpoint, answer).reason == "endpoint_unusable"
    assert "configuration:" not in caplog.text


def test_an_answer_that_is_looked_for_is_about_the_token_whatever_its_code() -> None:
    question = Question(about=b"t1", answers=(200, 400))
    assert played(Endpoint(URL).ask(question), said(400, error="invalid_client"))[0].status == 400


def test_a_refusal_is_logged_once_a_minute(
    endpoint: Endpoint, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        fails(endpoint, said(403))
    assert len(caplog.records) == 1
    clock.now += 60
    fails(endpoint, said(403))
    assert len(caplog.records) == 2


@pytest.mark.parametrize("answer", [said(400), said(404), said(500), DOWN], ids=["400", "404", "500", "down"])
def test_other_failures_are_not_logged_as_configuration(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    fails(endpoint, answer)
    assert not caplog.records


# When it is left alone


@pytest.mark.parametrize(
    "answer",
    [
        *(DOWN, Unavailable("fetch_timeout", ""), Unavailable("redirected", ""), said(401), said(429), said(500)),
        said(400, error="invalid_client"),
    ],
    ids=["down", "slow", "redirect", "401", "429", "500", "client"],
)
def test_an_endpoint_that_fails_is_left_alone_for_a_while(endpoint: Endpoint, clock: FakeClock, answer: Any) -> None:
    for _ in range(3):
        fails(endpoint, answer)
    with pytest.raises(Unavailable) as caught:
        Run(endpoint.ask(OTHER))
    assert (caught.value.reason, caught.value.retry_after) == ("endpoint_resting", 1)
    clock.pass_seconds(1)
    assert not rests(endpoint)


@pytest.mark.parametrize(
    "answer",
    [
        *(said(400), said(403), said(404), said(414), said(204), said(400, error="unauthorized_client")),
        replace(said(403), pace=Pace(retry_after="3600")),
        Unavailable("reply_too_large", ""),
    ],
    ids=["400", "403", "404", "414", "204", "unauthorized", "403 and wait", "too large"],
)
def test_no_token_can_have_the_endpoint_left_alone(endpoint: Endpoint, answer: Any) -> None:
    for _ in range(10):
        fails(endpoint, answer)
    assert not rests(endpoint)


def test_a_server_that_is_up_again_is_asked_again_whatever_it_answers(endpoint: Endpoint, clock: FakeClock) -> None:
    for _ in range(3):
        fails(endpoint)
    clock.pass_seconds(1)
    fails(endpoint, said(404))
    assert not rests(endpoint)


def test_one_question_probes_while_the_others_are_told_to_wait(endpoint: Endpoint, clock: FakeClock) -> None:
    for _ in range(3):
        fails(endpoint)
    clock.pass_seconds(1)
    probe = Run(endpoint.ask(ASKED))
    assert rests(endpoint)
    probe.send(GOOD)
    assert not rests(endpoint)


def test_a_probe_that_fails_makes_the_others_wait_longer(endpoint: Endpoint, clock: FakeClock) -> None:
    for _ in range(3):
        fails(endpoint)
    clock.pass_seconds(1)
    fails(endpoint)
    clock.pass_seconds(1.9)
    assert rests(endpoint)


def test_a_burst_of_failures_counts_once(endpoint: Endpoint) -> None:
    runs = [Run(endpoint.ask(replace(ASKED, about=b"%d" % number))) for number in range(32)]
    for run in runs:
        with undecided("fetch_failed"):
            run.throw(Unavailable("fetch_failed", ""))
    assert not rests(endpoint)


def test_endpoints_with_the_same_breaker_rest_together(clock: FakeClock) -> None:
    breaker = Breaker(failures=1)
    one, other = (Endpoint(URL, breaker=breaker, monotonic=clock) for _ in range(2))
    fails(one)
    assert rests(other)


def test_a_firewall_that_says_for_how_long_is_left_to_the_token_that_it_does_not_like(endpoint: Endpoint) -> None:
    error = fails(endpoint, replace(said(403), pace=Pace(retry_after="120", remaining="7")))
    assert (error.reason, error.retry_after) == ("endpoint_unusable", 120)
    assert not rests(endpoint)


@pytest.mark.parametrize("status", [403, 429, 503])
def test_an_endpoint_that_says_for_how_long_is_left_alone_at_once(
    endpoint: Endpoint, clock: FakeClock, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    remaining = "0" if status == 403 else ""
    error = fails(endpoint, replace(said(status), pace=Pace(retry_after="120", remaining=remaining)))
    assert (error.reason, error.retry_after) == ("endpoint_failed", 120)
    clock.pass_seconds(100)
    with pytest.raises(Unavailable) as caught:
        Run(endpoint.ask(OTHER))
    assert (caught.value.reason, caught.value.retry_after) == ("endpoint_resting", 20)
    clock.pass_seconds(20)
    assert not rests(endpoint)
    assert "configuration:" not in caplog.text


@pytest.mark.parametrize("status", [403, 429])
def test_who_has_asked_too_often_waits_alone_where_nothing_but_his_token_says_who_asks(
    clock: FakeClock, status: int
) -> None:
    endpoint = Endpoint(URL, monotonic=clock)
    for _ in range(9):
        error = fails(endpoint, replace(said(status), pace=Pace(retry_after="120", remaining="0")))
        assert (error.reason, error.retry_after) == ("endpoint_unusable", 120)
    assert not rests(endpoint)
    assert fails(endpoint, replace(said(503), pace=Pace(retry_after="120"))).reason == "endpoint_failed"
    assert rests(endpoint)


def test_a_date_is_of_the_wall_clock(clock: FakeClock) -> None:
    endpoint = Endpoint(URL, clock=FakeClock(1_893_456_000), monotonic=clock)
    pace = Pace(retry_after="Tue, 01 Jan 2030 00:01:00 GMT")
    assert fails(endpoint, replace(said(429), pace=pace)).retry_after == 60


def test_an_endpoint_that_says_so_with_an_answer_is_left_alone_too(endpoint: Endpoint) -> None:
    limited = replace(said(403), pace=Pace(remaining="0"))
    assert fails(endpoint, limited, Question(about=b"t1", answers=(200, 403))).retry_after == 60
    assert rests(endpoint)


def test_an_answer_that_is_for_the_token_is_not_for_who_asks_too_often(endpoint: Endpoint) -> None:
    refusal = replace(said(403, error="invalid_token"), pace=Pace(remaining="0"))
    assert played(endpoint.ask(Question(about=b"t1", answers=(200, 403))), refusal)[0] is refusal
    assert not rests(endpoint)


# What is told of it


def watched(endpoint: Endpoint, answer: Reply | Unavailable, question: Question = ASKED) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        played(endpoint.watch(endpoint.ask(question)), answer)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (said(204), "answered 204"),
        (said(404), "answered 404"),
        (said(500), "answered 500"),
        (replace(said(429), pace=Pace(retry_after="60")), "answered 429, and wants to be left alone for 60 s"),
        (Unavailable("redirected", "", cause="a redirect"), "a redirect"),
    ],
    ids=["204", "404", "500", "429", "redirect"],
)
def test_why_it_does_not_answer_is_told_once_a_minute(
    clock: FakeClock, caplog: pytest.LogCaptureFixture, answer: Any, cause: str
) -> None:
    endpoint = Endpoint(f"{URL}?key=s3cret", breaker=Breaker(failures=100), monotonic=clock)
    for _ in range(2):
        watched(endpoint, answer if isinstance(answer, Reply) else Unavailable(answer.reason, "", cause=answer.cause))
        clock.pass_seconds(61 if "429" in cause else 1)
    record = ("oauth_rs", logging.WARNING, f"{URL} gave no answer to use: {cause}")
    assert caplog.record_tuples == [record] * (2 if "429" in cause else 1)


@pytest.mark.parametrize("answer", [DOWN, said(401), said(403)], ids=["down", "401", "403"])
def test_what_another_record_tells_is_not_told_again(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    watched(endpoint, answer)
    assert all(record.levelno == logging.ERROR for record in caplog.records)


def test_what_one_endpoint_tells_another_does_not(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    with undecided("endpoint_unusable"):
        played(Endpoint("https://other.example.com/").watch(endpoint.watch(endpoint.ask(ASKED))), said(404))
    assert caplog.messages == [f"{URL} gave no answer to use: answered 404"]


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        ([said(issuer=ISSUER), said(404)], "no metadata document has it"),
        ([metadata(introspection_endpoint="http://127.0.0.1/")], "its metadata names a place that may not be asked"),
        ([metadata(issuer="https://evil.example")], "metadata of another issuer"),
        ([said(503)], "its metadata answered 503"),
    ],
    ids=["lacking", "elsewhere", "mismatch", "503"],
)
def test_what_was_looked_for_in_which_metadata_is_told(
    found: Endpoint, caplog: pytest.LogCaptureFixture, answers: list[Reply], cause: str
) -> None:
    for _ in range(2):
        with pytest.raises(Unavailable):
            played(found.find(), *answers)
    assert caplog.messages == [f"the introspection_endpoint of {ISSUER} gave no answer to use: {cause}"]


def test_an_endpoint_that_is_left_alone_is_told_of(
    endpoint: Endpoint, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        fails(endpoint)
    clock.pass_seconds(1)
    fails(endpoint)
    words = f"{URL} is left alone for 1 s, and longer if it goes on failing"
    assert caplog.record_tuples == [("oauth_rs", logging.WARNING, words)]


# Where it is


def test_an_endpoint_is_found_once_by_the_metadata_of_its_issuer(found: Endpoint) -> None:
    _, fetches = played(found.ask(ASKED), metadata(), GOOD)
    assert [fetch.url for fetch in fetches] == [f"{ISSUER}/.well-known/oauth-authorization-server", URL]
    assert asked(found).url == URL
    assert str(found) == f"the introspection_endpoint of {ISSUER}"


def test_an_endpoint_that_fails_is_looked_for_again(found: Endpoint) -> None:
    with undecided("fetch_failed"):
        played(found.ask(ASKED), metadata(), DOWN)
    moved = "https://new.example.com/introspect"
    _, fetches = played(found.ask(ASKED), metadata(introspection_endpoint=moved), GOOD)
    assert fetches[-1].url == moved


def test_an_endpoint_keeps_the_url_it_found_while_others_fail(found: Endpoint) -> None:
    one, other = Run(found.ask(ASKED)), Run(found.ask(OTHER))
    one.send(metadata())
    with undecided("fetch_failed"):
        one.throw(Unavailable("fetch_failed", ""))
    other.send(metadata())
    assert isinstance(other.effect, Fetch)
    assert other.effect.url == URL


def test_an_endpoint_whose_metadata_cannot_be_had_is_left_alone(found: Endpoint) -> None:
    for _ in range(3):
        fails(found)
    with undecided("endpoint_resting"):
        Run(found.ask(ASKED))


@pytest.mark.parametrize(
    "place",
    [
        7,
        [URL],
        "",
        "http://id.example.com/introspect",
        "http://127.0.0.1:9000/introspect",
        "file:///etc/passwd",
        "https://user:password@id.example.com/",
        "https://id.example.com/#",
    ],
    ids=str,
)
def test_metadata_cannot_name_a_place_that_no_token_may_be_shown_to(found: Endpoint, place: Any) -> None:
    with undecided("discovery_failed"):
        played(found.ask(ASKED), metadata(introspection_endpoint=place))


def test_an_issuer_on_this_machine_may_have_its_endpoint_here() -> None:
    issuer = "http://127.0.0.1:9000"
    endpoint = Endpoint(IssuerMetadata(issuer), name="introspection_endpoint")
    here = f"{issuer}/introspect"
    assert played(endpoint.find(), said(issuer=issuer, introspection_endpoint=here))[0] == here


def test_the_metadata_of_another_issuer_is_not_believed(found: Endpoint) -> None:
    with undecided("issuer_mismatch"):
        played(found.ask(ASKED), metadata(issuer="https://other.example.com"))


@pytest.mark.parametrize(
    ("aliases", "url"),
    [
        ({"introspection_endpoint": "https://mtls.example.com/"}, "https://mtls.example.com/"),
        ({"token_endpoint": "https://mtls.example.com/"}, URL),
        ("https://mtls.example.com/", URL),
    ],
)
def test_a_certificate_is_shown_at_the_alias_for_it(certificate: Certificate, aliases: Any, url: str) -> None:
    client = ClientCertificate("api", certificate)
    endpoint = Endpoint(IssuerMetadata(ISSUER), name="introspection_endpoint", client=client)
    assert played(endpoint.find(), metadata(mtls_endpoint_aliases=aliases))[0] == url


def test_the_alias_for_certificates_is_nothing_to_a_client_with_a_secret(found: Endpoint) -> None:
    aliases = {"introspection_endpoint": "https://mtls.example.com/"}
    assert played(found.find(), metadata(mtls_endpoint_aliases=aliases))[0] == URL


# Configuration


@pytest.mark.parametrize(
    "url",
    [
        "",
        "introspect",
        "//id.example.com",
        "http://id.example.com/introspect",
        "http://127.0.0.1.example.com/",
        "ftp://id.example.com/",
        "file:///etc/passwd",
        "https://",
        "https://id.example.com:x/",
        "https://api:secret@id.example.com/",
        "https://id.example.com/#top",
    ],
)
def test_a_token_is_shown_to_no_insecure_place(url: str) -> None:
    with pytest.raises(ValueError, match="over https") as caught:
        Endpoint(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", [URL, "https://id.example.com", "http://127.0.0.1:9000/i", "http://localhost/i?v=2", "http://[::1]:1/"]
)
def test_https_and_this_machine_are_places_for_tokens(url: str) -> None:
    assert asked(Endpoint(url)).url == url


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Endpoint(None), "a URL, or IssuerMetadata"),  # type: ignore[arg-type]
        (lambda: Endpoint(URL.encode()), "a URL, or IssuerMetadata"),  # type: ignore[arg-type]
        (lambda: Endpoint(URL, breaker=3), "breaker is Breaker"),  # type: ignore[arg-type]
        (lambda: Endpoint(URL, timeout="5"), "timeout is a number"),  # type: ignore[arg-type]
        (lambda: Endpoint(URL, timeout=None), "timeout is a number"),  # type: ignore[arg-type]
    ],
    ids=["none", "bytes", "breaker", "text", "no timeout"],
)
def test_options_of_the_wrong_kind_say_how_to_mend_them(make: Callable[[], Endpoint], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize(("timeout", "message"), [(0, "above 0 seconds"), (-1, "0 seconds or more")])
def test_a_call_takes_some_time(timeout: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Endpoint(URL, timeout=timeout)


def test_what_is_busy_here_says_nothing_of_the_endpoint(endpoint: Endpoint) -> None:
    for _ in range(9):
        assert fails(endpoint, Unavailable("fetch_busy", "")).reason == "fetch_busy"
    assert not rests(endpoint)


def test_a_probe_that_did_not_get_there_is_another_s(clock: FakeClock) -> None:
    endpoint = Endpoint(URL, client=Asking(), monotonic=clock)
    for _ in range(3):
        with undecided("fetch_failed"):
            played(endpoint.ask(ASKED), Reply(200, b"abc"), DOWN)
    clock.pass_seconds(1)
    with undecided("token_unavailable"):
        played(endpoint.ask(ASKED), Unavailable("token_unavailable", ""))
    with undecided("fetch_busy"):
        played(endpoint.ask(ASKED), Reply(200, b"abc"), Unavailable("fetch_busy", ""))
    assert played(endpoint.ask(ASKED), Reply(200, b"abc"), GOOD)[0] is GOOD


def test_a_token_that_cannot_be_renewed_leaves_the_refusal_that_there_is() -> None:
    class Lost(Kept):
        def current(self, refused: str, /) -> Flow[str]:
            if refused:
                raise Unavailable("reply_too_large", "")
            return (yield from super().current(refused))

    error = fails(Endpoint(URL, client=BearerToken(Lost())), said(401))
    assert error.reason == "endpoint_refused"


def test_what_proves_this_application_may_fail_without_resting_the_endpoint(clock: FakeClock) -> None:
    endpoint = Endpoint(URL, client=Asking(), monotonic=clock)
    for _ in range(9):
        assert fails(endpoint, Unavailable("token_unavailable", "")).reason == "token_unavailable"
    assert played(endpoint.ask(OTHER), Reply(200, b"abc"), GOOD)[0] is GOOD
