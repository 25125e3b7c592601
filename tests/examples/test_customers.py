"""Customers as each role sees them, over a real port."""

import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from examples.serving import on_uvicorn
from examples.starlette_app.app import create_app
from oauth_rs.devserver import DevServer
from tests.examples.conftest import API

Call = Callable[..., httpx2.Response]
PROFILE = {"number", "name", "email", "age"}


@pytest.fixture(scope="module")
def call(server: DevServer) -> Iterator[Call]:
    """Sends a request with a token of `roles` and further `claims`."""
    with (
        on_uvicorn(lambda _host: create_app(server.issuer, API)) as url,
        httpx2.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):

        def call(operation: str, *roles: str, content: bytes = b"", **claims: object) -> httpx2.Response:
            token = server.token(claims={"realm_access": {"roles": list(roles)}, **claims})
            method, path = operation.split()
            return client.request(method, path, headers={"Authorization": f"Bearer {token}"}, content=content)

        yield call


@pytest.mark.parametrize(
    ("role", "fields"),
    [("salesperson", PROFILE), ("manager", PROFILE | {"address"}), ("admin", PROFILE | {"address", "credit"})],
)
def test_each_role_sees_its_fields(call: Call, role: str, fields: set[str]) -> None:
    one, many = call("GET /customers/1", role), call("GET /customers", role)
    assert set(one.json()) == fields
    assert [set(customer) for customer in many.json()] == [fields, fields]
    assert one.headers["cache-control"] == "private"
    assert "authorization" in one.headers["vary"].lower()


@pytest.mark.parametrize("roles", [(), ("Manager",), ("manage",), ("manager salesperson",)])
def test_a_role_that_is_not_one_sees_nothing(call: Call, roles: tuple[str, ...]) -> None:
    assert call("GET /customers/1", *roles).status_code == 403


@pytest.mark.parametrize("number", ["9", "9" * 5000, "x"], ids=["another", "long", "text"])
def test_an_error_is_answered_as_it_is(call: Call, number: str) -> None:
    missing = call(f"GET /customers/{number}", "salesperson")
    assert (missing.status_code, missing.json()["error"]) == (404, "Not Found")


def test_a_limit_is_set_by_an_admin_who_has_just_signed_in(call: Call) -> None:
    now = int(time.time())
    assert call("PUT /customers/2/limit", "manager", content=b"1", auth_time=now).status_code == 403
    assert call("PUT /customers/2/limit", "admin", content=b"1", auth_time=now - 3600).status_code == 401
    assert call("PUT /customers/2/limit", "admin", content=b"x", auth_time=now).status_code == 400
    assert call("PUT /customers/2/limit", "admin", content=b"100", auth_time=now).status_code == 204
    assert call("GET /customers/2", "admin").json()["credit"]["limit"] == 100
