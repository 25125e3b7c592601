import hashlib
from base64 import b64decode, b64encode
from typing import Any

import pytest

from oauth_rs.errors import InvalidToken
from oauth_rs.mac_string import target_of
from oauth_rs.schemes.mac_drafts import MAX_SIGNED_HEADERS, Draft00, Draft02, Draft05, Profile, profile_of
from oauth_rs.signature_methods import SignatureMethod
from tests.support.macs import HOST, NOW, request
from tests.support.playing import PlainRequest

SHA1, SHA256 = SignatureMethod.HMAC_SHA1, SignatureMethod.HMAC_SHA256
ALL: tuple[Profile, ...] = (Draft00(), Draft02(), Draft05())
F00 = {"id": "k1", "nonce": "60:n1", "mac": "m"}
F02 = {"id": "k1", "ts": str(NOW), "nonce": "n1", "mac": "m"}
F05 = {"kid": "k1", "ts": str(NOW), "mac": "m"}
ROOT = request(path="/")
MANY = ":".join(f"h{number}" for number in range(MAX_SIGNED_HEADERS + 1))


def strings(profile: Profile, fields: dict[str, str], sent: PlainRequest) -> list[str]:
    return profile.strings(fields, target_of(sent, f"https://{HOST}{sent.path}"), sent)


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(InvalidToken) as caught:
        call(*arguments)
    return caught.value.reason


# Which draft


@pytest.mark.parametrize(("fields", "kind"), [(F00, Draft00), (F02, Draft02), (F05, Draft05)])
def test_the_attributes_tell_the_draft(fields: dict[str, str], kind: type) -> None:
    assert isinstance(profile_of(fields, ALL), kind)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        *({name: value for name, value in F00.items() if name != left_out} for left_out in F00),
        *({name: value for name, value in F02.items() if name not in {left_out, "ts"}} for left_out in F00),
        *({name: value for name, value in F05.items() if name != left_out} for left_out in F05),
        *({**F02, name: ""} for name in F02),
        {**F05, "kid": ""},
        {"ts": "1", "mac": "m"},
    ],
    ids=str,
)
def test_no_needed_attribute_may_be_missing_or_empty(fields: dict[str, str]) -> None:
    assert refused(profile_of, fields, ALL) == "missing_attribute"


@pytest.mark.parametrize(
    "fields",
    [
        {**F00, "h": "host"},
        {**F00, "access_token": "a.b.c"},
        {**F02, "bodyhash": "x"},
        {**F02, "seq-nr": "1"},
        {**F02, "realm": "photos"},
        {**F05, "id": "k1"},
        {**F05, "nonce": "n1"},
        {**F05, "ext": ""},
    ],
    ids=str,
)
def test_an_attribute_that_nothing_covers_is_refused(fields: dict[str, str]) -> None:
    assert refused(profile_of, fields, ALL) == "unknown_attribute"


@pytest.mark.parametrize("fields", [F00, F02, F05], ids=str)
def test_a_draft_that_is_not_configured_is_refused(fields: dict[str, str]) -> None:
    others = [profile for profile in ALL if not isinstance(profile, type(profile_of(fields, ALL)))]
    assert refused(profile_of, fields, others) == "draft_not_accepted"


@pytest.mark.parametrize(
    ("make", "mistake"),
    [
        (lambda: Draft00(body_hash="always"), ValueError),  # type: ignore[arg-type]
        (lambda: Draft00(body_hash=True), ValueError),  # type: ignore[arg-type]
        (lambda: Draft02(ext_body_hash="md5"), ValueError),  # type: ignore[arg-type]
        (lambda: Draft02(ext_body_hash=""), ValueError),  # type: ignore[arg-type]
        (lambda: Draft05(required="host"), TypeError),
    ],
)
def test_options_that_mean_nothing_are_mistakes(make: Any, mistake: type[Exception]) -> None:
    with pytest.raises(mistake):
        make()


# When it was signed


