from typing import Any

import pytest

from oauth_rs.outbound.parameters import parameters


def test_what_is_not_named_is_not_sent() -> None:
    assert parameters("client_credentials") == (("grant_type", "client_credentials"),)
    assert parameters("x", audience="", resource="", extra={}) == (("grant_type", "x"),)


def test_what_is_named_is_sent_in_a_fixed_order() -> None:
    assert parameters(
        "x",
        scopes=["b", "a"],
        audience=["https://a.example", "name"],
        resource="https://b.example/v1?x=1",
        extra={"tenant": "acme corp"},
    ) == (
        ("grant_type", "x"),
        ("scope", "b a"),
        ("audience", "https://a.example"),
        ("audience", "name"),
        ("resource", "https://b.example/v1?x=1"),
        ("tenant", "acme corp"),
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"scopes": ["a b"]}, "not one scope"),
        ({"scopes": [""]}, "not one scope"),
        ({"scopes": ['a"']}, "not one scope"),
        ({"audience": [""]}, "audience names nothing"),
        ({"resource": ["https://a.example", ""]}, "resource names nothing"),
        ({"resource": "billing"}, "absolute URI"),
        ({"resource": "/v1"}, "absolute URI"),
        ({"resource": "https://a.example/#x"}, "without a fragment"),
        ({"extra": {"scope": "admin"}}, "scope has one"),
        ({"extra": {"client_secret": "x", "tenant": "y"}}, "client_secret has one"),
        ({"extra": {"subject_token": "x"}}, "subject_token has one"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_when_made(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        parameters("x", **options)


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        *(("scopes", wrong) for wrong in ("bills.read", 5, None, [1], b"a", iter(["a"]))),
        *((option, wrong) for option in ("audience", "resource") for wrong in (5, None, [1], b"https://a.example")),
        *(("extra", wrong) for wrong in ({"n": 1}, {"n": None}, {1: "n"}, [("a", "b")], [], "", 5)),
    ],
    ids=repr,
)
def test_what_is_of_the_wrong_type_is_refused_when_made(option: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"^{option} (is|maps)"):
        parameters("x", **{option: wrong})


def test_no_secret_is_in_the_refusal() -> None:
    with pytest.raises(ValueError, match="client_secret") as caught:
        parameters("x", extra={"client_secret": "s3cret"})
    assert "s3cret" not in str(caught.value)
