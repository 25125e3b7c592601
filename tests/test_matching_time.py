import time
from contextlib import suppress

import pytest
from werkzeug.routing import BaseConverter, Map

from oauth_rs.errors import InvalidRequest
from oauth_rs.matching_time import MAX_PATH, MatchingTime
from oauth_rs.operations import OperationError, OperationMap

LONG = 65_536  # characters; what servers read of a request line
KINDS = ("", "string(maxlength=9):", "path:", "int:", "float:", "uuid:", "any(a,b1,_):")
MARKS = ("", "_", "-", ".", "1", "e", "x", "+", "/")
# Repeated, and ended by what fits nowhere.
WORST = ("_", "1", "1-", "_.", "e1", " ", "/a", "f" * 44 + "-")


def operations(*templates: str) -> OperationMap[str]:
    return OperationMap({f"GET {template}": template for template in templates})


def longest(*templates: str) -> int:
    """The characters of the longest path that is looked at."""
    found = operations(*templates)
    low, high = 1, 1 << 21
    while high - low > 1:
        middle = (low + high) // 2
        try:
            found.match("GET", "/" + "!" * (middle - 1))
        except InvalidRequest:
            high = middle
        else:
            low = middle
    return low


def seconds(found: OperationMap[str], path: str) -> float:
    before = time.thread_time()
    with suppress(InvalidRequest):
        found.match("GET", path)
    return time.thread_time() - before


def slowest(template: str, *, length: int) -> float:
    """The time that the worst of many paths takes, `length` characters long or as long as any that is looked at."""
    try:
        found = operations(template)
    except OperationError:
        return 0
    most = min(length, found._longest)
    paths = [f"/{before}{worst * most}"[: most - 2] for worst in WORST for before in ("", "1")]
    return max(seconds(found, path + "/!") for path in paths) + max(seconds(found, path) for path in paths)


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_path_takes_long_at_any_kind_beside_any_mark(kind: str, mark: str) -> None:
    alone = [f"/<{kind}a>{mark}x", f"/{mark}<{kind}a>"] if mark != "/" else [f"/<{kind}a>"]
    beside = [f"/<{first}a>{mark}<{kind}b>.x" for first in ("", "path:", "float:")]
    for template in alone + beside:
        assert slowest(template, length=LONG) < 0.5, template  # 0.02 s or so each


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/at/<float:lat>", "/at/" + "1" * 16_000 + "x"),
        ("/<name>_<int:v>", "/" + "_" * 8_000 + "x"),
        ("/<path:a>_<float:b>", "/" + "_" * 500 + "x"),
        ("/<name>_<float:b>", "/" + "_" * 1_000 + "x"),
        ("/<float:x>-<float:y>", "/" + "1" * 1_000 + "-" + "1" * 1_000 + "x"),
        ("/<path:a>_<int:b>", "/" + "_" * 2_000 + "x"),
        ("/<path:a>.<b>", "/" + "." * 60_000 + "/x"),
        ("/<a><b>+<float:v>/x", "/" + "+-" * 204 + "/"),
        ("/<path:a>/<b>-<c>/<d>.<e>", "/a/" + "-" * 600 + "/" + "." * 600 + "/x"),
        ("/<a>-<string(maxlength=1000):b>.x", "/" + "-" * 60_000),
        (f"/<a>-<any({','.join(f't{number}' for number in range(9_000))}):b>", "/" + "-t" * 30_000),
    ],
    ids=lambda text: text[:40],
)
def test_a_path_made_to_be_tried_in_many_ways_takes_no_longer(template: str, path: str) -> None:
    try:
        found = operations(template)
    except OperationError:  # when the policy is made
        return
    assert seconds(found, path) < 0.2


@pytest.mark.parametrize(
    "template",
    [
        *("/<id>", "/<int:id>", "/at/<float:lat>", "/<path:rest>", "/<a>/<b>/<c>", "/<a>.json", "/<a>.<b>"),
        *("/<path:a>/edit", "/<path:a>/<b>.json", "/<path:a>/<b>/<c>", "/<name>-<int:v>", "/<float:x>,<float:y>"),
        *("/img_<int:id>", "/v1<int:id>.png", "/<name>.<any(json,xml):format>"),
    ],
)
def test_where_a_match_chooses_once_paths_are_as_long_as_servers_read(template: str) -> None:
    assert longest(template) >= LONG


@pytest.mark.parametrize(
    ("template", "characters"),
    [
        *(("/<a>-<b>.json", MAX_PATH), ("/<path:a>/<b>-<c>.json", MAX_PATH), ("/<path:a>.<b>", MAX_PATH)),
        *(("/<path:a>/x/<path:b>/y", MAX_PATH), ("/<a>-<b>.<c>", MAX_PATH), ("/<a><b>.x", MAX_PATH)),
        *(("/<name>_<int:v>", 724), ("/<path:p>1<float:v>", 724), ("/<int:x>_<int:y>.png", 256)),
        *(("/<float:x>_<float:y>", 256), ("/<a>.<b>-<float:v>", 409)),
    ],
)
def test_where_it_chooses_twice_they_are_bounded(template: str, characters: int) -> None:
    assert longest(template) == characters


@pytest.mark.parametrize(
    "template",
    [
        *("/<a>-<b>-<c>.json", "/<int:a>_<int:b>_<int:c>", "/<path:a>/<b>-<c>/<d>-<e>", "/<a>_<int:b>_<c>.x"),
        *("/<uuid:a><uuid:b>", "/" + "-".join(f"<int:v{number}>" for number in range(9))),
    ],
)
def test_a_template_that_takes_too_long_by_itself_is_refused(template: str) -> None:
    with pytest.raises(OperationError, match="takes too long to match: have fewer variables"):
        operations(template)


def test_templates_that_are_tried_one_after_another_add_up() -> None:
    assert longest(*(f"/<a>-<b>.{number}" for number in range(4))) == MAX_PATH // 2
    many = [f"/<path:a>/x{number}" for number in range(200)]
    assert longest(*many) < 4_096
    found = operations(*many)
    assert max(seconds(found, f"/{worst * LONG}"[: found._longest]) for worst in WORST) < 0.5


def test_those_that_are_not_do_not() -> None:
    assert longest(*(f"/r{number}/<a>-<b>.x" for number in range(500))) == MAX_PATH
    assert longest(*(f"/<tenant>/r{number}/<int:id>" for number in range(500))) > LONG // 2
    both = OperationMap({f"{method} /<a>-<b>.x": method for method in ("GET", "PUT", "*")})
    assert both.match("GET", "/" + "-" * (MAX_PATH - 1)) is None  # matched once for all methods


class Even(BaseConverter):
    regex = r"\d*[02468]"


class Deep(BaseConverter):
    regex = "[^.]+"
    part_isolating = False


def test_converters_of_ones_own_count_as_texts() -> None:
    texts = MatchingTime()
    assert texts.add(["/", Even(Map()), "-", Even(Map()), ""])
    assert texts.longest() == MAX_PATH
    deep = MatchingTime()
    assert deep.add(["/", Deep(Map()), "/", Deep(Map()), "/x"])
    assert not deep.add(["/", Deep(Map()), "/", Deep(Map()), "/", Deep(Map()), ""])


def test_a_map_without_variables_takes_no_time() -> None:
    times = MatchingTime()
    assert times.add(["/a/b"])
    assert times.longest() > LONG
