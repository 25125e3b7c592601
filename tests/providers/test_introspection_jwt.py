import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from oauth_rs import RemoteKeys, StaticKeys, Unavailable
from oauth_rs.flow import Reply
from oauth_rs.providers.introspection_jwt import MEDIA_TYPE, SignedAnswers
from tests.providers.asking import DOWN, played, said, undecided
from tests.providers.presenting import presented, refused
from tests.support.issuing import API, ISSUER, Issuer, encode

KEYS = Issuer().keys()
ANSWER = {"active": True, "sub": "ada"}
TYP = "token-introspection+jwt"


def signed(
    issuer: Issuer | None = None, *, header: Mapping[str, Any] | None = None, drop: str = "", **changes: Any
) -> str:
    """An answer for the client `api`, as providers sign it."""
    by = issuer or Issuer()
    claims = {"iss": ISSUER, "aud": "api", "iat": int(time.time()), "token_introspection": ANSWER, **changes}
    members = {"typ": TYP, "alg": by.algorithm, "kid": by.kid, **(header or {})}
    payload = {name: value for name, value in claims.items() if name != drop}
    return by.sign({name: value for name, value in members.items() if name != drop}, encode(payload))


def reply(text: str | bytes, kind: str = MEDIA_TYPE) -> Reply:
    return Reply(200, text if isinstance(text, bytes) else text.encode(), kind)


def read(answer: Reply, keys: Any = KEYS, **options: Any) -> Mapping[str, Any]:
    answers = SignedAnswers(keys, issuer=ISSUER, audience="api", **options)
    return played(answers.members_of(answer))[0]


@pytest.mark.parametrize("kind", [MEDIA_TYPE, MEDIA_TYPE.upper(), f"{MEDIA_TYPE}; charset=utf-8"])
def test_what_was_signed_for_us_is_the_answer(kind: str) -> None:
    assert read(reply(signed(), kind)) == ANSWER


@pytest.mark.parametrize(
    "changes",
    [{"aud": ["other", "api"]}, {"exp": time.time() + 3600}, {"header": {"typ": f"application/{TYP}"}}, {"jti": "1"}],
    ids=["audiences", "exp", "typ", "jti"],
)
def test_spellings_that_providers_use_are_accepted(changes: dict[str, Any]) -> None:
    assert read(reply(signed(**changes) + "\n")) == ANSWER


BAD: dict[str, dict[str, Any]] = {
    "no typ": {"drop": "typ"},
    "access token": {"header": {"typ": "at+jwt"}},
    "plain jwt": {"header": {"typ": "JWT"}},
    "another issuer": {"iss": "https://other.example.com"},
    "issuer with a slash": {"iss": f"{ISSUER}/"},
    "issuers": {"iss": [ISSUER]},
    "no issuer": {"drop": "iss"},
    "for another": {"aud": "other"},
    "for the API": {"aud": API},
    "for part of us": {"aud": "ap"},
    "for nobody": {"drop": "aud"},
    "for a number": {"aud": 7},
    "no time": {"drop": "iat"},
    "from tomorrow": {"iat": int(time.time()) + 86_400},
    "time as text": {"iat": "0"},
    "over": {"exp": int(time.time()) - 61},
    "no answer": {"drop": "token_introspection"},
    "answer as text": {"token_introspection": "active"},
    "answers": {"token_introspection": [ANSWER]},
    "unsigned": {"header": {"alg": "none"}},
    "critical": {"header": {"crit": ["exp"], "exp": 1}},
    "unknown key": {"header": {"kid": "k9"}},
    "another algorithm": {"header": {"alg": "RS256"}},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD)
def test_what_was_not_signed_for_us_by_the_provider_is_no_answer(changes: dict[str, Any]) -> None:
    with undecided("endpoint_unusable"):
        read(reply(signed(**changes)))


def test_what_another_key_signed_is_no_answer() -> None:
    other = Issuer(kid="other")
    other.kid = "k1"
    with undecided("endpoint_unusable"):
        read(reply(signed(other)))


