import json
import logging
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from oauth_rs.breaker import Breaker
from oauth_rs.client_auth import (
    BearerToken,
    ClientAuth,
    ClientCertificate,
    ClientSecret,
    ClientSecretPost,
    PrivateKeyJWT,
    Proof,
)
from oauth_rs.errors import MISCONFIGURED_SECONDS, Unavailable
from oauth_rs.flow import Call, Certificate, Fetch, Flow, Reply, Run
from oauth_rs.outbound.endpoint import LIMIT, TokenEndpoint
from oauth_rs.outbound.errors import OutboundError, TokenRefused, TokenUnusable
from tests.outbound.provider import CLIENT, SECRET, granted
from tests.support.playing import FakeClock

ISSUER = "https://id.example.com"
URL = f"{ISSUER}/token"
FIELDS = (("grant_type", "client_credentials"), ("scope", "a b"))
BASIC = f"Basic {b64encode(f'api:{SECRET}'.encode()).decode()}"
GRANTED = Reply(200, json.dumps(granted()).encode())
DOWN = Unavailable("fetch_failed", "x")


def metadata(**changes: Any) -> Reply:
    return Reply(200, json.dumps({"issuer": ISSUER, "token_endpoint": URL, **changes}).encode())


def refusal(code: str) -> Reply:
    return Reply(400, json.dumps({"error": code}).encode())


def asked(endpoint: TokenEndpoint, *answers: Reply | Unavailable) -> list[Fetch]:
    """What is fetched, in order, when the answers are these; the last error ends it."""
    run, fetches = Run(endpoint.ask(FIELDS)), []
    for answer in answers:
        assert isinstance(run.effect, Fetch)
        fetches.append(run.effect)
        if isinstance(answer, Unavailable):
            run.throw(answer)
        else:
            run.send(answer)
    assert run.effect is None
    return fetches


def failure(endpoint: TokenEndpoint, *answers: Reply | Unavailable) -> str:
    with pytest.raises((Unavailable, OutboundError)) as caught:
        asked(endpoint, *answers)
    assert isinstance(caught.value, Unavailable | OutboundError)
    return caught.value.reason


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(clock: FakeClock) -> Callable[..., TokenEndpoint]:
    def make(**options: Any) -> TokenEndpoint:
        return TokenEndpoint(ISSUER, **{"client": CLIENT, "url": URL, "monotonic": clock, **options})

    return make


Make = Callable[..., TokenEndpoint]


# Where


@pytest.mark.parametrize(
    "url",
    [
        *("", "id.example.com", "http://id.example.com/token", "file:///token", "https://", "https://[::1/token"),
        *("https://id.example.com/token#x", "https://me:secret@id.example.com/token", "http://127.0.0.1.evil.example/"),
    ],
)
def test_a_token_is_asked_for_over_https_or_on_this_machine(url: str) -> None:
    with pytest.raises(ValueError, match="over https") as caught:
        TokenEndpoint(url, client=CLIENT)
    assert "secret" not in str(caught.value)
    if url:
        with pytest.raises(ValueError, match="over https"):
            TokenEndpoint(ISSUER, client=CLIENT, url=url)


def test_an_endpoint_that_is_given_needs_no_metadata_and_no_url_of_its_issuer(clock: FakeClock) -> None:
    endpoint = TokenEndpoint("a provider", client=CLIENT, url=URL, monotonic=clock)
    assert [fetch.url for fetch in asked(endpoint, GRANTED)] == [URL]


def test_an_endpoint_is_found_once_through_the_metadata(make: Make) -> None:
    endpoint = make(url="")
    found, token = asked(endpoint, metadata(), GRANTED)
    assert (found.method, found.url, token.url) == ("GET", f"{ISSUER}/.well-known/oauth-authorization-server", URL)
    assert [fetch.url for fetch in asked(endpoint, GRANTED)] == [URL]


def test_an_endpoint_that_fails_is_looked_for_again(make: Make) -> None:
    endpoint = make(url="")
    assert failure(endpoint, metadata(), DOWN) == "fetch_failed"
    elsewhere = metadata(token_endpoint="https://new.example.com/token")
    assert asked(endpoint, elsewhere, GRANTED)[-1].url == "https://new.example.com/token"


