from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oauth_rs.providers.issuers import MAX_ISSUER, AllowedIssuers, IssuedBy
from oauth_rs.providers.selection import Opaque, TokenPrefix, excluding
from tests.providers.presenting import presented, refused
from tests.support.costing import cost
from tests.support.issuing import ISSUER, Issuer, encode

BELOW = AllowedIssuers.of(["https://login.example.com/*"])
LABEL = AllowedIssuers.of(["https://*.example.com"])


# One issuer


def test_a_token_is_issued_by_the_issuer_it_names() -> None:
    assert IssuedBy(ISSUER).matches(presented(Issuer().token()))


@pytest.mark.parametrize(
    "iss", [ISSUER + "/", ISSUER.upper(), f"{ISSUER}.evil.example", "", None, [ISSUER], {ISSUER: 1}, 7, True], ids=str
)
def test_an_issuer_is_compared_to_the_letter(iss: Any) -> None:
    assert not IssuedBy(ISSUER).matches(presented(Issuer().token(iss=iss)))


@pytest.mark.parametrize(
    ("token", "reason"),
    [("opaque", "malformed_token"), (Issuer().sign({"alg": "ES256"}, encode(b"[]")), "malformed_claims")],
    ids=["opaque", "no object"],
)
@pytest.mark.parametrize("selector", [IssuedBy(ISSUER), BELOW], ids=["one", "several"])
def test_what_cannot_be_read_names_none_and_says_why(selector: Any, token: str, reason: str) -> None:
    with refused(reason):
        selector.matches(presented(token))


# Patterns


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.example.com/a",
        "https://login.example.com/a/b/v2.0",
        "https://login.example.com/a/",
        "https://login.example.com/8f2e-4c_~.x",
        "https://login.example.com/a:b=c,d(e)",
        "https://login.example.com/caf%C3%A9",
        "https://login.example.com/...",
        "https://login.example.com/.well",
    ],
)
def test_a_pattern_takes_in_every_path_below_it(issuer: str) -> None:
    assert BELOW.cover(issuer)


@pytest.mark.parametrize(
    "issuer",
    [
        # Not below it
        "https://login.example.com",
        "https://login.example.com/",
        # Another host
        "https://login.example.com.evil.example/a",
        "https://login.example.com.evil/a",
        "https://evil.example/login.example.com/a",
        "https://evil.example/https://login.example.com/a",
        "https://xlogin.example.com/a",
        "https://a.login.example.com/a",
        "https://example.com/a",
        "https://login.example.com:443/a",
        "https://login.example.com:8443/a",
        "https://login.example.com:/a",
        "https://login.example.com./a",
        "https://.login.example.com/a",
        "https://login..example.com/a",
        "https://127.0.0.1/a",
        "https://[::1]/a",
        # Users before the host
        "https://login.example.com@evil.example/a",
        "https://login.example.com:x@evil.example/a",
        "https://a@login.example.com/a",
        "https://@login.example.com/a",
        "https://login.example.com%40evil.example/a",
        # What two parsers read in two ways
        "https://login.example.com\\@evil.example/a",
        "https://login.example.com\\.evil.example/a",
        "https:\\\\login.example.com/a",
        "https://login.example.com/a\\b",
        "https://evil.example\\login.example.com/a",
        "https:/login.example.com/a",
        "https:login.example.com/a",
        "https:///login.example.com/a",
        "//login.example.com/a",
        "https://login.example.com//a",
        "https://login.example.com/a//b",
        "https://login.example.com/a//",
        "https://login.example.com/./a",
        "https://login.example.com/../a",
        "https://login.example.com/a/..",
        "https://login.example.com/a/.",
        "https://login.example.com/%2e%2e/a",
        "https://login.example.com/%2E/a",
        "https://login.example.com/a%2fb",
        "https://login.example.com/a%2Fb",
        "https://login.example.com/a%5cb",
        "https://login.example.com/a%5Cb",
        "https://login.example.com/%252e%252e/a",
        "https://login.example.com/a%00",
        "https://login.example.com/a%0d%0a",
        "https://login.example.com/a%7f",
        "https://login.example.com/a%",
        "https://login.example.com/a%4",
        "https://login.example.com/a%zz",
        "https://login.example.com/a;b",
        "https://login.example.com/a@b",
        "https://login.example.com/*",
        "https://*/a",
        # Queries and fragments
        "https://login.example.com/a?b",
        "https://login.example.com/a?",
        "https://login.example.com/a#b",
        "https://login.example.com/a#",
        "https://login.example.com?/a",
        "https://login.example.com#/a",
        # Other schemes and cases
        "http://login.example.com/a",
        "HTTPS://login.example.com/a",
        "https://LOGIN.example.com/a",
        "https://Login.Example.Com/a",
        "ftp://login.example.com/a",
        "javascript://login.example.com/a",
        # White space and controls
        " https://login.example.com/a",
        "https://login.example.com/a ",
        "https://login.example.com/a b",
        "https://login.example.com/a\n",
        "\thttps://login.example.com/a",
        "https://login.example.com/a\t",
        "https://login.example.com\r\n/a",
        "https://login.example.com/a\0",
        "https://login.example.com/a\x7f",
        # Look-alikes
        "https://login.example.com/caf\u00e9",
        "https://login\uff0eexample\uff0ecom/a",
        "https://login\u3002example.com/a",
        "https://login\u2024example.com/a",
        "https://login.ex\u0430mple.com/a",
        "https://login.example.com\u2215a",
        "https\uff1a//login.example.com/a",
        "https://login.example.com/\u202ea",
        "https://login.example.\u212aom/a",
        "https://login.example.com/a\ud800",
        # No text that is an issuer
        "",
        "https://",
        "https://login.example.com/" + "a" * MAX_ISSUER,
        None,
        7,
        True,
        ["https://login.example.com/a"],
        {"https://login.example.com/a": 1},
    ],
    ids=ascii,
)
def test_nothing_else_gets_past_it(issuer: Any) -> None:
    assert not BELOW.cover(issuer)


