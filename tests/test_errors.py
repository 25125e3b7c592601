from hashlib import sha256

import pytest

from oauth_rs.errors import (
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    MissingCredentials,
    OAuthError,
    RequestTooLarge,
    Unavailable,
)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequest("r", "D."), 400, "invalid_request"),
        (RequestTooLarge("r", "D."), 413, "invalid_request"),
        (MissingCredentials("r", "D."), 401, ""),
        (InvalidToken("r", "D."), 401, "invalid_token"),
        (InsufficientScope("r", "D.", scope="photos"), 403, "insufficient_scope"),
        (Unavailable("r", "D."), 503, "temporarily_unavailable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, OAuthError) else None,
)
def test_each_error_has_its_status_and_its_word_on_the_wire(error: OAuthError, status: int, code: str) -> None:
    assert (error.status, error.error) == (status, code)
    assert (error.reason, error.description) == ("r", "D.")


def test_logs_see_the_reason_and_never_the_description() -> None:
    assert str(InvalidToken("expired", "The access token has expired.")) == "expired"


def test_an_error_knows_neither_scheme_nor_credential_until_told() -> None:
    error = InvalidToken("expired", "The access token has expired.")
    assert (error.scheme, error.credential) == ("", "")
    assert InsufficientScope("r", "D.", scope="photos", scheme="Bearer").scheme == "Bearer"


def test_an_error_names_its_scheme_and_a_short_hash_of_the_credentials() -> None:
    error, again = InvalidToken("expired", "The access token has expired."), InvalidRequest("r", "D.")
    error.trace("MAC", b"credentials")
    assert (error.scheme, error.credential) == ("MAC", sha256(b"credentials").hexdigest()[:12])
    again.trace("MAC", b"", digest=sha256(b"credentials").digest())
    assert again.credential == error.credential


def test_no_error_is_taken_for_bad_input_of_the_standard_library() -> None:
    # Decoders raise ValueError, and `except ValueError` stands around them: a verdict must not be caught there.
    assert not issubclass(OAuthError, ValueError | TypeError | LookupError | OSError)


def test_a_body_that_is_too_large_is_a_kind_of_invalid_request() -> None:
    assert issubclass(RequestTooLarge, InvalidRequest)
    assert not issubclass(InvalidToken, InvalidRequest)


def test_errors_about_scope_say_which() -> None:
    assert InsufficientScope("r", "D.", scope="photos quota").scope == "photos quota"
    assert MissingCredentials("r", "D.", scope="photos").scope == "photos"
    assert MissingCredentials("r", "D.").scope == ""


def test_insufficient_scope_cannot_be_raised_without_naming_the_scope() -> None:
    with pytest.raises(TypeError, match="scope"):
        InsufficientScope("r", "D.")  # type: ignore[call-arg]


@pytest.mark.parametrize(("asked", "said"), [(-5, 1), (0, 1), (0.2, 1), (1, 1), (1.2, 2), (29.0, 29), (29.01, 30)])
def test_retry_after_is_whole_seconds_rounded_up_and_never_zero(asked: float, said: int) -> None:
    error = Unavailable("r", "D.", retry_after=asked)
    assert error.retry_after == said
    assert Unavailable("r", "D.").retry_after == 1
    assert type(error.retry_after) is int
