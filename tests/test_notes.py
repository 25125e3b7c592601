from collections.abc import Callable
from typing import Any

import pytest

from oauth_rs.fields import FieldFilter
from oauth_rs.guard import guard
from oauth_rs.notes import asked, filters_of, noted
from oauth_rs.scopes import AllOf

INNER, OUTER = AllOf("a"), AllOf("b")
FIELDS, OTHERS = FieldFilter({"a": ["b"]}), FieldFilter({"c": ["d"]})


def plain() -> None: ...


async def coroutine() -> None: ...


def passes(_args: Any, _kwargs: Any) -> None: ...


@pytest.mark.parametrize("function", [plain, coroutine])
def test_each_function_tells_its_notes_and_those_further_in(function: Callable[..., Any]) -> None:
    told = [function]
    for note in (INNER, FIELDS, OUTER, OTHERS):
        told.append(noted(guard(told[-1], passes), note))
    assert [asked(one) for one in told] == [(), (INNER,), (INNER,), (INNER, OUTER), (INNER, OUTER)]
    assert [filters_of(one) for one in told] == [(), (), (FIELDS,), (FIELDS,), (FIELDS, OTHERS)]
