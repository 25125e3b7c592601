"""The lending library as its demo tries it, over real ports: each case can fail, on servers that check less.

test_demo.py has every case of it on servers that check all.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import httpx2
import pytest

from examples import lending
from examples.demo_exchange_cases import caller_cases
from examples.demo_lending_world import CLIENT, Account, Lending, built_lending
from examples.demo_opaque_cases import OTHER_API, answer_cases, github_cases, introspection_cases, openid_cases
from examples.demo_revocation_cases import log_out_cases, opaque_revocation_cases, status_cases
from examples.demo_world import App, Case, World
from examples.flask_app.lending import create_app as create_flask_app
from examples.starlette_app.lending import create_app as create_starlette_app
from oauth_rs import AllOf, MemoryDenyList, OperationScopes
from oauth_rs.client_auth import ClientSecret, PrivateKeyJWT
from oauth_rs.devserver.keys import SigningKey
from oauth_rs.flow import Flow
from oauth_rs.inventory import assert_protected, routes
from oauth_rs.providers.token_checks import GitHubCheck
from tests.support.issuing import ISSUER

Cases: TypeAlias = Callable[[World, Lending], Iterator[Case]]
OfOne: TypeAlias = Callable[[World, Lending, App], Iterator[Case]]


def each(cases: OfOne, world: World, built: Lending) -> Iterator[Case]:
    for app in built.apps:
        yield from cases(world, built, app)


def failing(cases: Cases) -> list[set[str]]:
    """The names of the cases that are not as expected, for each framework."""
    with httpx2.Client(trust_env=False, timeout=60) as http, built_lending() as built:
        world = cast("World", SimpleNamespace(http=http))
        failed = [(case.app.name, case.name) for case in cases(world, built) if not case.expected.met_by(case.send())]
    return [{name for app, name in failed if app == framework} for framework in ("flask", "starlette")]


LESS: tuple[tuple[str, dict[str, Any], Cases, set[str]], ...] = (
    (
        "IntrospectionProvider",
        {"audience": [lending.API, OTHER_API], "audience_unproved": True},
        partial(each, introspection_cases),
        {"token for another API", "token for no API"},
    ),
    ("IntrospectionProvider", {"scopes": None}, partial(each, introspection_cases), {"scope not theirs to give"}),
    ("IntrospectionProvider", {"keys": None}, partial(each, answer_cases), {"answer not signed"}),
    ("openid", {"grants": []}, partial(each, openid_cases), {"good token", "another application's"}),
    ("github", {"grants": ["read:user"]}, partial(each, github_cases), {"missing scope"}),
    (
        "JWTProvider",
        {"status": None},
        status_cases,
        {"status list of a stranger", "status invalid", "status suspended", "status list out of reach"},
    ),
    ("ResourceServer", {"deny": None}, log_out_cases, {"logged out", "logged out everywhere"}),
    ("TokenExchange", {"audience": lending.API}, caller_cases, {"token exchanged", "issuer drops connections"}),
)
RULES: tuple[tuple[str, Any, Cases, set[str]], ...] = (
    ("GET /fees", AllOf("fees"), caller_cases, {"not exchanged"}),
    ("POST /log-out", AllOf(), log_out_cases, {"POST /log-out"}),
)


@pytest.mark.parametrize(
    ("what", "changed", "cases", "names"), LESS, ids=[f"{what}-{'-'.join(changed)}" for what, changed, *_ in LESS]
)
def test_a_server_that_checks_less_fails_the_demo(
    monkeypatch: pytest.MonkeyPatch, what: str, changed: dict[str, Any], cases: Cases, names: set[str]
) -> None:
    strict = getattr(lending, what)

    def made(*given: Any, **options: Any) -> Any:
        return strict(*given, **{**options, **changed})

    monkeypatch.setattr(lending, what, made)
    assert failing(cases) == [names, names]


@pytest.mark.parametrize(("operation", "rule", "cases", "names"), RULES, ids=[rule[0] for rule in RULES])
def test_a_policy_that_asks_for_less_fails_the_demo(
    monkeypatch: pytest.MonkeyPatch, operation: str, rule: Any, cases: Cases, names: set[str]
) -> None:
    monkeypatch.setattr(lending, "POLICY", OperationScopes({**dict(lending.POLICY.rules()), operation: rule}))
    assert failing(cases) == [names, names]


def test_a_server_that_believes_answers_for_long_fails_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "BELIEVED", 300)
    assert failing(opaque_revocation_cases) == [{"revoked"}, {"revoked"}]


def test_an_application_that_does_not_ask_for_whom_a_token_is_fails_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(*_about: object) -> Flow[Mapping[str, Any]]:
        yield from ()
        return {"client_id": CLIENT, "scope": ["read:user"]}

    monkeypatch.setattr(GitHubCheck, "check", check)
    names = {"another application's", "unknown token", "missing scope"}
    assert failing(partial(each, github_cases)) == [names, names]


@pytest.mark.parametrize("create_app", [create_flask_app, create_starlette_app])
def test_every_route_is_protected_or_public(create_app: Callable[..., Any]) -> None:
    trusted = lending.Trusted(
        library=ISSUER,
        schools="https://schools.example.com",
        friends="https://friends.example.com",
        hub="https://hub.example.com",
        union="https://union.example.com",
        secret=ClientSecret("library", "secret"),
        key=PrivateKeyJWT("library", SigningKey.generate("ES256").private),
    )
    outbound = lending.connections(trusted, Account(""), fees=lending.FEES, union=lending.UNION)
    app = create_app(trusted, outbound, deny=MemoryDenyList())
    assert_protected(app)
    assert [route.name for route in routes(app) if route.protection != "protected"] == ["GET /health"]
