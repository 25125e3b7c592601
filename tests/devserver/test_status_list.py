import threading
import zlib
from base64 import urlsafe_b64decode
from collections import Counter
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.devserver import DevServer
from oauth_rs.devserver.status_list import INVALID, LIFETIME, SIZE, SUSPENDED, VALID, StatusList
from tests.devserver.conftest import Clock, Read, made_tokens

MINT = made_tokens(Clock()).mint
URI = "http://127.0.0.1:9000/statuslists/1"
INDEXES = st.integers(0, SIZE - 1)


@pytest.fixture
def statuses() -> StatusList:
    return StatusList(MINT, ttl=30)


def status_in(lst: str, idx: int) -> int:
    """What a reader makes of the list, written from section 4.1 of the draft: bit by bit."""
    data = zlib.decompress(urlsafe_b64decode(lst + "=="))
    bits = [byte >> bit & 1 for byte in data for bit in range(8)]
    return bits[2 * idx] + 2 * bits[2 * idx + 1]


@pytest.mark.parametrize(("idx", "value"), [(-1, 0), (SIZE, 0), (0, -1), (0, 4)])
def test_what_the_list_cannot_hold_is_a_value_error(statuses: StatusList, idx: int, value: int) -> None:
    with pytest.raises(ValueError, match="an index is from 0"):
        statuses.set(idx, value)


@pytest.mark.parametrize("ttl", [0, -1])
def test_a_list_is_kept_for_a_second_at_least(ttl: int) -> None:
    with pytest.raises(ValueError, match="status_ttl"):
        StatusList(MINT, ttl=ttl)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"status": None},
        {"status": []},
        {"status": {}},
        {"status": {"status_list": 1}},
        {"status": {"status_list": {}}},
        {"status": {"status_list": {"idx": 1}}},
        {"status": {"status_list": {"idx": 1, "uri": "https://other.example.com"}}},
        {"status": {"status_list": {"uri": URI}}},
        {"status": {"status_list": {"idx": "1", "uri": URI}}},
        {"status": {"status_list": {"idx": True, "uri": URI}}},
        {"status": {"status_list": {"idx": -1, "uri": URI}}},
        {"status": {"status_list": {"idx": SIZE, "uri": URI}}},
    ],
    ids=range(13),
)
def test_other_claims_have_no_index_here(statuses: StatusList, claims: dict[str, Any]) -> None:
    assert statuses.index_of(claims) is None


def test_every_token_draws_an_index_of_its_own(statuses: StatusList) -> None:
    drawn = [statuses.draw() for _ in range(3)]
    assert [statuses.index_of(claims) for claims in drawn] == [0, 1, 2]
    assert drawn[0] == {"status": {"status_list": {"idx": 0, "uri": URI}}}


def test_when_the_list_is_full_it_begins_anew_with_good_tokens(statuses: StatusList) -> None:
    statuses.set(0, INVALID)
    for _ in range(SIZE):
        statuses.draw()
    statuses.set(0, INVALID)
    assert statuses.index_of(statuses.draw()) == 0
    assert statuses.get(0) == VALID


@given(st.lists(st.tuples(INDEXES, st.integers(0, 3)), max_size=20))
def test_each_index_has_the_value_it_was_given_last(changes: list[tuple[int, int]]) -> None:
    statuses = StatusList(MINT, ttl=30)
    for idx, value in changes:
        statuses.set(idx, value)
    expected = dict(changes)
    assert {idx: statuses.get(idx) for idx in expected} == expected


def test_threads_do_not_undo_each_others_changes(statuses: StatusList) -> None:
    def suspend(offset: int) -> None:
        for idx in range(offset, 4000, 4):
            statuses.set(idx, SUSPENDED)

    threads = [threading.Thread(target=suspend, args=[offset]) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(map(statuses.get, range(4001))) == {SUSPENDED: 4000, VALID: 1}


def test_the_list_is_served_as_a_signed_token(http: httpx2.Client, server: DevServer, read: Read) -> None:
    reply = http.get("/statuslists/1")
    assert reply.headers["content-type"] == "application/statuslist+jwt"
    assert reply.headers["cache-control"] == "max-age=60"
    token = read(reply.text, server.jwks())
    claims = token["claims"]
    assert (token["header"]["typ"], claims["sub"]) == ("statuslist+jwt", f"{server.issuer}/statuslists/1")
    assert (claims["exp"] - claims["iat"], claims["ttl"], claims["status_list"]["bits"]) == (LIFETIME, 60, 2)
    assert len(zlib.decompress(urlsafe_b64decode(claims["status_list"]["lst"] + "=="))) == SIZE // 4


def test_the_list_says_what_was_set(http: httpx2.Client, server: DevServer, read: Read) -> None:
    tokens = [server.token(status=True) for _ in range(4)]
    for value, token in enumerate(tokens):
        server.set_status(token, value)
    lst = read(http.get("/statuslists/1").text, server.jwks())["claims"]["status_list"]["lst"]
    entries = [read(token, server.jwks())["claims"]["status"]["status_list"] for token in tokens]
    assert [entry["uri"] for entry in entries] == [f"{server.issuer}/statuslists/1"] * 4
    assert [status_in(lst, entry["idx"]) for entry in entries] == [0, 1, 2, 3]


def test_the_list_is_fetched_and_not_posted_to(http: httpx2.Client) -> None:
    assert http.post("/statuslists/1").status_code == 405
    assert http.get("/statuslists/2").status_code == 404