def test_an_issuer_may_be_as_long_as_it_may() -> None:
    stem = "https://login.example.com/"
    assert BELOW.cover(stem + "a" * (MAX_ISSUER - len(stem)))
    assert not BELOW.cover(stem + "a" * (MAX_ISSUER - len(stem) + 1))


@pytest.mark.parametrize(
    "issuer", ["https://a.example.com", "https://xn--caf-dma.example.com", "https://1-2.example.com"]
)
def test_a_label_may_be_any(issuer: str) -> None:
    assert LABEL.cover(issuer)


@pytest.mark.parametrize(
    "issuer",
    [
        "https://example.com",
        "https://.example.com",
        "https://a.b.example.com",
        "https://aexample.com",
        "https://a-example.com",
        "https://a.example.com/",
        "https://a.example.com/x",
        "https://a.example.com.evil.example",
        "https://a.example.comevil",
        "https://a.example.com.",
        "https://-a.example.com",
        "https://a-.example.com",
        "https://a_b.example.com",
        "https://*.example.com",
        "https://A.example.com",
        "https://evil.example#.example.com",
        "https://evil.example/.example.com",
        "https://evil.example\\.example.com",
        "https://evil.example@a.example.com",
        "https://evil.example%2f.example.com",
        "https://" + "a" * 64 + ".example.com",
    ],
)
def test_a_label_is_exactly_one(issuer: str) -> None:
    assert not LABEL.cover(issuer)


@pytest.mark.parametrize(
    ("pattern", "issuer", "expected"),
    [
        ("https://id.example.com", "https://id.example.com", True),
        ("https://id.example.com", "https://id.example.com/", False),
        ("https://id.example.com/", "https://id.example.com/", True),
        ("https://id.example.com/a", "https://id.example.com/a/b", False),
        ("https://id.example.com/a", "https://id.example.com/ab", False),
        ("https://id.example.com/a/*", "https://id.example.com/a/b", True),
        ("https://id.example.com/a/*", "https://id.example.com/ab", False),
        ("https://id.example.com/a/*", "https://id.example.com/a/", False),
        ("https://id.example.com:8443/*", "https://id.example.com:8443/a", True),
        ("https://id.example.com:8443/*", "https://id.example.com/a", False),
        ("https://id.example.com:8443/*", "https://id.example.com:08443/a", False),
        ("https://id.example.com:443", "https://id.example.com:443", True),
        ("https://*.example.com/", "https://a.example.com/", True),
        ("https://*.example.com/*", "https://a.example.com/b", True),
        ("https://*.example.com/*", "https://example.com/b", False),
        ("https://*.example.com:8443", "https://a.example.com:8443", True),
    ],
)
def test_the_rest_of_a_pattern_is_compared_to_the_letter(pattern: str, issuer: str, *, expected: bool) -> None:
    assert AllowedIssuers.of([pattern]).cover(issuer) is expected


def test_any_of_several_patterns_will_do() -> None:
    allowed = AllowedIssuers.of(["https://login.example.com/*", "https://*.example.com", "https://id.example"])
    tokens = [
        presented(Issuer(issuer=iss).token()) for iss in ("https://a.example.com", "https://id.example", ISSUER + "/")
    ]
    assert [allowed.matches(token) for token in tokens] == [True, True, False]


