import json
import time
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_rs.errors import InvalidToken
from oauth_rs.status_list.list_token import (
    MAX_LIST_TOKEN,
    MAX_STATUS_BYTES,
    StatusList,
    StatusListToken,
    StatusReference,
    status_reference,
)
from tests.support import status_lists
from tests.support.costing import cost
from tests.support.issuing import Issuer, encode
from tests.support.status_lists import URI, lst, packed, status, status_list

ISSUER = Issuer()
NOW = time.time()
list_token = partial(status_lists.list_token, iat=int(NOW))  # however long ago this file was imported
ONE = lst(b"0")  # a byte array of one byte
NO_NUMBERS: list[Any] = ["1", True, None, [], 1e300]
NO_OBJECTS: list[Any] = [None, True, 0, "revoked", [], [status()], {}]
NO_INDICES: list[Any] = [-1, -(10**30), True, False, "1", 1.0, 1e300, None, [], {}]
VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "status_lists.json").read_text())["vectors"]


def read(token: bytes, *, signer: Issuer = ISSUER, uri: str = URI, now: float | None = None) -> StatusList:
    """The list in `token`, which must be that of `signer`."""
    opened = StatusListToken(token)
    key = signer.keys().peek(opened.header.alg, opened.header.kid)
    assert key is not None
    return opened.read(key, uri=uri, issuer=signer.issuer, now=time.time() if now is None else now)


def refused(token: bytes, **options: Any) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        read(token, **options)
    return str(caught.value)


# The list


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_published_lists_say_what_was_published(vector: dict[str, Any]) -> None:
    found = read(list_token(ISSUER, status_list={"bits": vector["bits"], "lst": vector["lst"]}))
    expected = {int(idx): value for idx, value in vector["statuses"].items()}
    assert {idx: value for idx in range(vector["size"]) if (value := found.status(idx))} == expected
    assert found.status(vector["size"]) is None


