import json
from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import pytest

from oauth_rs.asgi_response import ASIDE_BYTES, Answer, private
from oauth_rs.fields import FieldFilter
from oauth_rs.filtering import MAX_FILTERED_BYTES, FilterRules
from tests.support.calling import answer_of

FIELDS = FieldFilter({"profile": ["name"]}, always=["id"])
ADA = b'{"id": 1, "name": "Ada", "secret": "x"}'
JSON, LENGTH = (b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(ADA))


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def start(*headers: tuple[bytes, bytes], status: int = 200, **more: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def sent(
    *messages: Mapping[str, Any],
    scopes: Iterable[str] = ("profile",),
    method: str = "GET",
    limit: int = 1000,
    filters: Iterable[FieldFilter] = (FIELDS,),
    backend: str = "asyncio",
) -> list[dict[str, Any]]:
    """What goes out when an application sends `messages`."""
    out: list[dict[str, Any]] = []

    async def main() -> None:
        async def send(message: Any) -> None:
            out.append(message)

        answer = Answer(send)
        for fields in filters:
            answer.filter(fields, frozenset(scopes), method, FilterRules(("Authorization",), limit))
        for message in messages:
            await answer.send(dict(message))

    anyio.run(main, backend=backend)
    return out


def test_an_answer_that_is_not_filtered_passes_message_by_message() -> None:
    messages = [start(JSON, LENGTH), body(b"{", more=True), {"type": "http.response.pathsend", "path": "/x"}]
    assert sent(*messages, filters=()) == messages


@pytest.mark.parametrize(
    "cuts", [[ADA], [ADA[:9], b"", ADA[9:]], [ADA, b""]], ids=["whole", "in pieces", "then nothing"]
)
def test_json_goes_out_filtered_and_whole(cuts: list[bytes], backend: str) -> None:
    bodies = [body(cut, more=number < len(cuts)) for number, cut in enumerate(cuts, 1)]
    out = sent(start(JSON, LENGTH, (b"etag", b'"1"')), *bodies, backend=backend)
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"private"),
        (b"vary", b"Authorization"),
        (b"content-length", b"21"),
    ]
    assert out == [start(*headers), body(b'{"id":1,"name":"Ada"}')]


def test_what_goes_out_is_what_every_filter_shows() -> None:
    out = sent(start(JSON), body(ADA), filters=(FIELDS, FieldFilter({"profile": ["name", "secret"]})))
    assert answer_of(out).body == b'{"name":"Ada"}'


def test_without_scopes_only_what_is_always_shown_goes_out() -> None:
    assert answer_of(sent(start(JSON), body(ADA), scopes=())).body == b'{"id":1}'


def test_fields_that_a_message_leaves_out_have_their_defaults() -> None:
    begun = {"type": "http.response.start", "status": 200}
    ended = {"type": "http.response.body"}
    assert sent({**begun, "status": 404}, ended) == [{**begun, "status": 404}, ended]
    assert answer_of(sent(begun, ended)).body == b""
    assert answer_of(sent(start(JSON), ended)).body == b""


PASSING = {
    "an error": start(JSON, status=404),
    "not modified": start(JSON, (b"etag", b'"1"'), status=304),
    "events": start((b"content-type", b"text/event-stream"), trailers=True),
    "a file": start((b"content-type", b"image/png")),
}


@pytest.mark.parametrize("begun", PASSING.values(), ids=PASSING)
def test_other_answers_pass_message_by_message(begun: dict[str, Any]) -> None:
    messages = [begun, body(ADA, more=True), {"type": "http.response.pathsend", "path": "/x"}, body()]
    assert sent(*messages) == messages


def failed(out: list[dict[str, Any]]) -> bool:
    answer = answer_of(out)
    assert (answer.status, json.loads(answer.body)) == (500, {"error": "server_error"})
    assert [answer.header(name) for name in ("cache-control", "etag", "x-name")] == [["no-store"], [], []]
    return len(out) == 2


