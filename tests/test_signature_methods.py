import pickle
from typing import Any

import pytest

from oauth_rs.signature_methods import SignatureMethod

NAMES = {
    SignatureMethod.HMAC_SHA1: ("HMAC-SHA1", "HmacSHA1", "hmac-sha1", "hmac-sha-1"),
    SignatureMethod.HMAC_SHA256: ("HMAC-SHA256", "HmacSHA256", "hmac-sha256", "hmac-sha-256", "sha-256"),
    SignatureMethod.RSA_SHA1: ("RSA-SHA1", "SHA1withRSA", "rsa-sha1"),
    SignatureMethod.RSA_SHA256: ("RSA-SHA256", "SHA256withRSA", "rsa-sha256"),
    SignatureMethod.PLAINTEXT: ("PLAINTEXT", "plaintext"),
}
EACH = [(name, method) for method, names in NAMES.items() for name in names]


@pytest.mark.parametrize(("name", "method"), EACH)
def test_every_name_means_its_method_in_any_case(name: str, method: SignatureMethod) -> None:
    assert {SignatureMethod(spelt) for spelt in (name, name.lower(), name.upper(), name.swapcase())} == {method}


def test_the_aliases_of_a_method_are_its_other_names() -> None:
    assert {method: (method.value, *method.aliases) for method in SignatureMethod} == NAMES


def test_no_name_has_two_meanings() -> None:
    folded = [(name.lower(), method) for name, method in EACH]
    assert len({name for name, _ in folded}) == len(set(folded))


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "HMAC", "SHA1", "sha-1", "none", "None", "HS256", "RS256", "HMAC_SHA1", "HMAC-SHA512", "RSA-SHA512"),
        *("HMAC-SHA1 ", " HMAC-SHA1", "HMAC-SHA1\n", "HMAC-SHA1\x00", "HMAC\u2011SHA1", "HMAC-\u017fHA1", "HMACSHA-1"),
        *("MD5withRSA", "SHA1withDSA", "SHA1withRSA/PSS", "SHA256withRSAandMGF1", "hmac-sha-2561"),
        *(None, 1, True, b"HMAC-SHA1", ("HMAC-SHA1",), ["HMAC-SHA1"]),
    ],
    ids=repr,
)
def test_what_is_no_name_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="is not a signature method: HMAC-SHA1, HMAC-SHA256, "):
        SignatureMethod(name)


def test_a_method_is_its_name_on_the_wire_and_in_logs() -> None:
    assert SignatureMethod("HmacSHA1") == "HMAC-SHA1"
    assert f"{SignatureMethod.RSA_SHA256}" == "RSA-SHA256"
    assert pickle.loads(pickle.dumps(SignatureMethod.PLAINTEXT)) is SignatureMethod.PLAINTEXT  # noqa: S301 - our own
