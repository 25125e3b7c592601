import hmac
from base64 import b64encode
from urllib.parse import quote, unquote

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oauthlib.oauth1.rfc5849 import signature as oauthlib

from oauth_rs import SignatureMethod
from oauth_rs.oauth1_signature import (
    MAX_PARAMETERS,
    _encoded_pairs,
    _header_pairs,
    base_string,
    encoded_parameters,
    escape,
    header_parameters,
    hmac_signature,
    normalized,
    plaintext_signature,
    rsa_signed,
    same,
)
from tests.support.signing import RSA_KEY

# RFC 5849 sections 3.4.1.1 to 3.4.1.3
URL = "http://example.com/request"
QUERY, BODY = b"b5=%3D%253D&a3=a&c%40=&a2=r%20b", b"c2&a3=2+q"
HEADER = (
    b'realm="Example", oauth_consumer_key="9djdj82h48djs9d2", oauth_token="kkk9d7dh3k39sjv7", '
    b'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="7d8f3e4a"'
)
NORMALIZED = (
    "a2=r%20b&a3=2%20q&a3=a&b5=%3D%253D&c%40=&c2=&oauth_consumer_key=9djdj82h48djs9d2&oauth_nonce=7d8f3e4a"
    "&oauth_signature_method=HMAC-SHA1&oauth_timestamp=137131201&oauth_token=kkk9d7dh3k39sjv7"
)
BASE = (
    b"POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26"
    b"c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26"
    b"oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
)


def sorted_pairs(*parts: str) -> str:
    return normalized("&".join(parts)).replace(" ", "=")


def test_the_parameters_of_the_rfc_are_collected_and_normalized() -> None:
    parts = header_parameters(HEADER), encoded_parameters(QUERY), encoded_parameters(BODY)
    assert sorted_pairs(*parts) == NORMALIZED


def test_the_base_string_of_the_rfc() -> None:
    assert base_string("POST", URL, NORMALIZED.replace("=", " ")) == BASE


# Section 3.6


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("abcABC123", "abcABC123"),
        ("-._~", "-._~"),
        ("", ""),
        ("%", "%25"),
        ("+", "%2B"),
        (" ", "%20"),
        ("&=*", "%26%3D%2A"),
        ("[]|!'()", "%5B%5D%7C%21%27%28%29"),
        ("\n\x00\x7f", "%0A%00%7F"),
        ("\u00e9\u3001\U0001f600", "%C3%A9%E3%80%81%F0%9F%98%80"),
        ("\u0661\uff11", "%D9%A1%EF%BC%91"),  # digits too, of other scripts
    ],
)
def test_everything_but_unreserved_characters_is_escaped(text: str, encoded: str) -> None:
    assert escape(text) == encoded


# Queries and forms


@pytest.mark.parametrize(
    ("encoded", "parameters"),
    [
        (b"", ""),
        (b"a=1", "a=1"),
        (b"a=1&a=1&a=0", "a=0&a=1&a=1"),
        (b"a", "a="),
        (b"a=", "a="),
        (b"=b", "=b"),
        (b"=", "="),
        (b"&&a=1&&b=2&", "a=1&b=2"),
        (b"a=1;b=2", "a=1%3Bb%3D2"),
        (b"a=b=c", "a=b%3Dc"),
        (b"a=x+y", "a=x%20y"),
        (b"a=x%20y", "a=x%20y"),
        (b"a+b=c%2Bd", "a%20b=c%2Bd"),
        (b"%61=%7e%2d", "a=~-"),
        (b"a=%5b%c3%a9", "a=%5B%C3%A9"),
        (b"a=\xc3\xa9", "a=%C3%A9"),
        (b"a=\xff", "a=%FF"),
        (b"a=%FF", "a=%FF"),
        (b"a=%ef%bf%bd", "a=%EF%BF%BD"),
        (b"x[]=1&y=a|b&z=!*'()", "x%5B%5D=1&y=a%7Cb&z=%21%2A%27%28%29"),
        (b"a=%2525", "a=%2525"),
        (b"a=100%", "a=100%25"),
        (b"a=%zz", "a=%25zz"),
        (b"b=1&a=2&a%20=3&aa=4", "a=2&a%20=3&aa=4&b=1"),
        (b"a.=1&a=2&a-=3", "a=2&a-=3&a.=1"),
        (b"a=b&a=b%20&a=bb", "a=b&a=b%20&a=bb"),
    ],
    ids=str,
)
def test_queries_and_forms_are_read_in_every_spelling(encoded: bytes, parameters: str) -> None:
    assert sorted_pairs(encoded_parameters(encoded)) == parameters


