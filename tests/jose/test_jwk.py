import hmac
import json
from base64 import b64decode, b64encode
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, x25519
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.encoding import base64url_decode
from oauth_rs.errors import InvalidToken
from oauth_rs.jose import jwk as module
from oauth_rs.jose import jws
from oauth_rs.jose.jwk import MAX_KEYS, Key, KeySet, pem_key, public_key, symmetric_key
from tests.support.issuing import ALGORITHMS, Issuer, encode, private_key

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "signatures.json").read_text())
KEYS: dict[str, Any] = PUBLISHED["keys"]
RSA_FAMILY = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
FAMILY = {"RS256": RSA_FAMILY, "PS256": RSA_FAMILY, "Ed25519": {"Ed25519", "EdDSA"}, "EdDSA": {"Ed25519", "EdDSA"}}
FAMILY |= {name: {name} for name in ("ES256", "ES384", "ES512")}
MESSAGE = b"header.payload"
SECRET = bytes(range(100, 164))


def jwk(algorithm: str = "ES256", *, drop: tuple[str, ...] = (), kid: str = "k1", **changes: Any) -> dict[str, Any]:
    """The public JWK of an issuer, with `changes`, without the members in `drop`."""
    members = {**Issuer(algorithm, kid=kid).jwk, **changes}
    return {name: value for name, value in members.items() if name not in drop}


def signed(algorithm: str, kid: str = "k1") -> bytes:
    signature: bytes = ALGORITHMS[algorithm].sign(MESSAGE, private_key(algorithm, kid))
    return signature


def taken(vector: dict[str, Any]) -> bool:
    """True when the token of a published vector is good under its key, by its own alg and kid."""
    described = KEYS[vector["key"]]
    try:
        parts = jws.parse(vector["token"].encode())
        key = _secret(described) if described["kty"] == "oct" else public_key(described)
    except (InvalidToken, ValueError):
        return False
    found = KeySet([key]).select(parts.header.alg, parts.header.kid)
    return found is not None and found.verify(parts.header.alg, parts.signing_input, parts.signature)


def _secret(described: dict[str, str]) -> Key:
    secret = base64url_decode(described["k"].encode())
    return symmetric_key(secret, algorithm=described.get("alg", "HS256"), kid=described.get("kid"))


@pytest.mark.parametrize("vector", PUBLISHED["vectors"], ids=lambda vector: vector["source"])
def test_published_vectors_are_answered_as_published(vector: dict[str, Any]) -> None:
    assert taken(vector) is vector["valid"]


@pytest.mark.parametrize("vector", [one for one in PUBLISHED["vectors"] if one["valid"]], ids=lambda one: one["id"])
@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
def test_published_tokens_are_refused_when_one_letter_is_changed(vector: dict[str, Any], part: int) -> None:
    parts = vector["token"].split(".")
    parts[part] = ("A" if parts[part][0] != "A" else "B") + parts[part][1:]
    assert not taken({**vector, "token": ".".join(parts)})


@pytest.mark.parametrize("algorithm", list(FAMILY))
def test_a_key_with_an_alg_is_for_that_alone(algorithm: str) -> None:
    key = public_key(jwk(algorithm))
    assert set(key.algorithms) == ({"Ed25519", "EdDSA"} if algorithm.startswith("Ed") else {algorithm})
    assert key.verify(algorithm, MESSAGE, signed(algorithm))
    assert not key.verify(algorithm, MESSAGE + b"x", signed(algorithm))


@pytest.mark.parametrize("algorithm", list(FAMILY))
def test_a_key_without_an_alg_is_for_what_its_type_and_curve_can_do(algorithm: str) -> None:
    key = public_key(jwk(algorithm, drop=("alg", "use")))
    assert set(key.algorithms) == FAMILY[algorithm]
    assert key.verify(algorithm, MESSAGE, signed(algorithm))


@pytest.mark.parametrize(
    "changes", [{"alg": None}, {"key_ops": ["verify"]}, {"key_ops": ["sign", "verify"]}, {"x5c": ["MIIB"]}]
)
def test_what_real_sets_hold_beside_the_key_does_no_harm(changes: dict[str, Any]) -> None:
    assert public_key(jwk(**changes)).verify("ES256", MESSAGE, signed("ES256"))


