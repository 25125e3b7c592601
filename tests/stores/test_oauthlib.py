import logging
from collections import Counter
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from oauthlib.common import Request
from oauthlib.oauth1 import RequestValidator

from oauth_rs.credentials import MACKey, OAuth1Token
from oauth_rs.errors import Unavailable
from oauth_rs.stores.oauthlib import ValidatorCredentials
from tests.support.finding import CLIENT, TOKEN, UNKNOWN, CredentialsContract, Source, awaiting, blocking

DUMMY_CLIENT = "dummyClient0123456789"
DUMMY_TOKEN = "dummyToken01234567890"
HMAC = ("HMAC-SHA1", "HMAC-SHA256")


def pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


RSA_KEY = pem(rsa.generate_private_key(65537, 2048))
DUMMY_RSA_KEY = pem(rsa.generate_private_key(65537, 2048))
BAD_KEYS = {
    "1024 bits": pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - what must be refused
    "no RSA key": pem(ec.generate_private_key(ec.SECP256R1())),
    "no PEM": "-----BEGIN NOTHING-----",
    "no text of a key": "dummy",
    "damaged": RSA_KEY.replace("A", "B"),
    "a curve nobody knows": (
        "-----BEGIN PUBLIC KEY-----\nMBQwDAYHKoZIzj0CAQYBKgMEAAQBAg==\n-----END PUBLIC KEY-----\n"
    ),
}


class Validator(RequestValidator):  # type: ignore[misc]
    """As applications write them: dictionaries for tables, the user left on the request."""

    allowed_signature_methods: Any = HMAC
    dummy_client: Any = DUMMY_CLIENT
    dummy_access_token: Any = DUMMY_TOKEN

    def __init__(self) -> None:
        super().__init__()
        self.secrets: dict[str, Any] = {CLIENT.client_id: CLIENT.secret, DUMMY_CLIENT: "dummy"}
        self.tokens = {TOKEN.token: (CLIENT.client_id, TOKEN.secret, TOKEN.subject)}
        self.realms_of: dict[str, Any] = {TOKEN.token: list(TOKEN.scopes)}
        self.calls: Counter[str] = Counter()
        self.seen: list[Request] = []

    def validate_client_key(self, client_key: str, request: Request) -> bool:
        self.calls["validate_client_key"] += 1
        self.seen.append(request)
        return client_key in self.secrets

    def get_client_secret(self, client_key: str, request: Request) -> Any:
        self.calls["get_client_secret"] += 1
        assert request.client_key == client_key
        return self.secrets[client_key]

    def validate_access_token(self, client_key: str, token: str, request: Request) -> bool:
        self.calls["validate_access_token"] += 1
        client_id, _, request.user = self.tokens.get(token, ("", "", None))
        return client_id == client_key

    def get_access_token_secret(self, _client_key: str, token: str, _request: Request) -> Any:
        self.calls["get_access_token_secret"] += 1
        return "dummy" if token == DUMMY_TOKEN else self.tokens[token][1]

    def get_realms(self, token: str, _request: Request) -> Any:
        self.calls["get_realms"] += 1
        return self.realms_of.get(token, [])


class RSAValidator(Validator):
    allowed_signature_methods: Any = ("RSA-SHA1", "RSA-SHA256", "RSA-SHA512", "HMAC-SHA512", "HMAC-SHA256")

    def __init__(self, key: Any = RSA_KEY) -> None:
        super().__init__()
        self.keys = {CLIENT.client_id: key, DUMMY_CLIENT: DUMMY_RSA_KEY}

    def get_rsa_key(self, client_key: str, _request: Request) -> Any:
        self.calls["get_rsa_key"] += 1
        return self.keys[client_key]


def user(request: Request) -> str:
    return str(request.user)


def asked(validator: RequestValidator, **options: Any) -> Source:
    return blocking(ValidatorCredentials(validator, **{"subject": user, **options}))


def token_of(validator: RequestValidator, **options: Any) -> OAuth1Token:
    token = asked(validator, **options).pair(CLIENT.client_id, TOKEN.token)[1]
    assert token is not None
    return token


def methods_of(validator: RequestValidator) -> set[str]:
    client = asked(validator).pair(CLIENT.client_id)[0]
    assert client is not None
    return set(client.methods)


class TestValidatorCredentials(CredentialsContract):
    mac_key: MACKey | None = None

    @pytest.fixture
    def source(self) -> Source:
        return asked(Validator())


def test_where_requests_are_awaited_the_validator_is_asked_too() -> None:
    with awaiting(ValidatorCredentials(Validator(), subject=user)) as (source, _runner):
        assert source.pair(CLIENT.client_id, TOKEN.token) == (CLIENT, TOKEN)