@pytest.mark.parametrize("spelling", ["%{:02X}", "%{:02x}"])
def test_every_byte_has_one_escape_or_none(spelling: str) -> None:
    for byte in range(256):
        escaped, only = spelling.format(byte), quote(bytes([byte]), safe="")
        assert encoded_parameters(f"{escaped}={escaped}".encode()) == f"{only}={only}"
        assert header_parameters(f'{escaped}="{escaped}"'.encode()) == f"{only}={only}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"a=%FF", b"a=%EF%BF%BD"),
        (b"a=%FF", b"a=%FE"),
        (b"a=\xe9", b"a=%C3%A9"),
        (b"a=1&b=2", b"a=1%26b=2"),
        (b"a=1", b"a%3D1"),
        (b"a=+", b"a=%2B"),
        (b"a=b&c=d", b"a=d&c=b"),
        (b"a=1", b"a=1&a=1"),
        (b"a=b", b"a=B"),
        (b"a=%00", b"a="),
    ],
    ids=str,
)
def test_what_differs_stays_different(one: bytes, other: bytes) -> None:
    assert normalized(encoded_parameters(one)) != normalized(encoded_parameters(other))


def test_as_many_parameters_are_read_as_there_may_be() -> None:
    assert encoded_parameters(b"&".join([b"a=1"] * MAX_PARAMETERS)).count("=") == MAX_PARAMETERS


@pytest.mark.parametrize(
    "encoded",
    [b"&".join([b"a=1"] * (MAX_PARAMETERS + 1)), b"&" * MAX_PARAMETERS, b"a=%%%", b"%" * 100],
    ids=["one more", "empty ones", "percent signs", "percent signs alone"],
)
def test_too_many_parameters_and_stray_percent_signs_are_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match=r"too many parameters|not percent-encoded"):
        encoded_parameters(encoded)


# Headers


@pytest.mark.parametrize(
    ("header", "parameters"),
    [
        (b'a="1"', "a=1"),
        (b'a="1", b="2"', "a=1&b=2"),
        (b'a="1",b="2"', "a=1&b=2"),
        (b'a="1" ,\t b = "2"', "a=1&b=2"),
        (b'a="1",', "a=1"),
        (b' a="1", ', "a=1"),
        (b'a=""', "a="),
        (b'a="%5b%7E"', "a=%5B~"),
        (b'a="x+y"', "a=x%2By"),
        (b'a="x y"', "a=x%20y"),
        (b'a="b=c&d=e"', "a=b%3Dc%26d%3De"),
        (b'a="b,c"', "a=b%2Cc"),
        (b'a="aGk=", b="a/b+c="', "a=aGk%3D&b=a%2Fb%2Bc%3D"),
        (b'%61="1"', "a=1"),
        (b'realm="x", a="1"', "a=1"),
        (b'a="1", realm="x"', "a=1"),
        (b'a="1",realm="x, y=z&w",b="2"', "a=1&b=2"),
        (b'realm="", a="1"', "a=1"),
        (b'realm="x"', ""),
        (b'a="realm"', "a=realm"),
        (b'a="1", a="1"', "a=1&a=1"),
        (b'a="\x00\x1f"', "a=%00%1F"),
        (b"", ""),
    ],
    ids=str,
)
def test_headers_are_read_in_every_spelling(header: bytes, parameters: str) -> None:
    assert header_parameters(header) == parameters


