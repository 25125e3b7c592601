from collections.abc import Callable
from math import prod
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from oauth_rs.credentials import FunctionCredentials, MACKey, OAuth1Client, OAuth1Token, StaticCredentials
from oauth_rs.errors import Unavailable
from oauth_rs.flow import Call, Run
from oauth_rs.signature_methods import SignatureMethod
from tests.support.issuing import private_key
from tests.support.playing import play

RSA = private_key("RS256", "oauth1").public_key()
HMAC_METHODS = {SignatureMethod.HMAC_SHA1, SignatureMethod.HMAC_SHA256}
RSA_METHODS = {SignatureMethod.RSA_SHA1, SignatureMethod.RSA_SHA256}
# How the flawed generator made its primes: modulo the first primes they are powers of 65537.
PRIMORIAL = prod((11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157))
FLAWED = rsa.RSAPublicNumbers(65537, (PRIMORIAL << 2000) + pow(65537, 6, PRIMORIAL)).public_key()


def pem(key: Any, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> str:
    encoded: bytes = key.public_bytes(Encoding.PEM, form)
    return encoded.decode()


PRIVATE = (
    private_key("RS256", "oauth1")
    .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    .decode()
)


# Clients


def test_a_client_with_a_secret_may_use_hmac_by_default() -> None:
    assert OAuth1Client(client_id="app", secret="s").methods == HMAC_METHODS


@pytest.mark.parametrize("key", [RSA, pem(RSA), pem(RSA, PublicFormat.PKCS1), f"\n{pem(RSA)}\n"], ids=type)
def test_a_client_with_a_key_may_use_rsa_by_default(key: Any) -> None:
    client = OAuth1Client(client_id="app", rsa_key=key)
    assert client.methods == RSA_METHODS
    assert isinstance(client.rsa_key, rsa.RSAPublicKey)
    assert client.rsa_key.public_numbers() == RSA.public_numbers()


def test_a_client_with_both_may_use_either_and_never_plaintext_unless_told() -> None:
    assert OAuth1Client(client_id="app", secret="s", rsa_key=RSA).methods == HMAC_METHODS | RSA_METHODS
    told = OAuth1Client(client_id="app", secret="s", methods=["plaintext", "HmacSHA256"])
    assert told.methods == {SignatureMethod.PLAINTEXT, SignatureMethod.HMAC_SHA256}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"secret": ""},
        {"methods": ["PLAINTEXT"]},
        {"methods": ["HMAC-SHA1"]},
        {"rsa_key": RSA, "methods": ["HMAC-SHA256"]},
        {"rsa_key": RSA, "methods": ["PLAINTEXT"]},
        {"rsa_key": RSA, "methods": ["RSA-SHA256", "HmacSHA1"]},
        {"secret": "s", "methods": ["RSA-SHA1"]},
        {"secret": "s", "methods": ["HMAC-SHA1", "SHA256withRSA"]},
    ],
    ids=str,
)
def test_a_client_has_what_its_methods_need(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'app' needs a secret for HMAC methods, an rsa_key for RSA methods"):
        OAuth1Client(client_id="app", **options)


def test_a_method_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'HMAC-MD5' is not a signature method"):
        OAuth1Client(client_id="app", secret="s", methods=["HMAC-MD5"])


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024).public_key(),  # noqa: S505 - it is refused
        rsa.RSAPublicNumbers(65537, (1 << 8192) + 1).public_key(),
        ec.generate_private_key(ec.SECP256R1()).public_key(),
        pem(ec.generate_private_key(ec.SECP256R1()).public_key()),
        private_key("RS256", "oauth1"),
        pem(RSA).encode(),
        b"",
        0,
    ],
    ids=repr,
)
def test_a_key_is_a_public_rsa_key_of_a_sound_size(key: Any) -> None:
    with pytest.raises(ValueError, match="RSA public key of 2048 to 8192 bits"):
        OAuth1Client(client_id="app", secret="s", rsa_key=key)


def test_a_key_on_a_curve_that_nobody_knows_is_a_value_error_too() -> None:
    odd = "-----BEGIN PUBLIC KEY-----\nMBQwDAYHKoZIzj0CAQYBKgMEAAQBAg==\n-----END PUBLIC KEY-----\n"
    with pytest.raises(ValueError, match="not one of another kind"):
        OAuth1Client(client_id="app", secret="s", rsa_key=odd)


@pytest.mark.parametrize("text", ["", "secret", PRIVATE, pem(RSA)[:-40], pem(RSA).replace("PUBLIC", "PRIVATE")])
def test_text_that_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"PEM|key"):
        OAuth1Client(client_id="app", rsa_key=text)