UNFILTERABLE: dict[str, list[dict[str, Any]]] = {
    "no JSON": [start(JSON), body(b"Ada")],
    "too large": [start(JSON), body(b"1" * 1001)],
    "too large in pieces": [start(JSON), *[body(b"1" * 400, more=True)] * 9, body()],
    "compressed": [start(JSON, (b"content-encoding", b"gzip")), body(b"\x1f\x8b")],
    "a part of it": [start(JSON, status=206), body(b"{")],
    "lines": [start((b"content-type", b"application/jsonl")), body(ADA, more=True), body(ADA)],
    "a path": [start(JSON), {"type": "http.response.pathsend", "path": "/etc/ada.json"}],
    "an open file": [start(JSON), {"type": "http.response.zerocopysend", "file": 3}],
    "a path after a piece": [start(JSON), body(b"{", more=True), {"type": "http.response.pathsend", "path": "/x"}],
    "begun twice": [start(JSON), start((b"content-type", b"text/plain")), body(ADA)],
    "a body first": [body(ADA)],
    "a path first": [{"type": "http.response.pathsend", "path": "/x"}],
    "something else first": [{"type": "http.response.debug", "info": {"context": ADA}}, start(JSON), body(ADA)],
}


@pytest.mark.parametrize("messages", UNFILTERABLE.values(), ids=UNFILTERABLE)
def test_what_cannot_be_filtered_never_goes_out(messages: list[dict[str, Any]], backend: str) -> None:
    first, *rest = messages
    telling = {**first, "headers": [*first.get("headers", ()), (b"x-name", b"Ada"), (b"etag", b"1")]}
    assert failed(sent(telling, *rest, backend=backend))


def test_what_comes_after_the_end_is_dropped() -> None:
    trailers = {"type": "http.response.trailers", "headers": [(b"x-name", b"Ada")]}
    out = sent(start(JSON, trailers=True), body(ADA), trailers, body(ADA), start(JSON))
    assert [message["type"] for message in out] == ["http.response.start", "http.response.body"]
    assert "trailers" not in out[0]


@pytest.mark.parametrize("pieces", [[], [body(ADA)], [body(ADA, more=True), body()]])
def test_head_has_the_headers_at_once_and_no_body(pieces: list[dict[str, Any]]) -> None:
    out = sent(start(JSON, LENGTH), *pieces, method="HEAD")
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"private"), (b"vary", b"Authorization")]
    assert out == [start(*headers), body()]


def test_head_of_what_cannot_be_filtered_says_so_without_a_body() -> None:
    out = sent(start(JSON, status=206), body(ADA), method="HEAD")
    assert [out[0]["status"], *out[1:]] == [500, body()]


def test_no_content_stays_no_content() -> None:
    out = sent(start(JSON, (b"content-length", b"0"), status=204), body())
    assert (out[0]["status"], out[1:]) == (204, [body()])
    assert b"content-length" not in dict(out[0]["headers"])


@pytest.mark.parametrize("size", [ASIDE_BYTES - 1, ASIDE_BYTES, MAX_FILTERED_BYTES])
def test_large_answers_are_filtered_aside(size: int, backend: str) -> None:
    pieces = b'{"name": "' + b"a" * (size - 12) + b'"}'
    out = sent(start(JSON), body(pieces), limit=MAX_FILTERED_BYTES, backend=backend)
    assert len(answer_of(out).body) == size - 1  # a space less
    assert failed(sent(start(JSON), body(pieces[:-1]), limit=MAX_FILTERED_BYTES, backend=backend))


def test_an_answer_that_never_ends_never_begins() -> None:
    assert sent(start(JSON), body(ADA, more=True)) == []


def test_an_answer_that_has_begun_cannot_be_filtered_any_more() -> None:
    async def main() -> None:
        async def send(_message: Any) -> None:
            """Goes out."""

        answer = Answer(send)
        await answer.send(start(JSON))
        with pytest.raises(RuntimeError, match="cannot be filtered any more"):
            answer.filter(FIELDS, frozenset(), "GET", FilterRules((), 9))

    anyio.run(main)


def test_an_answer_for_one_caller_is_marked_and_the_message_of_the_application_stays() -> None:
    out: list[Any] = []
    messages = [start((b"Cache-Control", b"public"), (b"x", b"\xff")), body(b"x")]

    async def main() -> None:
        async def send(message: Any) -> None:
            out.append(message)

        for message in messages:
            await private(send)(message)

    anyio.run(main)
    assert out == [start((b"x", b"\xff"), (b"Cache-Control", b"private")), body(b"x")]
    assert messages[0]["headers"][0] == (b"Cache-Control", b"public")


def test_an_answer_that_is_private_too_is_so_once() -> None:
    out: list[Any] = []

    async def main() -> None:
        async def send(message: Any) -> None:
            out.append(message)

        answer = Answer(private(send))
        answer.filter(FIELDS, frozenset(), "GET", FilterRules((), 99))
        await answer.send(start(JSON, (b"cache-control", b"no-store")))
        await answer.send(body(ADA))

    anyio.run(main)
    assert answer_of(out).header("cache-control") == ["no-store"]