@pytest.mark.parametrize(
    "header",
    [
        *(b"a", b"a=1", b"a=1, b=2", b'a="1" b="2"', b'a="1', b'a=1"', b'="1"', b'a="1"", b="2"', b'a="1""b="2"'),
        *(b'a="x"y"', b'a="x\\"y"', b',a="1"', b'a="1",,b="2"', b'a="1";b="2"', b"a='1'", b'a="1"&b="2"'),
        *(b'a="1", b=2', b'a=1", b="2"', b'a="1", b="2', b'a=", b="2"', b'a="1", "b"="2"', b'"a="1"', b'a="1",b'),
        *(b'OAuth a="1"', b'a="1",OAuth b="2"', b'a="1", Bearer b', b'a=""1"', b'a="1", =', b'"', b",", b"="),
        *(b'a="\xc3\xa9"', b'\xff="1"', b'a="1"\n', b'a b="1"', b'a="1"\x00', b'a="1&b=2"x'),
    ],
    ids=str,
)
def test_what_is_not_names_with_quoted_values_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a list of names with quoted values|ascii"):
        header_parameters(header)


# The base string


@pytest.mark.parametrize(
    ("url", "escaped"),
    [
        ("https://api.example.com/", "https%3A%2F%2Fapi.example.com%2F"),
        ("http://example.com/r%20v/X", "http%3A%2F%2Fexample.com%2Fr%2520v%2FX"),
        ("https://[2001:db8::1]:8443/a", "https%3A%2F%2F%5B2001%3Adb8%3A%3A1%5D%3A8443%2Fa"),
        ("https://a.example/x%2Fy%2fz", "https%3A%2F%2Fa.example%2Fx%252Fy%252fz"),
        ("https://a.example/p;v=1/~me,(x)", "https%3A%2F%2Fa.example%2Fp%3Bv%3D1%2F~me%2C%28x%29"),
        ("https://a.example/\xc3\xa9\xff", "https%3A%2F%2Fa.example%2F%C3%A9%FF"),
        ("https://a.example//a/../b", "https%3A%2F%2Fa.example%2F%2Fa%2F..%2Fb"),
    ],
)
def test_the_url_is_escaped_as_it_was_sent(url: str, escaped: str) -> None:
    assert base_string("GET", url, "").decode() == f"GET&{escaped}&"


@pytest.mark.parametrize(("method", "signed"), [("post", "POST"), ("M-SEARCH", "M-SEARCH"), ("A&B", "A%26B")])
def test_the_method_is_signed_in_upper_case(method: str, signed: str) -> None:
    assert base_string(method, URL, "").decode() == f"{signed}&http%3A%2F%2Fexample.com%2Frequest&"


# oauthlib tells the same of everything that it can be asked about.

plain = st.text(alphabet="abz019-._~", max_size=4)
characters = st.characters(codec="utf-8", exclude_categories=["Cs"])
spelled = st.builds(
    lambda text, safe, respell: respell(quote(text, safe=safe)),
    st.text(characters, max_size=6),
    st.sampled_from(["", "~", "!*'()/", "$,;:@?"]),
    st.sampled_from([str, str.lower]),
)
values = plain | spelled | st.sampled_from(["+", "%20", "a+b", "%2B", "%26", "%3d", "%25", "=", "==", "a=b", "(", "*"])
pairs = st.tuples(values, st.sampled_from(["=", "=", "=", ""]), values).map("".join)
encoded = st.lists(pairs | st.just(""), max_size=6).map("&".join)
header_values = st.dictionaries(
    st.sampled_from(["oauth_nonce", "oauth_token", "oauth_consumer_key", "oauth_timestamp", "oauth_x"]),
    st.text(characters, max_size=8),
)
hosts = st.sampled_from(["example.com", "192.0.2.1", "[2001:db8::1]"])
paths = st.lists(st.sampled_from(["a", "%20", "%2F", "%c3%a9", ";v=1", ".", "~", "(x)", "", ","]), max_size=5)