def test_a_public_key_of_an_unheard_of_kind_is_refused() -> None:
    text = "-----BEGIN PUBLIC KEY-----\nMAswBQYDKgMEAwIAAQ==\n-----END PUBLIC KEY-----\n"
    with pytest.raises(ValueError, match="not one of another kind"):
        OAuth1Client(client_id="app", rsa_key=text)


def test_a_key_of_the_flawed_generator_is_refused() -> None:
    with pytest.raises(ValueError, match="CVE-2017-15361"):
        OAuth1Client(client_id="app", rsa_key=FLAWED)


# Keys of MAC


@pytest.mark.parametrize("algorithm", ["hmac-sha-1", "HMAC-SHA-1", "HmacSHA1"])
def test_a_mac_key_is_bytes_for_one_algorithm_whatever_its_name(algorithm: str) -> None:
    key = MACKey(kid="k", key="\u00e9", algorithm=algorithm)
    assert (key.key, key.algorithm) == (b"\xc3\xa9", SignatureMethod.HMAC_SHA1)
    assert MACKey(kid="k", key=b"\xff").algorithm is SignatureMethod.HMAC_SHA256


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [("", "hmac-sha-256"), (b"", "hmac-sha-1"), *(("k", name) for name in ("RSA-SHA256", "PLAINTEXT", "rsa-sha1"))],
)
def test_a_mac_key_is_not_empty_and_for_hmac(key: Any, algorithm: str) -> None:
    with pytest.raises(ValueError, match="a MACKey has a key that is not empty, for hmac-sha-1 or hmac-sha-256"):
        MACKey(kid="k", key=key, algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ["", "none", "sha-1", "hmac-sha-512"])
def test_a_mac_algorithm_that_is_none_is_refused(algorithm: str) -> None:
    with pytest.raises(ValueError, match="is not a signature method"):
        MACKey(kid="k", key="k", algorithm=algorithm)


# All of them

CLIENT = OAuth1Client(client_id="app", secret="the-secret", rsa_key=RSA, scopes=["a", "b", "a"])
TOKEN = OAuth1Token(token="the-token", client_id="app", secret="the-secret", subject="ada", scopes=("a",))
KEY = MACKey(kid="k1", key="the-secret", scopes={"a"})
STATIC = StaticCredentials(clients=[CLIENT], tokens=iter([TOKEN]), mac_keys=(KEY,))


@pytest.mark.parametrize("value", [CLIENT, TOKEN, KEY], ids=lambda value: type(value).__name__)
def test_secrets_are_not_shown(value: object) -> None:
    assert "the-secret" not in repr(value)
    assert "RSAPublicKey" not in repr(value)


def test_scopes_are_sets_whatever_they_came_as() -> None:
    assert (CLIENT.scopes, TOKEN.scopes, KEY.scopes) == (frozenset("ab"), frozenset("a"), frozenset("a"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: OAuth1Client(client_id="app", secret="s", scopes="photos"),
        lambda: OAuth1Client(client_id="app", secret="s", methods="HMAC-SHA1"),
        lambda: OAuth1Token(token="t", client_id="app", secret="s", scopes="photos"),
        lambda: MACKey(kid="k", key="k", scopes=""),
    ],
)
def test_one_string_is_no_list(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="is a list, not one string"):
        make()


@pytest.mark.parametrize(
    ("value", "member"), [(CLIENT, "secret"), (CLIENT, "methods"), (TOKEN, "expires_at"), (KEY, "key")]
)
def test_credentials_cannot_be_changed(value: object, member: str) -> None:
    with pytest.raises((AttributeError, TypeError)):
        setattr(value, member, "changed")


# Known from the start


def test_static_credentials_are_found_at_once() -> None:
    assert STATIC.oauth1("app", "the-token") == (CLIENT, TOKEN)
    assert STATIC.oauth1("app", "") == (CLIENT, None)
    assert STATIC.mac_key("k1") is KEY


@pytest.mark.parametrize("name", ["", "App", "app ", "k1", "the-secret", "the-token ", "\x00"])
def test_what_is_unknown_is_none(name: str) -> None:
    assert STATIC.oauth1(name, name) == (None, None)
    assert STATIC.mac_key("K1") is STATIC.mac_key(name + "\x00") is None
    assert StaticCredentials().oauth1(name, name) == (None, None)


