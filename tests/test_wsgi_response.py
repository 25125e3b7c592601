import json
import sys
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from oauth_rs.fields import FieldFilter
from oauth_rs.filtering import FilterRules
from oauth_rs.wsgi_response import Checked, Start
from tests.support.calling import Answer, environ_of, run_wsgi

FIELDS = FieldFilter({"profile": ["name"]}, always=["id"])
ADA = b'{"id": 1, "name": "Ada", "secret": "x"}'
SHOWN = b'{"id":1,"name":"Ada"}'
JSON, TEXT = ("Content-Type", "application/json"), ("Content-Type", "text/plain")
NOTHING: dict[str, str] = {}

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def behind(
    app: Application,
    *,
    scopes: Iterable[str] = ("profile",),
    method: str = "GET",
    limit: int = 1000,
    filters: Iterable[FieldFilter] = (FIELDS,),
) -> Application:
    """`app` as the shell calls it, with what it does around the answer alone."""

    def called(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start = Start(start_response, Checked())
        for fields in filters:
            start.checked.filter(fields, frozenset(scopes), method, FilterRules(("Authorization",), limit))
        return start.answer(app(environ, start))

    return called


def answered(app: Application, *, method: str = "GET", **options: Any) -> Answer:
    """What a client sees of `app`, which is held to PEP 3333 on both sides."""
    checked: Any = validator(app)
    return run_wsgi(behind(checked, method=method, **options), environ_of(method, "/", (), None))


def answering(
    *chunks: bytes, status: str = "200 OK", headers: Iterable[tuple[str, str]] = (JSON,)
) -> tuple[Application, "Body"]:
    """An application that answers at once, and the body that it gives."""
    body = Body(chunks)

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, list(headers))
        return body

    return app, body