@given(st.text(st.sampled_from("https:/.@\\%2fe#?loginexamc*\u3002 "), max_size=60))
@example("https://login.example.com/%2e")
def test_what_is_taken_in_begins_as_the_pattern_does(issuer: str) -> None:
    for text in (issuer, f"https://login.example.com{issuer}", f"https://login.example.com/{issuer}"):
        if BELOW.cover(text):
            assert text.startswith("https://login.example.com/")
            assert not {"..", "."} & set(text.split("/"))
            assert "//" not in text[8:]


@pytest.mark.parametrize(
    "issuer", ["https://" + "a." * 250, "https://" + "a-" * 250, "https://a/" + "%2" * 250, "https://a/" + "/." * 250]
)
def test_what_is_no_issuer_takes_no_time(issuer: str) -> None:
    def look() -> None:
        for _ in range(100):
            assert not BELOW.cover(issuer[:MAX_ISSUER])

    assert cost(look) < 0.5


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "*", "https://*", "https://*.com", "https://*.localhost", "https://*/", "https://*.*.example.com"),
        *("https://a*.example.com", "https://a.*.example.com", "https://*example.com", "https://login.example.com*"),
        *("https://login.example.com/*/x", "https://login.example.com/a*", "https://login.example.com/**"),
        *("http://login.example.com/*", "https://LOGIN.example.com/*", "https://login.example.com:*/x"),
        *(
            "https://login.example.com/?*",
            "https://a@login.example.com/*",
            "login.example.com/*",
            "https://é.example/*",
        ),
        *("https://login.example.com//*", "https://login.example.com/../*", "https:///*", "https://[::1]/*"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="or an issuer as its tokens spell it"):
        AllowedIssuers.of([pattern])


def test_an_allow_list_is_a_list_of_one_pattern_or_more() -> None:
    with pytest.raises(ValueError, match="at least one"):
        AllowedIssuers.of([])
    with pytest.raises(TypeError, match="is a list"):
        AllowedIssuers.of("https://login.example.com/*")


# What excludes what


@pytest.mark.parametrize(
    ("patterns", "issuer", "excludes"),
    [
        (["https://login.example.com/*"], "https://login.example.com/a", False),
        (["https://login.example.com/*"], "https://login.example.com", True),
        (["https://login.example.com/*"], "urn:issuer", True),
        (["https://*.example.com"], "https://id.example.com", False),
        (["https://*.example.com"], "https://id.example.com/", True),
        (["https://x.example", "https://id.example.com"], "https://id.example.com", False),
    ],
)
def test_a_list_excludes_the_issuers_that_are_not_on_it(patterns: list[str], issuer: str, *, excludes: bool) -> None:
    assert excluding(AllowedIssuers.of(patterns), IssuedBy(issuer)) is excludes
    assert excluding(IssuedBy(issuer), AllowedIssuers.of(patterns)) is excludes


@pytest.mark.parametrize(
    ("one", "other", "overlaps"),
    [
        ("https://a.example.com", "https://a.example.com", True),
        ("https://a.example.com", "https://b.example.com", False),
        ("https://a.example.com", "https://a.example.com/", False),
        ("https://a.example.com", "https://a.example.com:8443", False),
        ("https://a.example.com", "https://*.example.com", True),
        ("https://a.b.example.com", "https://*.example.com", False),
        ("https://*.example.com", "https://*.example.com", True),
        ("https://*.example.com", "https://*.b.example.com", False),
        ("https://*.example.com", "https://*.example.com/*", False),
        ("https://a.example.com/*", "https://a.example.com/*", True),
        ("https://a.example.com/*", "https://a.example.com/b/*", True),
        ("https://a.example.com/b/*", "https://a.example.com/c/*", False),
        ("https://a.example.com/b/*", "https://a.example.com/bc/*", False),
        ("https://a.example.com/*", "https://a.example.com/b", True),
        ("https://a.example.com/*", "https://a.example.com/", False),
        ("https://a.example.com/b/*", "https://a.example.com/b", False),
        ("https://*.example.com/*", "https://a.example.com/b/*", True),
    ],
)
def test_two_lists_exclude_each_other_when_no_issuer_is_on_both(one: str, other: str, *, overlaps: bool) -> None:
    lists = AllowedIssuers.of(["https://x.example", one]), AllowedIssuers.of([other, "https://y.example"])
    assert excluding(*lists) is not overlaps
    assert excluding(*lists[::-1]) is not overlaps


def test_what_is_no_jwt_names_no_issuer() -> None:
    assert excluding(BELOW, Opaque())
    assert not excluding(BELOW, TokenPrefix("pt_"))


@pytest.mark.parametrize("allow", [5, None, [5], ["https://a.example.com", None]])
def test_what_is_allowed_is_a_list_of_texts(allow: Any) -> None:
    with pytest.raises(TypeError, match=r"allow (is a list|lists texts)"):
        AllowedIssuers.of(allow)
