from math import inf, nan
from typing import Any

import pytest

from oauth_rs.providers.seconds import check_cache_size, check_seconds


@pytest.mark.parametrize("value", [0, 0.5, 300, 300.0])
def test_seconds_are_a_number_within_limits(value: float) -> None:
    check_seconds("leeway", value, most=300)


def test_without_a_limit_any_number_will_do() -> None:
    check_seconds("timeout", 1e9)


@pytest.mark.parametrize("value", [-1, -0.1, 300.1, inf, -inf, nan])
def test_a_number_beyond_the_limits_is_refused_with_them(value: float) -> None:
    with pytest.raises(ValueError, match="leeway is 0 to 300 seconds"):
        check_seconds("leeway", value, most=300)


@pytest.mark.parametrize("value", ["5", None, True, b"5", [5], 5j])
def test_what_is_no_number_is_refused_with_the_name_of_the_option(value: Any) -> None:
    with pytest.raises(TypeError, match="timeout is a number, 0 seconds or more"):
        check_seconds("timeout", value)


def test_a_cache_may_be_of_any_number_of_tokens() -> None:
    check_cache_size(0)
    check_cache_size(10**9)


@pytest.mark.parametrize(("size", "error"), [(-1, ValueError), *((one, TypeError) for one in (1.5, "9", None, True))])
def test_a_cache_of_another_size_is_refused(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="cache_size is"):
        check_cache_size(size)
