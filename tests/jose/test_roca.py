import json
import random
from math import prod
from pathlib import Path
from typing import Any

import pytest

from oauth_rs.encoding import base64url_decode
from oauth_rs.jose.roca import fingerprinted
from tests.support.issuing import private_key

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "signatures.json").read_text())
KEYS: dict[str, Any] = PUBLISHED["keys"]
# From the paper's test tool; 2, 3, 5 and 7 are left out, for they say nothing of an odd modulus.
PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
PRIMORIAL = prod(PRIMES)


def modulus(jwk: dict[str, str]) -> int:
    return int.from_bytes(base64url_decode(jwk["n"].encode()))


def test_the_published_flawed_key_is_found() -> None:
    assert fingerprinted(modulus(KEYS["wycheproof-jwk-7"]))


@pytest.mark.parametrize("exponent", [0, 1, 2, 1000, 10**6 + 3])
def test_every_power_of_the_generator_is_found(exponent: int) -> None:
    # How the flawed library made its primes: k times the primorial, plus a power of 65537 modulo it.
    assert fingerprinted(PRIMORIAL * 2**1900 + pow(65537, exponent, PRIMORIAL))


@pytest.mark.parametrize("name", [name for name, jwk in KEYS.items() if "n" in jwk and name != "wycheproof-jwk-7"])
def test_published_sound_keys_are_not_found(name: str) -> None:
    assert not fingerprinted(modulus(KEYS[name]))


def test_a_fresh_key_is_not_found() -> None:
    assert not fingerprinted(private_key("RS256", "k1").public_key().public_numbers().n)


@pytest.mark.parametrize("prime", PRIMES)
def test_a_modulus_that_escapes_one_prime_is_sound(prime: int) -> None:
    flawed = modulus(KEYS["wycheproof-jwk-7"])
    others = PRIMORIAL // prime
    sound = next(number for step in range(prime) if (number := flawed + step * others) % prime == 0)
    assert not fingerprinted(sound)


def test_random_moduli_are_not_found() -> None:
    chance = random.Random(1)
    assert not any(fingerprinted(chance.getrandbits(2048) | 1) for _ in range(10_000))