def test_an_endpoint_that_refuses_is_not_looked_for_again(make: Make) -> None:
    endpoint = make(url="")
    assert failure(endpoint, metadata(), refusal("invalid_scope")) == "invalid_scope"
    assert [fetch.url for fetch in asked(endpoint, GRANTED)] == [URL]


@pytest.mark.parametrize(
    "url",
    [
        *(1, "", "/token", "http://id.example.com/token", "http://127.0.0.1/token", "http://localhost:6379/"),
        *("https://id.example.com/#x", "https://me:pw@id.example.com/", "ftp://id.example.com/", "https://[::1"),
    ],
    ids=repr,
)
def test_metadata_cannot_send_the_secret_anywhere_insecure(make: Make, url: Any) -> None:
    assert failure(make(url=""), metadata(token_endpoint=url)) == "discovery_failed"


def test_metadata_of_another_issuer_sends_it_nowhere(make: Make) -> None:
    assert failure(make(url=""), metadata(issuer="https://evil.example.com")) == "issuer_mismatch"


def test_an_issuer_on_this_machine_may_have_its_endpoint_there(clock: FakeClock) -> None:
    local = "http://127.0.0.1:9000"
    endpoint = TokenEndpoint(local, client=CLIENT, monotonic=clock)
    assert asked(endpoint, metadata(issuer=local, token_endpoint=f"{local}/token"), GRANTED)[-1].url == f"{local}/token"


@pytest.mark.parametrize(
    ("aliases", "url"),
    [
        ({"token_endpoint": "https://mtls.example.com/t"}, "https://mtls.example.com/t"),
        ({}, URL),
        ("x", URL),
        (None, URL),
    ],
)
def test_a_certificate_is_shown_where_the_metadata_wants_it(
    make: Make, certificate: Certificate, aliases: Any, url: str
) -> None:
    found = metadata(mtls_endpoint_aliases=aliases)
    shown = asked(make(url="", client=ClientCertificate("api", certificate)), found, GRANTED)[-1]
    assert (shown.url, shown.certificate) == (url, certificate)


def test_the_place_for_certificates_is_nothing_to_a_client_with_a_secret(make: Make) -> None:
    found = metadata(mtls_endpoint_aliases={"token_endpoint": "https://mtls.example.com/t"})
    assert asked(make(url=""), found, GRANTED)[-1].url == URL


# How


def test_a_secret_goes_into_the_header_and_the_rest_into_the_form(make: Make) -> None:
    (fetch,) = asked(make(), GRANTED)
    assert (fetch.method, fetch.url, fetch.limit) == ("POST", URL, LIMIT)
    assert dict(fetch.headers) == {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "Authorization": BASIC,
    }
    assert parse_qsl(fetch.body.decode()) == list(FIELDS)


def test_what_proves_the_client_in_the_form_goes_there(make: Make) -> None:
    (fetch,) = asked(make(client=ClientSecretPost("api", SECRET)), GRANTED)
    assert parse_qsl(fetch.body.decode()) == [*FIELDS, ("client_id", "api"), ("client_secret", SECRET)]
    assert "Authorization" not in dict(fetch.headers)


def test_an_assertion_is_new_for_each_request(make: Make) -> None:
    endpoint = make(client=PrivateKeyJWT("api", ec.generate_private_key(ec.SECP256R1())))
    first, second = (dict(parse_qsl(asked(endpoint, GRANTED)[0].body.decode())) for _ in range(2))
    assert first["client_assertion"] != second["client_assertion"]


class Vault:
    """Proves a client with what a store outside has."""

    client_id = "api"

    def prove(self, _url: str, /) -> Flow[Proof]:
        secret: str = yield from Call(blocking=str)
        return ClientSecret("api", secret).prove("")


def test_a_proof_may_have_to_be_waited_for(make: Make) -> None:
    flow = make(client=Vault()).ask(FIELDS)
    assert next(flow) == Call(blocking=str)
    fetch = flow.send(SECRET)
    assert isinstance(fetch, Fetch)
    assert dict(fetch.headers)["Authorization"] == BASIC


