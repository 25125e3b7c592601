import pytest

from oauth_rs.policy import PublicPaths, is_preflight
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
        *("/docs/\x00", "/docs/a\nb", "/docs/a\r", "/docs/\x7f", "/docs/a\tb", "/docs/..\n"),
    ],
)
def test_a_path_that_may_be_read_in_two_ways_is_not_public(path: str) -> None:
    assert not PUBLIC.cover(path)


def test_dots_inside_a_segment_are_harmless() -> None:
    assert PUBLIC.cover("/docs/a..b/.../c.html")


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