@settings(deadline=None, max_examples=500)
@given(encoded, encoded, header_values, st.sampled_from(["", "realm", "x, y"]))
def test_oauthlib_normalizes_parameters_to_the_same(query: str, form: str, header: dict[str, str], realm: str) -> None:
    assume("oauth_" not in unquote(query + form))  # oauthlib unescapes such values twice
    listed = ", ".join(f'{name}="{quote(value, safe="~")}"' for name, value in header.items())
    listed = f'realm="{realm}", {listed}'.removesuffix(", ") if realm else listed
    collected = oauthlib.collect_parameters(query, form, {"Authorization": f"OAuth {listed}"} if listed else {})
    parts = [header_parameters(listed.encode()), encoded_parameters(query.encode()), encoded_parameters(form.encode())]
    assert sorted_pairs(*filter(None, parts)) == oauthlib.normalize_parameters(collected)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["http", "https"]), hosts, paths, encoded, st.sampled_from(["GET", "post", "Patch", "X-Y"]))
def test_oauthlib_makes_the_same_base_string(scheme: str, host: str, path: list[str], query: str, method: str) -> None:
    url = f"{scheme}://{host}/{'/'.join(path)}"
    theirs = oauthlib.normalize_parameters(oauthlib.collect_parameters(query))
    expected = oauthlib.signature_base_string(method, oauthlib.base_string_uri(url), theirs)
    assert base_string(method, url, normalized(encoded_parameters(query.encode()))).decode() == expected


# Signatures


@pytest.mark.parametrize(
    ("method", "secrets", "base", "signature"),
    [
        (SignatureMethod.HMAC_SHA1, ("cs", ""), b"bs", "egQqG5AJep5sJ7anhXju1unge2I="),
        (SignatureMethod.HMAC_SHA1, ("cs", "ts"), b"bs", "VZVjXceV7JgPq/dOTnNmEfO0Fv8="),
        (SignatureMethod.HMAC_SHA1, ("j49sk3j29djd", "dh893hdasih9"), BASE, "r6/TJjbCOr97/+UU0NsvSne7s5g="),
    ],
    ids=["client alone", "with a token", "RFC 5849"],
)
def test_published_hmac_signatures(
    method: SignatureMethod, secrets: tuple[str, str], base: bytes, signature: str
) -> None:
    assert hmac_signature(method, base, *secrets) == quote(signature, safe="")


texts = st.text(characters, max_size=12)


@settings(deadline=None)
@given(texts, texts, texts)
def test_oauthlib_makes_the_same_hmac_and_plaintext_signatures(base: str, client: str, token: str) -> None:
    for name in ("SHA-1", "SHA-256"):
        theirs = oauthlib._sign_hmac(name, base, client, token)
        ours = hmac_signature(SignatureMethod(f"HMAC-{name.replace('-', '')}"), base.encode(), client, token)
        assert unquote(ours) == theirs
    assert unquote(plaintext_signature(client, token)) == oauthlib.sign_plaintext(client, token)


def test_secrets_cannot_run_into_each_other() -> None:
    assert hmac_signature(SignatureMethod.HMAC_SHA1, BASE, "a&b", "c") != hmac_signature(
        SignatureMethod.HMAC_SHA1, BASE, "a", "b&c"
    )
    assert plaintext_signature("a&b", "c") != plaintext_signature("a", "b&c")


@pytest.mark.parametrize("presented", ["", "abc", "abcd%3D", "ABCD", "abcd%00", "%61bcd", "abcd "])
def test_one_text_alone_is_the_same(presented: str) -> None:
    assert same("abcd", "abcd")
    assert not same(presented, "abcd")


RSA = {SignatureMethod.RSA_SHA1: SHA1(), SignatureMethod.RSA_SHA256: SHA256()}  # noqa: S303 - what old clients use
PUBLIC = RSA_KEY.public_key()


