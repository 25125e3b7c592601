import hmac
import json
import logging
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

import pytest

from oauth_rs import Bearer, Grant, InvalidRequest, OAuthError, ResourceServer, Unavailable, asgi, wsgi
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.clients import MAX_KEYS, FunctionClients, RegisteredClient, StaticClients, digest_of, hashed
from oauth_rs.errors import InvalidClient
from oauth_rs.flow import Call, Flow
from oauth_rs.schemes import Places, client_key
from oauth_rs.schemes.client_key import ClientKey
from oauth_rs.schemes.client_presentation import BasicAuth, KeyHeader, SecretHeaders
from tests.support.calling import Answer, Headers, bearer, call_asgi, call_wsgi
from tests.support.issuing import Issuer
from tests.support.playing import SITE, PlainRequest, play
from tests.support.registering import (
    BARE,
    CLIENT,
    CLIENTS,
    DISABLED,
    KEY,
    OTHER,
    OTHER_KEY,
    SECRET,
    SPARE_KEY,
)

PAIR = KeyHeader(client_id="X-Client-Id")
KEY_ALONE = KeyHeader("X-Only-Key")
PLACES = (BasicAuth(), SecretHeaders(), PAIR, KEY_ALONE)
ROLES = {"manager": ["reports", "audit"], "auditor": ("audit", "ledger"), "director": {"everything"}}
CHALLENGE = 'Basic realm="api", charset="UTF-8"'
DOWN = Unavailable("credentials_unavailable", "The credentials cannot be checked now.")
STATIC = StaticClients(CLIENTS)
SCHEME = ClientKey(STATIC, presentation=PLACES, roles=ROLES)
NOBODY = "nobody"
WRONG = "x" * 43


def basic(client_id: str, secret: str) -> Headers:
    return [("Authorization", f"Basic {b64encode(f'{client_id}:{secret}'.encode()).decode()}")]


def secret_headers(client_id: str, secret: str) -> Headers:
    return [("X-Client-Id", client_id), ("X-Client-Secret", secret)]


def pair(client_id: str, key: str) -> Headers:
    return [("X-Client-Id", client_id), ("X-API-Key", key)]


def key_alone(key: str) -> Headers:
    return [("X-Only-Key", key)]


def verdict(headers: Headers, scheme: ClientKey = SCHEME) -> Grant | Flow[Grant]:
    """What `scheme` makes of the one set of credentials in `headers`."""
    request = PlainRequest(headers=headers)
    found = scheme.elsewhere(request) or [request.header(b"authorization")[0].removeprefix(b"Basic ")]
    (credentials,) = found
    return scheme.authenticate(request, credentials, SITE)


def refused(headers: Headers, scheme: ClientKey = SCHEME) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        verdict(headers, scheme)
    return caught.value


