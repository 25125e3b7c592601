"""What one fetch may have of its own: a certificate to show, less time, and what it has in common with others."""

import logging
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from oauth_rs.errors import Unavailable
from oauth_rs.fetch import HTTPSettings
from oauth_rs.fetch.awaiting import AwaitingHTTP
from oauth_rs.fetch.blocking import BlockingHTTP
from oauth_rs.fetch.certificates import RETRY_SECONDS, ShownCertificate
from oauth_rs.flow import Certificate, Fetch, Reply
from oauth_rs.quiet import MINUTE
from tests.support.misbehaving import silent, slowly
from tests.support.playing import FakeClock
from tests.support.serving import ScriptedServer, serving
from tests.support.trusting import certificate_of, demanding, encrypt, trusting

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


@each_way
def test_a_context_that_cannot_be_copied_shows_no_certificate(
    get: Get, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ca = trustme.CA()
    context = ssl.create_default_context()
    ca.configure_trust(context)
    settings, certificate = HTTPSettings(tls=context), certificate_of(ca, tmp_path)
    with serving() as plain, demanding_server(ca) as server:
        plain.answers["/"] = b"{}"
        assert get(settings, Fetch("GET", f"{plain.url}/")).status == 200
        with pytest.raises(Unavailable, match="fetch_failed"):
            get(settings, Fetch("GET", f"{server.url}/", certificate=certificate))
    assert "tls is a function that makes a TLS context" in caplog.text


def test_the_context_of_a_certificate_is_made_once(tmp_path: Path) -> None:
    ca = trustme.CA()
    settings, certificate = trusting(ca), certificate_of(ca, tmp_path)
    fetch = Fetch("GET", "https://id.example.com", certificate=certificate)
    assert settings._context(fetch) is settings._context(fetch)
    assert settings._context(fetch) is not settings._context(Fetch("GET", "https://id.example.com"))


# Renewal


@each_way
def test_a_renewed_certificate_is_shown_from_the_next_fetch_on(get: Get, tmp_path: Path) -> None:
    ca = trustme.CA()
    units: list[tuple[str, str]] = []

    def answer(handler: Any) -> None:
        units.extend(pair for pairs in handler.connection.getpeercert()["subject"] for pair in pairs)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    settings = trusting(ca)
    with serving(demanding(ca)) as server:
        server.answers["/"] = answer
        for unit in ("old", "new"):
            certificate = certificate_of(ca, tmp_path, unit=unit)
            assert get(settings, Fetch("GET", f"{server.url}/", certificate=certificate)).status == 200
    assert [value for name, value in units if name == "organizationalUnitName"] == ["old", "new"]


@each_way
def test_files_that_are_not_there_are_no_answer_and_a_record(
    get: Get, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = Certificate(f"{tmp_path}/chain.pem", f"{tmp_path}/key.pem")
    settings, fetch = HTTPSettings(), Fetch("GET", "https://127.0.0.1:9/", certificate=certificate)
    for _ in range(3):
        with pytest.raises(Unavailable, match="fetch_failed"):
            get(settings, fetch)
    ((_, level, said),) = caplog.record_tuples
    assert level == logging.ERROR
    assert re.fullmatch(r"configuration: .*chain\.pem .*key\.pem cannot be used: .*No such file.*", said)


class Shown:
    """A certificate in `folder` as it is shown, and how often it was loaded."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.folder, self.clock, self.loaded = trustme.CA(), folder, FakeClock(), 0
        self.trust: Path | None = None
        self.certificate = certificate_of(self.ca, folder)
        self.shown = ShownCertificate(self._make, self.certificate, monotonic=self.clock)

    def _make(self) -> ssl.SSLContext:
        self.loaded += 1
        return ssl.create_default_context(cafile=self.trust)

    def renew(self) -> None:
        certificate_of(self.ca, self.folder)


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    return Shown(tmp_path)


def test_files_that_do_not_change_are_loaded_once(shown: Shown) -> None:
    first = shown.shown.context()
    shown.clock.pass_seconds(1e6)
    assert first is not None
    assert shown.shown.context() is first
    assert shown.loaded == 1


def test_until_both_files_are_renewed_the_pair_before_is_shown(
    shown: Shown, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, key = shown.shown.context(), (tmp_path / "key.pem").read_bytes()
    shown.renew()
    new = (tmp_path / "key.pem").read_bytes()
    (tmp_path / "key.pem").write_bytes(key)
    for _ in range(3):
        assert shown.shown.context() is first
    ((_, level, said),) = caplog.record_tuples
    assert level == logging.WARNING
    assert said.startswith("configuration: ")
    assert shown.loaded == 2
    (tmp_path / "key.pem").write_bytes(new)
    assert shown.shown.context() not in {first, None}
    assert len(caplog.records) == 1


@pytest.mark.parametrize("name", ["chain.pem", "key.pem"])
def test_a_pair_outlives_its_files_and_each_loss_is_told_once(
    shown: Shown, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for losses in (1, 2):
        last = shown.shown.context()
        (tmp_path / name).unlink()
        for _ in range(3):
            assert shown.shown.context() is last
            shown.clock.pass_seconds(MINUTE)
        assert [record.levelno for record in caplog.records] == [logging.WARNING] * losses
        shown.renew()
        assert shown.shown.context() is not last


def test_files_that_never_were_good_are_told_of_once_a_minute(
    shown: Shown, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "key.pem").write_text("nothing")
    for _ in range(3):
        assert shown.shown.context() is None
    assert shown.loaded == 1
    shown.clock.pass_seconds(MINUTE)
    assert shown.shown.context() is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    shown.renew()
    assert shown.shown.context() is not None


class Overtaken(ssl.SSLContext):
    """Once it has loaded a certificate, `meanwhile` comes about, as in another thread."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def load_cert_chain(self, *files: Any) -> None:
        super().load_cert_chain(*files)
        self.meanwhile()


def test_who_loads_the_old_files_last_does_not_keep_them(shown: Shown) -> None:
    contexts = iter([Overtaken(ssl.PROTOCOL_TLS_CLIENT) for _ in range(3)])
    certificate = ShownCertificate(lambda: next(contexts), shown.certificate)

    def renewed() -> None:
        Overtaken.meanwhile = staticmethod(lambda: None)
        shown.renew()
        certificate.context()

    Overtaken.meanwhile = staticmethod(renewed)
    old = certificate.context()
    assert certificate.context() is not old


def test_what_is_wrong_beside_the_files_is_tried_again(shown: Shown) -> None:
    shown.trust = Path("/nowhere/ca.pem")
    assert shown.shown.context() is None
    shown.trust = None
    assert shown.shown.context() is None
    shown.clock.pass_seconds(RETRY_SECONDS)
    assert shown.shown.context() is not None


@pytest.mark.parametrize(("password", "good"), [("passw0rd", True), ("wrong", False), ("", False), (None, False)])
def test_the_password_of_a_key_is_never_asked_for(
    shown: Shown, password: str | None, good: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encrypt(tmp_path / "key.pem", "passw0rd")
    certificate = replace(shown.certificate, password=password)
    context = ShownCertificate(ssl.create_default_context, certificate).context()
    assert (context is not None) is good
    assert not password or password not in caplog.text


def test_a_path_that_no_file_can_have_is_none_that_is_there() -> None:
    assert ShownCertificate(ssl.create_default_context, Certificate("a\0b", "a\0b")).context() is None


# What else a fetch may have of its own


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
