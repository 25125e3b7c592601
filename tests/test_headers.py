import pytest

from oauth_rs.headers import challenge, is_form, is_name, is_one_token, private_cache_control, quotable, split_scheme
from tests.support.playing import PlainRequest

Headers = list[tuple[str, str]]


@pytest.mark.parametrize(
    ("value", "scheme", "credentials"),
    [
        (b"Bearer abc", b"bearer", b"abc"),
        (b"bEaReR abc", b"bearer", b"abc"),
        (b"Bearer   abc", b"bearer", b"abc"),
        (b"Bearer", b"bearer", b""),
        (b"Bearer ", b"bearer", b""),
        (b"", b"", b""),
        (b" Bearer abc", b"", b"Bearer abc"),
        (b"Bearer\tabc", b"bearer\tabc", b""),
        (b"Bearer \tabc", b"bearer", b"\tabc"),
        (b"Bearer\x0babc", b"bearer\x0babc", b""),
        (b"Bearer\xa0abc", b"bearer\xa0abc", b""),
        (b"Bearer,abc", b"bearer,abc", b""),
        (b"Bearer abc def", b"bearer", b"abc def"),
        (b"Bearer abc ", b"bearer", b"abc "),
    ],
)
def test_only_spaces_part_the_scheme_from_its_credentials(value: bytes, scheme: bytes, credentials: bytes) -> None:
    assert split_scheme(value) == (scheme, credentials)


@pytest.mark.parametrize("token", [b"a", b"abc.def.ghi", b"A-Z_~+/=", b"mF_9.B5f-4.1JqM", b"a==", b"a;b", b"="])
def test_what_can_be_one_token_is_left_to_its_reader(token: bytes) -> None:
    assert is_one_token(token)


@pytest.mark.parametrize("token", [b"", b"a b", b" a", b"a ", b"a,b", b"a, b", b",", b"a\tb", b"\xc3\xa9", b"a\xff"])
def test_what_cannot_be_one_token_is_told_apart(token: bytes) -> None:
    assert not is_one_token(token)


@pytest.mark.parametrize("name", ["Bearer", "X-API-Key", "a", "0", "!#$%&'*+.^_`|~-"])
def test_a_token_of_http_can_name_a_header_or_a_scheme(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:", "a,b", "a;b", 'a"', "a/b", "(a)", "a=b", "a@b", "[a]", "{a}", "a\b", "a\n", "\xe9"]
)
def test_nothing_else_can(name: str) -> None:
    assert not is_name(name)


FORM = ("Content-Type", "application/x-www-form-urlencoded")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS", "post"])
@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-UrlEncoded",
        "application/x-www-form-urlencoded;charset=UTF-8",
        "application/x-www-form-urlencoded ; charset=iso-8859-1",
        " application/x-www-form-urlencoded\t",
        "application/x-www-form-urlencoded;",
    ],
)
def test_a_form_is_told_by_its_type_alone(method: str, content_type: str) -> None:
    assert is_form(PlainRequest(method, headers=[("Content-Type", content_type)]))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "")],
        [("Content-Type", "application/json")],
        [("Content-Type", "multipart/form-data; boundary=a")],
        [("Content-Type", "text/plain; application/x-www-form-urlencoded")],
        [("Content-Type", "application/x-www-form-urlencoded2")],
        [("Content-Type", "xapplication/x-www-form-urlencoded")],
        [("Content-Type", "application/x-www-form-urlencoded, text/plain")],
        [("Content-Type", "text/plain,application/x-www-form-urlencoded")],
        [("Content-Type", "application/x-www-form-urlencod\xe9d")],
        [FORM, FORM],
        [FORM, ("Content-Type", "text/plain")],
        [FORM, ("Content-Encoding", "gzip")],
        [FORM, ("Content-Encoding", "identity")],
        [FORM, ("Content-Encoding", "")],
        [("Accept", FORM[1])],
    ],
    ids=str,
)
def test_what_may_be_read_in_two_ways_is_no_form(headers: Headers) -> None:
    assert not is_form(PlainRequest("POST", headers=headers))


def test_a_challenge_quotes_the_parameters_that_are_set() -> None:
    parameters = [("realm", ""), ("error", "invalid_token"), ("scope", "a b"), ("error_uri", "")]
    assert challenge("Bearer", parameters) == 'Bearer error="invalid_token", scope="a b"'


def test_a_challenge_without_parameters_is_the_bare_scheme() -> None:
    assert challenge("Bearer", []) == "Bearer"
    assert challenge("DPoP", [("realm", ""), ("error", "")]) == "DPoP"


@pytest.mark.parametrize("scheme", ["", "Be arer", "Bearer,", "Bearer\r\n", 'B"', "B\u00e9arer", "B/1"])
def test_a_challenge_has_the_name_of_a_scheme(scheme: str) -> None:
    with pytest.raises(ValueError, match="is not the name of an authentication scheme"):
        challenge(scheme, [])


FORBIDDEN = ['say "hi"', "back\\slash", "line\nbreak", "\r\nSet-Cookie: a=b", "tab\t", "nul\x00", "\x7f", "caf\u00e9"]


@pytest.mark.parametrize("value", FORBIDDEN)
def test_a_challenge_refuses_what_would_end_its_quotes(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a challenge"):
        challenge("Bearer", [("realm", value)])


@pytest.mark.parametrize("value", FORBIDDEN)
def test_what_rfc_6750_forbids_is_not_quotable(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a challenge"):
        quotable(value)


def test_what_rfc_6750_allows_is_quotable_as_it_is() -> None:
    allowed = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\')
    assert quotable(allowed) == allowed
    assert quotable("") == ""


TYPE = ("Content-Type", "text/plain")


@pytest.mark.parametrize(
    ("headers", "marked"),
    [
        ([], [("Cache-Control", "private")]),
        ([TYPE], [TYPE, ("Cache-Control", "private")]),
        ([("cache-control", "public, max-age=600"), TYPE], [TYPE, ("Cache-Control", "private")]),
        ([("Cache-Control", 'private="set-cookie"')], [("Cache-Control", "private")]),
        ([("Cache-Control", "x-private, not-no-store")], [("Cache-Control", "private")]),
        ([("CACHE-CONTROL", "No-Store")], [("CACHE-CONTROL", "No-Store")]),
        ([("Cache-Control", "max-age=5 , private")], [("Cache-Control", "max-age=5 , private")]),
        ([("Cache-Control", "public"), ("Cache-Control", "no-store")], [("Cache-Control", "no-store")]),
        ([("Cache-Control", "no-store"), ("Cache-Control", "public")], [("Cache-Control", "no-store")]),
    ],
)
def test_no_shared_cache_may_keep_a_marked_response(headers: Headers, marked: Headers) -> None:
    assert private_cache_control(headers) == marked


def test_what_is_stricter_than_private_is_kept_beside_it() -> None:
    headers = [("Cache-Control", "private"), TYPE, ("Cache-Control", "no-store")]
    assert private_cache_control(headers) == headers


@pytest.mark.parametrize(
    "name",
    ["CDN-Cache-Control", "cloudflare-cdn-cache-control", "Surrogate-Control", "Edge-Control", "X-Accel-Expires"],
)
@pytest.mark.parametrize("said", ["private", "no-store"])
def test_what_shared_caches_obey_in_place_of_cache_control_is_taken_out(name: str, said: str) -> None:
    expires = ("Expires", "Sun, 29 Nov 2026 12:00:00 GMT")
    headers = [(name, "max-age=600"), expires, ("Cache-Control", said)]
    assert private_cache_control(headers) == headers[1:]