PAIRS = {
    "unknown client": (UNKNOWN, TOKEN.token),
    "unknown token": (CLIENT.client_id, UNKNOWN),
    "both unknown": (UNKNOWN, UNKNOWN),
    "not for this validator to see": ("\0", "\0"),
    "the dummies": (DUMMY_CLIENT, DUMMY_TOKEN),
}


@pytest.mark.parametrize("kind", [Validator, RSAValidator])
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_unknown_ids_cost_the_same_calls_as_known_ones(pair: tuple[str, str], kind: type[Validator]) -> None:
    known, unknown = kind(), kind()
    asked(known).pair(CLIENT.client_id, TOKEN.token)
    asked(unknown).pair(*pair)
    assert unknown.calls == known.calls
    assert set(known.calls.values()) == {1}


def test_the_dummies_are_nobody_even_where_the_validator_knows_them() -> None:
    validator = Validator()
    validator.tokens[DUMMY_TOKEN] = (CLIENT.client_id, "dummy", "nobody")
    assert asked(validator).pair(DUMMY_CLIENT, TOKEN.token) == (None, None)
    assert asked(validator).pair(CLIENT.client_id, DUMMY_TOKEN) == (CLIENT, None)


def test_a_token_of_another_client_is_unknown() -> None:
    validator = Validator()
    validator.secrets[UNKNOWN] = "secret"
    assert asked(validator).pair(UNKNOWN, TOKEN.token)[1] is None


def test_a_token_is_unknown_with_a_client_that_is() -> None:
    validator = Validator()
    validator.tokens[TOKEN.token] = (DUMMY_CLIENT, "secret", "ada")  # as a validator that looks at the token alone
    assert asked(validator).pair(UNKNOWN, TOKEN.token) == (None, None)


@pytest.mark.parametrize("text", ["short", "a" * 31, "photo-Printer-0123456789", "photoPrinter01234567é"])
def test_what_the_validator_would_not_look_at_does_not_reach_it(text: str) -> None:
    validator = Validator()
    validator.secrets[text], validator.tokens[text] = "secret", (CLIENT.client_id, "secret", "ada")
    assert asked(validator).pair(text, TOKEN.token) == (None, None)
    assert asked(validator).pair(CLIENT.client_id, text) == (CLIENT, None)


def test_the_validator_sees_the_ids_on_a_request_of_its_kind() -> None:
    validator = Validator()
    asked(validator).pair(CLIENT.client_id, TOKEN.token)
    (request,) = validator.seen
    assert (request.client_key, request.resource_owner_key) == (CLIENT.client_id, TOKEN.token)
    assert request.realm is request.signature_method is None


def test_a_request_without_a_token_has_none_and_asks_for_none() -> None:
    validator = Validator()
    asked(validator).pair(CLIENT.client_id)
    assert validator.seen[0].resource_owner_key is None
    assert not {"validate_access_token", "get_access_token_secret", "get_realms"} & set(validator.calls)


def test_nothing_that_one_request_left_is_there_for_the_next() -> None:
    validator = Validator()
    source = asked(validator)
    source.pair(CLIENT.client_id, TOKEN.token)
    source.pair(CLIENT.client_id)
    assert validator.seen[1].user is None


def test_the_subject_is_asked_of_known_tokens_only() -> None:
    def refuse(request: Request) -> str:
        raise AssertionError(request)

    assert asked(Validator(), subject=refuse).pair(CLIENT.client_id, UNKNOWN) == (CLIENT, None)
    assert asked(Validator(), subject=refuse, scopes=refuse).pair(UNKNOWN, TOKEN.token) == (None, None)


@pytest.mark.parametrize(
    ("realms", "scopes"),
    [(["photos"], {"photos"}), ("photos orders", {"photos", "orders"}), ("", set()), (None, set()), ([], set())],
)
def test_realms_are_the_scopes(realms: Any, scopes: set[str]) -> None:
    validator = Validator()
    validator.realms_of[TOKEN.token] = realms
    assert token_of(validator).scopes == scopes


def test_a_function_gives_the_scopes_in_place_of_the_realms() -> None:
    validator = Validator()
    token = token_of(validator, scopes=lambda request: {f"of {request.user}"})
    assert token.scopes == {"of ada"}
    assert not validator.calls["get_realms"]


def test_a_validator_without_realms_gives_no_scopes() -> None:
    class NoRealms(Validator):
        def get_realms(self, _token: str, _request: Request) -> Any:
            raise NotImplementedError

    assert token_of(NoRealms()).scopes == frozenset()


METHODS = {
    "as the library has it": (RequestValidator().allowed_signature_methods, {*HMAC, "PLAINTEXT"}),
    "one": (("HMAC-SHA256",), {"HMAC-SHA256"}),
    "one of those we know": (("HMAC-SHA512", "HMAC-SHA256"), {"HMAC-SHA256"}),
    "PLAINTEXT": (("PLAINTEXT",), {"PLAINTEXT"}),
    "RSA, without a key": (("RSA-SHA1", "HMAC-SHA1"), {"HMAC-SHA1"}),
}