@pytest.mark.parametrize("name", ["EdDSA", "Ed25519"])
def test_the_two_names_of_ed25519_are_one(name: str) -> None:
    key = public_key(jwk("Ed25519", alg=name))
    assert all(key.verify(used, MESSAGE, signed("Ed25519")) for used in ("EdDSA", "Ed25519"))
    assert not key.verify("Ed448", MESSAGE, signed("Ed25519"))
    assert not key.verify("eddsa", MESSAGE, signed("Ed25519"))


@pytest.mark.parametrize("algorithm", list(FAMILY))
@pytest.mark.parametrize("named", ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "hs256", "RSA", "unknown"])
def test_no_public_key_verifies_what_is_not_its_own(algorithm: str, named: str) -> None:
    key = public_key(jwk(algorithm, drop=("alg",)))
    for signature in (b"", signed(algorithm), hmac.new(b"", MESSAGE, "sha256").digest()):
        assert key.verify(named, MESSAGE, signature) is False
    assert KeySet([key]).select(named, "k1") is None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
@pytest.mark.parametrize("drop", [(), ("alg",)], ids=["alg", "no alg"])
def test_a_mac_under_any_text_of_the_public_key_is_never_good(algorithm: str, drop: tuple[str, ...]) -> None:
    key = public_key(jwk(algorithm, drop=drop))
    for secret in (b"", *texts_of(algorithm).values()):
        for name in ("HS256", "HS384", "HS512"):
            assert not key.verify(name, MESSAGE, hmac.new(secret, MESSAGE, f"sha{name[2:]}").digest())


