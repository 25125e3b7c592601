from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from oauth_rs.devserver import DevServer
from oauth_rs.devserver.token_exchange import ACCESS_TOKEN, GRANT_TYPE, JWT
from tests.devserver.conftest import API, BASIC, Read, assertion, refused

OTHER = "https://other.example.com"


@pytest.fixture(params=["jwt", "opaque"])
def subject_token(server: DevServer, request: pytest.FixtureRequest) -> str:
    """A token that a user gave another client."""
    wishes: dict[str, Any] = {"client_id": "front", "scope": "albums photos", "claims": {"sub": "ada"}}
    return server.token(**wishes) if request.param == "jwt" else server.opaque_token(**wishes)


def exchange(http: httpx2.Client, subject_token: str, **more: Any) -> httpx2.Response:
    """The request, as `more` changes it: what is None is left out."""
    data = {
        "grant_type": GRANT_TYPE,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN,
        **more,
    }
    return http.post("/token", data={name: value for name, value in data.items() if value is not None}, auth=BASIC)


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject_token": None},
        {"subject_token": "x"},
        {"subject_token": "\N{SNOWMAN}"},
        {"subject_token_type": None},
        {"subject_token_type": JWT},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"actor_token": "x"},
        {"actor_token_type": ACCESS_TOKEN},
        {"actor_token": "x", "actor_token_type": ACCESS_TOKEN},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"token_type": "hmac"},
        {"token_format": "reference"},
        {"scope": ["photos", "photos"]},
    ],
    ids=str,
)
def test_a_malformed_request_is_an_invalid_request(
    http: httpx2.Client, subject_token: str, wrong: dict[str, Any]
) -> None:
    assert refused(exchange(http, **{"subject_token": subject_token, **wrong}), "invalid_request")


@pytest.mark.parametrize(
    "make",
    [
        lambda server: server.token(claims={"exp": 1}),
        lambda server: server.token(alg="none"),
        lambda server: server.token(drop=["sub"]),
        lambda server: server.token(claims={"sub": ["ada"]}),
        lambda server: server.opaque_token(claims={"exp": 1}),
        lambda server: server.refresh_token(client_id="lasting"),
    ],
    ids=["over", "not signed", "no subject", "two subjects", "opaque and over", "a refresh token"],
)
def test_a_token_that_is_not_good_is_an_invalid_request(
    http: httpx2.Client, server: DevServer, make: Callable[[DevServer], str]
) -> None:
    assert refused(exchange(http, make(server)), "invalid_request")
    actor = {"actor_token": make(server), "actor_token_type": ACCESS_TOKEN}
    assert refused(exchange(http, server.token(), **actor), "invalid_request")


def test_a_revoked_token_is_an_invalid_request(http: httpx2.Client, server: DevServer) -> None:
    token = server.token(client_id="demo", scope="photos")
    assert exchange(http, token).status_code == 200
    http.post("/revoke", data={"token": token}, auth=BASIC)
    assert refused(exchange(http, token), "invalid_request")


@pytest.mark.parametrize("name", ["resource", "audience"])
@pytest.mark.parametrize("target", ["https://evil.example", f"{API}/", [API, "https://evil.example"]])
def test_an_unknown_resource_is_an_invalid_target(
    http: httpx2.Client, subject_token: str, name: str, target: str | list[str]
) -> None:
    assert refused(exchange(http, subject_token, **{name: target}), "invalid_target")


@pytest.mark.parametrize("scope", ["admin", "photos admin", "photo", " ", "photos  albums", "Photos"])
def test_a_scope_that_the_subject_token_lacks_is_an_invalid_scope(
    http: httpx2.Client, subject_token: str, scope: str
) -> None:
    assert refused(exchange(http, subject_token, scope=scope), "invalid_scope")


def test_a_token_without_scope_cannot_get_one(http: httpx2.Client, server: DevServer) -> None:
    assert refused(exchange(http, server.token(), scope="photos"), "invalid_scope")
    assert "scope" not in exchange(http, server.token()).json()


def test_a_client_that_proves_nothing_gets_nothing(http: httpx2.Client, subject_token: str) -> None:
    data = {"grant_type": GRANT_TYPE, "subject_token": subject_token, "subject_token_type": ACCESS_TOKEN}
    assert refused(http.post("/token", data=data), "invalid_client", 401)
    assert refused(http.post("/token", data=data, auth=("demo", "wrong")), "invalid_client", 401)


def test_the_new_token_is_for_the_same_subject_and_says_who_acts(
    http: httpx2.Client, server: DevServer, read: Read, subject_token: str
) -> None:
    body = exchange(http, subject_token, scope="photos", resource=OTHER).json()
    claims = read(body.pop("access_token"), server.jwks())["claims"]
    assert body == {"issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 600, "scope": "photos"}
    assert (claims["sub"], claims["client_id"], claims["act"]) == ("ada", "demo", {"sub": "demo"})
    assert (claims["aud"], claims["scope"]) == (OTHER, "photos")


def test_without_scope_and_resource_it_has_the_scopes_there_were_and_the_default_audience(
    http: httpx2.Client, server: DevServer, read: Read, subject_token: str
) -> None:
    claims = read(exchange(http, subject_token).json()["access_token"], server.jwks())["claims"]
    assert (claims["aud"], claims["scope"]) == (API, "albums photos")


def test_an_actor_token_says_who_acts(http: httpx2.Client, server: DevServer, read: Read, subject_token: str) -> None:
    actor = server.opaque_token(subject="robot")
    body = exchange(http, subject_token, actor_token=actor, actor_token_type=ACCESS_TOKEN).json()
    assert read(body["access_token"], server.jwks())["claims"]["act"] == {"sub": "robot"}


def test_who_acted_before_stands_within(http: httpx2.Client, server: DevServer, read: Read) -> None:
    token = server.token(claims={"sub": "ada", "act": {"sub": "front"}})
    claims = read(exchange(http, token).json()["access_token"], server.jwks())["claims"]
    assert claims["act"] == {"sub": "demo", "act": {"sub": "front"}}


def test_a_client_of_opaque_tokens_gets_one_unless_it_asks_for_a_jwt(
    http: httpx2.Client, server: DevServer, read: Read, subject_token: str
) -> None:
    data = {"grant_type": GRANT_TYPE, "subject_token": subject_token, "subject_token_type": ACCESS_TOKEN}
    opaque = http.post("/token", data=data, auth=("hidden", "secret")).json()
    jwt = http.post("/token", data={**data, "requested_token_type": JWT}, auth=("hidden", "secret")).json()
    assert (opaque["access_token"][:3], opaque["issued_token_type"]) == ("pt_", ACCESS_TOKEN)
    assert (read(jwt["access_token"], server.jwks())["claims"]["sub"], jwt["issued_token_type"]) == ("ada", JWT)


def test_a_client_with_keys_may_exchange_and_gets_no_refresh_token(
    http: httpx2.Client, server: DevServer, subject_token: str
) -> None:
    data = {"grant_type": GRANT_TYPE, "subject_token": subject_token, "subject_token_type": ACCESS_TOKEN}
    assert http.post("/token", data={**data, **assertion(server)}).status_code == 200
    assert "refresh_token" not in http.post("/token", data=data, auth=("lasting", "secret")).json()
