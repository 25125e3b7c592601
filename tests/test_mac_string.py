import hashlib
import hmac
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.errors import InvalidRequest, InvalidToken
from oauth_rs.mac_string import (
    MAX_HEADER_BYTES,
    attributes,
    body_hash,
    digest_matches,
    mac_of,
    same,
    string_00,
    string_02,
    string_05,
    target_of,
)
from oauth_rs.signature_methods import SignatureMethod
from tests.support.playing import PlainRequest

SHA1, SHA256 = SignatureMethod.HMAC_SHA1, SignatureMethod.HMAC_SHA256
KEY = "489dks293j39"
TARGET = "/resource/1?b=1&a=2"
AT = {"host": "example.com", "port": "80"}
HELLO = "k9kbtCIy0CkI3/FEfpS/oIDjk6k="
LONG_TARGET = "/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q"


def refused(credentials: bytes) -> str:
    with pytest.raises(InvalidToken) as caught:
        attributes(credentials)
    return caught.value.reason


# What is signed


@pytest.mark.parametrize(
    ("key", "string", "expected"),
    [
        (KEY, string_00(nonce="264095:dj83hs9s", method="GET", target=TARGET, **AT), "SLDJd4mg43cjQfElUs3Qub4L6xE="),
        (
            "8yfrufh348h",
            string_00(nonce="273156:di3hvdf8", method="post", target="/request", bodyhash=HELLO, **AT),
            "W7bdMZbv9UWOTadASIQHagZyirA=",
        ),
        (
            KEY,
            string_00(
                nonce="264095:7d8f3e4a",
                method="GET",
                target=LONG_TARGET,
                bodyhash="Lve95gjOVATpfV8EL5X4nxwjKHE=",
                ext="a,b,c",
                **AT,
            ),
            "Z3C2DojEopRDIC88/imW8Ez853g=",
        ),
        (
            KEY,
            string_02(ts="1336363200", nonce="dj83hs9s", method="GET", target=TARGET, **AT),
            "6T3zZzy2Emppni6bzL7kdRxUWL4=",
        ),
        (
            KEY,
            string_02(ts="264095", nonce="7d8f3e4a", method="POST", target=LONG_TARGET, ext="a,b,c", **AT),
            "+txL5oOFHGYjrfdNYH5VEzROaBY=",
        ),
    ],
    ids=["-00", "-00 bodyhash", "-00 ext", "-01", "-01 ext"],
)
def test_the_macs_of_the_drafts_and_their_implementers_come_out(key: str, string: str, expected: str) -> None:
    # draft -00 and draft-ietf-oauth-v2-http-mac-01 section 1.1 with the value of five implementations, rack-oauth2
    assert mac_of(SHA1, key, string) == expected
    assert mac_of(SHA1, key.encode(), string) == expected


def test_the_mac_of_a_payment_service_comes_out() -> None:
    # rack-oauth2, the example of a wallet API
    string = string_02(
        ts="1336363200",
        nonce="dj83hs9s",
        method="GET",
        target="/wallet/rest/api/v1/payment/123",
        host="www.webtopay.com",
        port="443",
    )
    expected = "OZE9fTk2qiRtL1jb01L8lRxC66PTiAGhMDEmboeVeLs="
    assert mac_of(SHA256, "IrdTc8uQodU7PRpLzzLTW6wqZAO6tAMU", string) == expected


def test_the_mac_of_a_conference_server_comes_out() -> None:
    # BigBlueButton, in the order of the prose of -05
    string = string_05(
        ts="1431102122",
        method="POST",
        target="/bigbluebutton/api/v1/meeting/Demo%20Meeting?running=false",
        values=["dev.bigbluebutton.org", "SHA-256=XS+iykWgp5hI3MSy0/yIsvf7Z/iajin9w+A/HOd5VLo=", "application/json"],
    )
    assert mac_of(SHA256, "6b3701cbbedb4ba88b79920d8c2955f2", string) == "+p0UNFXe+1Z0E6yLxhAz+LfYUO0EG9z6o/hN1ZgAIe4="


def test_the_string_of_the_example_of_05_has_its_time_stamp_first() -> None:
    given = {"ts": "1361471629", "method": "POST", "target": LONG_TARGET, "values": ["example.com"]}
    line = f"POST {LONG_TARGET} HTTP/1.1"
    assert string_05(**given, ts_first=True) == f"{line}\n1361471629\nexample.com\n"  # type: ignore[arg-type]
    assert string_05(**given) == f"{line}\nexample.com\n1361471629\n"  # type: ignore[arg-type]


def test_a_sequence_number_follows_the_time_stamp() -> None:
    given: dict[str, Any] = {"ts": "1", "method": "GET", "target": "/", "values": ["h"], "seq_nr": "7"}
    assert string_05(**given) == "GET / HTTP/1.1\nh\n1\n7\n"
    assert string_05(**given, ts_first=True) == "GET / HTTP/1.1\n1\n7\nh\n"


