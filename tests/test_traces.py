from pathlib import Path

from oauth_rs.traces import MAX_FRAMES, trace_of


class Refused(Exception):
    """Says what it was called with."""


def refuse(depth: int) -> None:
    if depth == 0:
        raise Refused("[parameters: ('t0ken',)]") from ValueError("t0ken")
    refuse(depth - 1)


def caught(depth: int) -> Exception:
    try:
        refuse(depth)
    except Refused as error:
        return error
    raise AssertionError


def test_the_class_and_the_lines_are_told_and_no_text() -> None:
    kind, _, places = trace_of(caught(1)).partition(" at ")
    here = Path(__file__)
    last = 1 + here.read_text().splitlines().index(
        '        raise Refused("[parameters: (\'t0ken\',)]") from ValueError("t0ken")'
    )
    assert kind.endswith("test_traces.Refused")
    assert [place.rpartition(":")[0] for place in places.split(" > ")] == [str(here)] * 3
    assert places.endswith(f":{last}")
    assert "t0ken" not in places


def test_of_many_frames_the_innermost_are_told() -> None:
    places = trace_of(caught(100)).split(" > ")
    assert len(places) == MAX_FRAMES


def test_what_was_never_raised_has_a_class() -> None:
    assert trace_of(KeyError("t0ken")) == "builtins.KeyError at "
