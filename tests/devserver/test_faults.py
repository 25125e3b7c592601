import time
from collections.abc import Iterator

import httpx2
import pytest

from oauth_rs.devserver import Answer, Client, DevServer, Drop, Flood, Slow
from oauth_rs.devserver.faults import Fault, Faults

HTML = "<html><title>Bad gateway</title></html>"


@pytest.fixture(scope="module")
def own() -> Iterator[DevServer]:
    """A server that may fail."""
    clients = [Client("demo", "secret")]
    with DevServer.running(audience="urn:api", algorithm="ES256", clients=clients) as running:
        yield running


@pytest.fixture
def client(own: DevServer) -> Iterator[httpx2.Client]:
    own.heal()
    with httpx2.Client(base_url=own.issuer, trust_env=False, timeout=5) as client:
        yield client


@pytest.mark.parametrize("path", ["", "jwks", "/jwks/", "/unknown", "/github/applications/demo/token"])
def test_what_is_not_served_cannot_fail(own: DevServer, path: str) -> None:
    with pytest.raises(ValueError, match="choose one of /"):
        own.fault(path, Drop())


@pytest.mark.parametrize("calls", [0, -1])
def test_a_fault_is_for_one_call_at_least(own: DevServer, calls: int) -> None:
    with pytest.raises(ValueError, match="calls is 1 or more"):
        own.fault("/jwks", Drop(), calls=calls)


@pytest.mark.parametrize("status", [0, 100, 199, 600])
def test_an_answer_has_a_status_that_ends_a_request(status: int) -> None:
    with pytest.raises(ValueError, match="200 to 599"):
        Answer(status)


@pytest.mark.parametrize(
    ("fault", "status", "content_type"),
    [
        (Answer(500), 500, "text/plain; charset=utf-8"),
        (Answer(401, headers={"WWW-Authenticate": "Bearer"}), 401, "text/plain; charset=utf-8"),
        (Answer(200, HTML, content_type="text/html"), 200, "text/html; charset=utf-8"),
        (Answer(302, headers={"Location": "/jwks"}), 302, "text/plain; charset=utf-8"),
        (Answer(200, "{}", content_type="application/json"), 200, "application/json"),
        (Answer(429, headers={"Retry-After": "7"}), 429, "text/plain; charset=utf-8"),
    ],
    ids=["500", "401", "HTML", "redirect", "empty object", "429"],
)
def test_another_answer_takes_the_place_of_the_right_one(
    own: DevServer, client: httpx2.Client, fault: Answer, status: int, content_type: str
) -> None:
    own.fault("/jwks", fault)
    reply = client.get("/jwks")
    assert (reply.status_code, reply.headers["content-type"], reply.text) == (status, content_type, fault.body)
    assert {name: reply.headers[name] for name in fault.headers} == fault.headers


def test_a_dropped_connection_ends_without_an_answer(
    own: DevServer, client: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    own.fault("/token", Drop())
    for _ in range(3):
        with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
            client.post("/token", data={"grant_type": "client_credentials"})
    assert caplog.records == []
    assert client.get("/jwks").status_code == 200


def test_a_slow_answer_is_the_right_one(own: DevServer, client: httpx2.Client) -> None:
    own.fault("/jwks", Slow(0.3))
    started = time.monotonic()
    assert client.get("/jwks").json() == own.jwks()
    assert time.monotonic() - started >= 0.3


def test_a_slow_endpoint_does_not_hold_up_others(own: DevServer, client: httpx2.Client) -> None:
    own.fault("/jwks", Slow(60))
    with pytest.raises(httpx2.ReadTimeout):
        client.get("/jwks", timeout=0.2)
    assert client.post("/dev/rotate", timeout=5).status_code == 200


@pytest.mark.parametrize("size", [1, 200_000])
def test_a_flood_is_at_least_as_large_as_ordered(own: DevServer, client: httpx2.Client, size: int) -> None:
    own.fault("/jwks", Flood(size))
    reply = client.get("/jwks")
    assert (reply.status_code, reply.json().keys()) == (200, {"x"})
    assert size <= len(reply.content) < size + 70_000


def test_a_flood_that_nobody_reads_does_no_harm(own: DevServer, client: httpx2.Client) -> None:
    own.fault("/jwks", Flood(50_000_000), calls=1)
    with client.stream("GET", "/jwks") as reply:
        next(reply.iter_raw())
    assert client.get("/jwks").json() == own.jwks()


@pytest.mark.parametrize("calls", [1, 3])
def test_a_fault_is_over_after_so_many_calls(own: DevServer, client: httpx2.Client, calls: int) -> None:
    own.fault("/jwks", Answer(503), calls=calls)
    statuses = [client.get("/jwks").status_code for _ in range(calls + 2)]
    assert statuses == [*[503] * calls, 200, 200]


def test_without_a_number_it_is_over_when_it_is_healed(own: DevServer, client: httpx2.Client) -> None:
    own.fault("/jwks", Answer(503))
    own.fault("/userinfo", Answer(503))
    assert [client.get("/jwks").status_code for _ in range(4)] == [503] * 4
    own.heal()
    assert [client.get(path).status_code for path in ("/jwks", "/userinfo")] == [200, 401]


def test_the_later_order_counts(own: DevServer, client: httpx2.Client) -> None:
    own.fault("/jwks", Answer(503))
    own.fault("/jwks", Answer(500), calls=1)
    assert [client.get("/jwks").status_code for _ in range(2)] == [500, 200]


def test_a_fault_is_of_one_path_and_of_all_its_methods(own: DevServer, client: httpx2.Client) -> None:
    own.fault("/github/applications/{client_id}/token", Answer(503))
    assert client.post("/github/applications/any/token").status_code == 503
    assert client.get("/github/applications/any/token").status_code == 503
    assert client.get("/github/user").status_code == 401


def test_failing_calls_are_counted_too(own: DevServer, client: httpx2.Client) -> None:
    own.fault("/jwks", Answer(500), calls=1)
    before = own.hits["/jwks"]
    client.get("/jwks")
    assert own.hits["/jwks"] == before + 1


def test_nothing_fails_that_was_not_ordered() -> None:
    faults = Faults(["/a", "/b"])
    fault: Fault = Drop()
    faults.order("/a", fault, calls=2)
    assert [faults.take("/b"), faults.take("/a"), faults.take("/a"), faults.take("/a")] == [None, fault, fault, None]