def test_the_result_that_01_prints_is_not_that_of_its_own_example() -> None:
    string = string_02(ts="1336363200", nonce="dj83hs9s", method="GET", target=TARGET, **AT)
    assert mac_of(SHA1, KEY, string) != "bhCQXTVyfj5cmA9uKkPFx1zeOXM="


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        (SHA1, b"hello=world%21", HELLO),
        (SHA1, b"Hello World!", "Lve95gjOVATpfV8EL5X4nxwjKHE="),
        (SHA256, b"", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    ],
)
def test_a_body_is_hashed_under_the_hash_of_the_mac(method: SignatureMethod, body: bytes, expected: str) -> None:
    assert body_hash(method, body) == expected


def test_bytes_are_signed_as_they_came() -> None:
    expected = b64encode(hmac.digest(b"k", b"/\xc3\xa9", "sha256")).decode()
    assert mac_of(SHA256, "k", "/\xc3\xa9") == expected


@pytest.mark.parametrize("other", ["", "SLDJd4mg43cjQfElUs3Qub4L6xE", "SLDJd4mg43cjQfElUs3Qub4L6xF=", "é", "Ω"])
def test_only_the_same_text_is_the_same_mac(other: str) -> None:
    # The third decodes to the same bytes: its last character has stray bits.
    assert same("SLDJd4mg43cjQfElUs3Qub4L6xE=", "SLDJd4mg43cjQfElUs3Qub4L6xE=")
    assert not same(other, "SLDJd4mg43cjQfElUs3Qub4L6xE=")


# Attributes


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        (b'id="a", nonce="b"', {"id": "a", "nonce": "b"}),
        (b'nonce="b",id="a"', {"id": "a", "nonce": "b"}),
        (b"ID=a , Ts=1", {"id": "a", "ts": "1"}),
        (b'id = "a"\t,\tmac\t=\t"b="', {"id": "a", "mac": "b="}),
        (b'ext="a,b, c=d ;x"', {"ext": "a,b, c=d ;x"}),
        (b"mac=SLDJ+/==,ts=1", {"mac": "SLDJ+/==", "ts": "1"}),
        (b'ext="",id="a"', {"ext": "", "id": "a"}),
        (b' , id="a",, ts=1 ,', {"id": "a", "ts": "1"}),
        (b'seq-nr="5", access_token="a.b.c"', {"seq-nr": "5", "access_token": "a.b.c"}),
        (b"", {}),
    ],
    ids=str,
)
def test_attributes_are_read_in_any_order_and_spelling(credentials: bytes, expected: dict[str, str]) -> None:
    assert attributes(credentials) == expected


@pytest.mark.parametrize(
    "credentials",
    [
        b"id",
        b"=",
        b'="a"',
        b"id=",
        b"id=,ts=1",
        b'id="a',
        b'id=a"',
        b'id="a"b',
        b'id="a" ts="1"',
        b'id="a";ts="1"',
        b'id="a\\"b"',
        b"id=a\\b",
        b"id='a', x",
        b'id="\xc3\xa9"',
        b"id=\xff",
        b'id="a\x00"',
        b'id="a\nb"',
        b'id="a"\n',
        b'id="a"\r\n, ts="1"',
        b'id="a\tb"',
        b"Bearer a.b.c",
        b'id="a", MAC id="b"',
        b'i d="a"',
        b'1d="a"',
        '\u0131d="a"'.encode(),
    ],
    ids=str,
)
def test_what_is_no_list_of_attributes_is_refused(credentials: bytes) -> None:
    assert refused(credentials) == "malformed_mac"


@pytest.mark.parametrize("credentials", [b'id="a",id="a"', b'id="a",ID="b"', b'mac="a",ts="1",mac=""'], ids=str)
def test_an_attribute_is_there_once(credentials: bytes) -> None:
    assert refused(credentials) == "repeated_attribute"


@pytest.mark.parametrize(
    ("name", "longest"),
    [("id", 16_300), ("access_token", 16_300), ("kid", 512), ("nonce", 512), ("ext", 4096), ("h", 1024), ("mac", 128)],
)
def test_attributes_have_a_greatest_length(name: str, longest: int) -> None:
    assert len(attributes(f'{name}="{"a" * longest}"'.encode())[name]) == longest
    assert (
        refused(f'{name}="{"a" * (longest + 1 if longest < 16_000 else MAX_HEADER_BYTES)}"'.encode()) == "malformed_mac"
    )


PIECES = st.sampled_from([b'id="', b'"', b"=", b",", b" ", b"a", b"\\", b"\n", b"\xff", b"mac=", b"\x00"])


@settings(deadline=None)
@given(st.lists(PIECES).map(b"".join) | st.binary())
def test_no_header_raises_anything_but_a_refusal(credentials: bytes) -> None:
    try:
        found = attributes(credentials)
    except InvalidToken as error:
        assert error.reason in {"malformed_mac", "repeated_attribute"}  # noqa: PT017 - anything else fails by itself
    else:
        assert all(value.isascii() and value.isprintable() for value in found.values())


# Digests of the body


def digest(name: str, body: bytes) -> str:
    return b64encode(hashlib.new(name, body).digest()).decode()