class Body:
    """A body that tells how often it was closed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = chunks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("chunks", [[ADA], [ADA[:9], b"", ADA[9:]]], ids=["whole", "in pieces"])
def test_json_goes_out_filtered_and_whole(chunks: list[bytes]) -> None:
    app, body = answering(*chunks, headers=[JSON, ("ETag", '"1"'), ("Content-Length", str(len(ADA)))])
    headers = (JSON, ("Cache-Control", "private"), ("Vary", "Authorization"), ("Content-Length", str(len(SHOWN))))
    assert answered(app) == Answer(200, headers, SHOWN)
    assert body.closed == 1


def test_what_goes_out_is_what_every_filter_shows() -> None:
    app, _ = answering(ADA)
    assert answered(app, filters=(FIELDS, FieldFilter({"profile": ["name", "secret"]}))).body == b'{"name":"Ada"}'


def test_without_scopes_only_what_is_always_shown_goes_out() -> None:
    assert answered(answering(ADA)[0], scopes=()).body == b'{"id":1}'


@pytest.mark.parametrize(
    ("status", "headers"),
    [("404 Not Found", [JSON]), ("200 OK", [("Content-Type", "image/png")]), ("500 Oh", [JSON])],
    ids=["an error", "a file", "a server error"],
)
def test_other_answers_pass_as_the_object_that_was_given(status: str, headers: list[tuple[str, str]]) -> None:
    app, body = answering(ADA, status=status, headers=headers)
    seen: list[Any] = []
    assert behind(app)({}, lambda *said: seen.append(said)) is body
    assert (seen, body.closed) == ([(status, headers)], 0)


def test_an_answer_that_is_not_filtered_passes() -> None:
    app, body = answering(ADA)
    assert behind(app, filters=())({}, lambda *_: None) is body


def late(headers: Iterable[tuple[str, str]], *chunks: bytes, status: str = "200 OK", fail: bool = False) -> Any:
    """An application that answers when it is iterated; `.ended` tells whether it was closed."""

    def app(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        try:
            start_response(status, list(headers))
            yield from chunks
            if fail:
                raise LookupError("mine")
        finally:
            app.ended += 1  # type: ignore[attr-defined]

    app.ended = 0  # type: ignore[attr-defined]
    return app


def test_an_answer_that_begins_late_is_filtered_all_the_same() -> None:
    app = late([JSON], ADA[:9], ADA[9:])
    assert (answered(app).body, app.ended) == (SHOWN, 1)


@pytest.mark.parametrize("chunks", [[b"one", b"two"], [b"one"], []])
def test_an_answer_that_begins_late_and_passes_is_not_held_back(chunks: list[bytes]) -> None:
    app = late([TEXT], *chunks)
    assert (answered(app).body, app.ended) == (b"".join(chunks), 1)


def test_what_passes_late_passes_piece_by_piece_and_is_closed_by_the_server() -> None:
    app = late([TEXT], b"one", b"two")
    given: Any = behind(app)({}, lambda *_: None)
    assert (next(iter(given)), app.ended) == (b"one", 0)
    given.close()
    assert app.ended == 1


def test_a_body_without_a_beginning_is_for_the_server_to_end() -> None:
    begun: list[Any] = []
    for given in ([b"x"], []):
        list(behind(lambda _environ, _start, given=given: given)({}, lambda *said: begun.append(said)))  # type: ignore[misc]
    assert not begun


def failed(answer: Answer) -> bool:
    headers = dict(answer.headers)
    return (answer.status, json.loads(answer.body), headers) == (
        500,
        {"error": "server_error"},
        {"Content-Type": "application/json", "Cache-Control": "no-store", "Content-Length": "25"},
    )


UNFILTERABLE: dict[str, tuple[Iterable[bytes], str, list[tuple[str, str]]]] = {
    "no JSON": ([b"Ada"], "200 OK", [JSON]),
    "too large": ([b"1" * 1001], "200 OK", [JSON]),
    "too large in pieces": ([b"1" * 400] * 9, "200 OK", [JSON]),
    "compressed": ([b"\x1f\x8b"], "200 OK", [JSON, ("Content-Encoding", "gzip")]),
    "compressed and empty": ([], "200 OK", [JSON, ("Content-Encoding", "gzip")]),
    "a part of it": ([b"{"], "206 Partial Content", [JSON]),
    "lines": ([ADA, ADA], "200 OK", [("Content-Type", "application/jsonl")]),
}


@pytest.mark.parametrize(("chunks", "status", "headers"), UNFILTERABLE.values(), ids=UNFILTERABLE)
def test_what_cannot_be_filtered_never_goes_out(
    chunks: Iterable[bytes], status: str, headers: list[tuple[str, str]]
) -> None:
    app, body = answering(*chunks, status=status, headers=[*headers, ("X-Name", "Ada")])
    assert failed(answered(app))
    assert body.closed == 1
    app = late(headers, *chunks, status=status)
    assert failed(answered(app))


def test_an_endless_answer_is_cut_off_and_closed() -> None:
    def app(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [JSON])
        while True:
            yield b"[" * 100

    assert failed(answered(app))


def at_once(headers: Iterable[tuple[str, str]], *chunks: bytes, status: str = "200 OK") -> Any:
    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, list(headers))
        return chunks

    return app


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "205 Reset")])
@pytest.mark.parametrize("make", [at_once, late])
@pytest.mark.parametrize("chunks", [[], [b""], [ADA]])
def test_where_there_is_no_body_there_are_headers(make: Any, method: str, status: str, chunks: list[bytes]) -> None:
    said: list[Any] = []
    app = make([JSON, ("Content-Length", "9")], *chunks, status=status)
    assert not list(behind(app, method=method)({}, lambda *call: said.append(call)))
    assert said == [(status, [JSON, ("Cache-Control", "private"), ("Vary", "Authorization")])]


def test_head_takes_no_more_of_a_body_than_it_must() -> None:
    def chunks() -> Iterator[bytes]:
        yield ADA
        raise AssertionError("the rest was asked for")

    app, body = answering()
    body.chunks = chunks()
    assert not list(behind(app, method="HEAD")({}, lambda *_: None))
    assert body.closed == 1


def test_head_of_what_cannot_be_filtered_says_so_without_a_body() -> None:
    app, _ = answering(status="206 Partial Content")
    answer = answered(app, method="HEAD")
    assert (answer.status, answer.body) == (500, b"")


def writing(*pieces: bytes, headers: Iterable[tuple[str, str]] = (JSON,), then: Iterable[bytes] = ()) -> Application:
    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", list(headers))
        for piece in pieces:
            write(piece)
        return list(then)

    return app


def test_what_is_written_is_filtered_with_what_is_returned_after_it() -> None:
    assert answered(writing(ADA[:5], ADA[5:9], then=[ADA[9:]])).body == SHOWN
    assert answered(writing(ADA)).body == SHOWN


def test_what_is_written_of_other_answers_goes_to_the_server() -> None:
    written: list[bytes] = []
    given = behind(writing(b"one", b"two", headers=[TEXT], then=[b"three"]))({}, lambda *_: written.append)
    assert (written, list(given)) == ([b"one", b"two"], [b"three"])


@pytest.mark.parametrize("then", [[], [b"1"]])
def test_too_much_that_is_written_never_goes_out_and_is_not_kept(then: list[bytes]) -> None:
    assert failed(answered(writing(*[b"1" * 400] * 9, then=then)))


def test_a_file_wrapper_of_json_is_filtered_and_closed() -> None:
    file = BytesIO(ADA)

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [JSON])
        return FileWrapper(file, 7)

    assert answered(app).body == SHOWN
    assert file.closed


def test_an_error_of_the_application_goes_through_and_the_body_is_closed() -> None:
    app = late([JSON], ADA, fail=True)
    begun: list[Any] = []
    with pytest.raises(LookupError, match="mine"):
        behind(app)({}, lambda *said: begun.append(said))
    assert (app.ended, begun) == (1, [])


def restarting(
    first: list[tuple[str, str]], second: list[tuple[str, str]], *chunks: bytes, before: Iterable[bytes] = ()
) -> Application:
    """An application that begins another answer when something goes wrong."""

    def app(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", first)
        try:
            yield from before
            _ = NOTHING["mine"]
        except LookupError:
            start_response("202 Accepted", second, sys.exc_info())
        yield from chunks

    return app


def test_an_answer_that_is_begun_again_replaces_the_one_that_was_kept_back() -> None:
    answer = answered(restarting([JSON, ("X-First", "1")], [JSON], ADA, before=[b"{{{"]))
    assert (answer.status, answer.body, answer.header("x-first")) == (202, SHOWN, [])


@pytest.mark.parametrize(("status", "shown"), [("200 OK", SHOWN), ("206 Partial", b'{"error": "server_error"}')])
def test_an_answer_that_is_begun_again_has_its_body_where_the_one_before_had_none(status: str, shown: bytes) -> None:
    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("204 No Content", [])
        try:
            _ = NOTHING["mine"]
        except LookupError:
            start_response(status, [JSON], sys.exc_info())
        return [ADA]

    answer = answered(app)
    assert (answer.body, answer.header("content-length")) == (shown, [str(len(shown))])


def test_an_answer_that_is_begun_again_may_pass() -> None:
    answer = answered(restarting([JSON], [TEXT], b"sorry", b"!", before=[b"{{{"]))
    assert (answer.status, answer.body, answer.header("content-type")) == (202, b"sorry!", ["text/plain"])


def test_an_answer_that_is_begun_again_is_filtered_where_the_one_before_would_have_passed() -> None:
    answer = answered(restarting([TEXT], [JSON], ADA))
    assert (answer.status, answer.body, answer.header("content-type")) == (202, SHOWN, ["application/json"])


def test_an_answer_that_is_begun_again_after_too_much_is_filtered() -> None:
    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [JSON])
        write(b"1" * 1001)
        try:
            _ = NOTHING["mine"]
        except LookupError:
            start_response("200 OK", [JSON], sys.exc_info())
        return [ADA]

    assert answered(app).body == SHOWN


def test_no_answer_in_json_takes_the_place_of_one_that_passes_already() -> None:
    app = restarting([TEXT], [JSON], ADA, before=[b"one"])
    given: Any = behind(app)({}, lambda *_: None)
    chunks = iter(given)
    assert next(chunks) == b"one"
    with pytest.raises(LookupError, match="mine"):  # as a server does whose headers are out
        next(chunks)


def test_nor_where_the_application_gave_its_body_before() -> None:
    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [TEXT])
        return restarting([TEXT], [JSON], ADA)({}, lambda *said: start_response(*said) if said[2:] else None)

    with pytest.raises(LookupError, match="mine"):
        list(behind(app)({}, lambda *_: None))


def test_an_answer_that_passes_may_be_replaced_by_another_that_passes() -> None:
    answer = answered(restarting([TEXT], [("Content-Type", "text/html")], b"sorry"))
    assert (answer.status, answer.header("content-type")) == (202, ["text/html"])


def test_a_second_beginning_without_a_reason_is_an_error() -> None:
    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [JSON])
        start_response("200 OK", [TEXT], None)
        return [ADA]

    with pytest.raises(RuntimeError, match="a second time"):
        behind(app)({}, lambda *_: None)


def test_an_answer_that_has_begun_cannot_be_filtered_any_more() -> None:
    start = Start(lambda *_: lambda _data: None, Checked())
    start("200 OK", [JSON])
    with pytest.raises(RuntimeError, match="cannot be filtered any more"):
        start.checked.filter(FIELDS, frozenset(), "GET", FilterRules((), 9))


@pytest.mark.parametrize("filters", [(), (FIELDS,)])
def test_what_passes_is_marked_private_where_it_must_be(filters: Iterable[FieldFilter]) -> None:
    said: list[Any] = []
    start = Start(lambda *call: said.append(call), Checked())  # type: ignore[arg-type]
    start.private = True
    for fields in filters:
        start.checked.filter(fields, frozenset(), "GET", FilterRules((), 9))
    start("200 OK", [TEXT, ("Cache-Control", "public")])
    assert said == [("200 OK", [TEXT, ("Cache-Control", "private")])]
