import socket
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
from anyio.lowlevel import checkpoint
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from oauth_rs.devserver.serving import DROP, Address

APP = PlainTextResponse("here")


def get(url: str) -> httpx2.Response:
    return httpx2.get(url, trust_env=False)


def threads() -> int:
    """Those of servers: the workers of other servers come and go."""
    return sum(thread.name == "oauth_rs devserver" for thread in threading.enumerate())


@pytest.fixture
def address() -> Iterator[Address]:
    address = Address("127.0.0.1", 0)
    yield address
    address.stop()


def test_nobody_else_gets_the_port_once_it_is_taken(address: Address) -> None:
    with pytest.raises(OSError, match="in use"):
        Address("127.0.0.1", int(address.url.rpartition(":")[2]))


def test_an_address_that_was_never_started_gives_its_port_back(address: Address) -> None:
    address.stop()
    with socket.create_server(("127.0.0.1", int(address.url.rpartition(":")[2]))):
        pass


def test_a_stopped_address_refuses_connections_and_leaves_no_thread(address: Address) -> None:
    before = threads()
    address.start(APP)
    assert get(address.url).text == "here"
    assert threads() == before + 1
    address.stop()
    assert threads() == before
    with pytest.raises(httpx2.ConnectError):
        get(address.url)


def test_a_started_address_has_the_port_it_had(address: Address) -> None:
    before = address.url
    address.start(APP)
    address.stop()
    address.start(APP)
    assert (address.url, get(before).text) == (before, "here")


def test_starting_and_stopping_twice_changes_nothing(address: Address) -> None:
    address.start(APP)
    address.start(APP)
    assert get(address.url).text == "here"
    address.stop()
    address.stop()


def test_a_stalled_request_and_an_idle_connection_do_not_keep_it_from_stopping(address: Address) -> None:
    address.start(APP)
    with httpx2.Client(trust_env=False) as idle:
        idle.get(address.url)
        with socket.create_connection(("127.0.0.1", int(address.url.rpartition(":")[2]))) as stalled:
            stalled.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
            get(address.url)
            started = time.monotonic()
            address.stop()
    assert time.monotonic() - started < 5


def test_the_application_may_end_a_connection_without_an_answer(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    async def drops(scope: Scope, _receive: Receive, _send: Send) -> None:
        scope["extensions"][DROP]["drop"]()
        await checkpoint()

    address.start(drops)
    for _ in range(3):
        with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
            get(address.url)
    assert caplog.records == []


def test_an_ipv6_address_is_written_in_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    address = Address("::1", 0)
    try:
        address.start(APP)
        assert address.url.startswith("http://[::1]:")
        assert get(address.url).text == "here"
    finally:
        address.stop()
