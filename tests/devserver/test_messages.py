import pytest
from oauthlib.oauth2 import InvalidClientError, InvalidGrantError, InvalidRequestError
from oauthlib.oauth2.rfc6749.errors import InsufficientScopeError, InvalidTokenError, OAuth2Error

from oauth_rs.devserver.messages import FIELDS_LIMIT, FORM, Call, form, refusal


@pytest.mark.parametrize("body", [b"\xff", b"a=%ff", b"a=1&" * (FIELDS_LIMIT + 1)])
def test_what_is_no_form_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"decode|fields"):
        form(body)


def test_form_keeps_order_and_repeats_and_leaves_blanks_out() -> None:
    assert form(b"b=1&a=%20&b=2&c=&d") == [("b", "1"), ("a", " "), ("b", "2")]


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_a_posted_form_says_that_it_is_one(content_type: str) -> None:
    with pytest.raises(InvalidRequestError):
        Call(body=b"a=1", content_type=content_type).form()


@pytest.mark.parametrize("call", [Call(body=b"a=%ff", content_type=FORM), Call(method="GET", query=b"a=%ff")])
def test_what_cannot_be_read_is_an_invalid_request(call: Call) -> None:
    with pytest.raises(InvalidRequestError):
        call.form()


def test_the_fields_of_a_get_are_in_its_query_and_those_of_a_post_in_its_body() -> None:
    options = {"query": b"a=query", "body": b"a=body", "content_type": f"{FORM.upper()}; charset=utf-8"}
    assert Call(method="GET", **options).form() == [("a", "query")]  # type: ignore[arg-type]
    assert Call(method="POST", **options).form() == [("a", "body")]  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [b"a=1&a=1", b"a=1&b=2&a=2"])
def test_a_field_that_is_there_twice_is_an_invalid_request(body: bytes) -> None:
    call = Call(body=body, content_type=FORM)
    with pytest.raises(InvalidRequestError):
        call.fields({"a"})
    assert call.fields({"b", "c"}) == ({"b": "2"} if b"b" in body else {})


@pytest.mark.parametrize(
    ("error", "status", "challenge"),
    [
        (InvalidRequestError(), 400, ""),
        (InvalidGrantError(), 400, ""),
        (InvalidClientError(), 401, 'Basic realm="oauth_rs devserver", charset="UTF-8"'),
        (InvalidTokenError(), 401, 'Bearer realm="oauth_rs devserver", error="invalid_token"'),
        (InsufficientScopeError(), 403, 'Bearer realm="oauth_rs devserver", error="insufficient_scope"'),
    ],
    ids=["request", "grant", "client", "token", "scope"],
)
def test_a_refusal_has_the_challenge_that_its_error_asks_for(error: OAuth2Error, status: int, challenge: str) -> None:
    reply = refusal(error)
    assert (reply.status, reply.headers.get("WWW-Authenticate", "")) == (status, challenge)
    assert reply.headers["Cache-Control"] == "no-store"


def test_an_empty_description_is_left_out() -> None:
    assert refusal(InvalidGrantError()).body == {"error": "invalid_grant"}


def test_secrets_are_not_printed() -> None:
    call = Call(body=b"client_secret=hush", query=b"client_secret=hush", authorization="Basic hush")
    assert "hush" not in repr(call)
