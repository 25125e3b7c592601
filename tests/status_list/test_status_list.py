import time
from typing import Any

import pytest

from oauth_rs.errors import InvalidToken, OAuthError, Unavailable
from oauth_rs.flow import Aside, Fetch, Reply, Run
from oauth_rs.status_list import MAX_LISTS, MAX_URI, StatusLists, TokenStatus
from oauth_rs.status_list.list_token import MAX_LIST_TOKEN
from tests.support.costing import cost
from tests.support.issuing import ISSUER, Issuer
from tests.support.playing import FakeClock, play
from tests.support.status_lists import URI, list_token, status, status_list

SIGNER = Issuer()
NOW = int(time.time())
DIGEST = b"d" * 32
ODD: list[Any] = [None, "revoked", [], {}, status(-1), status(True), status("0"), status(0, 7)]
LOOPBACK = "http://127.0.0.1:8080"
BELOW = "https://status.example.com/lists"


def fetch(uri: str = URI) -> Fetch:
    return Fetch("GET", uri, (("Accept", "application/statuslist+jwt"),), limit=MAX_LIST_TOKEN, shared=0.5)


def reply(uri: str = URI, *, signer: Issuer = SIGNER, **changes: Any) -> Reply:
    return Reply(200, list_token(signer, sub=uri, **{"iat": NOW, "exp": NOW + 3600, "ttl": 100, **changes}))


def of(
    lists: StatusLists | None = None, *, issuer: str = ISSUER, clock: FakeClock | None = None, **more: Any
) -> TokenStatus:
    options = {"tokens": 100, "clock": lambda: NOW, "monotonic": clock or FakeClock(), **more}
    return (lists or StatusLists()).of(issuer, SIGNER.keys(), **options)


def claims(idx: Any = 0, uri: str = URI) -> dict[str, Any]:
    return {"iss": ISSUER, "sub": "ada", "status": status(idx, uri)}


def refused(status: TokenStatus, token: dict[str, Any], *script: tuple[Any, Any], digest: bytes = DIGEST) -> str:
    with pytest.raises(OAuthError) as caught:
        play(status.check(token, digest), *script)
    return caught.value.reason


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def warm(clock: FakeClock) -> TokenStatus:
    """One list, fetched for the token of DIGEST, whose index is 0."""
    found = of(clock=clock)
    play(found.check(claims(), DIGEST), (fetch(), reply()))
    return found


