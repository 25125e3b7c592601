"""Which filters the answers of a route go through, by examples of its path, and whether some go out without any.

Serves no request, and does not say what a filter shows. Those of decorators hold at every path.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..errors import OAuthError
from ..fields import FieldFilter
from ..filtering import filter_of
from .outcomes import EmptyRequest, outcome, requests
from .places import Example, Examples, Served

_CLOSED = ("refused", "closed")


class Filtering(NamedTuple):
    """The filters that answers of a route go through, and what is wrong with that; "" where nothing is."""

    filters: tuple[FieldFilter, ...]
    problem: str = ""


def filtering(found: Served, examples_of: Examples) -> Filtering:
    """What becomes of the answers of `found`: the filters at any of its paths, each once."""
    filters = list(found.filters)
    problem = ""
    if found.method != "WEBSOCKET" and any(server.filters is not None for server, _, _ in found.place.passed):
        for method, examples in requests(found, examples_of):
            of_method = list(_answered(found, method, examples))
            filters += [fields for _, several in of_method for fields in several]
            problem = problem or _partly(found, method, of_method)
    return Filtering(tuple(dict.fromkeys(filters)), problem)


def _answered(
    found: Served, method: str, examples: Sequence[Example]
) -> Iterator[tuple[Example, tuple[FieldFilter, ...]]]:
    """Each of `examples` with the filters of the servers on its way, without what a server refuses to filter."""
    for example in examples:
        try:
            yield example, tuple(_on_the_way(found, method, example))
        except OAuthError:  # as for a path that can be read in more than one way
            continue


def _on_the_way(found: Served, method: str, example: Example) -> Iterator[FieldFilter]:
    for server, depth, root_path in found.place.passed:
        if server.filters is None or root_path:  # where it sees another path, that is what is wrong
            continue
        fields = filter_of(server.filters, EmptyRequest(method, "".join(example[depth:])))
        if fields is not None:
            yield fields


def _partly(found: Served, method: str, answered: Sequence[tuple[Example, tuple[FieldFilter, ...]]]) -> str:
    """What to say where a filter holds at some paths, and answers at others go out as they are."""
    with_filter = [example for example, filters in answered if filters]
    if not with_filter or found.filters or found.is_opaque:
        return ""
    without = (example for example, filters in answered if not filters)
    bare = next((one for one in without if outcome(found, method, one).protection not in _CLOSED), None)
    if bare is None:
        return ""
    return (
        f"only some of its answers are filtered: that of {''.join(with_filter[0])} is, that of {''.join(bare)} is not"
    )
