from collections.abc import Callable
from typing import Any

import pytest

from oauth_rs import AllOf, AnyOf, DirectURL, FieldFilter, Requirement
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.inventory.pieces import Anything, Piece, literal
from oauth_rs.inventory.places import HERE, Asked, Place, Served, examples
from oauth_rs.inventory.route import Route
from oauth_rs.inventory.verdict import judge
from oauth_rs.policy import APIScopes, NoScopes, OperationScopes, PassThrough, Public
from oauth_rs.smart import smart
from tests.inventory.conftest import Servers

PHOTO = HERE.below(literal("/photos/"), Piece("<id>", ("1729", "example"), Anything("[^/]+")))
Judge = Callable[..., Route]


@pytest.fixture
def verdict(server: Servers) -> Judge:
    """Judges a route behind servers with the given options, the outermost first."""

    def give(*options: dict[str, Any], asks: tuple[Any, ...] = (), method: str = "GET", place: Place = PHOTO) -> Route:
        passed = HERE
        for each in options:
            passed = passed.behind(server(**each))
        there = passed.at(place.host).below(*place.pieces).with_parameters("id")
        asked = tuple(Asked("decorator", AllOf(one)) for one in asks)
        return judge(Served(method=method, place=there, endpoint="photo", asked=asked), examples())

    return give


PUBLIC = {"public": ["/photos/*"]}
OPTIONAL = {"credentials": "optional"}
PASSED = {"policy": OperationScopes({"* /photos/<id>": PassThrough()})}
DECLARED = {"policy": OperationScopes({"GET /photos/<id>": Public()})}
REFUSED = {"policy": OperationScopes({"GET /other": "photos"})}
MAPPED = {"policy": OperationScopes({"GET /photos/<id>": "photos"})}

VERDICTS: dict[str, tuple[tuple[dict[str, Any], ...], tuple[str, ...], str, str]] = {
    "no server": ((), (), "unprotected", ""),
    "no server, decorated": ((), ("a",), "broken", "a"),
    "a server": (({},), (), "protected", "any grant"),
    "a server, decorated": (({},), ("a",), "protected", "a"),
    "optional": ((OPTIONAL,), (), "unprotected", ""),
    "optional, decorated": ((OPTIONAL,), ("a",), "protected", "a"),
    "public path": ((PUBLIC,), (), "public", ""),
    "public path, decorated": ((PUBLIC,), ("a",), "broken", "a"),
    "optional, but public": (({**OPTIONAL, **PUBLIC},), (), "public", ""),
    "public by policy": ((DECLARED,), (), "public", ""),
    "public by policy, decorated": ((DECLARED,), ("a",), "broken", "a"),
    "passed through": ((PASSED,), (), "pass-through", ""),
    "passed through, decorated": ((PASSED,), ("a",), "broken", "a"),
    "mapped": ((MAPPED,), (), "protected", "photos"),
    "mapped, decorated": ((MAPPED,), ("a", "b"), "protected", "photos and a and b"),
    "mapped, but public": (({**MAPPED, **PUBLIC},), (), "public", ""),
    "not mapped": ((REFUSED,), (), "refused", ""),
    "not mapped, decorated": ((REFUSED,), ("a",), "refused", "a"),
    "any grant by policy": (({"policy": NoScopes()},), (), "protected", "any grant"),
    "one for all by policy": (({"policy": APIScopes("api")},), (), "protected", "api"),
    "two servers": (({}, MAPPED), (), "protected", "photos"),
    "two servers, both mapped": ((MAPPED, {"policy": APIScopes("api")}), ("a",), "protected", "photos and api and a"),
    "two servers, the outer refuses": ((REFUSED, PUBLIC), (), "refused", ""),
    "two servers, the inner refuses": ((PUBLIC, REFUSED), (), "refused", ""),
    "two servers, the outer is public": ((PUBLIC, {}), ("a",), "protected", "a"),
    "two servers, the inner is public": (({}, PUBLIC), (), "protected", "any grant"),
    "two servers, the inner is public, decorated": (({}, PUBLIC), ("a",), "broken", "a"),
    "two servers, the inner is optional": ((PUBLIC, OPTIONAL), (), "public", ""),
    "two servers, both optional": ((OPTIONAL, OPTIONAL), (), "unprotected", ""),
    "two servers, one passes through": ((PASSED, OPTIONAL), (), "pass-through", ""),
    "two servers, one is public": ((PASSED, PUBLIC), (), "public", ""),
}