@pytest.mark.parametrize("url", [URL, f"{URL}?tenant=a"])
def test_by_get_the_parameters_stand_in_the_query_and_the_secret_does_not(make: Make, url: str) -> None:
    (fetch,) = asked(make(url=url, method="GET"), GRANTED)
    assert (fetch.method, fetch.body, dict(fetch.headers)["Authorization"]) == ("GET", b"", BASIC)
    tenant = [("tenant", "a")] if "?" in url else []
    assert parse_qsl(urlsplit(fetch.url).query) == [*tenant, *FIELDS]
    assert SECRET not in fetch.url


@pytest.mark.parametrize(
    "client",
    [
        ClientSecretPost("api", SECRET),
        PrivateKeyJWT("api", ec.generate_private_key(ec.SECP256R1())),
        Vault(),
    ],
    ids=lambda client: type(client).__name__,
)
def test_by_get_no_client_proves_itself_in_the_url(make: Make, client: ClientAuth) -> None:
    with pytest.raises(ValueError, match="in the URL"):
        make(client=client, method="GET")


def test_by_get_no_client_proves_itself_by_a_certificate(make: Make, certificate: Certificate) -> None:
    with pytest.raises(ValueError, match="in the URL"):
        make(client=ClientCertificate("api", certificate), method="GET")


def test_by_get_a_token_may_prove_the_client(make: Make) -> None:
    (fetch,) = asked(make(client=BearerToken("t0ken"), method="GET"), GRANTED)
    assert dict(fetch.headers)["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("method", ["get", "PUT", ""])
def test_there_is_no_other_method(make: Make, method: str) -> None:
    with pytest.raises(ValueError, match='"POST" or "GET"'):
        make(method=method)


# How often


@pytest.mark.parametrize("answer", [DOWN, Reply(500, b""), Reply(200, b"<html>"), Reply(429, b"{}")], ids=str)
def test_an_outage_is_counted(make: Make, clock: FakeClock, answer: Any) -> None:
    endpoint = make()
    failure(endpoint, answer)
    failure(endpoint, answer)
    assert endpoint.breaker.wait(clock()) == 2
    asked(endpoint, GRANTED)
    assert endpoint.breaker.wait(clock()) == 0


def test_outages_at_one_time_are_counted_once(make: Make, clock: FakeClock) -> None:
    endpoint = make()
    runs = [Run(endpoint.ask(FIELDS)) for _ in range(5)]
    for run in runs:
        with pytest.raises(Unavailable):
            run.throw(DOWN)
    assert endpoint.breaker.wait(clock()) == 1


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_request", "invalid_scope", "invalid_target", "other"])
def test_a_refusal_of_what_was_asked_is_no_outage(
    make: Make, clock: FakeClock, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    endpoint = make()
    failure(endpoint, DOWN)
    with pytest.raises(TokenRefused):
        asked(endpoint, refusal(code))
    assert (endpoint.breaker.wait(clock()), caplog.records) == (0, [])


UNPROVED = "does not accept how this application proves itself: invalid_client"
NOT_LET = "does not let this application ask for tokens in this way"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal("invalid_client"), UNPROVED),
        (Reply(401, b'{"error": "invalid_client"}'), UNPROVED),
        (Reply(401, b""), UNPROVED),
        (Reply(401, b"<html>"), UNPROVED),
        (Reply(401, b'{"error": "s3cret"}'), UNPROVED.replace("invalid_client", "unauthorized")),
        (refusal("unauthorized_client"), f"{NOT_LET}: unauthorized_client"),
        (refusal("unsupported_grant_type"), f"{NOT_LET}: unsupported_grant_type"),
    ],
    ids=str,
)
def test_a_client_that_is_refused_is_held_back_and_logged_as_configuration(
    make: Make, clock: FakeClock, caplog: pytest.LogCaptureFixture, answer: Reply, said: str
) -> None:
    endpoint = make()
    with pytest.raises(Unavailable, match="token_endpoint_refused") as caught:
        asked(endpoint, answer)
    assert (caught.value.retry_after, endpoint.breaker.wait(clock())) == (MISCONFIGURED_SECONDS, 1)
    assert caplog.record_tuples == [("oauth_rs", logging.ERROR, f"configuration: {URL} {said}")]


