import json
import logging
import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs import Grant, InvalidToken, SignatureMethod, Unavailable
from oauth_rs.claim_names import ClaimNames
from oauth_rs.identity import (
    MAX_HEADER_BYTES,
    PLAIN_NAMES,
    IdentityHeaders,
    decode_pairs,
    encode_pairs,
    folded,
    without_tokens,
)
from tests.support.granting import anything, grant, grants

MANY = frozenset(f"scope-{number}" for number in range(1000))
SAFE = re.compile(r"[\x21-\x7e]+( [\x21-\x7e]+)*")


def headers(of: Grant, **options: Any) -> dict[str, str]:
    return dict(IdentityHeaders(**options).headers(of))


def test_a_grant_is_told_in_nine_headers() -> None:
    claims = {"properties": {"tier": "gold", "limit": 9}, "name": "Ada", "email": "ada@example.com"}
    assert headers(grant(claims, scheme="MAC", signature_method=SignatureMethod.HMAC_SHA1)) == {
        "OAuth-ClientID": "app",
        "OAuth-Scope": "albums photos",
        "OAuth-Properties": "tier=gold,limit=9",
        "OAuth-TokenType": "MAC",
        "OAuth-version": "2.0",
        "OAuth-ResourceOwnerDomain": "people.example",
        "OAuth-ResourceOwnerUserInfo": "name=Ada,mail=ada@example.com",
        "OAuth-ResourceOwnerUID": "ada",
        "OAuth-Signature-Method": "HMAC-SHA1",
    }


def test_with_underscores_they_are_named_as_gateways_name_them() -> None:
    named = headers(grant({"name": "Ada"}, signature_method=SignatureMethod.HMAC_SHA1), underscores=True)
    assert set(named) == {
        "OAuth_ClientID",
        "OAuth_Scope",
        "OAuth_TokenType",
        "OAuth_version",
        "OAuth_ResourceOwnerDomain",
        "OAuth_ResourceOwnerUserInfo",
        "OAuth_ResourceOwnerUID",
        "OAuth_Signature_Method",
    }


def test_what_is_empty_is_left_out() -> None:
    nobody = grant(client_id="", subject="", scopes=frozenset(), issuer="", names=ClaimNames())
    assert headers(nobody) == {"OAuth-TokenType": "Bearer", "OAuth-version": "2.0"}


def test_oauth_1_has_its_own_version_and_no_type_of_token() -> None:
    told = headers(grant(scheme="OAuth1", signature_method=SignatureMethod.RSA_SHA256))
    assert (told["OAuth-version"], told["OAuth-Signature-Method"]) == ("1.0a", "RSA-SHA256")
    assert "OAuth-TokenType" not in told


def test_the_domain_is_the_issuer_where_the_provider_names_none() -> None:
    assert headers(grant(names=ClaimNames()))["OAuth-ResourceOwnerDomain"] == "https://id.example.com"


UNSAFE = {
    "line feed": ("a\nX-Admin: 1", "a%0AX-Admin:%201"),
    "carriage return": ("a\r\n\r\n", "a%0D%0A%0D%0A"),
    "NUL": ("a\0b", "a%00b"),
    "delete": ("\x7f", "%7F"),
    "spaces at the ends": (" ada ", "%20ada%20"),
    "tab": ("\tada", "%09ada"),
    "not ASCII": ("é€", "%C3%A9%E2%82%AC"),
    "Latin-1 as UTF-8 sees it": ("\xe9", "%C3%A9"),
    "next line": ("\x85\u2028", "%C2%85%E2%80%A8"),
    "half of a pair": ("\ud800", "%ED%A0%80"),
    "percent-encoded already": ("%0A", "%250A"),
    "printable": ("!;,=\"'\\<>{}|~", "!;,=\"'\\<>{}|~"),
}


@pytest.mark.parametrize(("value", "sent"), UNSAFE.values(), ids=UNSAFE)
@pytest.mark.parametrize(("field", "name"), [("subject", "OAuth-ResourceOwnerUID"), ("client_id", "OAuth-ClientID")])
def test_a_value_is_made_safe(field: str, name: str, value: str, sent: str) -> None:
    assert headers(grant(**{field: value}))[name] == sent


def test_a_scope_that_holds_a_space_stays_one() -> None:
    assert headers(grant(scopes=frozenset({"a admin", "b"})))["OAuth-Scope"] == "a%20admin b"


@given(grants)
def test_nothing_unsafe_comes_through_any_claim(of: Grant) -> None:
    told = headers(of)
    assert all(SAFE.fullmatch(value) for value in told.values())
    assert unquote(told.get("OAuth-ResourceOwnerUID", ""), errors="surrogatepass") == of.subject
    scopes = told["OAuth-Scope"].split(" ") if of.scopes else []
    assert {unquote(scope, errors="surrogatepass") for scope in scopes} == of.scopes
    assert decode_pairs(told.get("OAuth-Properties", "")) == of.properties
    assert decode_pairs(told.get("OAuth-ResourceOwnerUserInfo", "")) == of.owner