@pytest.mark.parametrize(("options", "asks", "protection", "takes"), VERDICTS.values(), ids=VERDICTS)
def test_the_servers_and_the_decorators_together_decide(
    verdict: Judge, options: tuple[dict[str, Any], ...], asks: tuple[str, ...], protection: str, takes: str
) -> None:
    route = verdict(*options, asks=asks)
    assert (route.protection, route.takes) == (protection, takes)
    assert bool(route.problem) is (protection in {"unprotected", "broken"})


def test_the_sources_are_told_in_order_each_once(verdict: Judge) -> None:
    assert verdict({}, MAPPED, asks=("a", "b")).sources == ("server", "policy", "decorator")


def test_that_any_grant_will_do_is_no_requirement(verdict: Judge) -> None:
    assert verdict({}, {"policy": NoScopes()}).requirements == ()


PROBLEMS: dict[str, tuple[tuple[dict[str, Any], ...], tuple[Any, ...], str]] = {
    "nothing in front": ((), (), "no middleware stands in front of it"),
    "optional": ((OPTIONAL,), (), "credentials are optional here, and nothing asks for a grant"),
    "no middleware": ((), ("a",), "it asks for a grant, and no middleware stands in front of it: every request ends"),
    "public": ((PUBLIC,), ("a",), "it asks for a grant on a public path, where there is none: nobody can get there"),
    "passed": ((PASSED,), ("a",), "it asks for a grant on a pass-through path"),
    "no such parameter": (({},), ("x:{tenant}", "{b}:{a}"), "its decorator asks for tenant, which is no parameter of"),
    "nor these": (({},), ("{b}:{a}",), "its decorator asks for a, b, which is no parameter of its path"),
    "nor nested": (({},), (AnyOf("a", AllOf("{x}:b")),), "its decorator asks for x, which is no parameter"),
    "nor of SMART": (({},), (smart("Patient", "r", patient="patient"),), "its decorator asks for patient, which is"),
    "not declared": (
        ({"scopes": ScopeCatalogue({"photos": {}})},),
        ("photo",),
        "its decorator: there is no scope 'photo' in the catalogue: did you mean 'photos'?",
    ),
    "of no family": (
        ({"scopes": ScopeCatalogue({"photos": {}}, families=["photos:{number}"])},),
        ("photo:{id}",),
        "its decorator: no family of the catalogue has 'photo:{id}': did you mean 'photos:{number}'?",
    ),
    "not declared at the nearest": (
        ({"scopes": ScopeCatalogue({"a": {}})}, {"scopes": ScopeCatalogue({"photos": {}})}),
        ("a",),
        "its decorator: there is no scope 'a' in the catalogue",
    ),
    "not declared, nested": (
        ({"scopes": ScopeCatalogue({"a": {}})},),
        (AnyOf("a", AllOf("a", "Z")),),
        "there is no scope 'Z' in the catalogue",
    ),
}