@pytest.mark.parametrize(("nonce", "age"), [("0:x", 0), ("264095:dj83hs9s", 264095), ("120.53:nonce:x", 120.53)])
def test_the_nonce_of_00_begins_with_an_age(nonce: str, age: float) -> None:
    assert Draft00().signed_at({**F00, "nonce": nonce}) == age


@pytest.mark.parametrize(
    "nonce",
    ["dj83hs9s", "60", "60:", ":x", "-1:x", "+1:x", "1e3:x", "1.:x", ".5:x", "1_0:x", " 1:x", "inf:x", "nan:x",
     "\u0661:x", "\uff11:x", "1234567890123:x", "1.1234567890123:x", "1.2.3:x", "0x1:x"],
)  # fmt: skip
def test_a_nonce_without_an_age_is_refused(nonce: str) -> None:
    assert refused(Draft00().signed_at, {**F00, "nonce": nonce}) == "malformed_mac"


@pytest.mark.parametrize(
    ("ts", "signed_at"),
    [("0", 0), ("1361471629", 1361471629), ("99999999999", 99999999999), ("1361471629123", 1361471629.123)],
)
def test_a_time_stamp_of_05_is_in_seconds_or_milliseconds(ts: str, signed_at: float) -> None:
    assert Draft05().signed_at({**F05, "ts": ts}) == signed_at


def test_a_time_stamp_of_02_is_in_seconds() -> None:
    assert Draft02().signed_at({**F02, "ts": "1361471629123"}) == 1361471629123


@pytest.mark.parametrize(
    "ts", ["x", "-1", "+1", "1.0", "1e9", "1_0", " 1", "0x1", "\u0661", "\uff11", "\u00b2", "1" * 16, "9" * 5000]
)
@pytest.mark.parametrize("profile", [Draft02(), Draft05()], ids=repr)
def test_a_time_stamp_is_a_short_row_of_ascii_digits(profile: Draft02 | Draft05, ts: str) -> None:
    assert refused(profile.signed_at, {**F05, "ts": ts}) == "malformed_mac"


# What was signed


def test_00_signs_seven_lines() -> None:
    fields = {**F00, "bodyhash": "BH", "ext": "a,b"}
    sent = request("post", query=b"a=1")
    assert strings(Draft00(), fields, sent) == [f"60:n1\nPOST\n/photos?a=1\n{HOST}\n443\nBH\na,b\n"]


def test_02_signs_seven_lines() -> None:
    sent = request(query=b"a=1")
    assert strings(Draft02(), F02, sent) == [f"{NOW}\nn1\nGET\n/photos?a=1\n{HOST}\n443\n\n"]


def test_the_query_may_be_left_out_of_02() -> None:
    sent = request(path="/", query=b"a=1")
    assert strings(Draft02(sign_query=False), F02, sent) == [
        f"{NOW}\nn1\nGET\n/\n{HOST}\n443\n\n",
        f"{NOW}\nn1\nGET\n\n{HOST}\n443\n\n",
    ]


@pytest.mark.parametrize(("profile", "fields"), [(Draft00(), F00), (Draft02(), F02)], ids=["-00", "-02"])
def test_a_root_and_a_host_may_each_have_been_signed_in_two_ways(profile: Profile, fields: dict[str, str]) -> None:
    sent = request(path="/", query=b"a=1", host="API.example.com:443")
    found = [string.split("\n") for string in strings(profile, fields, sent)]
    at = found[0].index("GET")
    assert [(lines[at + 1], lines[at + 2]) for lines in found] == [
        ("/?a=1", HOST),
        ("/?a=1", "API.example.com"),
        ("?a=1", HOST),
        ("?a=1", "API.example.com"),
    ]
    assert {lines[at + 3] for lines in found} == {"443"}


def test_05_signs_the_host_alone_when_no_header_is_named() -> None:
    assert strings(Draft05(), F05, request()) == [
        f"GET /photos HTTP/1.1\n{HOST}\n{NOW}\n",
        f"GET /photos HTTP/1.1\n{NOW}\n{HOST}\n",
    ]