S256, S512 = digest("sha256", b"body"), digest("sha512", b"body")


@pytest.mark.parametrize(
    "value",
    [
        f"sha-256=:{S256}:",
        f"sha-512=:{S512}:",
        f"sha-512=:{S512}:, sha-256=:{S256}:",
        f"unixsum=:AAAA:,sha-256=:{S256}:",
        f"SHA-256={S256}",
        f"md5=HUXZLQLMuI/KZ5KDcJPcOA==,SHA-512={S512}",
    ],
)
def test_a_digest_of_the_body_matches(value: str) -> None:
    assert digest_matches(value, b"body")


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "=",
        "sha-256",
        "sha-256=",
        "sha-256=::",
        S256,
        f"sha-256=:{S512}:",
        f"sha-256=:{digest('sha256', b'other')}:",
        f"sha-256=:{S256[:-1]}:",
        f"sha-256=:{S256}:, sha-512=:{S256}:",
        f"sha-256=:{S256}:, sha-256=:{S256}:",
        f"sha-256=:{digest('sha256', b'other')}:, SHA-256=:{S256}:",
        f"sha=:{digest('sha1', b'body')}:",
        "md5=HUXZLQLMuI/KZ5KDcJPcOA==",
        f"sha-256=:{S256}\xe9:",
        f"sha256=:{S256}:",
    ],
)
def test_any_other_digest_does_not_match(value: str) -> None:
    assert not digest_matches(value, b"body")


# Where a request went


@pytest.mark.parametrize(
    ("url", "host", "hosts", "names", "port"),
    [
        ("https://example.com/a", "example.com", ("example.com",), ["example.com"], "443"),
        ("http://example.com/a", "example.com:80", ("example.com", "example.com:80"), ["example.com"], "80"),
        ("ws://example.com/a", "example.com", ("example.com",), ["example.com"], "80"),
        ("wss://example.com:443/a", "example.com", ("example.com",), ["example.com"], "443"),
        ("https://example.com:8443/a", "example.com:8443", ("example.com:8443",), ["example.com"], "8443"),
        ("https://example.com/a", "Example.COM", ("example.com", "Example.COM"), ["example.com", "Example.COM"], "443"),
        (
            "https://example.com:8443/a",
            "EXAMPLE.com:8443",
            ("example.com:8443", "EXAMPLE.com:8443"),
            ["example.com", "EXAMPLE.com"],
            "8443",
        ),
        ("https://EXAMPLE.com/a", "proxied", ("example.com",), ["example.com"], "443"),
        ("https://example.com/a", "evil.example", ("example.com",), ["example.com"], "443"),
        ("https://[::1]/a", "[::1]", ("[::1]",), ["[::1]"], "443"),
        ("https://[::1]:8443/a", "[::1]:8443", ("[::1]:8443",), ["[::1]"], "8443"),
    ],
)
def test_host_and_port_are_the_external_ones_in_the_spelling_of_the_client(
    url: str, host: str, hosts: tuple[str, ...], names: list[str], port: str
) -> None:
    target = target_of(PlainRequest("GET", "/a", headers={"Host": host}), url)
    assert (target.hosts, target.names, target.port) == (hosts, names, port)


def test_a_spelling_that_a_proxy_kept_counts() -> None:
    request = PlainRequest("GET", "/a", headers={"Host": "10.0.0.1", "X-Forwarded-Host": "Api.Example.com"})
    assert target_of(request, "https://api.example.com/a").hosts == ("api.example.com", "Api.Example.com")


@pytest.mark.parametrize(
    ("path", "query", "paths", "tail"),
    [
        ("/", b"", ("/", ""), ""),
        ("", b"", ("/", ""), ""),
        ("/", b"a=1", ("/", ""), "?a=1"),
        ("/a//b%2Fc", b"x=%20&x=|[]&&", ("/a//b%2Fc",), "?x=%20&x=|[]&&"),
    ],
)
def test_path_and_query_are_as_sent(path: str, query: bytes, paths: tuple[str, ...], tail: str) -> None:
    target = target_of(PlainRequest("GET", path, query=query), f"https://example.com{path or '/'}")
    assert (target.paths, target.query) == (paths, tail)


def test_a_fixed_base_belongs_to_the_path() -> None:
    assert target_of(PlainRequest("GET", "/a"), "https://example.com/v1/a").paths == ("/v1/a",)


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", ".evil.example/a", b""),
        ("GET", "@evil.example/a", b""),
        ("GET", "*", b""),
        ("GET", "/a b", b""),
        ("GET", "/a\n", b""),
        ("GET", "/a", b"x\ny"),
        ("GET", "/a", b"x y"),
        ("GE\nT", "/a", b""),
        ("", "/a", b""),
        ("G T", "/a", b""),
    ],
)
def test_a_target_that_could_be_read_as_something_else_is_refused(method: str, path: str, query: bytes) -> None:
    with pytest.raises(InvalidRequest, match="bad_target"):
        target_of(PlainRequest(method, path, query=query), f"https://api.example.com{path}")