@pytest.mark.parametrize(("options", "asks", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_the_problem_says_what_is_wrong(
    verdict: Judge, options: tuple[dict[str, Any], ...], asks: tuple[Any, ...], problem: str
) -> None:
    assert problem in verdict(*options, asks=asks).problem


@pytest.mark.parametrize(
    "asks",
    [("photos",), ("photos:{id}",), (smart("Patient", "r", patient="id"),), (smart("Patient", "r"),), (AllOf(),)],
    ids=repr,
)
def test_what_is_declared_is_no_problem(verdict: Judge, asks: tuple[Any, ...]) -> None:
    catalogue = ScopeCatalogue({"photos": {}}, families=["photos:{number}"])
    assert verdict({"scopes": catalogue}, asks=asks).problem == ""


def test_a_catalogue_further_out_need_not_have_it(verdict: Judge) -> None:
    outer = {"scopes": ScopeCatalogue({"photos": {}})}
    assert verdict(outer, {}, asks=("other",)).protection == "protected"


def test_all_problems_are_told(verdict: Judge) -> None:
    problem = verdict({**PUBLIC, "scopes": ScopeCatalogue({"photos": {}})}, asks=("{x}", "a", "b")).problem
    assert problem.count("; ") == 3


SEVERAL: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "public paths": (
        {"public": ["/photos/open"]},
        "public",
        "",
        "/photos/1729 takes any grant, /photos/open is public",
    ),
    "public below": (
        {"policy": APIScopes("api"), "public": ["/photos/1729"]},
        "public",
        "",
        "/photos/1729 is public, /photos/example takes api by 'every operation'",
    ),
    "a public rule": (
        {"policy": OperationScopes({"GET /photos/<int:n>": "a", "GET /photos/<n>": Public()})},
        "public",
        "",
        "/photos/1729 takes a by 'GET /photos/<int:n>', /photos/example is public by 'GET /photos/<n>'",
    ),
    "a public default": (
        {"policy": OperationScopes({"GET /photos/<int:n>": "a"}, default=Public())},
        "public",
        "",
        "/photos/1729 takes a by 'GET /photos/<int:n>', /photos/example is public by 'default'",
    ),
    "one that passes through": (
        {"policy": OperationScopes({"GET /photos/<n>": "a", "* /photos/old": PassThrough()})},
        "pass-through",
        "",
        "/photos/1729 takes a by 'GET /photos/<n>', /photos/old is pass-through by '* /photos/old'",
    ),
}


@pytest.mark.parametrize(("options", "protection", "takes", "text"), SEVERAL.values(), ids=SEVERAL)
def test_what_is_open_at_some_paths_is_no_better_than_that_and_a_problem(
    verdict: Judge, options: dict[str, Any], protection: str, takes: str, text: str
) -> None:
    for method in ("GET", "WEBSOCKET"):
        route = verdict(options, method=method)
        assert (route.protection, route.takes, route.note) == (protection, takes, "")
        assert route.problem == f"several rules decide here: {text}"


BOTH = "'GET /photos/<id>' and 'GET /photos/"
ALIKE: dict[str, tuple[tuple[dict[str, Any], ...], str, str, str]] = {
    "scopes": (
        ({"policy": OperationScopes({"GET /photos/<n>": "a", "GET /photos/cat": "b"})},),
        "protected",
        "a or b",
        "/photos/1729 takes a by 'GET /photos/<n>', /photos/cat takes b by 'GET /photos/cat'",
    ),
    "the default": (
        ({"policy": OperationScopes({"GET /photos/<int:n>": AllOf("a", "b")}, default="rest")},),
        "protected",
        "(a and b) or rest",
        "/photos/1729 takes a and b by 'GET /photos/<int:n>', /photos/example takes rest by 'default'",
    ),
    "any grant": (
        ({"policy": OperationScopes({"GET /photos/<int:n>": "a"}, default=AllOf())},),
        "protected",
        "any grant",
        "/photos/1729 takes a by 'GET /photos/<int:n>', /photos/example takes any grant by 'default'",
    ),
    "two servers": (
        (MAPPED, {"policy": OperationScopes({"GET /photos/<n>": "a", "GET /photos/cat": "b"})}),
        "protected",
        "(photos and a) or (photos and b)",
        f"/photos/1729 takes photos and a by {BOTH}<n>', /photos/cat takes photos and b by {BOTH}cat'",
    ),
    "open all over": (
        ({"policy": OperationScopes({"GET /photos/<n>": Public(), "GET /photos/cat": PassThrough()})},),
        "public",
        "",
        "/photos/1729 is public by 'GET /photos/<n>', /photos/cat is pass-through by 'GET /photos/cat'",
    ),
}


@pytest.mark.parametrize(("options", "protection", "takes", "text"), ALIKE.values(), ids=ALIKE)
def test_rules_that_let_nobody_in_unasked_are_told_and_no_problem(
    verdict: Judge, options: tuple[dict[str, Any], ...], protection: str, takes: str, text: str
) -> None:
    route = verdict(*options)
    assert (route.protection, route.takes, route.problem) == (protection, takes, "")
    assert route.note == f"several rules decide here: {text}"


@pytest.mark.parametrize(
    "options",
    [
        {"policy": OperationScopes({"GET /photos/<int:n>": "a"})},  # the rest is refused
        {"policy": OperationScopes({"GET /photos/<n>": "a", "GET /photos/cat": "a"})},
        {"policy": OperationScopes({"GET /photos/<n>": "a", "POST /photos/<n>": Public(), "GET /cats/<n>": "b"})},
        {"policy": APIScopes("a"), "public": ["/photos", "/photo/cat", "/photos/a/*"]},
    ],
    ids=repr,
)
def test_rules_that_are_alike_or_for_others_are_not_told(verdict: Judge, options: dict[str, Any]) -> None:
    route = verdict(options)
    assert (route.protection, route.takes, route.problem, route.note) == ("protected", "a", "", "")


def test_where_credentials_are_optional_a_public_path_makes_nothing_better(verdict: Judge) -> None:
    route = verdict({**OPTIONAL, "public": ["/photos/open"]})
    assert route.protection == "unprotected"
    assert route.note == "several rules decide here: /photos/1729 is unprotected, /photos/open is public"


def test_a_decorator_holds_at_public_paths_too(verdict: Judge) -> None:
    route = verdict({"public": ["/photos/open"]}, asks=("a",))
    assert (route.protection, route.takes, route.problem) == ("protected", "a", "")
    assert route.note.endswith("/photos/1729 takes a, /photos/open is public, so nobody gets there")
    named = verdict({"policy": OperationScopes({"GET /photos/cat": Public()}, default="b")}, asks=("a",))
    assert named.note.endswith("/photos/cat is public by 'GET /photos/cat', so nobody gets there")
    assert named.takes == "b and a"


def test_a_method_of_its_own_rule_is_told_where_a_route_takes_any(verdict: Judge) -> None:
    policy = OperationScopes({"GET /photos/<n>": Public(), "* /photos/<n>": "a"})
    route = verdict({"policy": policy}, method="*")
    assert (route.protection, route.problem) == ("public", "")
    assert route.note == (
        "several rules decide here: GET /photos/1729 is public by 'GET /photos/<n>', "
        "POST /photos/1729 takes a by '* /photos/<n>'"
    )


def test_of_many_rules_some_are_told_and_the_others_counted(verdict: Judge) -> None:
    policy = OperationScopes({f"GET /photos/p{number}": f"s{number}" for number in range(10)})
    note = verdict({"policy": policy}).note
    assert note.count(" takes ") == 6
    assert note.endswith(", 4 more")


PREFLIGHTS: dict[str, tuple[tuple[dict[str, Any], ...], tuple[str, ...], str]] = {
    "a server": (({},), (), "preflight"),
    "two servers": (({}, MAPPED), (), "preflight"),
    "mapped": (({"policy": OperationScopes({"OPTIONS /photos/<id>": "a"})},), (), "preflight"),
    "not mapped": ((REFUSED,), (), "preflight"),
    "decorated": (({},), ("a",), "protected"),
    "not mapped, decorated": ((REFUSED,), ("a",), "refused"),
    "public": ((PUBLIC,), (), "public"),
    "passed": ((PASSED,), (), "pass-through"),
    "optional": ((OPTIONAL,), (), "unprotected"),
    "no server": ((), (), "unprotected"),
    "no server, decorated": ((), ("a",), "broken"),
}


@pytest.mark.parametrize(("options", "asks", "protection"), PREFLIGHTS.values(), ids=PREFLIGHTS)
def test_preflights_get_past_servers_and_not_past_decorators(
    verdict: Judge, options: tuple[dict[str, Any], ...], asks: tuple[str, ...], protection: str
) -> None:
    assert verdict(*options, asks=asks, method="OPTIONS").protection == protection
    word = {"preflight": "refused" if options == (REFUSED,) else "protected"}.get(protection, protection)
    if options != ({"policy": OperationScopes({"OPTIONS /photos/<id>": "a"})},):
        every = verdict(*options, asks=asks, method="*")
        assert ("preflights get there without a grant" in every.note) is (protection == "preflight")
        assert every.protection == word
    assert verdict(*options, asks=asks).protection != "preflight"


def rooted(server: Servers, **options: Any) -> Route:
    place = HERE.behind(server(**options)).rooted("/api").below(*PHOTO.pieces)
    return judge(Served(method="GET", place=place, endpoint="photo"), examples())


@pytest.mark.parametrize(
    "options",
    [MAPPED, REFUSED, PUBLIC, DECLARED, {"filters": {"GET /photos": FieldFilter({"a": ["photos"]})}}],
    ids=repr,
)
def test_a_server_outside_of_a_root_path_cannot_decide_by_the_path(server: Servers, options: dict[str, Any]) -> None:
    route = rooted(server, **options)
    assert route.protection == "broken"
    assert route.problem == (
        "its application takes '/api' off the path, and a server that stands outside of it decides by the whole path: "
        "use protect(app, server), or take root_path away"
    )


@pytest.mark.parametrize("options", [{}, {"policy": NoScopes()}, {"policy": APIScopes("a")}], ids=repr)
def test_one_that_does_not_look_at_paths_may_stand_there(server: Servers, options: dict[str, Any]) -> None:
    assert rooted(server, **options).protection == "protected"


@pytest.mark.parametrize("public", ["/photos", "/photo/*", "/PHOTOS/*", "/photos/1729/*"])
def test_a_path_that_is_nearly_public_is_not(verdict: Judge, public: str) -> None:
    assert verdict({"public": [public]}).protection == "protected"


@pytest.mark.parametrize(
    ("host", "protection"),
    [
        ("sandbox.example.com", "public"),
        ("Sandbox.example.com", "public"),
        ("api.example.com", "protected"),
        ("", "protected"),
        ("{any}.example.com", "protected"),
    ],
)
def test_what_is_public_at_one_host_is_so_for_routes_of_that_host(verdict: Judge, host: str, protection: str) -> None:
    hosts = ["api.example.com", "sandbox.example.com"]
    options = {"public": ["//sandbox.example.com/photos/*"], "url": DirectURL(hosts=hosts)}
    assert verdict(options, place=PHOTO.at(host)).protection == protection


def test_requirements_are_those_that_will_be_asked(verdict: Judge) -> None:
    wanted: Requirement = AnyOf("a", "b")
    route = verdict({"policy": OperationScopes({"GET /photos/<id>": wanted})}, asks=("c",))
    assert route.requirements[0] is wanted
    assert (route.path, route.endpoint, route.method) == ("/photos/<id>", "photo", "GET")


def test_filters_are_held_to_the_catalogue_too(server: Servers) -> None:
    place = HERE.behind(server(scopes=ScopeCatalogue({"a": {}}))).below(literal("/"))
    filters = (FieldFilter({"a": ["x"]}), FieldFilter({"b": ["x"]}))
    route = judge(Served(method="GET", place=place, endpoint="it", filters=filters), examples())
    assert route.protection == "broken"
    assert route.problem.startswith("its filter: there is no scope 'b' in the catalogue")