GOOD: dict[str, tuple[Headers, RegisteredClient]] = {
    "basic": (basic(CLIENT.client_id, SECRET), CLIENT),
    "secret headers": (secret_headers(CLIENT.client_id, SECRET), CLIENT),
    "id and key": (pair(CLIENT.client_id, KEY), CLIENT),
    "id and spare key": (pair(CLIENT.client_id, SPARE_KEY), CLIENT),
    "key": (key_alone(KEY), CLIENT),
    "spare key": (key_alone(SPARE_KEY), CLIENT),
    "key of another": (key_alone(OTHER_KEY), OTHER),
    "id and key of another": (pair(OTHER.client_id, OTHER_KEY), OTHER),
}
BAD: dict[str, tuple[Headers, str]] = {
    "unknown": (basic(NOBODY, SECRET), "unknown_client_id"),
    "no id": (basic("", SECRET), "unknown_client_id"),
    "upper case": (basic(CLIENT.client_id.upper(), SECRET), "unknown_client_id"),
    "id and a space": (basic(CLIENT.client_id + " ", SECRET), "unknown_client_id"),
    "secret for id": (basic(SECRET, CLIENT.client_id), "unknown_client_id"),
    "unknown in headers": (secret_headers(NOBODY, SECRET), "unknown_client_id"),
    "unknown with a key": (pair(NOBODY, KEY), "unknown_client_id"),
    "wrong secret": (basic(CLIENT.client_id, WRONG), "bad_client_secret"),
    "no secret": (basic(CLIENT.client_id, ""), "bad_client_secret"),
    "a secret and more": (basic(CLIENT.client_id, SECRET + "A"), "bad_client_secret"),
    "less than a secret": (basic(CLIENT.client_id, SECRET[:-1]), "bad_client_secret"),
    "hash for secret": (basic(CLIENT.client_id, CLIENT.secret_hash), "bad_client_secret"),
    "digits of the hash": (basic(CLIENT.client_id, CLIENT.secret_hash[7:]), "bad_client_secret"),
    "key for secret": (basic(CLIENT.client_id, KEY), "bad_client_secret"),
    "client without a secret": (basic(OTHER.client_id, SECRET), "bad_client_secret"),
    "no secret, and none sent": (basic(BARE.client_id, ""), "bad_client_secret"),
    "wrong secret in headers": (secret_headers(CLIENT.client_id, WRONG), "bad_client_secret"),
    "key in the place of the secret": (secret_headers(CLIENT.client_id, KEY), "bad_client_secret"),
    "wrong key": (key_alone(WRONG), "unknown_api_key"),
    "no key": (key_alone(""), "unknown_api_key"),
    "short key": (key_alone("k"), "unknown_api_key"),
    "secret for key": (key_alone(SECRET), "unknown_api_key"),
    "hash for key": (key_alone(hashed(KEY)), "unknown_api_key"),
    "id for key": (key_alone(CLIENT.client_id), "unknown_api_key"),
    "wrong key of a client": (pair(CLIENT.client_id, WRONG), "unknown_api_key"),
    "key of another client": (pair(CLIENT.client_id, OTHER_KEY), "unknown_api_key"),
    "key of a client without any": (pair(BARE.client_id, KEY), "unknown_api_key"),
    "secret for a key with its id": (pair(CLIENT.client_id, SECRET), "unknown_api_key"),
    "disabled": (basic(DISABLED.client_id, SECRET), "client_disabled"),
    "disabled, in headers": (secret_headers(DISABLED.client_id, SECRET), "client_disabled"),
    "disabled, and wrong": (basic(DISABLED.client_id, WRONG), "bad_client_secret"),
}
MALFORMED: dict[str, Headers] = {
    "NUL": key_alone("k\0"),
    "not UTF-8": key_alone("\xff"),
    "not UTF-8 in Basic": [("Authorization", f"Basic {b64encode(b'app:' + bytes([255])).decode()}")],
    "no Base64": [("Authorization", "Basic app:secret")],
    "no credentials": [("Authorization", "Basic ")],
    "no colon": [("Authorization", f"Basic {b64encode(b'app').decode()}")],
    "1 MB of Basic": [("Authorization", f"Basic {'QUFB' * 250_000}")],
    "1 MB of key": key_alone("k" * 1_000_000),
    "1 MB of id": secret_headers("i" * 1_000_000, SECRET),
    "a comma": key_alone(f"{KEY},{KEY}"),
}


# What is proved


@pytest.mark.parametrize(("headers", "client"), GOOD.values(), ids=GOOD)
def test_a_client_is_proved_by_its_secret_or_key_at_once(headers: Headers, client: RegisteredClient) -> None:
    grant = verdict(headers)
    assert isinstance(grant, Grant)
    assert (grant.scheme, grant.provider, grant.issuer) == ("ClientKey", "ClientKey", "")
    assert (grant.subject, grant.client_id, grant.expires_at) == ("", client.client_id, 0)
    assert (grant.confirmation, grant.signature_method) == (None, None)


def test_scopes_are_those_of_the_client_and_of_its_roles() -> None:
    grant = play(verdict(key_alone(KEY)))
    assert grant.scopes == {"orders.read", "profile", "reports", "audit", "ledger"}
    assert play(verdict(key_alone(OTHER_KEY))).scopes == frozenset()


