from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs import DirectURL, FixedURL, ForwardedURL, InvalidRequest
from oauth_rs.providers.presented import Presented
from oauth_rs.providers.request_selection import InHeader, OnHost, UnderPath, WithHeader, WithoutHeader
from oauth_rs.providers.selection import Selector, excluding
from oauth_rs.public_paths import is_ambiguous
from tests.providers.presenting import URL, presented
from tests.support.playing import PlainRequest


def sent(*headers: tuple[str, str]) -> Presented:
    return Presented(b"t1", b"", PlainRequest(headers=headers), URL)


# The place of the token


def test_a_token_in_the_header_is_recognised() -> None:
    assert InHeader("X-Partner-Token").matches(sent(("x-partner-token", "t1")))
    assert InHeader("Authorization").matches(sent(("Authorization", "Bearer t1")))
    assert InHeader("authorization").matches(sent(("Authorization", "Bearer   t1")))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer t1")],
        [("X-Partner-Token", "t2")],
        [("X-Partner-Token", "t1 ")],
        [("X-Partner-Token", "T1")],
        [("X-Partner-Token", "Bearer t1")],
        [("X-Partner-Token", "t1"), ("X-Partner-Token", "t1")],
        [("X-Partner-Token", "t1,t1")],
        [("X-Partner-Tokens", "t1")],
        [("X_Partner_Token", "t1")],
    ],
    ids=str,
)
def test_a_token_that_stands_elsewhere_is_not(headers: list[tuple[str, str]]) -> None:
    assert not InHeader("X-Partner-Token").matches(sent(*headers))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer t2")],
        [("Authorization", "Bearer xt1")],
        [("Authorization", "t1")],
        [("Authorization", "Bearer t1"), ("Authorization", "Bearer t1")],
        [("Access-Token", "t1")],
    ],
    ids=str,
)
def test_a_token_that_is_not_in_authorization_is_not(headers: list[tuple[str, str]]) -> None:
    assert not InHeader("Authorization").matches(sent(*headers))


# Other headers


def test_a_header_with_the_value_is_recognised() -> None:
    assert WithHeader("X-Environment", "sandbox").matches(sent(("x-environment", "sandbox")))
    assert WithoutHeader("X-Environment").matches(sent(("X-Other", "sandbox")))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Environment", "")],
        [("X-Environment", "Sandbox")],
        [("X-Environment", " sandbox")],
        [("X-Environment", "sandbox,live")],
        [("X-Environment", "sandbox2")],
        [("X-Environment", "sandbox"), ("X-Environment", "sandbox")],
        [("X-Environment", "sandbox"), ("X-Environment", "live")],
        [("X-Environment", "sandb\xf6x")],
    ],
    ids=str,
)
def test_another_value_or_several_are_not(headers: list[tuple[str, str]]) -> None:
    assert not WithHeader("X-Environment", "sandbox").matches(sent(*headers))


@pytest.mark.parametrize("value", ["", "sandbox", "live"])
def test_a_header_of_any_value_is_there(value: str) -> None:
    assert not WithoutHeader("x-environment").matches(sent(("X-Environment", value)))


@pytest.mark.parametrize("name", ["", "X Environment", "X-Umgebung-ä", "X:", "X\r\nY"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    for make in (InHeader, WithoutHeader, lambda name: WithHeader(name, "sandbox")):
        with pytest.raises(ValueError, match="is not the name of a header"):
            make(name)


@pytest.mark.parametrize("value", ["", " ", " sandbox", "sandbox ", "a\r\nb", "é", "a\tb"])
def test_a_value_that_no_header_has_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="is no value of a header"):
        WithHeader("X-Environment", value)


# The host


@pytest.mark.parametrize("host", ["sandbox.api.example.com", "SANDBOX.api.Example.com", "sandbox.api.example.com:443"])
def test_a_request_to_the_host_is_recognised(host: str) -> None:
    assert OnHost("Sandbox.API.example.com").matches(presented("t1", headers={"Host": host}))


@pytest.mark.parametrize("host", ["api.example.com", "other.example.com:8443"])
def test_a_request_to_another_host_is_not(host: str) -> None:
    assert not OnHost("sandbox.api.example.com").matches(presented("t1", headers={"Host": host}))


def test_a_port_is_part_of_the_host() -> None:
    assert OnHost("other.example.com:8443").matches(presented("t1", headers={"Host": "other.example.com:8443"}))


@pytest.mark.parametrize(
    "host", ["evil.example", "sandbox.api.example.com.evil.example", "sandbox.api.example.com:8080", "", "a@b"]
)
def test_a_host_that_is_not_served_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest):
        OnHost("sandbox.api.example.com").matches(presented("t1", headers={"Host": host}))


def test_the_host_is_the_one_that_the_url_of_the_server_says() -> None:
    fixed = FixedURL("https://sandbox.api.example.com/v1")
    assert OnHost("sandbox.api.example.com").matches(presented("t1", url=fixed, headers={"Host": "evil.example"}))
    proxied = ForwardedURL(proxies=["192.0.2.1"], hosts=["sandbox.api.example.com", "api.example.com"])
    spoofed = {"X-Forwarded-Host": "sandbox.api.example.com"}
    assert OnHost("sandbox.api.example.com").matches(presented("t1", url=proxied, headers=spoofed))
    assert not OnHost("sandbox.api.example.com").matches(
        presented("t1", url=proxied, headers=spoofed, peer="198.51.100.1")
    )


