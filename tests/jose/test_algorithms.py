import hashlib
import hmac
import itertools
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm

from oauth_rs.jose.algorithms import ASYMMETRIC, EC, HMAC, OKP, RSA, Verifier
from tests.support.issuing import private_key

MESSAGE = b"header.payload"
HASHES: dict[str, HashAlgorithm] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
CURVES = {"ES256": ("secp256r1", 32), "ES384": ("secp384r1", 48), "ES512": ("secp521r1", 66)}
ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ORDER_OF_ED25519 = 2**252 + 27742317777372353535851937790883648493
SECRET = b"a secret of sixty-four bytes, as long as the longest of the hashes"
RSA_KEY: rsa.RSAPrivateKey = private_key("RS256", "k1")
ED_KEY: ed25519.Ed25519PrivateKey = private_key("Ed25519", "k1")


def ec_key(algorithm: str) -> ec.EllipticCurvePrivateKey:
    key: ec.EllipticCurvePrivateKey = private_key(algorithm, "k1")
    return key


def side_by_side(der: bytes, size: int) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(size) + s.to_bytes(size)


def signed(algorithm: str, message: bytes = MESSAGE) -> bytes:
    """A good signature of a message."""
    digest = HASHES.get(algorithm[2:], SHA256())
    if algorithm in CURVES:
        return side_by_side(ec_key(algorithm).sign(message, ec.ECDSA(digest)), CURVES[algorithm][1])
    if algorithm.startswith("HS"):
        return hmac.new(SECRET, message, f"sha{algorithm[2:]}").digest()
    if algorithm.startswith("Ed"):
        return ED_KEY.sign(message)
    pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return RSA_KEY.sign(message, padding.PKCS1v15() if algorithm.startswith("RS") else pss, digest)


def verifier(algorithm: str) -> Verifier:
    if algorithm in CURVES:
        return EC[CURVES[algorithm][0]][algorithm](ec_key(algorithm).public_key())
    if algorithm.startswith("HS"):
        return HMAC[algorithm](SECRET)
    return {**RSA, **OKP}[algorithm](ED_KEY.public_key() if algorithm in OKP else RSA_KEY.public_key())


ALGORITHMS = [*RSA, *CURVES, *OKP, *HMAC]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_signature_is_good_for_its_message_alone(algorithm: str) -> None:
    check, signature = verifier(algorithm), signed(algorithm)
    assert check(MESSAGE, signature) is True
    assert check(MESSAGE + b"x", signature) is False
    assert check(b"", signature) is False


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_that_was_altered_is_bad(algorithm: str) -> None:
    check, good = verifier(algorithm), signed(algorithm)
    flipped = bytes((good[0] ^ 1,)) + good[1:]
    for bad in (flipped, good[:-1], good[1:], good + b"\0", b"\0" + good, good + good, good[::-1]):
        assert check(MESSAGE, bad) is False


@pytest.mark.parametrize("algorithm", RSA)
def test_an_rsa_signature_without_its_leading_zero_is_bad(algorithm: str) -> None:
    """One of 256 signatures begins with a zero; RFC 8017 asks for as many bytes as the modulus has."""
    check = verifier(algorithm)
    messages = (MESSAGE + number.to_bytes(4) for number in itertools.count())
    message, good = next((each, made) for each in messages if (made := signed(algorithm, each))[0] == 0)
    assert check(message, good) is True
    assert check(message, good[1:]) is False


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("length", [0, 1, 32, 48, 64, 96, 132, 256, 16_384])
@pytest.mark.parametrize("byte", [b"\0", b"\xff", b"\x30"])
def test_no_constant_is_a_signature(algorithm: str, length: int, byte: bytes) -> None:
    assert verifier(algorithm)(MESSAGE, byte * length) is False


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_is_good_under_its_own_algorithm_alone(algorithm: str) -> None:
    aliases = set(OKP) if algorithm in OKP else {algorithm}
    takers = {other for other in ALGORITHMS if verifier(other)(MESSAGE, signed(algorithm))}
    assert takers == aliases


@pytest.mark.parametrize("algorithm", CURVES)
def test_ecdsa_in_der_is_refused(algorithm: str) -> None:
    der = ec_key(algorithm).sign(MESSAGE, ec.ECDSA(HASHES[algorithm[2:]]))
    assert verifier(algorithm)(MESSAGE, der) is False


@pytest.mark.parametrize("algorithm", CURVES)
def test_ecdsa_numbers_have_their_full_width_and_no_more(algorithm: str) -> None:
    good, size = signed(algorithm), CURVES[algorithm][1]
    assert verifier(algorithm)(MESSAGE, good[:size] + b"\0" + good[size:]) is False
    assert verifier(algorithm)(MESSAGE, b"\0" + good[:size] + b"\0" + good[size:]) is False


@pytest.mark.parametrize("r", [0, 1, ORDER_OF_P256 - 1, ORDER_OF_P256, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, ORDER_OF_P256 - 1, ORDER_OF_P256, 2**256 - 1])
def test_ecdsa_numbers_at_the_edges_are_refused(r: int, s: int) -> None:
    assert verifier("ES256")(MESSAGE, r.to_bytes(32) + s.to_bytes(32)) is False