def test_the_public_key_is_never_an_hmac_secret() -> None:
    pem = Issuer().private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing_input = encode({"typ": TYP, "alg": "HS256", "kid": "k1"}) + b"." + signed().split(".")[1].encode()
    mac = jwt.get_algorithm_by_name("HS256").sign(signing_input, pem)
    for keys in (KEYS, RemoteKeys(f"{ISSUER}/jwks")):
        with undecided("endpoint_unusable"):
            read(reply(signing_input + b"." + encode(mac)), keys)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"active": true, "sub": "ada"}',
        b"<!doctype html>",
        b"a.b.c",
        signed().encode()[:-4],
        signed().encode() + b"\n" + signed().encode(),
        b'"' + signed().encode() + b'"',
        b"e" * 20_000,
    ],
    ids=["empty", "json", "html", "dots", "cut off", "two", "quoted", "long"],
)
def test_what_is_no_jws_is_no_answer(body: bytes) -> None:
    with undecided("endpoint_unusable"):
        read(reply(body))


@pytest.mark.parametrize("kind", ["", "application/json", "application/jwt", "text/html", f"text/{MEDIA_TYPE}"])
def test_what_is_not_called_a_signed_answer_is_none(kind: str) -> None:
    with undecided("endpoint_unusable"):
        read(reply(signed(), kind))


def test_what_is_wrong_with_an_answer_is_not_told_of_the_token() -> None:
    with pytest.raises(Unavailable) as caught:
        read(reply(signed(aud="other")))
    assert caught.value.__context__ is None


def test_clocks_may_differ_by_the_leeway() -> None:
    ahead = reply(signed(iat=int(time.time()) + 30))
    assert read(ahead) == ANSWER
    with undecided("endpoint_unusable"):
        read(ahead, leeway=0)
    assert read(ahead, leeway=0, clock=lambda: time.time() + 60) == ANSWER


def test_keys_are_fetched_where_they_must_be() -> None:
    answers = SignedAnswers(RemoteKeys(f"{ISSUER}/jwks"), issuer=ISSUER, audience="api")
    assert played(answers.members_of(reply(signed())), said(**Issuer().jwks))[0] == ANSWER


def test_keys_that_cannot_be_had_leave_it_undecided() -> None:
    answers = SignedAnswers(RemoteKeys(f"{ISSUER}/jwks"), issuer=ISSUER, audience="api")
    with undecided("fetch_failed"):
        played(answers.members_of(reply(signed())), DOWN)


def test_warm_fetches_the_keys() -> None:
    answers = SignedAnswers(RemoteKeys(f"{ISSUER}/jwks"), issuer=ISSUER, audience="api")
    played(answers.warm(), said(**Issuer().jwks))
    assert played(answers.members_of(reply(signed())))[0] == ANSWER


@pytest.mark.parametrize("typ", [("at+jwt",), ("at+jwt", "JWT"), ("at+jwt", "JWT", None)], ids=str)
def test_an_answer_is_no_access_token(typ: tuple[str | None, ...]) -> None:
    members = {**Issuer().claims(), **ANSWER}
    answer = signed(**members, token_introspection=members)
    with refused("wrong_typ"):
        Issuer().provider(typ=typ).verify(presented(answer))


@pytest.mark.parametrize(("issuer", "audience"), [("", "api"), (ISSUER, "")])
def test_signed_answers_name_who_made_them_and_for_whom(issuer: str, audience: str) -> None:
    with pytest.raises(ValueError, match="give issuer=, and a client with an id"):
        SignedAnswers(KEYS, issuer=issuer, audience=audience)


@pytest.mark.parametrize(
    "keys", [f"{ISSUER}/jwks", Issuer().jwks, RemoteKeys, 7], ids=["url", "jwks", "class", "number"]
)
def test_keys_are_a_source_of_keys(keys: Any) -> None:
    with pytest.raises(TypeError, match="keys is RemoteKeys"):
        SignedAnswers(keys, issuer=ISSUER, audience="api")


def test_static_keys_will_do() -> None:
    assert isinstance(KEYS, StaticKeys)
    assert read(reply(signed())) == ANSWER