@pytest.mark.parametrize(("allowed", "expected"), METHODS.values(), ids=METHODS)
def test_a_client_has_the_methods_that_the_validator_allows(allowed: Any, expected: set[str]) -> None:
    class Limited(Validator):
        allowed_signature_methods = allowed

    assert methods_of(Limited()) == expected


def test_a_client_with_a_secret_and_a_key_has_the_allowed_methods_of_both() -> None:
    assert methods_of(RSAValidator()) == {"RSA-SHA1", "RSA-SHA256", "HMAC-SHA256"}


def test_a_key_may_come_as_bytes() -> None:
    assert "RSA-SHA1" in methods_of(RSAValidator(RSA_KEY.encode()))


@pytest.mark.parametrize("secret", [None, ""])
def test_a_client_without_a_secret_has_no_hmac(secret: Any) -> None:
    validator = RSAValidator()
    validator.secrets[CLIENT.client_id] = secret
    assert methods_of(validator) == {"RSA-SHA1", "RSA-SHA256"}


def test_a_validator_of_rsa_alone_needs_no_secrets() -> None:
    class RSAOnly(RSAValidator):
        allowed_signature_methods = ("RSA-SHA1",)

        def get_client_secret(self, *_arguments: Any) -> Any:
            raise AssertionError

        def get_access_token_secret(self, *_arguments: Any) -> Any:
            raise AssertionError

    assert methods_of(RSAOnly()) == {"RSA-SHA1"}
    assert token_of(RSAOnly()).secret == ""


def test_a_validator_that_has_no_secrets_is_not_asked_for_those_of_tokens() -> None:
    class NoSecrets(RSAValidator):
        get_client_secret = RequestValidator.get_client_secret
        get_access_token_secret = RequestValidator.get_access_token_secret

    assert methods_of(NoSecrets()) == {"RSA-SHA1", "RSA-SHA256"}
    assert token_of(NoSecrets()).secret == ""


def test_a_token_whose_secret_cannot_be_had_is_never_one_without_a_secret() -> None:
    class NoTokenSecrets(Validator):
        get_access_token_secret = RequestValidator.get_access_token_secret

    with pytest.raises(NotImplementedError):
        asked(NoTokenSecrets()).pair(CLIENT.client_id, TOKEN.token)


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_client_with_a_key_that_is_no_good_is_unknown_and_logged(key: str, caplog: pytest.LogCaptureFixture) -> None:
    assert asked(RSAValidator(key)).pair(CLIENT.client_id)[0] is None
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert CLIENT.client_id in record.message
    assert key not in caplog.text
    assert CLIENT.secret not in caplog.text


def test_a_client_with_neither_secret_nor_key_is_unknown_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    validator = RSAValidator(key=None)
    validator.secrets[CLIENT.client_id] = None
    assert asked(validator).pair(CLIENT.client_id)[0] is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_unknown_clients_fill_no_log_where_the_dummy_has_no_good_key(caplog: pytest.LogCaptureFixture) -> None:
    validator = RSAValidator()
    validator.keys[DUMMY_CLIENT] = "dummy"
    assert asked(validator).pair(UNKNOWN)[0] is None
    assert not caplog.records


class Failing(Validator):
    error: Exception = Unavailable("directory_down", "The credentials cannot be checked now.")

    def validate_client_key(self, _client_key: str, _request: Request) -> bool:
        raise self.error


def test_a_validator_that_cannot_tell_says_so() -> None:
    with pytest.raises(Unavailable) as caught:
        asked(Failing()).pair(CLIENT.client_id)
    assert caught.value.reason == "directory_down"


def test_an_error_of_the_validator_lets_nobody_pass() -> None:
    validator = Failing()
    validator.error = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        asked(validator).pair(CLIENT.client_id)


@pytest.mark.parametrize("validator", [Validator, None, object()])
def test_only_an_instance_of_a_validator_is_taken(validator: Any) -> None:
    with pytest.raises(TypeError, match="an instance of a subclass"):
        ValidatorCredentials(validator, subject=user)


def test_a_validator_of_methods_we_do_not_know_is_refused_at_the_start() -> None:
    class Odd(Validator):
        allowed_signature_methods = ("HMAC-SHA512",)

    with pytest.raises(ValueError, match="allowed_signature_methods"):
        ValidatorCredentials(Odd(), subject=user)


def test_a_validator_without_a_dummy_is_refused_at_the_start() -> None:
    class NoDummy(Validator):
        dummy_client = RequestValidator.dummy_client

    with pytest.raises(NotImplementedError):
        ValidatorCredentials(NoDummy(), subject=user)