def test_05_signs_headers_as_named_without_those_that_are_absent() -> None:
    sent = request("GET", "/photos", ("X-A", " 1\t"), ("x-a", "2"), ("X-C", "3"), host="API.example.com")
    found = strings(Draft05(), {**F05, "h": "X-c:host:x-b:x-a", "seq-nr": "7"}, sent)
    assert [string.split("\n")[1:-1] for string in found] == [
        ["3", "api.example.com", "1\t, 2", str(NOW), "7"],
        ["3", "API.example.com", "1\t, 2", str(NOW), "7"],
        [str(NOW), "7", "3", "api.example.com", "1\t, 2"],
        [str(NOW), "7", "3", "API.example.com", "1\t, 2"],
    ]


def test_05_signs_the_external_host_whatever_a_proxy_made_of_it() -> None:
    assert strings(Draft05(), F05, request(host="10.0.0.1:8000"))[0].split("\n")[1] == HOST


@pytest.mark.parametrize(
    "names",
    ["host:", ":host", "host::date", "host,date", "host date", "host:content_type", "host:x.y", "host:\u00e9",
     "host:host", "host:Host", "host:authorization", "Authorization:host", MANY],
)  # fmt: skip
def test_names_that_are_no_list_of_headers_are_refused(names: str) -> None:
    assert refused(strings, Draft05(required=()), {**F05, "h": names}, request()) == "malformed_mac"


@pytest.mark.parametrize("value", ["", "x", "-1", "1.0", "\u0661", "1" * 21])
def test_a_sequence_number_is_a_short_row_of_ascii_digits(value: str) -> None:
    assert refused(strings, Draft05(), {**F05, "seq-nr": value}, request()) == "malformed_mac"


@pytest.mark.parametrize("value", ["1800000000", "1800000000000", "00000000001", "a\nb"])
def test_a_header_that_could_pass_for_another_line_cannot_be_signed(value: str) -> None:
    sent = request("GET", "/photos", ("X-Expires", value))
    assert refused(strings, Draft05(), {**F05, "h": "host:x-expires"}, sent) == "malformed_mac"


def test_a_channel_binding_is_refused_because_it_cannot_be_checked() -> None:
    assert refused(strings, Draft05(), {**F05, "cb": ""}, request()) == "channel_binding"


@pytest.mark.parametrize("names", ["", "date", "host", "host:date", "content-digest"])
def test_what_must_be_covered_must_be_named_and_there(names: str) -> None:
    with_digest = request("POST", "/photos", ("Content-Digest", "x"))
    profile = Draft05(required=["Host", "content-digest"])
    assert refused(strings, profile, {**F05, "h": names}, with_digest) == "not_covered"
    assert refused(strings, profile, {**F05, "h": "host:content-digest"}, request()) == "not_covered"


def test_a_server_may_demand_that_nothing_is_covered() -> None:
    assert strings(Draft05(required=()), {**F05, "h": ""}, request())[0] == f"GET /photos HTTP/1.1\n{NOW}\n"


@pytest.mark.parametrize(
    ("profile", "fields", "expected"),
    [(Draft00(), F00, ("60:n1",)), (Draft02(), F02, (str(NOW), "n1")), (Draft05(), F05, ("m",))],
)
def test_requests_are_told_apart_by_what_is_signed(
    profile: Profile, fields: dict[str, str], expected: tuple[str, ...]
) -> None:
    assert profile.once(fields) == expected


# Which body


BODY = b"hello=world%21"
BODY_HASH = "k9kbtCIy0CkI3/FEfpS/oIDjk6k="  # draft -00, its second example
JSON = ("Content-Type", "application/json")
SHA1_OF_BODY = b64decode(BODY_HASH).hex()
EXT = hashlib.sha256(b"application/json" + BODY).hexdigest()
DIGEST = f"sha-256=:{b64encode(hashlib.sha256(BODY).digest()).decode()}:"