def test_where_clients_can_name_any_host_nothing_is_told_by_it() -> None:
    with pytest.raises(RuntimeError, match="needs url="):
        OnHost("api.example.com").matches(presented("t1", url=DirectURL()))


@pytest.mark.parametrize("host", ["", "a/b", "https://api.example.com", "a b", "é", "a:99999", "*.example.com"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="is no Host"):
        OnHost(host)


@pytest.mark.parametrize("host", ["api.example.com:443", "api.example.com:80"])
def test_a_default_port_is_left_out(host: str) -> None:
    with pytest.raises(ValueError, match="leave the default port out"):
        OnHost(host)


# The path


@pytest.mark.parametrize("path", ["/sandbox/", "/sandbox/photos", "/sandbox/a/b"])
def test_a_path_below_is_recognised(path: str) -> None:
    assert UnderPath("/sandbox/*").matches(presented("t1", path=path))


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/sandbox", "/sandboxes/1", "/Sandbox/1", "/live/sandbox/1", "sandbox/1", ""),
        *("/sandbox/../live/1", "/sandbox/./1", "/sandbox//1", "/sandbox/..", "/sandbox/..;/live", "/sandbox/a;b"),
        *("/sandbox\\1", "/sandbox/a\\..\\b", "/sandbox/\0", "/sandbox/a\n", "//sandbox/1", "/./sandbox/1"),
    ],
)
def test_another_path_and_one_that_can_be_read_in_two_ways_are_not(path: str) -> None:
    assert not UnderPath("/sandbox/*").matches(presented("t1", path=path))


def test_a_path_alone_is_recognised_to_the_letter() -> None:
    assert UnderPath("/sandbox").matches(presented("t1", path="/sandbox"))
    assert not UnderPath("/sandbox").matches(presented("t1", path="/sandbox/"))


@given(st.text(st.sampled_from("/.;\\asb"), max_size=12))
def test_no_ambiguous_path_is_ever_below(rest: str) -> None:
    path = f"/sandbox/{rest}"
    assert UnderPath("/sandbox/*").matches(presented("t1", path=path)) is not is_ambiguous(path)


@pytest.mark.parametrize("path", ["", "sandbox/*", "/sand*", "/*/x", "/sandbox/**"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a public path"):
        UnderPath(path)


def test_a_host_is_not_part_of_a_path() -> None:
    with pytest.raises(ValueError, match="names a host"):
        UnderPath("//sandbox.example.com/*")


# What excludes what


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (InHeader("Authorization"), InHeader("X-Partner-Token")),
        (WithHeader("X-Environment", "sandbox"), WithHeader("x-environment", "live")),
        (WithHeader("X-Environment", "sandbox"), WithoutHeader("x-environment")),
        (OnHost("a.example"), OnHost("b.example")),
        (OnHost("a.example"), OnHost("a.example:8443")),
        (UnderPath("/live/*"), UnderPath("/sandbox/*")),
        (UnderPath("/live/*"), UnderPath("/live")),
        (UnderPath("/a"), UnderPath("/b")),
    ],
    ids=str,
)
def test_these_exclude_each_other(one: Selector, other: Selector) -> None:
    assert excluding(one, other)
    assert excluding(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (InHeader("X-Partner-Token"), InHeader("x-partner-token")),
        (InHeader("X-Partner-Token"), WithoutHeader("X-Partner-Token")),
        (WithHeader("X-Environment", "sandbox"), WithHeader("X-Environment", "sandbox")),
        (WithHeader("X-Environment", "sandbox"), WithHeader("X-Other", "live")),
        (WithHeader("X-Environment", "sandbox"), WithoutHeader("X-Other")),
        (WithoutHeader("X-Environment"), WithoutHeader("X-Environment")),
        (OnHost("a.example"), OnHost("A.example")),
        (OnHost("a.example"), UnderPath("/a")),
        (UnderPath("/*"), UnderPath("/sandbox/*")),
        (UnderPath("/a/*"), UnderPath("/a/b/*")),
        (UnderPath("/a/*"), UnderPath("/a/b")),
        (UnderPath("/a/*"), UnderPath("/a/")),
        (UnderPath("/a"), UnderPath("/a")),
    ],
    ids=str,
)
def test_these_may_both_be_met(one: Selector, other: Selector) -> None:
    assert not excluding(one, other)
    assert not excluding(other, one)


def test_selectors_are_values() -> None:
    made: list[Any] = [InHeader("A"), WithHeader("A", "b"), WithoutHeader("A"), OnHost("A"), UnderPath("/a")]
    again: list[Any] = [InHeader("a"), WithHeader("a", "b"), WithoutHeader("a"), OnHost("a"), UnderPath("/a")]
    assert made == again
    assert len({*made, *again}) == len(made)
