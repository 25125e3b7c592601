import json
import logging
from typing import Any

import pytest

from oauth_rs.errors import InvalidToken, Unavailable
from oauth_rs.flow import Aside, Fetch, Flow, Reply, Run
from oauth_rs.jose.jwk import Key
from oauth_rs.metadata import IssuerMetadata
from oauth_rs.remote_keys import COOLDOWN, MAX_AGE, RemoteKeys
from tests.support.issuing import ISSUER, Issuer
from tests.support.playing import FakeClock, play

URL = "https://id.example.com/jwks"
FETCH = Fetch("GET", URL, (("Accept", "application/jwk-set+json, application/json"),), shared=1.0)
DOWN = Unavailable("fetch_failed", "A server did not answer.")
K1, K2 = Issuer(), Issuer(kid="k2")


def reply(*issuers: Issuer, status: int = 200) -> Reply:
    return Reply(status, json.dumps({"keys": [one.jwk for one in issuers]}).encode())


def at(path: str) -> Fetch:
    return Fetch("GET", f"{ISSUER}{path}", (("Accept", "application/json"),), shared=1.0)


RFC8414 = at("/.well-known/oauth-authorization-server")
OPENID = at("/.well-known/openid-configuration")


def metadata(**changes: Any) -> Reply:
    return Reply(200, json.dumps({"issuer": ISSUER, "jwks_uri": URL, **changes}).encode())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keys(clock: FakeClock) -> RemoteKeys:
    return RemoteKeys(URL, monotonic=clock)


@pytest.fixture
def warm(keys: RemoteKeys) -> RemoteKeys:
    """Keys that hold k1, fetched at this moment."""
    play(keys.find("ES256", "k1"), (FETCH, reply(K1)))
    return keys


def find(keys: RemoteKeys, kid: str = "k1") -> Flow[Key]:
    return keys.find("ES256", kid)


def refused(flow: Flow[Any], *script: tuple[Any, Any]) -> Unavailable | InvalidToken:
    with pytest.raises((Unavailable, InvalidToken)) as caught:
        play(flow, *script)
    assert isinstance(caught.value, Unavailable | InvalidToken)
    return caught.value


# Configuration


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://id.example.com/jwks",
        "file:///etc/passwd",
        "data:,{}",
        "ftp://id.example.com/",
        "https://",
        "//x/jwks",
    ],
)
def test_keys_are_never_fetched_from_an_insecure_place(url: str) -> None:
    with pytest.raises(ValueError, match="over https"):
        RemoteKeys(url)
    with pytest.raises(ValueError, match="over https"):
        IssuerMetadata(url)


@pytest.mark.parametrize("location", [None, 5, b"https://id.example.com/jwks", RemoteKeys])
def test_keys_are_fetched_from_a_url(location: Any) -> None:
    with pytest.raises(TypeError, match="keys are fetched from a URL"):
        RemoteKeys(location)


