import socket
import threading
from typing import Any

import httpx2
import jwt
import pytest

from oauth_rs.devserver import Answer, Client, DevServer, User
from oauth_rs.stores.sql import SQLCredentials
from tests.devserver.conftest import API, BASIC, Read, found


def get(url: str) -> httpx2.Response:
    return httpx2.get(url, trust_env=False)


def introspected(server: DevServer, token: str) -> dict[str, Any]:
    reply = httpx2.post(f"{server.issuer}/introspect", data={"token": token}, auth=BASIC, trust_env=False)
    told: dict[str, Any] = reply.json()
    return told


def threads() -> int:
    """Those of servers: the workers of other servers come and go."""
    return sum(thread.name == "oauth_rs devserver" for thread in threading.enumerate())


def test_a_stopped_server_refuses_connections_and_leaves_no_thread() -> None:
    before = threads()
    with DevServer.running(audience=API, algorithm="ES256") as server:
        assert threads() == before + 1
    assert threads() == before
    with pytest.raises(httpx2.ConnectError):
        get(f"{server.issuer}/jwks")


def test_a_restarted_server_has_its_port_keys_and_counters() -> None:
    with DevServer.running(audience=API, algorithm="ES256") as server:
        before = get(f"{server.issuer}/jwks").json()
        server.stop()
        token = server.token()
        server.start()
        assert get(f"{server.issuer}/jwks").json() == before == server.jwks()
        assert jwt.get_unverified_header(token)["kid"] == before["keys"][0]["kid"]
        assert server.hits["/jwks"] == 2


def test_a_server_that_was_never_started_gives_its_port_back() -> None:
    server = DevServer(audience=API, algorithm="ES256")
    server.stop()
    with socket.create_server(("127.0.0.1", int(server.issuer.rpartition(":")[2]))):
        pass


def test_a_failing_block_stops_the_server_too() -> None:
    with pytest.raises(KeyError), DevServer.running(audience=API, algorithm="ES256") as server:
        raise KeyError
    with pytest.raises(httpx2.ConnectError):
        get(f"{server.issuer}/jwks")


def test_a_taken_port_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        DevServer(audience=API, algorithm="ES256", port=taken.getsockname()[1])


@pytest.mark.parametrize("lifetime", [0, -1])
def test_a_lifetime_below_one_second_is_refused(lifetime: int) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        DevServer(audience=API, lifetime=lifetime)


def test_two_clients_with_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        DevServer(audience=API, clients=[Client("a", "one"), Client("a", "two")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"users": [User("ada"), User("ada")]}, "same subject"),
        ({"opaque_prefix": "a b"}, "opaque_prefix"),
        ({"status_ttl": 0}, "status_ttl"),
    ],
)
def test_an_unusable_option_is_refused_and_the_port_given_back(options: dict[str, Any], message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            DevServer(audience=API, algorithm="ES256", port=port, **options)


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown algorithm"):
        DevServer(audience=API, algorithm="HS256")


def test_a_direct_token_speaks_for_the_first_client_and_the_default_audience(server: DevServer, read: Read) -> None:
    claims = read(server.token(scope="photos"), get(f"{server.issuer}/jwks").json())["claims"]
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("demo", API, "photos")


def test_a_direct_token_can_be_wrong_in_every_way(server: DevServer) -> None:
    token = server.token(client_id="x", claims={"aud": "y"}, header={"typ": "JWT"}, drop=("exp",), alg="none")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["aud"], "exp" in claims) == ("x", "y", False)
    assert jwt.get_unverified_header(token)["typ"] == "JWT"


@pytest.mark.parametrize("client_id", [None, "demo", "nobody", ""])
def test_a_refresh_token_is_for_a_client_that_can_use_it(server: DevServer, client_id: str | None) -> None:
    with pytest.raises(ValueError, match="refresh=True"):
        server.refresh_token(client_id=client_id)


@pytest.mark.parametrize("audience", [API, [API]])
def test_a_direct_refresh_token_is_what_a_user_allowed(server: DevServer, audience: str | list[str]) -> None:
    token = server.refresh_token(client_id="lasting", subject="ada", scope="photos", audience=audience)
    form = {"grant_type": "refresh_token", "refresh_token": token}
    reply = httpx2.post(f"{server.issuer}/token", data=form, auth=("lasting", "secret"), trust_env=False).json()
    told = introspected(server, reply["access_token"])
    assert (told["sub"], told["client_id"], told["scope"], told["aud"]) == ("ada", "lasting", "photos", API)