@pytest.mark.parametrize(
    ("own", "other"), [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512"), ("ES256", "ES384")]
)
def test_the_token_does_not_choose_within_the_family_when_the_key_has_an_alg(own: str, other: str) -> None:
    key = public_key(jwk(own))
    assert key.verify(other, MESSAGE, signed(own)) is False
    assert KeySet([key]).select(other, "k1") is None


def test_a_signature_is_made_with_the_algorithm_that_was_named() -> None:
    key = public_key(jwk("RS256", drop=("alg",)))
    assert key.verify("RS256", MESSAGE, signed("RS256"))
    assert not any(key.verify(name, MESSAGE, signed("RS256")) for name in RSA_FAMILY - {"RS256"})


@pytest.mark.parametrize(
    ("algorithm", "claimed"),
    [
        *(("ES256", name) for name in ("ES384", "ES512", "ES256K", "RS256", "EdDSA", "HS256", "none", "es256", "")),
        *(("ES384", name) for name in ("ES256", "ES512")),
        *(("ES512", name) for name in ("ES256", "ES384", "ES521")),
        *(("RS256", name) for name in ("ES256", "EdDSA", "HS256", "none", "RSA-OAEP", "RS1", "rs256", "")),
        *(("Ed25519", name) for name in ("ES256", "Ed448", "HS256", "none", "ed25519", "")),
    ],
)
def test_an_alg_that_does_not_fit_the_key_spoils_it(algorithm: str, claimed: str) -> None:
    with pytest.raises(ValueError, match="the algorithm does not fit the key"):
        public_key(jwk(algorithm, alg=claimed))


@pytest.mark.parametrize(
    ("crv", "algorithm"), [("P-384", "ES256"), ("P-256", "ES384"), ("P-521", "ES256"), ("P-256K", "ES256")]
)
def test_a_point_is_on_its_own_curve(crv: str, algorithm: str) -> None:
    with pytest.raises(ValueError, match="not a usable key"):
        public_key(jwk(algorithm, crv=crv))


@cache
def _numbers(bits: int, exponent: int = 65537) -> dict[str, str]:
    numbers = generate_private_key(65537, bits).public_key().public_numbers()
    return {"kty": "RSA", "n": _number(numbers.n), "e": _number(exponent)}


def _number(value: int) -> str:
    return encode(value.to_bytes((value.bit_length() + 7) // 8 or 1)).decode()


@pytest.mark.parametrize("bits", [1024, 2046])
def test_a_short_rsa_key_is_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="RSA keys have 2048 to 8192 bits"):
        public_key(_numbers(bits))


@pytest.mark.parametrize("bits", [8193, 16_384, 1_000_000])
def test_a_giant_rsa_key_is_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="RSA keys have 2048 to 8192 bits"):
        public_key({"kty": "RSA", "n": _number(2**bits - 1), "e": "AQAB"})


@pytest.mark.parametrize("changes", [{"e": _number(3)}, {"n": _number(2**8192 - 1)}, {"n": _number(2**2047 + 1)}])
def test_keys_at_the_edges_are_taken(changes: dict[str, str]) -> None:
    assert set(public_key(_numbers(2048) | changes).algorithms) == RSA_FAMILY


@pytest.mark.parametrize("exponent", [0, 1, 2, 65536, 2**16 + 2])
def test_an_exponent_that_is_none_is_refused(exponent: int) -> None:
    with pytest.raises(ValueError, match=r"e must be|not a public exponent"):
        public_key({**_numbers(2048), "e": _number(exponent)})


@pytest.mark.parametrize("exponent", [1, 2, 4])
def test_an_exponent_that_a_laxer_library_lets_through_is_refused_here(exponent: int) -> None:
    class Lax:
        key_size = 2048

        def public_numbers(self) -> RSAPublicNumbers:
            return RSAPublicNumbers(exponent, 2**2047 + 1)

    with pytest.raises(ValueError, match="not a public exponent"):
        module._check_rsa(Lax())  # type: ignore[arg-type]


@pytest.mark.parametrize("drop", [(), ("alg", "use", "kid")])
def test_a_key_of_the_flawed_generator_is_refused(drop: tuple[str, ...]) -> None:
    described = {name: value for name, value in KEYS["wycheproof-jwk-7"].items() if name not in drop}
    with pytest.raises(ValueError, match="CVE-2017-15361"):
        public_key(described)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
@pytest.mark.parametrize("value", ["AQAB", "", None])
def test_a_key_with_private_members_is_refused(algorithm: str, member: str, value: str | None) -> None:
    with pytest.raises(ValueError, match="private members"):
        public_key(jwk(algorithm) | {member: value})


@pytest.mark.parametrize(
    "described",
    [
        {"kty": "oct", "k": "AAAA", "alg": "HS256"},
        {"kty": "oct", "alg": "HS256"},
        {"kty": "oct", "n": "AQAB", "e": "AQAB", "alg": "RS256"},
        {"kty": "oct"},
    ],
)
def test_a_symmetric_jwk_is_never_a_public_key(described: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"private members|not an asymmetric key"):
        public_key(described)


@pytest.mark.parametrize(
    "changes",
    [
        *({"use": value} for value in ("enc", "", "SIG", None, 1, ["sig"])),
        *(
            {"key_ops": value}
            for value in ([], ["sign"], ["encrypt"], ["VERIFY"], "verify", {"verify": 1}, None, 1, True)
        ),
    ],
    ids=repr,
)
def test_a_key_that_is_not_for_verifying_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a key for verifying signatures"):
        public_key(jwk(**changes))


@pytest.mark.parametrize("name", ["kid", "alg"])
@pytest.mark.parametrize("value", [1, True, [], ["k1"], {}, 1.5], ids=repr)
def test_names_are_strings(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="kid and alg are strings"):
        public_key(jwk() | {name: value})


@pytest.mark.parametrize("kty", ["", "rsa", "DSA", "AKP", "ec", None, 1, ["EC"], {"EC": 1}], ids=repr)
def test_a_type_of_key_we_do_not_know_is_refused(kty: Any) -> None:
    with pytest.raises(ValueError, match="not an asymmetric key"):
        public_key(jwk(kty=kty))


@pytest.mark.parametrize(
    ("algorithm", "member"), [("RS256", "n"), ("RS256", "e"), ("ES256", "x"), ("ES256", "y"), ("EdDSA", "x")]
)
def test_the_numbers_of_a_key_have_one_spelling(algorithm: str, member: str) -> None:
    good = jwk(algorithm)[member]
    odd = [
        good + "=",
        good + " ",
        "\n" + good,
        good + "!",
        good[:-1] + "\u00e9",
        "",
        None,
        65537,
        [good],
        {"x": good},
        "\ud800",
    ]
    standard = good.replace("-", "+").replace("_", "/")
    for spelled in odd if standard == good else [*odd, standard]:
        with pytest.raises(ValueError):  # noqa: PT011 - that it is a ValueError is the contract
            public_key(jwk(algorithm) | {member: spelled})
    with pytest.raises(ValueError, match="a number of a key is a string"):
        public_key(jwk(algorithm, drop=(member,)))


@pytest.mark.parametrize(("algorithm", "member"), [("ES256", "x"), ("ES256", "y"), ("ES512", "x"), ("EdDSA", "x")])
def test_a_coordinate_has_its_full_length(algorithm: str, member: str) -> None:
    raw = base64url_decode(jwk(algorithm)[member].encode())
    for spelled in (b"", raw[:-1], raw[1:], b"\0" + raw, raw + b"\0"):
        with pytest.raises(ValueError, match="not a usable key"):
            public_key(jwk(algorithm) | {member: encode(spelled).decode()})


@pytest.mark.parametrize("x", [b"\0" * 32, b"\xff" * 32])
def test_a_point_off_the_curve_is_refused(x: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the library's
        public_key(jwk(x=encode(x).decode()))


@pytest.mark.parametrize("crv", ["secp256k1", "Ed448", "X25519", "", None, 1, [], {}])
@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_a_curve_we_do_not_know_is_refused(algorithm: str, crv: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is a ValueError is the contract
        public_key(jwk(algorithm, crv=crv, drop=("alg",)))


@cache
def texts_of(algorithm: str) -> dict[str, bytes]:
    """The public key in every form in which it may end up where a secret belongs."""
    key = private_key(algorithm, "k1").public_key()
    pem, der = (key.public_bytes(form, PublicFormat.SubjectPublicKeyInfo) for form in (Encoding.PEM, Encoding.DER))
    ssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    described = json.dumps(jwk(algorithm)).encode()
    texts = {"PEM": pem, "DER": der, "SSH": ssh, "JWK": described, "JWK Set": b'{"keys":[' + described + b"]}"}
    texts |= {"array": b"[" + described + b"]", "crlf": pem.replace(b"\n", b"\r\n"), "joined": pem.strip() + pem}
    if algorithm == "RS256":
        texts |= {"PKCS#1": key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)}
        texts |= {"PKCS#1 DER": key.public_bytes(Encoding.DER, PublicFormat.PKCS1)}
    return texts


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
def test_the_text_of_a_public_key_is_not_taken_for_a_secret(algorithm: str) -> None:
    for text in texts_of(algorithm).values():
        with pytest.raises(ValueError, match=r"is the text of an asymmetric key|bytes long"):
            symmetric_key(text)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
@pytest.mark.parametrize("before", [b" ", b"\n\n", b"\r\n\t ", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"], ids=repr)
def test_nothing_before_the_text_of_a_key_hides_it(algorithm: str, before: bytes) -> None:
    for name in ("PEM", "SSH", "JWK", "JWK Set", "array"):
        with pytest.raises(ValueError, match="is the text of an asymmetric key"):
            symmetric_key(before + texts_of(algorithm)[name])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("name", ["PEM", "SSH", "JWK", "JWK Set"])
def test_no_encoding_hides_the_text_of_a_key(encoding: str, name: str) -> None:
    with pytest.raises(ValueError, match="is the text of an asymmetric key"):
        symmetric_key(texts_of("RS256")[name].decode().encode(encoding))


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH])
def test_the_text_of_a_private_key_is_not_taken_for_a_secret(form: PrivateFormat) -> None:
    text: bytes = private_key("RS256", "k1").private_bytes(Encoding.PEM, form, NoEncryption())
    with pytest.raises(ValueError, match="is the text of an asymmetric key"):
        symmetric_key(text)


@pytest.mark.parametrize(("algorithm", "shortest"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_as_long_as_its_hash(algorithm: str, shortest: int) -> None:
    assert list(symmetric_key(SECRET[:shortest], algorithm=algorithm).algorithms) == [algorithm]
    for length in (0, 1, 31, shortest - 1):
        with pytest.raises(ValueError, match=f"at least {shortest} bytes"):
            symmetric_key(SECRET[:length], algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ["none", "", "RS256", "ES256", "hs256", "HS1", "HS224", "EdDSA"])
def test_a_secret_is_for_hmac_alone(algorithm: str) -> None:
    with pytest.raises(ValueError, match="a symmetric key is for HS256, HS384, HS512"):
        symmetric_key(SECRET, algorithm=algorithm)


def test_a_secret_may_be_wiped_afterwards() -> None:
    secret = bytearray(SECRET)
    key = symmetric_key(secret)  # type: ignore[arg-type]
    signed = hmac.digest(SECRET, b"a", "sha256")
    secret[:] = bytes(len(secret))
    assert key.verify("HS256", b"a", signed)


@pytest.mark.parametrize("secret", ["a text of more than thirty-two characters", None, 5])
def test_a_secret_is_bytes(secret: Any) -> None:
    with pytest.raises(TypeError, match="the secret is bytes"):
        symmetric_key(secret)


@pytest.mark.parametrize("secret", [b"\0" * 32, b" " * 32, b"\xff" * 64, b'{"a":1}' * 8, b"\xef\xbb\xbf" * 20])
def test_a_secret_may_be_any_bytes_that_are_no_key(secret: bytes) -> None:
    key = symmetric_key(secret, kid="s1")
    assert key.verify("HS256", MESSAGE, hmac.new(secret, MESSAGE, "sha256").digest())
    assert not key.verify("HS256", MESSAGE, b"")


@pytest.mark.parametrize("named", ["HS384", "HS512", "none", "RS256", "ES256"])
def test_a_symmetric_key_is_for_its_one_algorithm(named: str) -> None:
    key = symmetric_key(SECRET, algorithm="HS256")
    for signature in (b"", hmac.new(SECRET, MESSAGE, "sha384").digest(), signed("RS256")):
        assert key.verify(named, MESSAGE, signature) is False


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"])
def test_a_pem_key_is_for_the_algorithm_it_is_given(algorithm: str) -> None:
    pem = private_key(algorithm, "k1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for key in (pem_key(pem, algorithm=algorithm, kid="p"), pem_key(pem.decode(), algorithm=algorithm, kid="p")):
        assert key.kid == "p"
        assert set(key.algorithms) == ({"Ed25519", "EdDSA"} if algorithm.startswith("Ed") else {algorithm})
        assert key.verify(algorithm, MESSAGE, signed(algorithm))


@pytest.mark.parametrize(
    ("own", "claimed"), [("RS256", "ES256"), ("ES256", "ES384"), ("ES256", "HS256"), ("RS256", "none")]
)
def test_a_pem_key_is_refused_for_another_algorithm(own: str, claimed: str) -> None:
    with pytest.raises(ValueError, match="the algorithm does not fit the key"):
        pem_key(texts_of(own)["PEM"], algorithm=claimed)


@pytest.mark.parametrize(
    "make",
    [
        ed448.Ed448PrivateKey.generate,
        x25519.X25519PrivateKey.generate,
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: dsa.generate_private_key(1024),  # noqa: S505 - to be refused
    ],
    ids=["Ed448", "X25519", "secp256k1", "DSA"],
)
def test_a_pem_key_of_a_kind_we_do_not_use_is_refused(make: Any) -> None:
    pem = make().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="the algorithm does not fit the key"):
        pem_key(pem, algorithm="ES256")


def test_a_pem_key_of_an_unknown_curve_is_refused() -> None:
    der = b64decode(texts_of("ES256")["PEM"].split(b"-----")[2])
    unknown = der.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f"))
    assert unknown != der
    pem = b"-----BEGIN PUBLIC KEY-----\n" + b64encode(unknown) + b"\n-----END PUBLIC KEY-----\n"
    with pytest.raises(ValueError, match="not supported"):
        pem_key(pem, algorithm="ES256")


@pytest.mark.parametrize("pem", ["", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"\xff\xfe"])
def test_what_is_not_pem_is_refused(pem: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the library's
        pem_key(pem, algorithm="RS256")


def test_a_private_or_weak_pem_key_is_refused() -> None:
    private = private_key("RS256", "k1").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    weak = generate_private_key(65537, 1024).public_key()  # noqa: S505 - to be refused
    for pem in (private, weak.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        with pytest.raises(ValueError, match=r"no BEGIN PUBLIC KEY|RSA keys have 2048"):
            pem_key(pem, algorithm="RS256")


def test_a_key_does_not_show_what_it_is_made_of() -> None:
    assert repr(symmetric_key(SECRET, kid="s1")) == "Key(kid='s1')"
    assert repr(public_key(jwk())) == "Key(kid='k1')"


def test_keys_are_equal_by_identity_alone() -> None:
    assert public_key(jwk()) != public_key(jwk())


def key_set(*jwks: Any) -> KeySet:
    return KeySet.from_jwks({"keys": list(jwks)})[0]


def test_a_key_is_selected_by_kid_and_algorithm() -> None:
    keys = key_set(jwk(kid="a"), jwk(kid="b"), jwk("RS256", kid="a"))
    assert [key.kid for key in keys.keys] == ["a", "b", "a"]
    assert keys.select("ES256", "a") is keys.keys[0]
    assert keys.select("ES256", "b") is keys.keys[1]
    assert keys.select("RS256", "a") is keys.keys[2]


@pytest.mark.parametrize(
    ("algorithm", "kid"), [("ES256", "c"), ("ES256", ""), ("RS256", "b"), ("HS256", "a"), ("none", None)]
)
def test_no_key_is_selected_under_another_name(algorithm: str, kid: str | None) -> None:
    assert key_set(jwk(kid="a"), jwk(kid="b"), jwk("RS256", kid="a")).select(algorithm, kid) is None


def test_a_token_without_kid_gets_the_only_key_of_its_algorithm() -> None:
    keys = key_set(jwk(kid="a"), jwk("RS256", kid="b"), jwk("RS256", kid="c"))
    assert keys.select("ES256", None) is keys.keys[0]
    assert keys.select("RS256", None) is None


def test_keys_without_kid_serve_tokens_without_kid() -> None:
    keys = key_set(jwk(drop=("kid",)), jwk("RS256", drop=("kid",)))
    assert keys.select("ES256", None) is keys.keys[0]
    assert keys.select("RS256", None) is keys.keys[1]
    assert keys.select("ES256", "k1") is None


@pytest.mark.parametrize("count", [2, 3])
def test_a_kid_that_stands_for_several_keys_selects_none(count: int) -> None:
    same = [jwk(kid=str(number)) | {"kid": "same"} for number in range(count)]
    assert key_set(*same).select("ES256", "same") is None
    assert key_set(*same, jwk(kid="other")).select("ES256", "other") is not None


def test_one_odd_key_does_not_spoil_the_set() -> None:
    odd: list[Any] = [
        *({"kty": "oct", "k": "AAAA"}, {"kty": "unknown"}, {}, None, 1, "EC", [], [jwk()], True),
        *(jwk(kid="x", d="AAAA"), jwk(kid="x", use="tls"), jwk(kid="x", alg="HS256"), jwk(kid="x", x="AAAA")),
        *(jwk(kid="x", key_ops=None), jwk() | {"kid": ["x"]}, KEYS["wycheproof-jwk-7"], KEYS["wycheproof-jwk-8"]),
    ]  # fmt: skip
    keys, left_out = KeySet.from_jwks({"keys": [*odd[:5], jwk(kid="good"), *odd[5:]]})
    assert [key.kid for key in keys.keys] == ["good"]
    assert left_out == len(odd)


def test_a_key_for_encryption_is_left_out_and_not_odd() -> None:
    keys, left_out = KeySet.from_jwks({"keys": [jwk(kid="x", use="enc"), jwk(kid="good")]})
    assert ([key.kid for key in keys.keys], left_out) == (["good"], 0)


def test_a_repeated_key_counts_once() -> None:
    keys, left_out = KeySet.from_jwks({"keys": [jwk(), dict(reversed(jwk().items()))]})
    assert keys.select("ES256", "k1") is keys.keys[0]
    assert (len(keys.keys), left_out) == (1, 1)


@pytest.mark.parametrize(
    "document", [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}, {"keys": 1}, {"KEYS": []}], ids=repr
)
def test_a_document_that_is_no_jwk_set_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a JWK Set has a list of at most 100 keys"):
        KeySet.from_jwks(document)


@pytest.mark.parametrize("listed", [[], [{}], [{"kty": "oct", "k": "AAAA"}], [None]])
def test_a_set_without_a_usable_key_is_refused(listed: list[Any]) -> None:
    with pytest.raises(ValueError, match="no key of the set can be used"):
        KeySet.from_jwks({"keys": listed})


def test_a_set_has_a_greatest_size() -> None:
    many = [jwk() | {"kid": str(number)} for number in range(MAX_KEYS + 1)]
    assert len(key_set(*many[:-1]).keys) == MAX_KEYS
    with pytest.raises(ValueError, match="at most 100 keys"):
        KeySet.from_jwks({"keys": many})


def test_keys_that_are_fetched_again_unchanged_stay_the_same_objects() -> None:
    before = key_set(jwk(kid="a"), jwk(kid="b"))
    after, _ = KeySet.from_jwks({"keys": [jwk(kid="c"), dict(reversed(jwk(kid="a").items()))]}, known=before)
    assert after.select("ES256", "a") is before.select("ES256", "a")
    assert after.select("ES256", "c") is not None
    assert after.select("ES256", "b") is None


@pytest.mark.parametrize("changes", [{"drop": ("alg",)}, {"x5c": ["MIIB"]}])
def test_a_key_that_is_described_anew_is_a_new_object(changes: dict[str, Any]) -> None:
    before = key_set(jwk())
    after, _ = KeySet.from_jwks({"keys": [jwk(**changes)]}, known=before)
    assert after.select("ES256", "k1") is not before.select("ES256", "k1")


def test_another_key_under_the_same_kid_is_not_taken_for_the_known_one() -> None:
    before = key_set(jwk(kid="a"))
    after, _ = KeySet.from_jwks({"keys": [jwk(kid="b") | {"kid": "a"}]}, known=before)
    key = after.select("ES256", "a")
    assert key is not None
    assert key.verify("ES256", MESSAGE, signed("ES256", "b"))
    assert not key.verify("ES256", MESSAGE, signed("ES256", "a"))


def test_a_set_covers_another_when_no_key_has_gone() -> None:
    before = key_set(jwk(kid="a"), jwk(kid="b"))
    more, _ = KeySet.from_jwks({"keys": [jwk(kid="b"), jwk(kid="c"), jwk(kid="a")]}, known=before)
    fewer, _ = KeySet.from_jwks({"keys": [jwk(kid="b"), jwk(kid="c")]}, known=before)
    assert more.covers(before)
    assert before.covers(before)
    assert not fewer.covers(before)
    assert not key_set(jwk(kid="a"), jwk(kid="b")).covers(before)  # read on its own: other objects


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4)
NUMBERS = st.binary(max_size=70).map(lambda raw: encode(raw).decode()) | st.just(jwk()["x"]) | st.just(jwk()["y"])
NUMBERS |= st.just(jwk("RS256")["n"]) | st.just("AQAB") | st.just(jwk("Ed25519")["x"])
MEMBERS = {
    "kty": st.sampled_from(["RSA", "EC", "OKP", "oct"]) | JSON,
    "crv": st.sampled_from(["P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448", "X25519"]) | JSON,
    "use": st.just("sig") | JSON,
    "key_ops": st.just(["verify"]) | JSON,
    "alg": st.sampled_from(sorted({*RSA_FAMILY, "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "HS256", "none"}))
    | JSON,
    **dict.fromkeys(("n", "e", "x", "y"), NUMBERS | JSON),
    **dict.fromkeys(("kid", "d", "k", "oth"), JSON),
}


@given(st.fixed_dictionaries({}, optional=MEMBERS) | st.dictionaries(st.text(max_size=5), JSON))
@settings(max_examples=500, deadline=None)
def test_no_json_object_raises_anything_but_value_error(described: dict[str, Any]) -> None:
    try:
        key = public_key(described)
    except ValueError:
        return
    assert key.algorithms
    assert not {"HS256", "none"} & set(key.algorithms)
    assert described.get("alg") is None or described["alg"] in key.algorithms
