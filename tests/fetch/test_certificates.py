"""What one fetch may have of its own: a certificate to show, less time, and what it has in common with others."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from oauth_rs.errors import Unavailable
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.flow import Certificate, Fetch, Reply
from tests.support.misbehaving import silent, slowly
from tests.support.serving import ScriptedServer, serving
from tests.support.trusting import certificate_of, demanding, trusting

Get = Callable[[HTTPSettings, Fetch], Reply]


def blocking(settings: HTTPSettings, fetch: Fetch) -> Reply:
    return BlockingHTTP(settings).fetch(fetch)


def awaiting(settings: HTTPSettings, fetch: Fetch) -> Reply:
    return anyio.run(AwaitingHTTP(settings).fetch, fetch)


each_way = pytest.mark.parametrize("get", [blocking, awaiting])


@contextmanager
def demanding_server(ca: trustme.CA) -> Iterator[ScriptedServer]:
    with serving(demanding(ca)) as server:
        server.answers["/"] = b"{}"
        yield server


@each_way
def test_a_certificate_is_shown_by_the_fetch_that_has_it_and_by_no_other(get: Get, tmp_path: Path) -> None:
    ca = trustme.CA()
    settings, certificate = trusting(ca), certificate_of(ca, tmp_path)
    with demanding_server(ca) as server:
        assert get(settings, Fetch("GET", f"{server.url}/", certificate=certificate)).status == 200
        with pytest.raises(Unavailable, match="fetch_failed"):
            get(settings, Fetch("GET", f"{server.url}/"))
        assert server.hits["/"] == 1


@each_way
def test_a_server_is_checked_where_a_certificate_is_shown_too(get: Get, tmp_path: Path) -> None:
    ca, certificate = trustme.CA(), certificate_of(trustme.CA(), tmp_path)
    with demanding_server(ca) as server:
        for settings in (trusting(trustme.CA()), HTTPSettings()):
            with pytest.raises(Unavailable, match="fetch_failed"):
                get(settings, Fetch("GET", f"{server.url}/", certificate=certificate))
        assert not server.hits


def strict(ca: trustme.CA, **changes: Any) -> HTTPSettings:
    """Settings that trust `ca`, with `changes` to each TLS context."""

    def tls() -> ssl.SSLContext:
        context = ssl.create_default_context()
        ca.configure_trust(context)
        for name, value in changes.items():
            setattr(context, name, value)
        return context

    return HTTPSettings(tls=tls)


@each_way
@pytest.mark.parametrize(
    "changes",
    [{"minimum_version": ssl.TLSVersion.TLSv1_3}, {"verify_flags": ssl.VERIFY_CRL_CHECK_LEAF}],
    ids=["version", "revocation lists"],
)
def test_what_is_asked_of_a_server_is_asked_where_a_certificate_is_shown_too(
    get: Get, changes: dict[str, Any], tmp_path: Path
) -> None:
    ca = trustme.CA()
    old = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(old)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    certificate = certificate_of(ca, tmp_path)
    with serving(lambda listening: old.wrap_socket(listening, server_side=True)) as server:
        server.answers["/"] = b"{}"
        assert get(strict(ca), Fetch("GET", f"{server.url}/", certificate=certificate)).status == 200
        for shown in (certificate, None):
            with pytest.raises(Unavailable, match="fetch_failed"):
                get(strict(ca, **changes), Fetch("GET", f"{server.url}/", certificate=shown))


def test_the_context_of_a_certificate_is_made_once(tmp_path: Path) -> None:
    ca = trustme.CA()
    settings, certificate = trusting(ca), certificate_of(ca, tmp_path)
    fetch = Fetch("GET", "https://id.example.com", certificate=certificate)
    assert settings._context(fetch) is settings._context(fetch)
    assert settings._context(fetch) is not settings._context(Fetch("GET", "https://id.example.com"))


@each_way
def test_a_fetch_may_have_less_time_than_the_settings_allow(get: Get, web: ScriptedServer) -> None:
    web.answers["/"] = silent
    with pytest.raises(Unavailable, match="fetch_timeout"):
        get(HTTPSettings(timeout=30), Fetch("GET", f"{web.url}/", timeout=0.1))


@each_way
def test_a_fetch_never_has_more_time_than_the_settings_allow(get: Get, web: ScriptedServer) -> None:
    web.answers["/"] = silent
    with pytest.raises(Unavailable, match="fetch_timeout"):
        get(HTTPSettings(timeout=0.1), Fetch("GET", f"{web.url}/", timeout=30))


def test_fetches_that_differ_by_the_letter_share_an_answer_where_they_say_so(web: ScriptedServer) -> None:
    web.answers["/"] = slowly(b"{}", 0.1)
    http = AwaitingHTTP(HTTPSettings())

    async def ask() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(http.fetch, Fetch("POST", f"{web.url}/", body=b"%d" % number, flight=b"one"))
            tasks.start_soon(http.fetch, Fetch("POST", f"{web.url}/", body=b"other", flight=b"other"))

    anyio.run(ask)
    assert web.hits["/"] == 2


def test_neither_headers_nor_body_nor_passwords_are_shown() -> None:
    certificate = Certificate("chain.pem", "key.pem", "passw0rd")
    shown = repr(
        Fetch(
            "POST",
            "https://id.example.com",
            (("Authorization", "Basic s3cret"),),
            b"token=s3cret",
            flight=b"s3cret",
            certificate=certificate,
        )
    )
    assert "s3cret" not in shown
    assert "passw0rd" not in shown
