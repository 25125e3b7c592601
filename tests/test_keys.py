from typing import Any

import pytest

from oauth_rs.errors import InvalidToken
from oauth_rs.jose.jwk import public_key, symmetric_key
from oauth_rs.keys import StaticKeys
from tests.support.issuing import Issuer
from tests.support.playing import play

K1, K2 = Issuer(), Issuer(kid="k2")


def test_static_keys_find_by_kid_without_asking_for_anything() -> None:
    key = public_key(K1.jwk)
    keys = StaticKeys(key, public_key(K2.jwk))
    assert play(keys.find("ES256", "k1")) is key


@pytest.mark.parametrize(("algorithm", "kid"), [("ES256", "k9"), ("RS256", "k1"), ("HS256", "k1"), ("ES256", None)])
def test_static_keys_refuse_what_they_do_not_hold_or_cannot_tell_apart(algorithm: str, kid: str | None) -> None:
    keys = StaticKeys(public_key(K1.jwk), public_key(K2.jwk))
    with pytest.raises(InvalidToken, match="unknown_key"):
        play(keys.find(algorithm, kid))


def test_static_keys_need_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        StaticKeys()


@pytest.mark.parametrize("key", [b"secret", "pem", None, {"kty": "oct"}], ids=repr)
def test_static_keys_are_keys(key: Any) -> None:
    with pytest.raises(TypeError, match="is given keys such as"):
        StaticKeys(key)


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {**K1.jwk, "d": "AQAB"},
        K1.jwk,
    ],
    ids=["symmetric", "weak", "private", "repeated"],
)
def test_static_keys_from_jwks_refuse_a_set_with_an_odd_key(jwk: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 of the keys cannot be used"):
        StaticKeys.from_jwks({"keys": [K1.jwk, jwk]})


def test_static_keys_from_jwks_pass_over_keys_for_encryption() -> None:
    keys = StaticKeys.from_jwks({"keys": [{**K2.jwk, "use": "enc"}, K1.jwk]})
    assert keys.peek("ES256", "k1") is not None
    assert keys.peek("ES256", "k2") is None


def test_a_static_key_without_a_kid_serves_tokens_of_any_kid_while_it_is_alone() -> None:
    unnamed = {name: value for name, value in K1.jwk.items() if name != "kid"}
    alone, paired = StaticKeys(public_key(unnamed)), StaticKeys(public_key(unnamed), public_key(K2.jwk))
    assert alone.peek("ES256", "whatever") is alone.peek("ES256", None) is not None
    assert paired.peek("ES256", "whatever") is None


def test_static_keys_never_change_and_need_no_warming() -> None:
    keys = StaticKeys.from_jwks(K1.jwks)
    play(keys.warm())
    assert keys.basis is keys.basis
    assert keys.outlast(1e12)


def test_symmetric_keys_are_found_only_where_given() -> None:
    key = symmetric_key(b"s" * 32, kid="h")
    assert play(StaticKeys(key).find("HS256", "h")) is key


def test_static_keys_are_peeked_at_without_a_flow() -> None:
    key = public_key(K1.jwk)
    assert StaticKeys(key).peek("ES256", "k1") is key
    assert StaticKeys(key).peek("ES256", "k2") is None