@pytest.mark.parametrize(
    "times",
    [{"cooldown": -1}, {"cooldown": 601}, {"max_age": 86_401}, {"max_age": 10}, {"ceiling": 599}],
    ids=str,
)
def test_times_that_contradict_each_other_are_refused(times: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cooldown <= max_age <= ceiling"):
        RemoteKeys(URL, **times)


# Cold start


def test_a_cold_start_fetches_once_and_then_serves_from_memory(keys: RemoteKeys) -> None:
    key = play(find(keys), (FETCH, reply(K1)))
    assert play(find(keys)) is key


def test_a_cold_start_without_an_answer_cannot_decide(keys: RemoteKeys) -> None:
    assert refused(find(keys), (FETCH, DOWN)) is DOWN


@pytest.mark.parametrize(
    ("answer", "cause"),
    [(reply(K1, status=404), "answered 404"), (Reply(200, b"<html>"), "no key set that can be used")],
    ids=["404", "html"],
)
def test_why_there_are_no_keys_is_told_once_a_minute(
    keys: RemoteKeys, clock: FakeClock, caplog: pytest.LogCaptureFixture, answer: Reply, cause: str
) -> None:
    for seconds in (5, 60, 0):
        assert refused(keys.warm(), (FETCH, answer)).reason == "keys_unusable"
        clock.pass_seconds(seconds)
    assert caplog.messages == [f"{FETCH.url} gave no answer to use: {cause}"] * 2


def test_a_key_set_that_no_metadata_names_is_told_of(discovered: RemoteKeys, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable, match="discovery_failed"):
        Run(discovered.warm()).send(Reply(503, b""))
    assert caplog.messages == [f"{discovered} gave no answer to use: its metadata answered 503"]
    assert str(discovered).startswith("the jwks_uri of https://")


def test_warm_fetches_unless_the_keys_are_here(keys: RemoteKeys) -> None:
    play(keys.warm(), (FETCH, reply(K1)))
    play(keys.warm())
    play(find(keys))


def test_warm_says_that_the_keys_cannot_be_had(keys: RemoteKeys) -> None:
    assert refused(keys.warm(), (FETCH, DOWN)) is DOWN


@pytest.mark.parametrize(
    "answer",
    [
        reply(),
        reply(K1, status=500),
        reply(K1, status=404),
        reply(K1, status=204),
        Reply(200, b"<!doctype html><h1>Sign in</h1>", "text/html"),
        Reply(200, b""),
        Reply(200, b"null"),
        Reply(200, b"{}"),
        Reply(200, b'{"keys": {}}'),
        Reply(200, b'{"keys": [], "keys": []}'),
        Reply(200, b'{"keys":' + b"[" * 5000 + b"]" * 5000 + b"}"),
        Reply(200, b'{"keys": ["k1", 7, null, [], {}]}'),
        Reply(200, b"\xff\xfe"),
    ],
    ids=[
        *("empty set", "500", "404", "204", "html", "empty body", "null", "no keys member", "keys is an object"),
        *("repeated member", "deep", "odd keys only", "not utf-8"),
    ],
)
def test_an_answer_that_holds_no_key_is_no_answer(keys: RemoteKeys, clock: FakeClock, answer: Reply) -> None:
    assert refused(find(keys), (FETCH, answer)).reason == "keys_unusable"
    clock.pass_seconds(0.9)
    assert refused(find(keys)).reason == "keys_unavailable"


@pytest.mark.parametrize(
    "odd",
    [
        "text",
        7,
        None,
        [],
        {},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "k1"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "RSA", "n": 5, "e": "AQAB"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": ["RSA"]},
        {**K2.jwk, "kid": 7},
        {**K2.jwk, "alg": "none"},
        {**K2.jwk, "key_ops": 5},
    ],
    ids=str,
)
def test_an_odd_key_does_not_spoil_the_good_one_beside_it(
    keys: RemoteKeys, odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"keys": [odd, K1.jwk]}).encode()
    assert play(find(keys), (FETCH, Reply(200, body))).kid == "k1"
    assert "1 keys of https://id.example.com/jwks cannot be used" in caplog.text


# At hand


def test_no_key_is_at_hand_before_the_first_fetch(keys: RemoteKeys, clock: FakeClock) -> None:
    assert keys.peek("ES256", "k1") is None
    assert not keys.outlast(clock.now)


@pytest.mark.parametrize(("algorithm", "kid"), [("ES256", "k9"), ("RS256", "k1"), ("HS256", "k1"), ("none", None)])
def test_no_other_key_is_at_hand(warm: RemoteKeys, algorithm: str, kid: str | None) -> None:
    assert warm.peek(algorithm, kid) is None


def test_a_key_is_at_hand_until_a_refresh_is_due(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE * 0.8 - 1)
    assert warm.peek("ES256", "k1") is play(find(warm))
    clock.pass_seconds(1)
    assert warm.peek("ES256", "k1") is None


def test_a_set_does_not_outlast_its_ceiling(warm: RemoteKeys, clock: FakeClock) -> None:
    assert warm.outlast(clock.now + 86_399)
    assert not warm.outlast(clock.now + 86_400)


# Refresh ahead


def test_fresh_keys_cause_no_effect(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE * 0.8 - 1)
    assert play(find(warm)).kid == "k1"


def test_at_80_percent_of_their_age_keys_are_refreshed_aside_once_per_cooldown(
    warm: RemoteKeys, clock: FakeClock
) -> None:
    clock.pass_seconds(MAX_AGE * 0.8)
    play(find(warm), (Aside(warm._load_aside), None))
    clock.pass_seconds(COOLDOWN - 1)
    play(find(warm))
    clock.pass_seconds(1)
    play(find(warm), (Aside(warm._load_aside), None))