def test_a_direct_refresh_token_speaks_for_its_client_unless_told_otherwise(server: DevServer) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": server.refresh_token(client_id="lasting")}
    reply = httpx2.post(f"{server.issuer}/token", data=form, auth=("lasting", "secret"), trust_env=False).json()
    told = introspected(server, reply["access_token"])
    assert (told["sub"], "username" in told) == ("lasting", False)


def test_a_token_without_status_has_none_to_set(server: DevServer) -> None:
    for token in (server.token(), server.opaque_token(), "x"):
        with pytest.raises(ValueError, match="status=True"):
            server.set_status(token, 1)


def test_a_status_is_set_by_token_or_by_index(server: DevServer) -> None:
    token = server.token(status=True)
    idx = jwt.decode(token, options={"verify_signature": False})["status"]["status_list"]["idx"]
    for which, value, good in ((token, 1, False), (idx, 0, True), (idx, 2, False)):
        server.set_status(which, value)
        assert introspected(server, token)["active"] is good


def test_a_direct_opaque_token_means_what_was_ordered(server: DevServer) -> None:
    token = server.opaque_token(
        client_id="cli", subject="ada", scope="photos", audience="urn:x", claims={"roles": ["a"]}, lifetime=5
    )
    told = introspected(server, token)
    assert {"client_id": "cli", "sub": "ada", "scope": "photos", "aud": "urn:x", "roles": ["a"]}.items() <= told.items()
    assert told["exp"] - told["iat"] == 5


def test_a_direct_opaque_token_speaks_for_the_first_client_and_the_default_audience(server: DevServer) -> None:
    told = introspected(server, server.opaque_token())
    assert (told["sub"], told["client_id"], told["aud"], "scope" in told) == ("demo", "demo", API, False)


def test_the_prefix_of_opaque_tokens_is_an_option() -> None:
    server = DevServer(audience=API, algorithm="ES256", opaque_prefix="ghu_")
    server.stop()
    assert server.opaque_token().startswith("ghu_")


def test_tokens_and_faults_stay_over_a_restart() -> None:
    with DevServer.running(audience=API, algorithm="ES256", clients=[Client(*BASIC)]) as server:
        token = server.opaque_token()
        server.fault("/jwks", Answer(503), calls=1)
        server.stop()
        server.start()
        assert introspected(server, token)["active"] is True
        assert [get(f"{server.issuer}/jwks").status_code for _ in range(2)] == [503, 200]
        server.fault("/jwks", Answer(503))
        server.heal()
        assert get(f"{server.issuer}/jwks").status_code == 200


def test_the_clock_is_an_argument() -> None:
    with DevServer.running(audience=API, algorithm="ES256", clock=lambda: 0.0, lifetime=5) as server:
        claims = jwt.decode(server.token(), options={"verify_signature": False})
    assert (claims["iat"], claims["exp"]) == (0, 5)


def test_rotate_returns_the_new_key_id() -> None:
    with DevServer.running(audience=API, algorithm="ES256") as server:
        old = server.jwks()["keys"][0]["kid"]
        kid = server.rotate(keep=True)
        assert [key["kid"] for key in get(f"{server.issuer}/jwks").json()["keys"]] == [kid, old]


def test_an_ipv6_issuer_is_written_in_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with DevServer.running(audience=API, algorithm="ES256", host="::1") as server:
        assert server.issuer.startswith("http://[::1]:")
        assert server.host == "::1"
        assert get(f"{server.issuer}/jwks").status_code == 200


def test_without_credentials_nothing_is_written_that_nobody_would_know(server: DevServer) -> None:
    for make in (server.oauth1_token, server.mac_key):
        with pytest.raises(ValueError, match="credentials="):
            make()


def test_a_client_that_cannot_be_stored_is_refused_and_the_port_given_back(store: SQLCredentials) -> None:
    client = Client("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "secret")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for _ in range(2):
        with pytest.raises(ValueError, match="printable ASCII"):
            DevServer(audience=API, algorithm="ES256", clients=[client], credentials=store, port=port)


def test_clients_and_what_is_made_without_http_are_in_the_store(store: SQLCredentials) -> None:
    clients = [Client("demo", "secret", scopes={"photos"})]
    with DevServer.running(audience=API, algorithm="ES256", clients=clients, credentials=store) as server:
        server.stop()
        token = server.oauth1_token(subject="ada", scope="photos")
        key = server.mac_key(subject="ada", algorithm="hmac-sha-1")
    assert found(store.oauth1("demo", token.token)) == (clients[0].oauth1(), token)
    assert found(store.mac_key(key.kid)) == key
