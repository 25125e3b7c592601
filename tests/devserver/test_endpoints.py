import httpx2
import pytest

from oauth_rs.devserver import DevServer

PATHS = {
    "/token": {"POST"},
    "/introspect": {"POST"},
    "/revoke": {"POST"},
    "/userinfo": {"GET", "POST"},
    "/jwks": {"GET"},
    "/statuslists/1": {"GET"},
    "/github/user": {"GET"},
    "/github/applications/demo/token": {"POST"},
}


@pytest.mark.parametrize(("path", "methods"), PATHS.items(), ids=list(PATHS))
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_each_path_takes_its_methods_alone(http: httpx2.Client, path: str, methods: set[str], method: str) -> None:
    assert (http.request(method, path).status_code == 405) is (method not in methods)


@pytest.mark.parametrize("path", ["/introspection", "/revocation", "/github", "/github/", "/statuslists", "/userinfo/"])
def test_there_is_nothing_beside_them(http: httpx2.Client, path: str) -> None:
    assert http.get(path).status_code == 404


def test_the_key_set_is_public(http: httpx2.Client, server: DevServer) -> None:
    response = http.get("/jwks")
    assert response.json() == server.jwks()
    assert response.headers["content-type"] == "application/jwk-set+json"


@pytest.mark.parametrize(("options", "status"), [({"token_by_get": True}, 401), ({}, 405)], ids=["on", "off"])
def test_tokens_are_asked_for_by_get_only_where_that_is_switched_on(options: dict[str, bool], status: int) -> None:
    with DevServer.running(audience="urn:api", algorithm="ES256", **options) as own:
        reply = httpx2.get(f"{own.issuer}/token", params={"grant_type": "client_credentials"}, trust_env=False)
    assert reply.status_code == status
