import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oauth_rs.inventory.loading import LoadError, load

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Puts a module with the given text where it can be imported, and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)
    names: list[str] = []

    def put(text: str) -> str:
        names.append(f"loaded_{tmp_path.name}_{len(names)}")
        monkeypatch.delitem(sys.modules, names[-1], raising=False)
        (tmp_path / f"{names[-1]}.py").write_text(text)
        return names[-1]

    return put


def test_an_application_is_found_by_its_name(write: Write) -> None:
    assert load(f"{write('app = [1]')}:app") == [1]


def test_a_name_may_lead_further_in(write: Write) -> None:
    assert load(f"{write('class api: app = [2]')}:api.app") == [2]


def test_a_factory_is_called(write: Write) -> None:
    assert load(f"{write('def create_app(): return [3]')}:create_app()") == [3]


def test_a_module_may_be_in_a_package() -> None:
    assert load("json.decoder:JSONDecoder()") is not None


@pytest.mark.parametrize(
    "target",
    [
        "",
        "app",
        "app:",
        ":app",
        "app.app",
        "app:app:app",
        "./app.py:app",
        "app:create_app(1)",
        "app:create_app(",
        "a b:c",
    ],
)
def test_what_names_no_application_is_refused_with_the_form(target: str) -> None:
    with pytest.raises(LoadError, match=r"names no application: write module:app or module:create_app\(\)"):
        load(target)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("no_such_module:app", "no_such_module"),
        ("json.no_such_module:app", "json.no_such_module"),
        ("no_such_module.further:app", "no_such_module"),
        ("this.py:app", "this.py"),
    ],
)
def test_a_module_that_is_not_there_is_named(target: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LoadError, match=f"there is no module '{name}': write it as an import does"):
        load(target)
    capsys.readouterr()


@pytest.mark.parametrize("attribute", ["ap", "App", "app.further", "nothing", "app.append.x"])
def test_an_attribute_that_is_not_there_is_named(write: Write, attribute: str) -> None:
    module = write("app = [1]")
    with pytest.raises(LoadError, match=f"^{module} has no {attribute}: "):
        load(f"{module}:{attribute}")


def test_a_near_name_is_met_with_a_hint(write: Write) -> None:
    with pytest.raises(LoadError, match=r"did you mean 'application'\?"):
        load(f"{write('application = [1]')}:aplication")


def test_a_factory_that_is_not_called_is_met_with_a_hint(write: Write) -> None:
    module = write("def create_app(): return [3]")
    with pytest.raises(LoadError, match=rf"is a function: write {module}:create_app\(\) for the application"):
        load(f"{module}:create_app")


RAISING = {
    "import no_such_module": "ModuleNotFoundError: No module named 'no_such_module'",
    "from json import nothing": "ImportError: cannot import name 'nothing'",
    "1 / 0": "ZeroDivisionError: division by zero",
    "raise ValueError('one\\ntwo')": "ValueError: one two",
    "def (": "SyntaxError: ",
    "import sys; sys.exit(0)": "SystemExit: 0",
    "raise RecursionError": "RecursionError:",
}


@pytest.mark.parametrize(("text", "message"), RAISING.items(), ids=RAISING)
def test_what_a_module_raises_is_said_in_one_line_with_its_place(
    write: Write, tmp_path: Path, text: str, message: str
) -> None:
    module = write(f"\n{text}\napp = [1]")
    with pytest.raises(LoadError) as caught:
        load(f"{module}:app")
    assert str(caught.value).startswith(f"{module} cannot be imported: {message}")
    assert str(caught.value).endswith(f" ({tmp_path / module}.py:2)")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def create_app(): 1 / 0", "ZeroDivisionError: division by zero"),
        ("def create_app(): raise SystemExit", "SystemExit: "),
        ("def create_app(name): ...", "TypeError: "),
        ("create_app = [1]", "TypeError: 'list' object is not callable"),
    ],
)
def test_what_a_factory_raises_is_said_in_one_line(write: Write, text: str, message: str) -> None:
    module = write(text)
    with pytest.raises(LoadError, match=rf"^{module}:create_app\(\) cannot be called: {message}"):
        load(f"{module}:create_app()")


def test_what_an_attribute_raises_is_said_in_one_line(write: Write) -> None:
    module = write(
        "def __getattr__(name):\n    if name == 'app': raise OSError('late')\n    raise AttributeError(name)"
    )
    with pytest.raises(LoadError, match=rf"^{module}:app cannot be read: OSError: late"):
        load(f"{module}:app")


def test_an_interrupt_is_not_held_up(write: Write) -> None:
    module = write("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(f"{module}:app")
