from typing import Any

import pytest

from oauth_rs.public_paths import PublicPaths, is_ambiguous, is_preflight
from tests.support.playing import PlainRequest

PUBLIC = PublicPaths(["/health", "/docs/*", "/a/b"])
ASKS = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize(
    "path", ["/health", "/a/b", "/docs/", "/docs/index.html", "/docs/a/b/c", "/docs/.well-known/x"]
)
def test_what_is_listed_is_public(path: str) -> None:
    assert PUBLIC.cover(path)


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "health", "/health/", "/healthy", "/Health", "/health/x", "//health", "/x/health", "/health?x"),
        *("/docs", "/docsx", "/Docs/x", "/doc/s", "/x/docs/", "/a", "/a/", "/a/b/c", "/photos"),
    ],
)
def test_nothing_else_is_public(path: str) -> None:
    assert not PUBLIC.cover(path)


@pytest.mark.parametrize(
    "path",
    [
        *("/docs/../photos", "/docs/..", "/docs/.", "/docs/./x", "/docs/a/../../photos", "/docs/a/.."),
        *(
            "/docs//photos",
            "//docs/x",
            "/docs/a//b",
            "/docs/..\\photos",
            "/docs/\\..\\photos",
            "/docs\\x",
            "/docs/a\\b",
        ),
        *(
            "/docs/%2e%2e/photos",
            "/docs/%2E./photos",
            "/docs/..%2fphotos",
            "/docs/..%3b/photos",
            "/docs/..%3B/photos",
            "/docs/..%00",
            "/docs/a%0D%0a",
            "/docs/%7f",
            "/docs/%2Fphotos",
            "/docs/a%5c..",
            "/docs/%5C",
        ),
        *("/docs/\x00", "/docs/a\nb", "/docs/a\r", "/docs/\x7f", "/docs/a\tb", "/docs/..\n"),
    ],
)
def test_a_path_that_may_be_read_in_two_ways_is_not_public(path: str) -> None:
    assert not PUBLIC.cover(path)


def test_dots_inside_a_segment_are_harmless() -> None:
    assert PUBLIC.cover("/docs/a..b/.../c.html")


@pytest.mark.parametrize("path", ["/docs/100%", "/docs/a%20b", "/docs/%252e", "/docs/%2"])
def test_percent_signs_that_hide_no_dot_or_slash_are_harmless(path: str) -> None:
    assert PUBLIC.cover(path)


def test_all_paths_can_be_public_and_none() -> None:
    assert PublicPaths(["/*"]).cover("/photos/1")
    assert not PublicPaths(["/*"]).cover("//photos")
    assert not PublicPaths([]).cover("/")


@pytest.mark.parametrize(
    "pattern", ["", "*", "health", "docs/*", "/docs*", "/*/x", "/a/*/b", "/**", "/docs/**", "**/x"]
)
def test_what_is_not_a_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a public path"):
        PublicPaths(["/health", pattern])


def test_a_single_string_is_not_a_list_of_patterns() -> None:
    with pytest.raises(ValueError, match="is not a public path"):
        PublicPaths("/health")


def test_a_preflight_is_recognised() -> None:
    assert is_preflight(PlainRequest("OPTIONS", headers=ASKS))


@pytest.mark.parametrize(
    ("method", "names"),
    [
        *((method, list(ASKS)) for method in ("GET", "POST", "options", "HEAD", "TRACE")),
        ("OPTIONS", []),
        ("OPTIONS", ["Origin"]),
        ("OPTIONS", ["Access-Control-Request-Method"]),
    ],
)
def test_nothing_else_is_a_preflight(method: str, names: list[str]) -> None:
    assert not is_preflight(PlainRequest(method, headers={name: ASKS[name] for name in names}))


HOSTS = PublicPaths(["/health", "//sandbox.example.com/*", "//Api.Example.com:8443/docs/*", "//[::1]:81/x"])


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("", "/health"),
        ("anything.example", "/health"),
        ("sandbox.example.com", "/photos/1"),
        ("sandbox.example.com", "/"),
        ("api.example.com:8443", "/docs/x"),
        ("[::1]:81", "/x"),
    ],
)
def test_a_pattern_with_a_host_holds_there_and_the_others_everywhere(host: str, path: str) -> None:
    assert HOSTS.cover(path, host)