@pytest.mark.parametrize("roles", [None, {}, {"Manager": ["reports"]}, {"manage": ["reports"], "managers": ["audit"]}])
def test_a_role_that_is_not_mapped_gives_nothing(roles: Any) -> None:
    scheme = ClientKey(STATIC, presentation=[KEY_ALONE], roles=roles)
    assert play(verdict(key_alone(KEY), scheme)).scopes == CLIENT.scopes


def test_a_grant_carries_roles_and_properties() -> None:
    grant = play(verdict(key_alone(KEY)))
    assert grant.roles == {"manager", "auditor"}
    assert grant.properties == {"tenant": "north"}
    assert grant.claims["properties"] == CLIENT.properties
    assert (grant.owner, grant.actor, grant.authorization_details) == ({}, None, ())


def test_claims_do_not_name_hashes() -> None:
    assert b"sha256" not in play(verdict(key_alone(KEY))).claims_json


def test_the_provider_may_have_another_name() -> None:
    grant = play(verdict(key_alone(KEY), ClientKey(STATIC, presentation=[KEY_ALONE], provider="partners")))
    assert (grant.scheme, grant.provider) == ("ClientKey", "partners")


# What is not


@pytest.mark.parametrize(("headers", "reason"), BAD.values(), ids=BAD)
def test_who_is_not_proved_is_refused_with_a_reason(headers: Headers, reason: str) -> None:
    error = refused(headers)
    assert (type(error), error.reason, error.status, error.error) == (InvalidClient, reason, 401, "invalid_client")


def test_what_is_told_is_the_same_for_all_of_them() -> None:
    assert len({refused(headers).description for headers, _ in BAD.values()}) == 1