def test_a_refresh_aside_makes_the_keys_fresh_again(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE * 0.8)
    play(warm._load_aside(), (FETCH, reply(K1)))
    clock.pass_seconds(MAX_AGE * 0.8 - 1)
    play(find(warm))


def test_a_refresh_aside_that_starts_late_does_not_fetch_again(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE * 0.8)
    first, late = warm._load_aside(), warm._load_aside()
    play(first, (FETCH, reply(K1)))
    play(late)


def test_an_unknown_kid_on_old_keys_causes_one_fetch_and_none_aside(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE * 0.8)
    assert refused(find(warm, "k9"), (FETCH, reply(K1))).reason == "unknown_key"


def test_a_failed_refresh_aside_is_logged_without_more_than_its_reason(
    warm: RemoteKeys, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.pass_seconds(MAX_AGE * 0.8)
    play(warm._load_aside(), (FETCH, DOWN))
    assert caplog.messages == ["keys were not refreshed, the last good ones stay: fetch_failed"]
    assert caplog.records[0].levelno == logging.WARNING


# Stale and gone


def test_a_stale_set_is_waited_for_once(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE)
    assert play(find(warm), (FETCH, DOWN)).kid == "k1"
    assert play(find(warm)).kid == "k1"


def test_a_stale_set_gives_way_to_the_new_one(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE)
    assert refused(find(warm), (FETCH, reply(K2))).reason == "unknown_key"


def test_while_its_issuer_fails_a_stale_set_serves_and_is_retried_aside(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE)
    play(find(warm), (FETCH, DOWN))
    clock.pass_seconds(1)
    assert play(find(warm), (Aside(warm._load_aside), None)).kid == "k1"


def test_a_flow_whose_fetch_failed_uses_the_set_that_another_got(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE)
    unlucky, lucky = Run(find(warm)), Run(find(warm, "k2"))
    lucky.send(reply(K2))
    with pytest.raises(InvalidToken, match="unknown_key"):
        unlucky.throw(DOWN)


@pytest.mark.parametrize("answer", [DOWN, reply(K1, status=500), reply(), Reply(200, b"<html>")], ids=str)
def test_a_failed_fetch_keeps_the_last_good_keys_up_to_the_ceiling(
    warm: RemoteKeys, clock: FakeClock, answer: Any
) -> None:
    basis = warm.basis
    clock.pass_seconds(86_399)
    assert play(find(warm), (FETCH, answer)).kid == "k1"
    assert warm.basis is basis
    clock.pass_seconds(1)
    assert isinstance(refused(find(warm), (FETCH, answer)), Unavailable)


def test_keys_past_the_ceiling_are_not_believed_even_while_backing_off(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(86_399.5)
    play(find(warm), (FETCH, DOWN))
    clock.pass_seconds(0.5)
    assert refused(find(warm)).reason == "keys_unavailable"


def test_keys_past_the_ceiling_are_not_believed_after_another_flow_failed(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(86_400)
    unlucky, lucky = Run(find(warm)), Run(find(warm))
    with pytest.raises(Unavailable):
        unlucky.throw(DOWN)
    with pytest.raises(InvalidToken, match="unknown_key"):
        lucky.send(reply(K2))
    assert play(find(warm, "k2")).kid == "k2"


# Backing off


def test_failures_back_off_1_2_4_up_to_30_seconds(keys: RemoteKeys, clock: FakeClock) -> None:
    for pause in (1, 2, 4, 8, 16, 30, 30):
        refused(find(keys), (FETCH, DOWN))
        clock.pass_seconds(pause - 0.5)
        assert refused(find(keys)).reason == "keys_unavailable"
        clock.pass_seconds(0.5)


def test_the_refusal_says_when_the_next_attempt_is(keys: RemoteKeys, clock: FakeClock) -> None:
    for pause in (1, 2, 4, 8, 16):
        refused(find(keys), (FETCH, DOWN))
        error = refused(find(keys))
        assert isinstance(error, Unavailable)
        assert error.retry_after == pause
        clock.pass_seconds(pause)


def test_an_outage_of_days_does_not_end_the_backing_off(keys: RemoteKeys, clock: FakeClock) -> None:
    for _ in range(1_100):
        refused(find(keys), (FETCH, DOWN))
        clock.pass_seconds(30)
    assert play(find(keys), (FETCH, reply(K1))).kid == "k1"


def test_a_good_answer_ends_the_backing_off(keys: RemoteKeys, clock: FakeClock) -> None:
    for pause in (1, 2, 4):
        refused(find(keys), (FETCH, DOWN))
        clock.pass_seconds(pause)
    play(find(keys), (FETCH, reply(K1)))
    clock.pass_seconds(86_400)
    refused(find(keys), (FETCH, DOWN))
    clock.pass_seconds(1)
    play(find(keys), (FETCH, reply(K1)))


def test_a_refresh_aside_backs_off_too(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE * 0.8)
    play(warm._load_aside(), (FETCH, DOWN))
    play(warm._load_aside())
    play(find(warm))


# Unknown key ids


def test_an_unknown_kid_within_the_cooldown_is_refused_without_a_fetch(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(COOLDOWN - 0.1)
    assert refused(find(warm, "k9")).reason == "unknown_key"


def test_unknown_kids_cause_one_fetch_per_cooldown_counted_by_time_alone(warm: RemoteKeys, clock: FakeClock) -> None:
    for turn in range(3):
        clock.pass_seconds(COOLDOWN)
        assert refused(find(warm, f"a{turn}"), (FETCH, reply(K1))).reason == "unknown_key"
        for number in range(100):
            assert refused(find(warm, f"b{number}")).reason == "unknown_key"


def test_an_unknown_kid_cannot_be_decided_while_the_issuer_fails(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(COOLDOWN)
    assert refused(find(warm, "k9"), (FETCH, DOWN)) is DOWN
    clock.pass_seconds(10)
    error = refused(find(warm, "k9"))
    assert isinstance(error, Unavailable)
    assert (error.reason, error.retry_after) == ("keys_unavailable", 20)
    assert play(find(warm)).kid == "k1"


def test_an_unknown_kid_waits_for_the_backing_off_when_that_is_longer(clock: FakeClock) -> None:
    keys = RemoteKeys(URL, cooldown=0.5, monotonic=clock)
    quick = Fetch(FETCH.method, URL, FETCH.headers, shared=0.25)
    play(find(keys), (quick, reply(K1)))
    clock.pass_seconds(0.5)
    refused(find(keys, "k9"), (quick, DOWN))
    clock.pass_seconds(0.5)
    assert refused(find(keys, "k9")).reason == "keys_unavailable"


def test_a_rotated_key_is_accepted_on_the_first_request_once_the_cooldown_allows(
    warm: RemoteKeys, clock: FakeClock
) -> None:
    clock.pass_seconds(COOLDOWN)
    assert play(find(warm, "k2"), (FETCH, reply(K1, K2))).kid == "k2"


def test_a_set_replaced_between_two_looks_at_it_is_looked_at_again(warm: RemoteKeys, clock: FakeClock) -> None:
    before = warm._held
    assert before is not None
    clock.pass_seconds(COOLDOWN)
    play(find(warm, "k2"), (FETCH, reply(K1, K2)))
    assert play(warm._reload_for_unknown(before)) is warm._held


def test_a_set_that_is_here_before_its_time_stamp_does_not_start_a_second_fetch_of_its_own(warm: RemoteKeys) -> None:
    stamp, warm._attempt = warm._attempt, None  # what a thread may see in the middle of another's cold start
    run = Run(find(warm, "k9"))
    assert run.effect == FETCH  # which the shell answers from what just came
    warm._attempt = stamp
    with pytest.raises(InvalidToken, match="unknown_key"):
        run.send(reply(K1))


@pytest.mark.parametrize("kid", ["../../admin", "k1\r\nX: y", "https://evil.example/jwks", "k" * 4000, "\x00"])
def test_a_kid_never_becomes_part_of_an_address(warm: RemoteKeys, clock: FakeClock, kid: str) -> None:
    clock.pass_seconds(COOLDOWN)
    assert refused(find(warm, kid), (FETCH, reply(K1))).reason == "unknown_key"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS512", "", "es256", "ES256K", "RSA1_5"])
def test_an_algorithm_that_no_remote_key_may_have_causes_no_fetch(keys: RemoteKeys, algorithm: str) -> None:
    assert refused(keys.find(algorithm, "k1")).reason == "algorithm_not_allowed"


# What a refresh changes


def test_key_objects_stay_the_same_over_a_refresh(warm: RemoteKeys, clock: FakeClock) -> None:
    key = play(find(warm))
    clock.pass_seconds(MAX_AGE)
    assert play(find(warm), (FETCH, reply(K2, K1))) is key


def test_an_added_key_leaves_what_rests_on_the_others(warm: RemoteKeys, clock: FakeClock) -> None:
    basis = warm.basis
    clock.pass_seconds(COOLDOWN)
    play(find(warm, "k2"), (FETCH, reply(K1, K2)))
    assert warm.basis is basis


@pytest.mark.parametrize("left", [(K2,), (Issuer("ES384"), K2)], ids=["gone", "same kid, other key"])
def test_a_removed_key_takes_what_rests_on_it(warm: RemoteKeys, clock: FakeClock, left: tuple[Issuer, ...]) -> None:
    basis = warm.basis
    clock.pass_seconds(COOLDOWN)
    play(find(warm, "k2"), (FETCH, reply(*left)))
    assert warm.basis is not basis


# Several flows at once


@pytest.mark.parametrize("answer", [DOWN, reply(K1, status=500), reply()], ids=str)
def test_flows_that_share_a_bad_answer_count_it_once(keys: RemoteKeys, clock: FakeClock, answer: Any) -> None:
    runs = [Run(find(keys)) for _ in range(5)]
    for run in runs:
        assert run.effect == FETCH
        with pytest.raises(Unavailable):
            run.throw(answer) if isinstance(answer, Unavailable) else run.send(answer)
    clock.pass_seconds(1)
    play(find(keys), (FETCH, reply(K1)))


def test_flows_that_share_a_good_answer_keep_it_once(keys: RemoteKeys) -> None:
    runs = [Run(find(keys)) for _ in range(5)]
    for run in runs:
        assert run.effect == FETCH
        run.send(reply(K1))
    assert len({id(run.result) for run in runs}) == 1


def test_flows_that_share_a_removal_replace_the_basis_once(warm: RemoteKeys, clock: FakeClock) -> None:
    clock.pass_seconds(MAX_AGE)
    first, second = Run(find(warm, "k2")), Run(find(warm, "k2"))
    first.send(reply(K2))
    basis = warm.basis
    second.send(reply(K2))
    assert warm.basis is basis


def test_a_late_failure_does_not_undo_a_good_answer(keys: RemoteKeys, clock: FakeClock) -> None:
    lucky, unlucky = Run(find(keys)), Run(find(keys))
    lucky.send(reply(K1))
    with pytest.raises(Unavailable):
        unlucky.throw(DOWN)
    clock.pass_seconds(MAX_AGE * 0.8)
    play(find(keys), (Aside(keys._load_aside), None))  # not backing off


def test_a_flow_that_is_closed_while_it_waits_leaves_the_others_to_fetch(keys: RemoteKeys) -> None:
    gone = Run(find(keys))
    gone.close()
    play(find(keys), (FETCH, reply(K1)))


# Discovery


@pytest.fixture
def discovered(clock: FakeClock) -> RemoteKeys:
    return RemoteKeys(IssuerMetadata(ISSUER), monotonic=clock)


def test_the_metadata_of_the_issuer_says_where_its_keys_are(discovered: RemoteKeys, clock: FakeClock) -> None:
    play(find(discovered), (RFC8414, metadata()), (FETCH, reply(K1)))
    clock.pass_seconds(MAX_AGE)
    play(find(discovered), (FETCH, reply(K1)))  # asked once


def test_metadata_is_asked_for_in_its_order(clock: FakeClock) -> None:
    issuer = f"{ISSUER}/tenant"
    keys = RemoteKeys(IssuerMetadata(issuer), monotonic=clock)
    paths = (
        "/.well-known/oauth-authorization-server/tenant",
        "/.well-known/openid-configuration/tenant",
        "/tenant/.well-known/openid-configuration",
    )
    missing = [(at(path), Reply(404, b"")) for path in paths[:2]]
    play(find(keys), *missing, (at(paths[2]), metadata(issuer=issuer)), (FETCH, reply(K1)))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([(RFC8414, metadata(issuer="https://evil.example"))], "issuer_mismatch"),
        ([(RFC8414, metadata(issuer=ISSUER + "/"))], "issuer_mismatch"),
        ([(RFC8414, metadata(issuer=[ISSUER]))], "issuer_mismatch"),
        ([(RFC8414, Reply(500, b""))], "discovery_failed"),
        ([(RFC8414, Reply(404, b"")), (OPENID, Reply(404, b""))], "discovery_failed"),
        ([(RFC8414, Reply(200, b"<html>")), (OPENID, Reply(200, b"<html>"))], "discovery_failed"),
        ([(RFC8414, DOWN)], "fetch_failed"),
        ([(RFC8414, Reply(404, b"")), (OPENID, DOWN)], "fetch_failed"),
        ([(RFC8414, metadata()), (FETCH, DOWN)], "fetch_failed"),
    ],
    ids=[
        *("another issuer", "a slash more", "an array", "500", "nowhere", "html everywhere"),
        *("down", "down at the second", "keys down"),
    ],
)
def test_discovery_that_fails_cannot_decide_and_backs_off(
    discovered: RemoteKeys, script: list[tuple[Any, Any]], reason: str
) -> None:
    error = refused(find(discovered), *script)
    assert isinstance(error, Unavailable)
    assert error.reason == reason
    assert refused(find(discovered)).reason == "keys_unavailable"


@pytest.mark.parametrize(
    "jwks_uri",
    [
        *("http://id.example.com/jwks", "file:///etc/passwd", "data:application/json,{}", "gopher://x/", "/jwks", ""),
        *("https://[oops/jwks", "https://id.example.com:99999/jwks", "https://id.example.com:x/", "https:///jwks"),
        *(7, ["https://id.example.com/jwks"], {}),
    ],
    ids=str,
)
def test_keys_are_not_fetched_from_where_we_may_not_fetch(discovered: RemoteKeys, jwks_uri: Any) -> None:
    assert refused(find(discovered), (RFC8414, metadata(jwks_uri=jwks_uri))).reason == "discovery_failed"


def test_an_issuer_that_moved_its_keys_is_asked_again_after_a_failure(discovered: RemoteKeys, clock: FakeClock) -> None:
    play(find(discovered), (RFC8414, metadata()), (FETCH, reply(K1)))
    clock.pass_seconds(MAX_AGE)
    play(find(discovered), (FETCH, Reply(404, b"")))
    clock.pass_seconds(COOLDOWN)
    moved = Fetch("GET", f"{ISSUER}/new", FETCH.headers, shared=1.0)
    play(find(discovered, "k2"), (RFC8414, metadata(jwks_uri=f"{ISSUER}/new")), (moved, reply(K2)))


def test_a_flow_still_at_discovery_uses_the_keys_that_another_got(discovered: RemoteKeys) -> None:
    late, quick = Run(find(discovered)), Run(find(discovered))
    quick.send(metadata())
    quick.send(reply(K1))
    late.send(metadata())
    assert late.effect is None
    assert late.result is quick.result


def test_the_issuer_is_named_when_keys_are_left_out(discovered: RemoteKeys, caplog: pytest.LogCaptureFixture) -> None:
    body = json.dumps({"keys": [K1.jwk, {"kty": "oct", "k": "c2VjcmV0"}]}).encode()
    play(find(discovered), (RFC8414, metadata()), (FETCH, Reply(200, body)))
    assert caplog.messages == [f"1 keys of the jwks_uri of {ISSUER} cannot be used and are left out"]


@pytest.mark.parametrize("location", ["http://127.0.0.1:8080", IssuerMetadata("http://127.0.0.1:8080")])
def test_this_machine_may_be_asked_over_http(location: str | IssuerMetadata) -> None:
    effect = Run(find(RemoteKeys(location))).effect
    assert isinstance(effect, Fetch)
    assert effect.url.startswith("http://127.0.0.1:8080")


def test_what_is_busy_here_is_no_failure_of_the_issuer(keys: RemoteKeys) -> None:
    for _ in range(3):
        with pytest.raises(Unavailable, match="fetch_busy"):
            play(find(keys), (FETCH, Unavailable("fetch_busy", "")))
    assert play(find(keys), (FETCH, reply(K1))).kid == "k1"