def test_ecdsa_numbers_are_not_reduced_by_the_order() -> None:
    # A key made so that s comes out as 5: only then does s plus the order fit into its 32 bytes.
    nonce, s = 7, 5
    r = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers().x
    hashed = int.from_bytes(hashlib.sha256(MESSAGE).digest())
    key = ec.derive_private_key((s * nonce - hashed) * pow(r, -1, ORDER_OF_P256) % ORDER_OF_P256, ec.SECP256R1())
    check = EC["secp256r1"]["ES256"](key.public_key())
    assert check(MESSAGE, r.to_bytes(32) + s.to_bytes(32)) is True
    assert check(MESSAGE, r.to_bytes(32) + (s + ORDER_OF_P256).to_bytes(32)) is False


@pytest.mark.parametrize("salt", [0, 20, 31, 33, padding.PSS.MAX_LENGTH])
def test_pss_has_a_salt_as_long_as_its_hash(salt: Any) -> None:
    signature = RSA_KEY.sign(MESSAGE, padding.PSS(padding.MGF1(SHA256()), salt), SHA256())
    assert verifier("PS256")(MESSAGE, signature) is False


def test_pss_has_one_hash_throughout() -> None:
    signature = RSA_KEY.sign(MESSAGE, padding.PSS(padding.MGF1(SHA1()), 32), SHA256())  # noqa: S303 - to be refused
    assert verifier("PS256")(MESSAGE, signature) is False


@pytest.mark.parametrize("algorithm", RSA)
def test_an_rsa_signature_is_below_the_modulus(algorithm: str) -> None:
    numbers, size = RSA_KEY.public_key().public_numbers(), RSA_KEY.key_size // 8
    number = int.from_bytes(signed(algorithm))
    assert verifier(algorithm)(MESSAGE, (number + numbers.n).to_bytes(size + 1)) is False
    assert verifier(algorithm)(MESSAGE, number.to_bytes(size + 1)) is False


@pytest.mark.parametrize("digest", [SHA384(), SHA512()], ids=lambda digest: digest.name)
def test_rsa_with_another_hash_is_refused(digest: HashAlgorithm) -> None:
    assert verifier("RS256")(MESSAGE, RSA_KEY.sign(MESSAGE, padding.PKCS1v15(), digest)) is False


def forged_pkcs1(block: bytes) -> bytes:
    """The signature whose public operation gives `block`: what a lax parser of PKCS #1 would have to accept."""
    private = RSA_KEY.private_numbers()
    modulus = private.public_numbers.n
    return pow(int.from_bytes(block), private.d, modulus).to_bytes(256)


PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # DigestInfo of SHA-256, RFC 8017 section 9.2
DIGEST = PREFIX + hashlib.sha256(MESSAGE).digest()


@pytest.mark.parametrize(
    "block",
    [
        b"\0\1" + b"\xff" * 8 + b"\0" + DIGEST + b"\0" * (256 - 11 - len(DIGEST)),
        b"\0\1" + b"\xff" * 150 + b"\0" + DIGEST + b"\xaa" * (256 - 153 - len(DIGEST)),
        b"\0\2" + b"\xff" * (253 - len(DIGEST)) + b"\0" + DIGEST,
        b"\0\1" + b"\xfe" * (253 - len(DIGEST)) + b"\0" + DIGEST,
        b"\0\1" + b"\xff" * (253 - 32) + b"\0" + DIGEST[-32:],
    ],
    ids=["early end", "garbage after", "type 2", "other padding", "bare digest"],
)
def test_pkcs1_padding_is_checked_to_the_last_byte(block: bytes) -> None:
    assert len(block) == 256
    assert verifier("RS256")(MESSAGE, forged_pkcs1(b"\0\1" + b"\xff" * (253 - len(DIGEST)) + b"\0" + DIGEST))
    assert verifier("RS256")(MESSAGE, forged_pkcs1(block)) is False


@pytest.mark.parametrize("algorithm", OKP)
def test_an_eddsa_scalar_is_below_the_order(algorithm: str) -> None:
    good = signed(algorithm)
    scalar = int.from_bytes(good[32:], "little") + ORDER_OF_ED25519
    assert verifier(algorithm)(MESSAGE, good[:32] + scalar.to_bytes(32, "little")) is False


def test_a_mac_under_another_secret_is_refused() -> None:
    for secret in (b"", SECRET[:-1], SECRET + b"x"):
        assert verifier("HS256")(MESSAGE, hmac.new(secret, MESSAGE, "sha256").digest()) is False


def test_each_curve_has_its_one_algorithm() -> None:
    assert {curve: list(table) for curve, table in EC.items()} == {
        "secp256r1": ["ES256"],
        "secp384r1": ["ES384"],
        "secp521r1": ["ES512"],
    }


def test_nothing_symmetric_or_unsigned_counts_as_asymmetric() -> None:
    assert {*RSA, *CURVES, *OKP} == ASYMMETRIC
    assert not {name for name in ASYMMETRIC if name.lower() == "none" or name in HMAC}