@pytest.mark.parametrize("headers", MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be_read_is_a_bad_request(headers: Headers) -> None:
    error = refused(headers)
    assert (type(error), error.reason, error.scheme) == (InvalidRequest, "malformed_credentials", "ClientKey")


@pytest.mark.parametrize("client_id", [CLIENT.client_id, NOBODY])
@pytest.mark.parametrize("secret", [SECRET, WRONG, KEY, ""])
def test_an_error_names_the_credentials_by_a_short_hash_only(client_id: str, secret: str) -> None:
    headers = basic(client_id, secret + "!")
    error = refused(headers)
    sent = headers[0][1].removeprefix("Basic ")
    assert (error.scheme, error.credential) == ("ClientKey", sha256(sent.encode()).hexdigest()[:12])
    shown = f"{error!r} {error.description} {vars(error)}"
    assert sent not in shown
    assert client_id not in shown
    assert not secret or secret not in shown


def test_errors_of_headers_are_traced_too() -> None:
    assert len({refused(key_alone(f"{WRONG}{number}")).credential for number in range(3)}) == 3


# The same work


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was compared, as it happens."""
    pairs: list[tuple[str, str]] = []

    def counted(one: str, other: str) -> bool:
        pairs.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(client_key, "compare_digest", counted)
    return pairs


SECRETS = [
    basic(CLIENT.client_id, SECRET),
    *(headers for headers, _ in BAD.values() if headers[-1][0] in {"Authorization", "X-Client-Secret"}),
]
KEYS = [
    *(headers for headers, _ in GOOD.values() if headers[-1][0].endswith("Key")),
    *(headers for headers, _ in BAD.values() if headers[-1][0].endswith("Key")),
]


@pytest.mark.parametrize(("headers", "comparisons"), [*((one, 1) for one in SECRETS), *((one, 16) for one in KEYS)])
def test_as_much_is_compared_whoever_calls(headers: Headers, comparisons: int, compared: list[tuple[str, str]]) -> None:
    with suppress(InvalidClient):
        verdict(headers)
    assert len(compared) == comparisons
    assert {len(text) for both in compared for text in both} == {71}


@pytest.mark.parametrize("number", [0, 1, 7, MAX_KEYS - 1])
def test_every_key_is_good_and_none_ends_the_comparing(number: int, compared: list[tuple[str, str]]) -> None:
    keys = [f"{number:043}" for number in range(MAX_KEYS)]
    clients = StaticClients([RegisteredClient("app", key_hashes=list(map(hashed, keys)))])
    scheme = ClientKey(clients, presentation=[KEY_ALONE])
    assert play(verdict(key_alone(keys[number]), scheme)).client_id == "app"
    assert len(compared) == MAX_KEYS


def test_what_an_unknown_client_is_compared_with_is_of_nobody(compared: list[tuple[str, str]]) -> None:
    refused(basic(NOBODY, SECRET))
    refused(basic(BARE.client_id, SECRET))
    assert {one for one, _ in compared} == {client_key._NOBODYS_HASH}
    assert client_key._NOBODYS_HASH not in {digest_of(""), digest_of(NOBODY), hashed(SECRET)}


# Registries that must be asked


def find(_asked: str) -> Any:
    raise NotImplementedError


ASKED = ClientKey(FunctionClients(find=find, find_by_key=find), presentation=PLACES)


def look_up(asked: str, answer: Any) -> tuple[Call, Any]:
    return Call(find, None, (asked,)), answer


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        (basic(CLIENT.client_id, SECRET), CLIENT.client_id),
        (pair(CLIENT.client_id, KEY), CLIENT.client_id),
        (key_alone(KEY), hashed(KEY)),
    ],
)
def test_a_registry_is_asked_by_id_or_by_hash_and_never_told_a_secret(headers: Headers, asked: str) -> None:
    assert play(verdict(headers, ASKED), look_up(asked, CLIENT)).client_id == CLIENT.client_id


@pytest.mark.parametrize(
    ("headers", "asked", "answer", "reason"),
    [
        (basic(NOBODY, SECRET), NOBODY, None, "unknown_client_id"),
        (basic(CLIENT.client_id.upper(), SECRET), CLIENT.client_id.upper(), CLIENT, "unknown_client_id"),
        (basic(CLIENT.client_id + " ", SECRET), CLIENT.client_id + " ", CLIENT, "unknown_client_id"),
        (basic(NOBODY, SECRET), NOBODY, DISABLED, "unknown_client_id"),
        (pair(OTHER.client_id, KEY), OTHER.client_id, CLIENT, "unknown_client_id"),
        (key_alone(OTHER_KEY), hashed(OTHER_KEY), CLIENT, "unknown_api_key"),
        (key_alone(KEY), hashed(KEY), None, "unknown_api_key"),
    ],
    ids=str,
)
def test_who_was_found_for_another_is_not_believed(headers: Headers, asked: str, answer: Any, reason: str) -> None:
    with pytest.raises(InvalidClient) as caught:
        play(verdict(headers, ASKED), look_up(asked, answer))
    assert (caught.value.reason, caught.value.scheme, len(caught.value.credential)) == (reason, "ClientKey", 12)


@pytest.mark.parametrize("headers", [basic(CLIENT.client_id, SECRET), key_alone(KEY)])
def test_a_registry_that_cannot_tell_leaves_it_open(headers: Headers) -> None:
    asked = hashed(KEY) if headers[0][0] == "X-Only-Key" else CLIENT.client_id
    with pytest.raises(Unavailable) as caught:
        play(verdict(headers, ASKED), look_up(asked, DOWN))
    assert (caught.value, caught.value.scheme, len(caught.value.credential)) == (DOWN, "ClientKey", 12)


@pytest.mark.parametrize("answer", [True, "app", {"client_id": "app"}, SECRET], ids=repr)
def test_a_registry_that_gives_something_else_lets_nobody_in(answer: Any) -> None:
    with pytest.raises(TypeError, match="RegisteredClient or None"):
        play(verdict(basic("app", SECRET), ASKED), look_up("app", answer))


def test_nothing_is_asked_for_what_is_malformed() -> None:
    for headers in MALFORMED.values():
        assert isinstance(refused(headers, ASKED), InvalidRequest)


# Scopes that a catalogue knows


CATALOGUE = ScopeCatalogue(
    {"audit": {"ledger": {}}, "reports": {}, "everything": {}, "profile": {}, "orders": {"orders.read": {}}}
)


def test_a_catalogue_says_what_scopes_come_to() -> None:
    roles = {"auditor": ["audit"]}
    plain = ClientKey(STATIC, presentation=[KEY_ALONE], roles=roles)
    told = plain.with_catalogue(CATALOGUE)
    assert play(verdict(key_alone(KEY), told)).scopes == {"orders.read", "profile", "audit", "ledger"}
    assert play(verdict(key_alone(KEY), plain)).scopes == {"orders.read", "profile", "audit"}


def test_a_scope_of_a_role_that_no_catalogue_has_is_refused_at_the_start() -> None:
    scheme = ClientKey(STATIC, roles={"manager": ["reports", "report"]})
    with pytest.raises(ValueError, match=r"ClientKey, role 'manager': there is no scope 'report'"):
        scheme.with_catalogue(CATALOGUE)


# The scheme for servers


def test_basic_alone_looks_nowhere_else() -> None:
    scheme = ClientKey(STATIC)
    assert (scheme.authorization_names, scheme.looks_elsewhere, scheme.places) == ({b"basic"}, False, Places())
    assert scheme.elsewhere(PlainRequest(headers=key_alone(KEY))) == []
    assert not scheme.private(PlainRequest(headers=key_alone(KEY)))


def test_headers_alone_answer_to_no_name_in_authorization() -> None:
    scheme = ClientKey(STATIC, presentation=[SecretHeaders()])
    assert (scheme.authorization_names, scheme.looks_elsewhere) == (set(), True)
    assert scheme.places == Places(headers=frozenset({b"x-client-id", b"x-client-secret"}))
    assert not scheme.binds_requests
    play(scheme.warm())


@pytest.mark.parametrize("headers", [secret_headers("a", "b"), pair("a", "k"), key_alone("k"), key_alone("")])
def test_an_answer_to_credentials_in_headers_is_private(headers: Headers) -> None:
    assert SCHEME.private(PlainRequest(headers=headers))


@pytest.mark.parametrize("headers", [[], basic("a", "b"), [("X-Client-Id", "a")], [("Cookie", "X-Only-Key=k")]])
def test_other_answers_are_not_made_private(headers: Headers) -> None:
    assert not SCHEME.private(PlainRequest(headers=headers))


def test_the_challenge_of_basic_has_a_realm_and_a_charset_and_nothing_else() -> None:
    said = {"scope": "a", "error": "invalid_client", "description": "No.", "more": (("max_age", "1"),)}
    assert SCHEME.challenge() == SCHEME.challenge(**said) == CHALLENGE  # type: ignore[arg-type]
    assert ClientKey(STATIC, realm="my photos").challenge() == 'Basic realm="my photos", charset="UTF-8"'


def test_the_challenge_without_basic_says_what_is_known() -> None:
    scheme = ClientKey(STATIC, presentation=[KEY_ALONE], realm="photos")
    assert scheme.challenge() == 'ClientKey realm="photos"'
    assert scheme.challenge(scope="a b", error="invalid_client", description="No.", more=[("max_age", "1")]) == (
        'ClientKey realm="photos", scope="a b", error="invalid_client", error_description="No.", max_age="1"'
    )


@pytest.mark.parametrize(
    ("clients", "options", "error"),
    [
        ([CLIENT], {}, TypeError),
        ({"app"}, {}, TypeError),
        (StaticClients, {}, TypeError),
        (None, {}, TypeError),
        (STATIC, {"realm": ""}, ValueError),
        (STATIC, {"realm": 'a"b'}, ValueError),
        (STATIC, {"realm": "räume"}, ValueError),
        (STATIC, {"realm": 'a"b', "presentation": [KEY_ALONE]}, ValueError),
        (STATIC, {"provider": ""}, ValueError),
        (STATIC, {"presentation": []}, ValueError),
        (STATIC, {"presentation": [KEY_ALONE, KEY_ALONE]}, ValueError),
        (STATIC, {"presentation": ["Basic"]}, TypeError),
        (STATIC, {"roles": {"manager": "reports"}}, TypeError),
        (STATIC, {"roles": ["manager"]}, TypeError),
        (STATIC, {"roles": {"manager": ["two words"]}}, ValueError),
        (STATIC, {"roles": {"manager": [""]}}, ValueError),
    ],
    ids=repr,
)
def test_a_scheme_that_could_not_work_is_refused_at_the_start(
    clients: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ClientKey(clients, **options)


# Through a server and both shells


def hello_wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ[wsgi.GRANT].client_id.encode()]


async def hello_asgi(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["state"]["grant"].client_id.encode()})


Ask = Callable[[Headers], Answer]


def through(shell: str, server: ResourceServer) -> Ask:
    if shell == "wsgi":
        protected = wsgi.OAuthMiddleware(hello_wsgi, server)
        return lambda headers: call_wsgi(protected, headers=headers)
    app = asgi.OAuthMiddleware(hello_asgi, server)
    return lambda headers: call_asgi(app, headers=headers)


@pytest.fixture(params=["wsgi", "asgi"])
def ask(request: pytest.FixtureRequest) -> Ask:
    return through(request.param, ResourceServer(Bearer(Issuer().provider()), SCHEME))


@pytest.mark.parametrize(("headers", "client"), GOOD.values(), ids=GOOD)
def test_a_client_is_let_in(ask: Ask, headers: Headers, client: RegisteredClient) -> None:
    answer = ask(headers)
    assert (answer.status, answer.body.decode()) == (200, client.client_id)
    private = ["private"] if headers[0][0] != "Authorization" else []
    assert answer.header("cache-control") == private


def test_the_name_of_basic_is_read_in_any_case(ask: Ask) -> None:
    ((name, value),) = basic(CLIENT.client_id, SECRET)
    assert [ask([(name, value.replace("Basic", spelling))]).status for spelling in ("BASIC", "basic")] == [200, 200]


def test_tokens_are_good_beside_clients(ask: Ask) -> None:
    assert ask(bearer(Issuer().token())).body == b"app"


@pytest.mark.parametrize(("headers", "reason"), BAD.values(), ids=BAD)
def test_who_is_not_proved_is_answered_with_401(
    ask: Ask, headers: Headers, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "oauth_rs"):
        answer = ask(headers)
    assert answer.status == 401
    assert answer.header("www-authenticate") == ["Bearer", CHALLENGE]
    description = "The client is unknown, or its secret or key is not good."
    assert json.loads(answer.body) == {"error": "invalid_client", "error_description": description}
    (record,) = caplog.records
    assert (record.oauth_reason, record.oauth_status) == (reason, 401)  # type: ignore[attr-defined]
    assert len(record.oauth_credential) == 12  # type: ignore[attr-defined]


def test_without_credentials_every_challenge_is_sent(ask: Ask) -> None:
    answer = ask([])
    assert (answer.status, answer.header("www-authenticate")) == (401, ["Bearer", CHALLENGE])


REFUSED: dict[str, Headers] = {
    **{f"malformed: {name}": headers for name, headers in MALFORMED.items()},
    "Basic twice": [*basic(CLIENT.client_id, SECRET), *basic(CLIENT.client_id, SECRET)],
    "Basic and a token": [*basic(CLIENT.client_id, SECRET), *bearer(Issuer().token())],
    "two keys": [*key_alone(KEY), *key_alone(OTHER_KEY)],
    "a key twice": [*key_alone(KEY), *key_alone(KEY)],
    "a key and an empty one": [*key_alone(KEY), *key_alone("")],
    "two ids": [("X-Client-Id", NOBODY), *pair(CLIENT.client_id, KEY)],
    "two whole sets": [*secret_headers(CLIENT.client_id, SECRET), *secret_headers(CLIENT.client_id, SECRET)],
    "secret and key": [*secret_headers(CLIENT.client_id, SECRET), ("X-API-Key", KEY)],
    "key and Basic": [*key_alone(KEY), *basic(CLIENT.client_id, SECRET)],
    "key and a token": [*key_alone(KEY), *bearer(Issuer().token())],
    "key and a scheme nobody knows": [*key_alone(KEY), ("Authorization", "Digest x")],
    "id alone": [("X-Client-Id", CLIENT.client_id)],
    "id and a token": [("X-Client-Id", CLIENT.client_id), *bearer(Issuer().token())],
    "id and Basic": [("X-Client-Id", CLIENT.client_id), *basic(CLIENT.client_id, SECRET)],
    "secret alone": [("X-Client-Secret", SECRET)],
    "key without its id": [("X-API-Key", KEY)],
    "set of headers in Basic": [("Authorization", f"Basic  3 0 {KEY}")],
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_what_is_ambiguous_or_malformed_is_a_bad_request_in_both_shells(ask: Ask, headers: Headers) -> None:
    answer = ask(headers)
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "invalid_request")
    assert CHALLENGE in answer.header("www-authenticate")
    assert KEY.encode() not in answer.body
    assert SECRET.encode() not in answer.body


@pytest.mark.parametrize("shell", ["wsgi", "asgi"])
def test_bad_credentials_are_not_taken_for_none(shell: str) -> None:
    ask = through(shell, ResourceServer(SCHEME, credentials="optional"))
    assert ask(key_alone("")).status == ask(key_alone(WRONG)).status == 401
    assert ask([("X-Client-Id", CLIENT.client_id)]).status == 400


@pytest.mark.parametrize("shell", ["wsgi", "asgi"])
def test_a_registry_that_is_asked_serves_both_shells(shell: str) -> None:
    async def find_by_key(key_hash: str) -> RegisteredClient | None:
        return STATIC.find_by_key(key_hash)

    def find(client_id: str) -> RegisteredClient | None:
        if client_id == "down":
            raise Unavailable("credentials_unavailable", "The credentials cannot be checked now.")
        return STATIC.find(client_id)

    clients = FunctionClients(find=find, find_by_key=find_by_key)
    ask = through(shell, ResourceServer(ClientKey(clients, presentation=PLACES)))
    assert ask(key_alone(KEY)).status == ask(basic(CLIENT.client_id, SECRET)).status == 200
    assert ask(key_alone(WRONG)).status == ask(basic(NOBODY, SECRET)).status == 401
    assert ask(basic("down", SECRET)).status == 503


def test_two_schemes_may_read_headers_of_their_own(ask: Ask) -> None:
    other = ClientKey(StaticClients([OTHER]), presentation=[KeyHeader("X-Partner-Key")], provider="partners")
    both = through("asgi", ResourceServer(SCHEME, other))
    assert both([("X-Partner-Key", OTHER_KEY)]).status == 200
    assert both([("X-Partner-Key", KEY)]).status == 401
    assert both([("X-Partner-Key", OTHER_KEY), *key_alone(KEY)]).status == 400
    assert ask([("X-Partner-Key", OTHER_KEY)]).status == 401


@pytest.mark.parametrize(
    ("given", "presentation", "missing"),
    [
        ({"find"}, [BasicAuth()], ""),
        ({"find"}, [BasicAuth(), KeyHeader(client_id="X-Id")], ""),
        ({"find_by_key"}, [KeyHeader()], ""),
        ({"find_by_key"}, [BasicAuth()], "find"),
        ({"find_by_key"}, [SecretHeaders()], "find"),
        ({"find"}, [KeyHeader()], "find_by_key"),
        ({"find"}, [BasicAuth(), KeyHeader()], "find_by_key"),
    ],
    ids=str,
)
def test_a_registry_finds_clients_in_the_way_they_present_themselves(
    given: set[str], presentation: list[Any], missing: str
) -> None:
    clients = FunctionClients(**dict.fromkeys(given, find))
    if not missing:
        assert ClientKey(clients, presentation=presentation).name == "ClientKey"
        return
    with pytest.raises(ValueError, match=f"is not told how: give {missing}="):
        ClientKey(clients, presentation=presentation)