def test_where_the_endpoint_was_found_its_issuer_is_named(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    failure(make(url=""), metadata(), Reply(401, b""))
    assert caplog.messages == [f"configuration: the token_endpoint of {ISSUER} {UNPROVED}"]


def test_a_client_that_is_refused_is_logged_once_a_minute(
    make: Make, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = make()
    for seconds in (0, 30, 29, 1):
        clock.pass_seconds(seconds)
        assert failure(endpoint, refusal("invalid_client")) == "token_endpoint_refused"
    assert len(caplog.records) == 2


def test_failures_in_a_row_may_be_what_it_takes(make: Make, clock: FakeClock) -> None:
    endpoint, waits = make(breaker=Breaker(failures=3)), []
    for answer in (DOWN, refusal("invalid_client"), DOWN):
        failure(endpoint, answer)
        waits.append(endpoint.breaker.wait(clock()))
    assert waits == [0, 0, 1]


def test_what_is_forgiven_is_no_failure(make: Make, clock: FakeClock) -> None:
    endpoint = make(forgiven=frozenset({"token_endpoint_unusable"}))
    failure(endpoint, DOWN)
    assert failure(endpoint, Reply(403, b"<html>")) == "token_endpoint_unusable"
    assert endpoint.breaker.wait(clock()) == 0


@pytest.mark.parametrize("answer", [Reply(401, b'{"error": "invalid_token"}'), refusal("unauthorized_client")])
def test_a_refusal_that_is_forgiven_is_no_failure_either(
    make: Make, clock: FakeClock, answer: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = make(forgiven=frozenset({"unauthorized", "unauthorized_client"}))
    assert failure(endpoint, answer) == "token_endpoint_refused"
    assert (endpoint.breaker.wait(clock()), caplog.records) == (0, [])


def test_what_is_forgiven_hides_no_refusal_of_the_client(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    endpoint = make(forgiven=frozenset({"unauthorized"}))
    failure(endpoint, Reply(401, b'{"error": "invalid_token"}'))
    failure(endpoint, refusal("invalid_client"))
    assert caplog.messages == [f"configuration: {URL} {UNPROVED}"]


def test_what_is_forgiven_leaves_the_endpoint_where_it_was(make: Make) -> None:
    endpoint = make(url="", forgiven=frozenset({"token_endpoint_unusable"}))
    failure(endpoint, metadata(), Reply(403, b"<html>"))
    assert len(asked(endpoint, GRANTED)) == 1


def test_an_answer_that_cannot_be_used_is_no_outage(make: Make, clock: FakeClock) -> None:
    endpoint = make()
    with pytest.raises(TokenUnusable):
        asked(endpoint, Reply(200, json.dumps(granted(token_type="mac")).encode()))
    assert endpoint.breaker.wait(clock()) == 0


# Options of the wrong kind


@pytest.mark.parametrize("client", [None, "api", ("api", SECRET), ClientSecret], ids=repr)
def test_a_client_that_cannot_prove_itself_is_refused_when_made(client: Any) -> None:
    with pytest.raises(TypeError, match=r"^client is ClientSecret") as caught:
        TokenEndpoint(ISSUER, client=client)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(("issuer", "url"), [(None, ""), (5, URL), (ISSUER, None), (ISSUER, b"https://x")], ids=repr)
def test_a_place_that_is_no_text_is_refused_when_made(issuer: Any, url: Any) -> None:
    with pytest.raises(TypeError, match="token_endpoint are URLs"):
        TokenEndpoint(issuer, client=CLIENT, url=url)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [(Reply(404, b""), "answered 404"), (Reply(503, b""), "answered 503"), (Reply(200, b"<html>"), "no JSON object")],
    ids=["404", "503", "html"],
)
def test_why_it_gives_no_answer_is_told_once_a_minute(
    make: Make, caplog: pytest.LogCaptureFixture, answer: Reply, cause: str
) -> None:
    endpoint = make(breaker=Breaker(failures=9))
    for _ in range(2):
        failure(endpoint, answer)
    assert caplog.record_tuples == [("oauth_rs", logging.WARNING, f"{endpoint} gave no answer to use: {cause}")]


def test_what_is_busy_here_says_nothing_of_the_endpoint(make: Make, clock: FakeClock) -> None:
    endpoint = make()
    for _ in range(9):
        assert failure(endpoint, Unavailable("fetch_busy", "")) == "fetch_busy"
    assert not endpoint.breaker.wait(clock())