@given(st.sampled_from([1, 2, 4, 8]), st.data())
@settings(max_examples=50, deadline=None)
def test_each_status_is_found_where_it_was_put(bits: int, data: st.DataObject) -> None:
    statuses = data.draw(
        st.lists(st.integers(0, 2**bits - 1), min_size=8, max_size=64).map(lambda one: one[: len(one) // 8 * 8])
    )
    array = packed(dict(enumerate(statuses)), bits=bits, size=len(statuses))
    found = StatusList(bits=bits, statuses=array, issued_at=0, expires_at=None, ttl=None)
    assert [found.status(idx) for idx in range(len(statuses))] == statuses
    assert found.status(len(statuses)) is None


def test_a_list_may_be_as_long_as_eight_million_tokens_and_hard_to_compress() -> None:
    array = bytes(range(1, 256)) * (MAX_STATUS_BYTES // 255) + b"\x01" * (MAX_STATUS_BYTES % 255)
    stored = encode(zlib.compress(array, 0)).decode()
    token = list_token(ISSUER, status_list={"bits": 1, "lst": stored})
    assert len(token) > MAX_LIST_TOKEN * 0.85
    found = read(token)
    assert (found.status(0), found.status(8 * MAX_STATUS_BYTES - 8), found.status(8 * MAX_STATUS_BYTES)) == (1, 1, None)


def test_a_list_tells_its_times() -> None:
    found = read(list_token(ISSUER, iat=995, exp=1007, ttl=1.5), now=1000)
    assert (found.issued_at, found.expires_at, found.ttl) == (995, 1007, 1.5)
    bare = read(list_token(ISSUER, drop=["exp", "ttl"]))
    assert (bare.expires_at, bare.ttl) == (None, None)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_list_has_one_two_four_or_eight_bits_for_each_token(bits: int) -> None:
    found = read(list_token(ISSUER, status_list=status_list({5: 2**bits - 1}, bits=bits)))
    assert [found.status(idx) for idx in (0, 4, 5, 6, 1023, 1024)] == [0, 0, 2**bits - 1, 0, 0, None]


def test_a_list_is_in_force_from_a_minute_before_it_was_issued_up_to_its_exp() -> None:
    token = list_token(ISSUER, iat=2000, nbf=2000, exp=3000)
    for now in (1940, 2999):
        read(token, now=now)
    assert "not valid yet" in refused(token, now=1939)
    assert "expired" in refused(token, now=3000)


def test_a_list_does_not_show_its_statuses() -> None:
    assert "statuses=" not in repr(read(list_token(ISSUER)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        *(({"sub": sub}, "another address") for sub in (URI + "/", URI.upper(), "https://evil.example", "", 7, [URI])),
        ({"drop": ["sub"]}, "another address"),
        *(({"iss": iss}, "another issuer") for iss in ("https://evil.example", "", None, ["https://id.example.com"])),
        ({"drop": ["iat"]}, "when it was issued"),
        ({"iat": int(NOW) + 86_400}, "not valid yet"),
        ({"nbf": int(NOW) + 86_400}, "not valid yet"),
        ({"exp": int(NOW) - 1}, "expired"),
        ({"exp": int(NOW)}, "expired"),
        ({"exp": 0}, "expired"),
        *(({name: odd}, "not a number") for name in ("iat", "exp", "nbf") for odd in NO_NUMBERS),
        *(({"ttl": odd}, "ttl") for odd in (*NO_NUMBERS, 0, -1)),
        *(({"status_list": odd}, "no list") for odd in (*NO_NUMBERS, {}, {"bits": 1}, {"lst": ONE})),
        *(({"status_list": {"bits": odd, "lst": ONE}}, "no list") for odd in (0, 3, 16, -1, True, "1", 1.0, None)),
        *(({"status_list": {"bits": 1, "lst": odd}}, "no list") for odd in (None, 5, ["eNrbuRgAAhcBXQ"])),
        *(
            ({"status_list": {"bits": 1, "lst": odd}}, "cannot be inflated")
            for odd in (ONE + "==", ONE[:4] + " " + ONE[4:], "e+", "AAAA", "\u00e9", "eNrbuRgAAhcBXR", "eNrbuRgAAhcBXA")
        ),
        *(({"status_list": {"bits": 1, "lst": odd}}, "too early") for odd in ("", "eNrb", "eNrbuRgAAhcB")),
        ({"status_list": {"bits": 1, "lst": encode(zlib.compress(b"\0") + b"more").decode()}}, "followed"),
        ({"status_list": {"bits": 1, "lst": encode(zlib.compress(b"\0", wbits=-15)).decode()}}, "inflated"),
        ({"status_list": {"bits": 1, "lst": encode(zlib.compress(b"\0", wbits=31)).decode()}}, "inflated"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_list_that_is_not_to_the_letter_is_refused(changes: dict[str, Any], says: str) -> None:
    assert says in refused(list_token(ISSUER, **changes))


@pytest.mark.parametrize("size", [MAX_STATUS_BYTES + 1, 1 << 26], ids=["a byte more", "64 MiB"])
def test_a_bomb_is_inflated_no_further_than_a_list_may_be(size: int) -> None:
    token = list_token(ISSUER, status_list={"bits": 1, "lst": lst(bytes(size))})
    says: list[str] = []
    assert cost(lambda: says.append(refused(token))) < 0.5
    assert all("more statuses" in one for one in says)


def test_a_bomb_in_a_bomb_is_one_that_inflates_to_nothing_useful() -> None:
    inner = zlib.compress(bytes(1 << 26), 9)
    assert read(list_token(ISSUER, status_list={"bits": 8, "lst": lst(inner)})).status(len(inner)) is None


# The token around it


@pytest.mark.parametrize(
    "typ", ["at+jwt", "JWT", "", "statuslist+cwt", "statuslist", "application/jwt", "secevent+jwt"]
)
def test_nothing_else_that_the_issuer_signs_is_a_list(typ: str) -> None:
    assert "typ" in refused(list_token(ISSUER, header={"typ": typ}))


def test_a_list_without_a_typ_is_none() -> None:
    assert "typ" in refused(list_token(ISSUER, drop=["typ"]))


@pytest.mark.parametrize("typ", ["statuslist+jwt", "application/statuslist+jwt", "StatusList+JWT"])
def test_the_typ_is_a_media_type(typ: str) -> None:
    assert read(list_token(ISSUER, header={"typ": typ})).status(1) == 1


def test_an_access_token_is_no_list() -> None:
    assert "typ" in refused(ISSUER.token(sub=URI, status_list=status_list()).encode())


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"..",
        b"a.b",
        b"." * 1_000_000,
        b"<!doctype html>",
        b'{"status_list": {}}',
        list_token(ISSUER) + b".",
        list_token(ISSUER) + b"\n",
        b" " + list_token(ISSUER),
        list_token(ISSUER, header={"alg": "none"}),
        list_token(ISSUER, header={"alg": "none"}).rpartition(b".")[0] + b".",
        list_token(ISSUER, header={"crit": ["exp"]}),
        list_token(ISSUER, header={"b64": False}),
        list_token(ISSUER, drop=["alg"]),
        b"e." + b"A" * MAX_LIST_TOKEN + b".A",
        encode(b"x" * 20_000) + b".e30.AA",
    ],
    ids=lambda token: token[:20].decode("latin-1") + f" {len(token)}",
)
def test_what_is_no_signed_jwt_is_no_list(token: bytes) -> None:
    with pytest.raises(ValueError, match="signed"):
        StatusListToken(token)


@pytest.mark.parametrize("payload", [b"", b"W10", b"bnVsbA", b"e30=", b"e 30", b"eyJhIjoxLCJhIjoxfQ", b"__79"])
def test_a_payload_that_is_no_json_object_is_no_list(payload: bytes) -> None:
    header = {"typ": "statuslist+jwt", "alg": "ES256", "kid": "k1"}
    assert "JSON object" in refused(ISSUER.sign(header, payload).encode())


def test_a_list_that_somebody_else_signed_is_refused() -> None:
    forged = Issuer(kid="forged")
    forged.kid = "k1"
    assert "signature" in refused(list_token(forged))


def test_a_list_that_was_changed_is_refused() -> None:
    first, _, last = list_token(ISSUER).split(b".")
    payload = list_token(ISSUER, status_list=status_list({})).split(b".")[1]
    assert "signature" in refused(b".".join((first, payload, last)))


def test_an_unsigned_list_is_not_read_before_its_signature_is() -> None:
    first, _, last = list_token(ISSUER).split(b".")
    assert "signature" in refused(b".".join((first, encode(b"[" * 100_000), last)))


# What a token says


@pytest.mark.parametrize("claims", [{}, {"sub": "ada"}], ids=str)
def test_a_token_may_refer_to_no_list(claims: dict[str, Any]) -> None:
    assert status_reference(claims) is None


def test_a_token_refers_to_a_place_in_a_list() -> None:
    assert status_reference({"status": {**status(7), "other": {}}}) == StatusReference(URI, 7)
    assert status_reference({"status": status(0)}) == StatusReference(URI, 0)


@pytest.mark.parametrize(
    "odd",
    [
        *NO_OBJECTS,
        *({"status_list": odd} for odd in (*NO_OBJECTS, {"idx": 1}, {"uri": URI})),
        *(status(odd) for odd in NO_INDICES),
        *(status(0, uri) for uri in (None, 7, [URI], {"uri": URI}, True)),
    ],
    ids=str,
)
def test_a_malformed_reference_is_refused(odd: Any) -> None:
    with pytest.raises(InvalidToken) as caught:
        status_reference({"status": odd})
    assert caught.value.reason == "malformed_claim"


def test_a_status_that_is_told_in_another_way_is_refused() -> None:
    with pytest.raises(InvalidToken) as caught:
        status_reference({"status": {"identifier_list": {"id": "1", "uri": URI}}})
    assert caught.value.reason == "status_not_supported"