@pytest.mark.parametrize(
    "options",
    [
        {"clients": [CLIENT, OAuth1Client(client_id="app", secret="other")]},
        {"tokens": [TOKEN, TOKEN]},
        {"mac_keys": [KEY, MACKey(kid="k2", key="k"), KEY]},
        {"clients": [OAuth1Client(client_id="", secret="s")]},
        {"tokens": [OAuth1Token(token="", client_id="app", secret="s")]},
        {"mac_keys": [MACKey(kid="", key="k")]},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_is_there_twice_or_has_no_name_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is there once, and not empty"):
        StaticCredentials(**options)


@pytest.mark.parametrize(
    "options",
    [{"clients": [OAuth1Client]}, {"tokens": [CLIENT]}, {"clients": [TOKEN]}, {"mac_keys": ["k1"]}],
    ids=lambda one: next(iter(one)),
)
def test_what_is_no_client_token_or_key_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="clients, tokens and mac_keys list"):
        StaticCredentials(**options)


# Found by functions


def find(*_names: str) -> Any:
    raise NotImplementedError


async def find_later(*_names: str) -> Any:
    raise NotImplementedError


def asked(function: Any, *names: str) -> Call:
    return Call(awaiting=find_later, arguments=names) if function is find_later else Call(find, None, names)


BOTH_KINDS = pytest.mark.parametrize("function", [find, find_later], ids=["plain", "coroutine"])


@BOTH_KINDS
def test_functions_are_asked_with_what_the_request_names(function: Any) -> None:
    credentials = FunctionCredentials(client=function, token=function, mac_key=function)
    script = [(asked(function, "app"), CLIENT), (asked(function, "app", "the-token"), TOKEN)]
    assert play(credentials.oauth1("app", "the-token"), *script) == (CLIENT, TOKEN)
    assert play(credentials.mac_key("k1"), (asked(function, "k1"), KEY)) is KEY


@BOTH_KINDS
def test_no_token_is_asked_for_where_none_is_named(function: Any) -> None:
    credentials = FunctionCredentials(client=function, token=function)
    assert play(credentials.oauth1("app", ""), (asked(function, "app"), CLIENT)) == (CLIENT, None)


def test_a_token_is_asked_for_whether_or_not_the_client_is_known() -> None:
    credentials = FunctionCredentials(client=find, token=find)
    script = [(asked(find, "nobody"), None), (asked(find, "nobody", "the-token"), TOKEN)]
    assert play(credentials.oauth1("nobody", "the-token"), *script) == (None, TOKEN)


def test_what_there_is_no_function_for_is_unknown() -> None:
    assert play(FunctionCredentials(mac_key=find).oauth1("app", "the-token")) == (None, None)
    assert play(FunctionCredentials(client=find).mac_key("k1")) is None


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"client": "app"},
        {"client": find, "token": {}},
        {"token": str.lower},
        {"mac_key": print, "client": dict.get},
    ],
    ids=repr,
)
def test_functions_are_given_and_can_be_called(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="at least one function"):
        FunctionCredentials(**options)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (OAuth1Client, {"client_id": "app", "secret": b"s"}),
        (OAuth1Client, {"client_id": 1, "secret": "s"}),
        (OAuth1Token, {"token": b"t", "client_id": "app", "secret": "s"}),
        (OAuth1Token, {"token": "t", "client_id": "app", "secret": b"s"}),
        (MACKey, {"kid": b"k", "key": "k"}),
    ],
    ids=repr,
)
def test_what_is_text_is_given_as_text(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="is text"):
        kind(**options)


@pytest.mark.parametrize(
    "options", [{"clients": {"app": "s"}}, {"tokens": ["t"]}, {"mac_keys": [("k1", "k")]}], ids=repr
)
def test_static_credentials_list_their_values(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="OAuth1Client, OAuth1Token and MACKey"):
        StaticCredentials(**options)


def test_a_function_that_cannot_tell_leaves_it_open() -> None:
    down = Unavailable("credentials_unavailable", "The credentials cannot be looked up now.")
    credentials = FunctionCredentials(client=find, token=find, mac_key=find)
    for flow, names in ((credentials.oauth1("app", "the-token"), ("app",)), (credentials.mac_key("k1"), ("k1",))):
        with pytest.raises(Unavailable) as caught:
            play(flow, (asked(find, *names), down))
        assert caught.value is down


@pytest.mark.parametrize("answer", [False, 0, "", "the-secret", {}, {"secret": "s"}, True, TOKEN, KEY, find], ids=repr)
def test_a_function_that_gives_something_else_lets_nobody_in(answer: Any) -> None:
    run = Run(FunctionCredentials(client=find).oauth1("app", ""))
    with pytest.raises(TypeError, match="the function gives an OAuth1Client or None") as caught:
        run.send(answer)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("name", "kind"), [("token", "OAuth1Token"), ("mac_key", "MACKey")])
def test_every_function_is_held_to_what_it_finds(name: str, kind: str) -> None:
    credentials = FunctionCredentials(**{name: find})
    run: Run[Any] = Run(credentials.mac_key("k1") if name == "mac_key" else credentials.oauth1("app", "the-token"))
    with pytest.raises(TypeError, match=kind):
        run.send(CLIENT)