# Configuration


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"under": BELOW}, TypeError, "list of URLs"),
        *(
            ({"under": [url]}, ValueError, "over https")
            for url in (
                *(
                    "",
                    "status.example.com",
                    "//status.example.com",
                    "http://status.example.com",
                    "ftp://x/",
                    "file:///x",
                ),
                *("https://", "https:///lists", f"{BELOW}?a=1", f"{BELOW}#a", f"{BELOW}/../x", f"{BELOW}/."),
                *(
                    "https://user@status.example.com",
                    "https://status.example.com:x",
                    "https://status.example.com:99999",
                ),
                *(
                    "https://status.example.com/%2e%2e",
                    "https://status.example.com\\lists",
                    "https://st\u00e4tus.example",
                ),
                *(f"{BELOW}/a b", f"{BELOW}/\n", f"{BELOW}\x00"),
            )
        ),
        ({"max_age": 0.5}, ValueError, "1 to 86400"),
        ({"max_age": 86_401}, ValueError, "1 to 86400"),
        ({"lists": 0}, ValueError, "at least one"),
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused_when_it_is_made(
    options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        StatusLists(**options)


@pytest.mark.parametrize("issuer", ["accounts.example.com", "urn:example:issuer", "http://id.example.com"])
def test_an_issuer_without_an_origin_needs_to_be_told_where_lists_are(issuer: str) -> None:
    with pytest.raises(ValueError, match="under="):
        of(issuer=issuer)
    of(StatusLists(under=[BELOW]), issuer=issuer)


# Where lists may be


@pytest.mark.parametrize(
    ("under", "issuer", "uri"),
    [
        ([], ISSUER, f"{ISSUER}/statuslists/1"),
        ([], ISSUER, f"{ISSUER}/"),
        ([], ISSUER, ISSUER),
        ([], f"{ISSUER}/tenants/7", f"{ISSUER}/statuslists/1"),
        ([], "https://id.example.com:8443/", "https://id.example.com:8443/1"),
        ([], LOOPBACK, f"{LOOPBACK}/1"),
        ([], "http://[::1]:80", "http://[::1]:80/1"),
        ([BELOW], ISSUER, BELOW),
        ([BELOW], ISSUER, f"{BELOW}/1"),
        ([f"{BELOW}/"], ISSUER, f"{BELOW}/a/b..c/.d/~e/%20%C3%A4?list=1&of=/x/../y%20?z"),
        ([BELOW], ISSUER, f"{BELOW}?1"),
        ([BELOW, LOOPBACK], ISSUER, f"{LOOPBACK}/1"),
    ],
    ids=str,
)
def test_a_list_is_fetched_from_where_lists_may_be(under: list[str], issuer: str, uri: str) -> None:
    play(of(StatusLists(under=under), issuer=issuer).check(claims(0, uri), DIGEST), (fetch(uri), reply(uri)))


@pytest.mark.parametrize(
    "uri",
    [
        *("", "1", "/statuslists/1", "//id.example.com/1", "https:id.example.com", "https://", "urn:list:1", "data:,1"),
        *(
            "http://id.example.com/1",
            "HTTPS://id.example.com/1",
            "https://ID.example.com/1",
            " https://id.example.com/1",
        ),
        *("https://id.example.com.evil/1", "https://id.example.comevil/1", "https://id.example.com@evil.example/1"),
        *("https://id.example.com:443@evil.example/", "https://id.example.com:8443/1", "https://id.example.com:/1"),
        *("https://id.example.com\\@evil.example/1", "https://id.example.com\\.evil/1", "https://evil.example/1"),
        *("https://evil.example/https://id.example.com/1", "https://evil.example/?https://id.example.com/1"),
        *("https://id.example.com#@evil.example/", "https://id.example.com/1#2", "https://id.example.com./1"),
        *(f"{ISSUER}/a/../b", f"{ISSUER}/..", f"{ISSUER}/./a", f"{ISSUER}/.", f"{ISSUER}/%2e%2e/a", f"{ISSUER}/%2E./a"),
        *(
            f"{ISSUER}/a%2fb",
            f"{ISSUER}/a%5Cb",
            f"{ISSUER}/a\\b",
            f"{ISSUER}/%00",
            f"{ISSUER}/%0d%0aX",
            f"{ISSUER}/%252e",
        ),
        *(f"{ISSUER}/a b", f"{ISSUER}/a\tb", f"{ISSUER}/a\r\nHost: evil", f"{ISSUER}/\x00", f"{ISSUER}/\x7f"),
        *(f"{ISSUER}/\u00e4", f"{ISSUER}/\u2025/a", f"{ISSUER}/%", f"{ISSUER}/%4", f"{ISSUER}/%zz", f"{ISSUER}/<a>"),
        *(f"{ISSUER}/{{a}}", f'{ISSUER}/"', f"{ISSUER}/^", f"{ISSUER}/|", f"{ISSUER}/`", f"{ISSUER}/[a]"),
        *("file:///etc/passwd", "http://169.254.169.254/latest", f"{LOOPBACK}/1", f"{ISSUER}/" + "a" * MAX_URI),
    ],
    ids=ascii,
)
def test_a_token_leads_nowhere_else(uri: str) -> None:
    found = of()
    assert refused(found, claims(0, uri)) == "status_list_not_allowed"
    assert not found._lists


@pytest.mark.parametrize(
    "uri",
    [
        *("https://status.example.com/", "https://status.example.com/list", "https://status.example.com/lists2/1"),
        *("https://status.example.com/lists/../1", "https://status.example.com/lists/..", f"{ISSUER}/lists/1"),
        *(
            "https://status.example.com/LISTS/1",
            "https://status.example.com//lists/1",
            f"{BELOW}/%2e%2e/1",
            f"{BELOW};1",
        ),
    ],
)
def test_a_token_leads_nowhere_beside_what_is_configured(uri: str) -> None:
    assert refused(of(StatusLists(under=[BELOW])), claims(0, uri)) == "status_list_not_allowed"


def test_looking_at_an_address_takes_no_time() -> None:
    found = of()

    def look() -> None:
        for hostile in ("/" * 16_000, "%20" * 5_000, "a/" * 8_000, "/." * 8_000 + "\n", "?" * 16_000):
            assert refused(found, claims(0, ISSUER + hostile)) == "status_list_not_allowed"
        assert refused(found, claims(0, ISSUER + "/a" * 240 + "\n")) == "status_list_not_allowed"

    assert cost(look) < 0.05


# What a list says


@pytest.mark.parametrize(
    ("idx", "reason"),
    [
        *((1, "token_revoked"), (2, "token_suspended"), (3, "token_revoked")),
        *((1024, "status_out_of_range"), (2**63, "status_out_of_range"), (10**4000, "status_out_of_range")),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_token_that_is_not_valid_is_refused(idx: int, reason: str) -> None:
    found = of()
    assert refused(found, claims(idx), (fetch(), reply())) == reason
    assert not found.holds(DIGEST)
    assert refused(found, claims(idx)) == reason  # the list is here


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_every_status_but_valid_is_refused(bits: int) -> None:
    found = of()
    every = {idx: idx for idx in range(2**bits)}
    script = [(fetch(), reply(status_list=status_list(every, bits=bits)))]
    for idx in every:
        if idx:
            assert refused(found, claims(idx), *script) == ("token_suspended" if idx == 2 else "token_revoked")
        else:
            play(found.check(claims(idx), DIGEST), *script)
        script = []


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        *((one, "malformed_claim") for one in ODD),
        ({"identifier_list": {}}, "status_not_supported"),
    ],
    ids=str,
)
def test_a_status_that_cannot_be_read_is_refused_and_fetches_nothing(odd: Any, reason: str) -> None:
    assert refused(of(), {"status": odd}) == reason


def test_a_token_without_a_status_passes_and_fetches_nothing() -> None:
    found = of()
    play(found.check({"sub": "ada"}, DIGEST))
    assert found.holds(DIGEST)
    assert not found.holds(b"another")


def test_a_token_without_a_status_is_refused_where_one_is_required() -> None:
    found = of(StatusLists(required=True))
    assert refused(found, {"sub": "ada"}) == "missing_claim"
    assert not found.holds(DIGEST)


def test_without_a_list_nothing_can_be_said() -> None:
    found = of()
    down = Unavailable("fetch_timeout", "")
    assert refused(found, claims(), (fetch(), down)) == "fetch_timeout"
    assert refused(found, claims()) == "status_list_unavailable"
    assert not found.holds(DIGEST)


@pytest.mark.parametrize(
    ("lists", "signer", "changes", "is_good"),
    [
        (StatusLists(), SIGNER, {"iss": ISSUER}, True),
        (StatusLists(), SIGNER, {"iss": "https://status.example.com"}, False),
        (StatusLists(), Issuer(kid="other"), {}, False),
        (StatusLists(keys=Issuer(kid="other").keys()), Issuer(kid="other"), {}, True),
        (StatusLists(keys=Issuer(kid="other").keys()), SIGNER, {}, False),
        (StatusLists(keys=Issuer("PS256").keys()), Issuer("PS256"), {}, True),
        (StatusLists(issuer="https://status.example.com"), SIGNER, {"iss": "https://status.example.com"}, True),
        (StatusLists(issuer="https://status.example.com"), SIGNER, {"iss": ISSUER}, False),
    ],
    ids=lambda value: getattr(value, "kid", None),
)
def test_whose_a_list_must_be(lists: StatusLists, signer: Issuer, changes: dict[str, Any], *, is_good: bool) -> None:
    found = of(lists, algorithms=["ES256"])
    script = (fetch(), reply(signer=signer, **changes))
    if is_good:
        play(found.check(claims(), DIGEST), script)
    else:
        assert refused(found, claims(), script) == "status_list_unusable"


# What is remembered


def test_a_token_that_was_checked_holds_until_its_list_says_otherwise(warm: TokenStatus, clock: FakeClock) -> None:
    assert warm.holds(DIGEST)
    clock.pass_seconds(80)
    assert not warm.holds(DIGEST)
    run = Run(warm.check(claims(), DIGEST))
    assert isinstance(run.effect, Aside)
    assert warm.holds(DIGEST)  # for all others, while the list is refreshed
    play(run.effect.start(), (fetch(), reply(status_list=status_list({0: 1}))))
    assert not warm.holds(DIGEST)
    assert refused(warm, claims()) == "token_revoked"


def test_one_token_of_many_is_revoked_by_a_refresh(warm: TokenStatus, clock: FakeClock) -> None:
    play(warm.check(claims(5), b"another"))
    clock.pass_seconds(100)
    assert refused(warm, claims(5), (fetch(), reply(status_list=status_list({5: 2}))), digest=b"another") == (
        "token_suspended"
    )
    assert warm.holds(DIGEST)
    assert not warm.holds(b"another")


def test_a_token_does_not_hold_when_its_list_is_gone(warm: TokenStatus, clock: FakeClock) -> None:
    clock.pass_seconds(100)
    assert not warm.holds(DIGEST)
    play(warm.check(claims(), DIGEST), (fetch(), Unavailable("fetch_failed", "")))
    assert warm.holds(DIGEST)  # by the last good list
    clock.pass_seconds(3600)
    assert not warm.holds(DIGEST)


def test_without_a_digest_nothing_is_remembered() -> None:
    found = of()
    play(found.check(claims(), b""), (fetch(), reply()))
    assert not found.holds(b"")


def test_what_is_remembered_is_bounded() -> None:
    found = of(tokens=10)
    play(found.check(claims(), DIGEST), (fetch(), reply()))
    for number in range(1000):
        play(found.check(claims(), b"%d" % number))
    assert len(found._places) <= 10
    assert not found.holds(DIGEST)


def test_lists_are_bounded_and_those_in_use_stay(clock: FakeClock) -> None:
    found = of(StatusLists(lists=3), clock=clock)
    for number in range(1000):
        uri = f"{ISSUER}/{number}"
        clock.pass_seconds(1)
        play(found.check(claims(0, uri), b"%d" % number), (fetch(uri), reply(uri)))
    assert sorted(found._lists) == [f"{ISSUER}/{number}" for number in (997, 998, 999)]
    assert [found.holds(b"%d" % number) for number in (996, 997, 998, 999)] == [False, True, True, True]


def test_the_list_that_is_stale_for_longest_gives_way_however_old_it_is(clock: FakeClock) -> None:
    found = of(StatusLists(lists=2), clock=clock)
    short, third = f"{ISSUER}/short", f"{ISSUER}/third"
    play(found.check(claims(), DIGEST), (fetch(), reply()))
    play(found.check(claims(0, short), b"short"), (fetch(short), reply(short, ttl=10)))
    play(found.check(claims(0, third), b"third"), (fetch(third), reply(third)))
    assert [found.holds(one) for one in (DIGEST, b"short", b"third")] == [True, False, True]


def test_lists_that_are_not_there_do_not_drive_out_those_that_are() -> None:
    found = of(StatusLists(lists=2))
    play(found.check(claims(), DIGEST), (fetch(), reply()))
    for number in range(10):
        uri = f"{ISSUER}/{number}"
        assert refused(found, claims(0, uri), (fetch(uri), Reply(404, b""))) == "status_list_unusable"
    assert found.holds(DIGEST)


def test_a_list_that_was_dropped_is_fetched_again(clock: FakeClock) -> None:
    found = of(StatusLists(lists=1), clock=clock)
    other = f"{ISSUER}/other"
    play(found.check(claims(), DIGEST), (fetch(), reply()))
    play(found.check(claims(0, other), b"other"), (fetch(other), reply(other)))
    assert not found.holds(DIGEST)
    play(found.check(claims(), DIGEST), (fetch(), reply()))
    assert found.holds(DIGEST)


def test_a_flood_of_lists_that_are_not_there_is_bounded() -> None:
    found = of()
    for number in range(10 * MAX_LISTS):
        uri = f"{ISSUER}/{number}"
        assert refused(found, claims(0, uri), (fetch(uri), Reply(404, b""))) == "status_list_unusable"
    assert len(found._lists) <= MAX_LISTS


def test_only_refusals_come_out_of_what_is_refused() -> None:
    with pytest.raises(InvalidToken) as caught:
        play(of().check(claims(0, "https://evil.example/1"), DIGEST))
    assert "evil" not in f"{caught.value} {caught.value.description}"