@given(st.dictionaries(anything, anything))
def test_pairs_are_read_back_as_they_were(pairs: dict[str, str]) -> None:
    text = encode_pairs(pairs)
    assert decode_pairs(text) == pairs
    assert not text or SAFE.fullmatch(text)


@given(st.text())
def test_whatever_is_read_as_pairs_is_a_value_error_at_most(text: str) -> None:
    try:
        assert text.count("=") == len(decode_pairs(text))
    except ValueError:
        return


def test_marks_of_lists_are_encoded_in_names_and_values() -> None:
    assert encode_pairs({"a=b": "c,d", "": "1=2"}) == "a%3Db=c%2Cd,=1%3D2"


@pytest.mark.parametrize("text", ["a", "a=b,", ",", "a=b=c", "a=1,a=2", "a=1,%61=2", "a=%ff"])
def test_what_is_no_list_of_pairs_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is not for programs
        decode_pairs(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": MANY, "claims_json": json.dumps({"scope": " ".join(MANY)}).encode()},
        {"scopes": MANY, "claims_json": json.dumps({"scp": [*MANY, 7]}).encode()},
        {"scopes": MANY, "claims_json": json.dumps({"scope": "%" * 2_731}).encode()},
        {"subject": "a" * 8193, "scopes": MANY, "claims_json": json.dumps({"scope": " ".join(MANY)}).encode()},
        {"subject": "a" * 8193},
        {"client_id": "é" * (MAX_HEADER_BYTES // 6 + 1)},
        {"claims_json": json.dumps({"name": "a" * MAX_HEADER_BYTES}).encode()},
    ],
    ids=["scope", "scp", "encoded scope", "scopes and subject", "subject", "encoded", "owner"],
)
def test_what_is_too_much_for_a_header_refuses_the_request(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken) as refused:
        headers(grant(scheme="MAC", **changes))
    assert (refused.value.reason, refused.value.scheme) == ("identity_too_large", "MAC")


@pytest.mark.parametrize(
    "claims",
    [{}, {"scope": "root"}, {"scp": ["root"]}, {"scope": [17]}, {"scope": 7}, {"scope": " ".join([*MANY][:500])}],
)
def test_scopes_that_configuration_adds_are_no_fault_of_the_token(
    claims: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unavailable) as failed:
        headers(grant(claims, scopes=MANY))
    assert (failed.value.reason, failed.value.retry_after) == ("scopes_too_large", 30)
    assert caplog.records[0].levelno == logging.ERROR
    added = "the scopes that the catalogue, roles or a registry add to those that are claimed"
    assert caplog.messages == [f"configuration: identity cannot pass on {added}: 9889 bytes"]


def test_that_configuration_adds_too_much_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([0.0, 59.9, 60.0])
    identity = IdentityHeaders(monotonic=lambda: next(times))
    for records in (1, 1, 2):
        with pytest.raises(Unavailable):
            identity.headers(grant(scopes=MANY))
        assert len(caplog.records) == records


def test_what_the_token_says_too_much_of_is_its_fault_whatever_configuration_adds() -> None:
    with pytest.raises(InvalidToken, match="identity_too_large"):
        headers(grant(subject="a" * 8193, scopes=MANY))


def test_what_just_fits_is_sent_whole() -> None:
    subject = "a" * 8192
    assert headers(grant(subject=subject))["OAuth-ResourceOwnerUID"] == subject


@pytest.mark.parametrize("name", ["OAuth-Signature-Method", "oauth_signature_method", "OAUTH-SIGNATURE_METHOD"])
def test_every_spelling_of_a_name_folds_to_one(name: str) -> None:
    assert folded(name) in PLAIN_NAMES == IdentityHeaders().names == IdentityHeaders(underscores=True).names


CONNECTIONS = {
    "nothing of ours": ("keep-alive,  X-Own", "keep-alive,  X-Own"),
    "ours alone": ("OAuth-ClientID", ""),
    "ours between others": ("close, oauth_clientid, x", "close, x"),
    "ours first": ("OAUTH-SCOPE , close", "close"),
    "ours last": ("close,oauth-Scope\t", "close"),
    "part of a name": ("OAuth-Scopes, xOAuth-Scope, OAuth Scope", "OAuth-Scopes, xOAuth-Scope, OAuth Scope"),
    "empty": ("", ""),
}


@pytest.mark.parametrize(("sent", "kept"), CONNECTIONS.values(), ids=CONNECTIONS)
def test_connection_names_no_header_of_ours(sent: str, kept: str) -> None:
    assert without_tokens(sent, PLAIN_NAMES) == kept