def rsa_signature(method: SignatureMethod, base: bytes = BASE) -> str:
    return b64encode(RSA_KEY.sign(base, PKCS1v15(), RSA[method])).decode()


@pytest.mark.parametrize("method", RSA)
def test_a_good_rsa_signature_is_good(method: SignatureMethod) -> None:
    assert rsa_signed(method, BASE, quote(rsa_signature(method), safe=""), PUBLIC)


@pytest.mark.parametrize("method", RSA)
def test_rsa_signatures_of_something_else_are_refused(method: SignatureMethod) -> None:
    (other,) = RSA.keys() - {method}
    pss = RSA_KEY.sign(BASE, PSS(MGF1(RSA[method]), 20), RSA[method])
    good = rsa_signature(method)
    wrong = [rsa_signature(other), rsa_signature(method, BASE + b"x"), b64encode(pss).decode(), good[4:], good + good]
    assert not any(rsa_signed(method, BASE, quote(text, safe=""), PUBLIC) for text in wrong)


def spellings(good: str) -> dict[str, str]:
    """Texts that lenient decoders take for `good`, whose padding is ==."""
    stray = chr(ord(good[-3]) + 1)
    return {
        "no padding": good.rstrip("="),
        "more padding": good + "=",
        "stray bits": good[:-3] + stray + "==",
        "url alphabet": good.replace("+", "-").replace("/", "_"),
        "space": good[:9] + " " + good[9:],
        "newline": good + "\n",
        "percent": good + "%",
        "empty": "",
        "not base64": "*" * len(good),
        "not ASCII": "\u00e9" + good[1:],
    }


@pytest.mark.parametrize("name", spellings("AAAA=="))
def test_an_rsa_signature_has_one_spelling(name: str) -> None:
    good = rsa_signature(SignatureMethod.RSA_SHA256)
    assert good.endswith("==")
    assert good.translate({43: "-", 47: "_"}) != good
    assert not rsa_signed(SignatureMethod.RSA_SHA256, BASE, quote(spellings(good)[name], safe=""), PUBLIC)


# The short way and the long way

_header_bits = st.sampled_from(
    [*('="', '",', '", ', '"', "=", ",", " ", "&", "a", "b", "%20", "%7E", "%5b", "realm", "+", 'a="1"', 'b="2", ')]
)
_query_bits = st.sampled_from([b"&", b"=", b"a", b"%20", b"%7e", b"%2", b"+", b"[", b"\xff", b"a=1&", b"~", b"%41"])


@settings(deadline=None, max_examples=1000)
@given(st.lists(_header_bits, max_size=10).map("".join))
def test_a_header_is_read_alike_the_short_and_the_long_way(header: str) -> None:
    try:
        expected = "&".join(_header_pairs(header.strip(" \t")))
    except ValueError:
        with pytest.raises(ValueError, match="not a list"):
            header_parameters(header.encode())
    else:
        assert header_parameters(header.encode()) == expected


@settings(deadline=None, max_examples=500)
@given(st.lists(_query_bits, max_size=10).map(b"".join).filter(lambda query: 3 * query.count(b"%") <= len(query)))
def test_a_query_is_read_alike_the_short_and_the_long_way(query: bytes) -> None:
    assert encoded_parameters(query) == "&".join(_encoded_pairs(query.decode("latin-1").replace("+", "%20")))


@pytest.mark.parametrize("length", [0, 1, 31, 32, 61, 62, 63, 64, 65, 200])
@pytest.mark.parametrize("method", [SignatureMethod.HMAC_SHA1, SignatureMethod.HMAC_SHA256])
def test_secrets_of_any_length_sign_as_rfc_2104_has_it(method: SignatureMethod, length: int) -> None:
    key, name = f"{'a' * length}&bc".encode(), {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256"}[method]
    expected = b64encode(hmac.digest(key, b"GET&...", name)).decode()
    assert unquote(hmac_signature(method, b"GET&...", "a" * length, "bc")) == expected
