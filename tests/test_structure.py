"""The shape of the package: imports point down, each module has its tests, the lists in the docs are complete."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "oauth_rs"

# Modules and packages by floor, the ground first. Nothing imports from above itself, nor from beside itself unless
# one is part of the other.
FLOORS = (
    (
        *("errors", "encoding", "signature_methods", "claim_names", "pem", "entries", "scope_templates"),
        *("quiet", "members", "traces"),
    ),
    ("flow", "cache", "request", "breaker", "path_values", "formats"),
    (
        *("scopes", "headers", "urls", "public_paths", "jose", "replay", "oauth1_signature", "mac_string"),
        *("client_auth", "matching_time", "smart_scopes"),
    ),
    ("model", "requirements", "scope_declarations", "scope_families", "smart", "fields", "roles", "operations"),
    (
        *("metadata", "keys", "credentials", "clients", "oauth1_request", "policy", "catalogue", "users", "denials"),
        "notes",
    ),
    ("remote_keys", "permission", "configuration", "policy_writing", "identity", "openapi", "status_list", "deny_list"),
    ("providers", "policy_files", "signed_identity"),
    ("schemes",),
    ("refusal", "options", "handover"),
    ("server", "filtering"),
    ("fetch", "guard", "stores"),
    ("wsgi_response", "asgi_response", "outbound"),
    ("wsgi", "asgi"),
    ("flask", "starlette", "devserver"),
    ("fastapi", "inventory"),
    ("cli",),
    ("__main__", "__init__"),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
PURE = {name for name, number in FLOOR.items() if number <= FLOOR["server"]}
IO_MODULES = {"socket", "ssl", "http", "threading", "asyncio", "anyio", "httpx2", "redis", "sqlalchemy", "subprocess"}
FRAMEWORKS = {"flask", "starlette", "fastapi", "uvicorn"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def _unit(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(module: Path) -> Iterator[tuple[str, str]]:
    """Of each import the floor unit of the package, or "", and the top-level module outside of it, or ""."""
    depth = len(module.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (_absolute(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield _absolute(node.module or "")
        elif isinstance(node, ast.ImportFrom) and node.level == depth:
            yield from ((name, "") for name in ([node.module.partition(".")[0]] if node.module else _names(node)))


def _absolute(name: str) -> tuple[str, str]:
    top, _, inside = name.partition(".")
    return (inside.partition(".")[0] or "__init__", "") if top == PACKAGE.name else ("", top)


def _names(node: ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down_the_floors(module: Path) -> None:
    here = _unit(module)
    for unit, _ in _imports(module):
        assert not unit or unit == here or FLOOR[unit] < FLOOR[here], f"{here} reaches up or sideways to {unit}"


@pytest.mark.parametrize(("name", "floor"), [*FLOOR.items()][:-2])  # __main__ and __init__ stand on all of it
def test_the_house_in_the_docs_is_this_one(name: str, floor: int) -> None:
    house = (ROOT / "docs" / "design.md").read_text().partition("oauth_rs/\n")[2].partition("```")[0]
    _, *floors = re.split(r"^ +(\d+)  ", house, flags=re.MULTILINE)
    said = dict(zip(floors[::2], floors[1::2], strict=True))
    assert re.search(rf"\b{name}(\.py|/)", said[str(floor)])


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_imports_nothing_that_does_io(module: Path) -> None:
    outside = {name for _, name in _imports(module)}
    if _unit(module) in PURE:
        assert not outside & IO_MODULES
    if _unit(module) in PURE | {"fetch", "wsgi", "asgi", "guard"}:
        assert not outside & FRAMEWORKS


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_has_grown_past_a_sitting(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 300


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_module_has_its_test_file(module: Path) -> None:
    inside = module.relative_to(PACKAGE)
    if module.stem in {"__init__", "__main__"}:
        if not _has_code(module):
            return
        inside = inside.parent / inside.parent.name
    assert (ROOT / "tests" / inside.parent / f"test_{inside.stem}.py").exists()


def _has_code(module: Path) -> bool:
    return any(
        isinstance(node, ast.FunctionDef)
        or (isinstance(node, ast.ClassDef) and not {"Protocol", "NamedTuple"} & set(map(ast.unparse, node.bases)))
        for node in ast.parse(module.read_text()).body
    )


def _raised_reasons() -> set[str]:
    """The first argument of every call that makes an OAuthError, and the reasons that fetches end with."""
    makers = {"InvalidRequest", "RequestTooLarge", "MissingCredentials", "InvalidToken", "InsufficientScope"}
    makers |= {"InvalidClient", "InsufficientAuthentication", "Unavailable", "no_answer"}
    found: set[str] = set()
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers and node.args:
                reason = node.args[0]
                if isinstance(reason, ast.Constant):
                    found.add(str(reason.value))
                else:
                    assert node.func.id in {"no_answer", "Unavailable"}, "a reason is a literal"
    return found


def test_every_reason_is_listed_in_the_docs_and_no_other() -> None:
    listed = set(re.findall(r"^\| `([a-z_0-9]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE))
    assert listed == _raised_reasons()


def test_reasons_are_snake_case() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", reason) for reason in _raised_reasons())


def test_nothing_is_left_of_the_assert_statement_in_the_package() -> None:
    for module in MODULES:
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(module.read_text()))), module
