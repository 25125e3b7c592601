import httpx2
import pytest

from oauth_rs.devserver import DevServer
from oauth_rs.devserver.metadata import PATHS
from oauth_rs.jose.algorithms import ASYMMETRIC

METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]


@pytest.mark.parametrize("path", PATHS)
def test_the_metadata_names_this_issuer_and_warns(http: httpx2.Client, server: DevServer, path: str) -> None:
    reply = http.get(path)
    metadata = reply.json()
    assert reply.headers["content-type"] == "application/json"
    assert "not for production" in metadata.pop("oauth_rs_notice")
    algorithms = sorted(ASYMMETRIC)
    assert metadata == {
        "issuer": server.issuer,
        "token_endpoint": f"{server.issuer}/token",
        "jwks_uri": f"{server.issuer}/jwks",
        "introspection_endpoint": f"{server.issuer}/introspect",
        "revocation_endpoint": f"{server.issuer}/revoke",
        "userinfo_endpoint": f"{server.issuer}/userinfo",
        "grant_types_supported": [
            "client_credentials",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        "scopes_supported": ["albums", "photos"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": [*METHODS, "Bearer"],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": ["RS256", "ES256", "Ed25519", "EdDSA"],
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
    }


@pytest.mark.parametrize("path", PATHS)
def test_the_issuer_does_not_follow_the_host_header(http: httpx2.Client, server: DevServer, path: str) -> None:
    assert http.get(path, headers={"Host": "evil.example"}).json()["issuer"] == server.issuer


@pytest.mark.parametrize("path", PATHS)
def test_the_metadata_is_fetched_and_not_posted_to(http: httpx2.Client, path: str) -> None:
    assert http.post(path).status_code == 405


def test_every_endpoint_that_is_named_is_there(http: httpx2.Client, server: DevServer) -> None:
    metadata = http.get(PATHS[0]).json()
    named = [url for name, url in metadata.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(named) == 5
    assert all(http.get(url.removeprefix(server.issuer)).status_code != 404 for url in named)