@pytest.mark.parametrize(
    ("host", "path"),
    [
        *(("", "/photos"), ("", "/docs/x"), ("api.example.com", "/docs/x"), ("api.example.com:8443", "/photos")),
        *(
            ("sandbox.example.com:8443", "/photos"),
            ("sandbox.example.com.", "/photos"),
            ("x.sandbox.example.com", "/photos"),
        ),
        *(("sandbox.example.com.evil.example", "/x"), ("evilsandbox.example.com", "/x"), ("example.com", "/x")),
        *(("SANDBOX.example.com", "/x"), ("sandbox.example.com@evil.example", "/x"), ("*", "/x")),
        *(("sandbox.example.com", "/../x"), ("sandbox.example.com", "//photos"), ("sandbox.example.com", "/a;b")),
    ],
)
def test_nothing_is_public_at_another_host(host: str, path: str) -> None:
    assert not HOSTS.cover(path, host)


def test_the_paths_of_patterns_are_known_without_their_hosts() -> None:
    assert HOSTS.paths == ("/health", "/*", "/docs/*", "/x")
    assert PUBLIC.paths == ("/health", "/docs/*", "/a/b")


def test_the_hosts_that_patterns_name_are_known() -> None:
    assert set(HOSTS.hosts) == {"sandbox.example.com", "api.example.com:8443", "[::1]:81"}
    assert not PUBLIC.hosts


@pytest.mark.parametrize(
    "pattern",
    [
        *("//", "///", "///x", "//sandbox.example.com", "//*", "//*/x", "//*.example.com/x", "//a b/x", "//a@b/x"),
        *("//a:/x", "//a:0/x", "//a:b/x", "//b\u00fccher.example/x", "//a\\b/x", "//[::1/x", "//a?b/x", "//a#b/x"),
        *("//a/x*", "//a/*/b", "//a//x", "//a/**", "/a//*/b"),
    ],
)
def test_a_host_that_can_never_be_asked_for_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a public path"):
        PublicPaths([pattern])


@pytest.mark.parametrize("name", ["Authorization", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_what_no_browser_sends_ahead_is_no_preflight(name: str) -> None:
    assert not is_preflight(PlainRequest("OPTIONS", headers={**ASKS, name: "DELETE"}))


@pytest.mark.parametrize(
    "path",
    ["", "/", "/a", "/a/", "/a.b/c..d", "/.well-known/x", "/...", "/a/...", "/\u2025/x", "/a:b@c=d,e"],
)
def test_an_ordinary_path_is_read_in_one_way(path: str) -> None:
    assert not is_ambiguous(path)


@pytest.mark.parametrize(
    "path",
    [
        *("//", "/a//", "/.", "/..", "/./", "/../", "/a/.", "/a/..", "/a/./b", "/a/../b", "/;", "/a;b", "\\", "/a\\"),
        *("/\x00", "/\x1f", "/\x7f", "/\n", "/a/..\n"),
    ],
)
def test_a_path_that_is_read_in_two_ways_is_known(path: str) -> None:
    assert is_ambiguous(path)


@pytest.mark.parametrize("pattern", [1, None, b"/a", ["/a"]])
def test_a_pattern_is_text(pattern: Any) -> None:
    with pytest.raises(TypeError, match="public is a list of paths, as"):
        PublicPaths(["/health", pattern])


@pytest.mark.parametrize("pattern", ["//api.example.com:443/health", "//api.example.com:80/*", "//[::1]:443/x"])
def test_a_default_port_is_never_in_a_host_and_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="leave the default port out"):
        PublicPaths([pattern])


@pytest.mark.parametrize("pattern", ["/photos/<id>", "/photos/<int:id>/x", "/photos/{id}", "//a/{id}/*"])
def test_a_variable_is_no_public_path(pattern: str) -> None:
    with pytest.raises(ValueError, match="has a variable, and public paths have none"):
        PublicPaths([pattern])


@pytest.mark.parametrize(
    ("patterns", "everything"), [(["/"], False), (["/docs/*"], False), (["//a/*"], False), (["/", "/*"], True)]
)
def test_everything_is_public_below_the_root_alone(patterns: list[str], everything: bool) -> None:  # noqa: FBT001
    assert PublicPaths(patterns).cover_everything is everything
