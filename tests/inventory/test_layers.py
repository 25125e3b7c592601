from typing import Any

import pytest

from oauth_rs import asgi, wsgi
from oauth_rs.inventory.layers import layers
from tests.inventory.conftest import Servers


class Wrapper:
    """A middleware that keeps the application in `name`."""

    def __init__(self, name: str, app: Any) -> None:
        setattr(self, name, app)

    def __call__(self) -> None: ...


class Application:
    """One that has something of its own that could be taken for what stands behind it."""

    def app(self) -> None: ...
    def serve(self) -> None: ...


def plain() -> None: ...


@pytest.mark.parametrize("name", ["app", "_app", "application"])
def test_middlewares_are_looked_through(name: str) -> None:
    wrapper = Wrapper(name, plain)
    assert layers(wrapper) == [wrapper, plain]


@pytest.mark.parametrize("shell", [wsgi, asgi])
def test_our_own_middlewares_are_looked_through(shell: Any, server: Servers) -> None:
    inner = shell.OAuthMiddleware(plain, server())
    outer = Wrapper("app", inner)
    assert layers(outer) == [outer, inner, plain]


@pytest.mark.parametrize("name", ["wrapped", "next", "__wrapped__"])
def test_one_that_keeps_its_application_elsewhere_is_the_last(name: str) -> None:
    wrapper = Wrapper(name, plain)
    assert layers(wrapper) == [wrapper]


@pytest.mark.parametrize("value", [None, "app", 1, ["app"]])
def test_what_cannot_be_called_is_no_application(value: Any) -> None:
    wrapper = Wrapper("app", value)
    assert layers(wrapper) == [wrapper]


def test_a_name_that_holds_no_application_does_not_hide_another() -> None:
    wrapper = Wrapper("app", "the name of it")
    wrapper._app = plain  # type: ignore[attr-defined]
    assert layers(wrapper) == [wrapper, plain]


def test_a_method_leads_to_its_object() -> None:
    application = Application()
    serve = application.serve
    assert layers(serve, Application) == [serve, application]


def test_what_is_whole_is_not_looked_through() -> None:
    application = Application()
    assert layers(application, Application) == [application]
    assert len(layers(application)) == 2


def test_a_class_is_not_looked_through() -> None:
    assert layers(Application) == [Application]


def test_a_circle_ends() -> None:
    one = Wrapper("app", None)
    one.app = Wrapper("app", Wrapper("app", one))  # type: ignore[attr-defined]
    assert len(layers(one)) == 3


def test_an_object_that_makes_up_its_attributes_is_given_up() -> None:
    class Endless:
        def __getattr__(self, _name: str) -> Any:
            return Endless()

        def __call__(self) -> None: ...

    assert len(layers(Endless())) == 100


def test_equal_layers_are_not_taken_for_one() -> None:
    class Same(Wrapper):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = Wrapper.__hash__

    assert len(layers(Same("app", Same("app", plain)))) == 3