@pytest.mark.parametrize(
    ("profile", "fields", "sent", "covered"),
    [
        (Draft00(), F00, ROOT, False),
        (Draft00(), {**F00, "bodyhash": ""}, ROOT, True),
        (Draft00(body_hash="required"), F00, ROOT, True),
        (Draft02(), {**F02, "ext": EXT}, ROOT, False),
        (Draft02(ext_body_hash="sha-1"), F02, ROOT, True),
        (Draft05(), F05, request("POST", "/", ("Digest", "x")), False),
        (Draft05(), {**F05, "h": "host:content-digest"}, ROOT, False),
        (Draft05(), {**F05, "h": "content-digest"}, request("POST", "/", ("Content-Digest", "x")), True),
        (Draft05(), {**F05, "h": "digest"}, request("POST", "/", ("Digest", "x")), True),
    ],
)
def test_a_body_is_read_only_where_something_covers_it(
    profile: Profile, fields: dict[str, str], sent: PlainRequest, *, covered: bool
) -> None:
    assert profile.covers_body(fields, sent) is covered


@pytest.mark.parametrize(
    ("profile", "fields", "sent", "body"),
    [
        (Draft00(), {**F00, "bodyhash": BODY_HASH}, ROOT, BODY),
        (Draft00(), {**F00, "bodyhash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="}, ROOT, b""),
        (Draft00(body_hash="required"), F00, ROOT, b""),
        (Draft02(ext_body_hash="sha-256"), {**F02, "ext": EXT}, request("POST", "/", JSON), BODY),
        (Draft02(ext_body_hash="sha-256"), {**F02, "ext": EXT.upper()}, request("POST", "/", JSON), BODY),
        (Draft02(ext_body_hash="sha-1"), {**F02, "ext": SHA1_OF_BODY}, ROOT, BODY),
        (Draft02(ext_body_hash="sha-1"), F02, ROOT, b""),
        (Draft05(), {**F05, "h": "host:content-digest"}, request("POST", "/", ("Content-Digest", DIGEST)), BODY),
    ],
)
def test_the_signed_body_is_let_through(
    profile: Profile, fields: dict[str, str], sent: PlainRequest, body: bytes
) -> None:
    profile.check_body(fields, sent, body, SHA1)


@pytest.mark.parametrize(
    ("profile", "fields", "sent", "reason"),
    [
        (Draft00(), {**F00, "bodyhash": "x"}, ROOT, "bad_body_hash"),
        (Draft00(), {**F00, "bodyhash": BODY_HASH[:-2] + "l="}, ROOT, "bad_body_hash"),
        (Draft00(body_hash="required"), F00, ROOT, "no_body_hash"),
        (Draft00(body_hash="required"), {**F00, "bodyhash": ""}, ROOT, "no_body_hash"),
        (Draft02(ext_body_hash="sha-256"), {**F02, "ext": EXT}, ROOT, "bad_body_hash"),
        (Draft02(ext_body_hash="sha-1"), {**F02, "ext": EXT}, request("POST", "/", JSON), "bad_body_hash"),
        (Draft02(ext_body_hash="sha-256"), {**F02, "ext": "a,b,c"}, request("POST", "/", JSON), "bad_body_hash"),
        (Draft02(ext_body_hash="sha-256"), F02, request("POST", "/", JSON), "no_body_hash"),
        (
            Draft05(),
            {**F05, "h": "host:content-digest"},
            request("POST", "/", ("Content-Digest", "sha-256=:AAAA:")),
            "bad_body_hash",
        ),
        (
            Draft05(),
            {**F05, "h": "content-digest:digest"},
            request("POST", "/", ("Content-Digest", DIGEST), ("Digest", "SHA-256=AAAA")),
            "bad_body_hash",
        ),
    ],
)
def test_another_body_is_refused(profile: Profile, fields: dict[str, str], sent: PlainRequest, reason: str) -> None:
    assert refused(profile.check_body, fields, sent, BODY, SHA1) == reason


def test_the_hash_of_a_body_of_00_is_that_of_the_mac() -> None:
    assert refused(Draft00().check_body, {**F00, "bodyhash": BODY_HASH}, ROOT, BODY, SHA256) == "bad_body_hash"
