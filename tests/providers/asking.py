"""Providers that ask a server: played by hand, and behind an application in each shell."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import anyio
import pytest

from oauth_rs import Bearer, HTTPSettings, ResourceServer, Unavailable, asgi, wsgi
from oauth_rs.flow import Fetch, Flow, Reply, Run, T
from oauth_rs.providers import Provider
from oauth_rs.schemes.bearer import AUTHORIZATION, FormField, Header, LegacyQuery
from tests.support.calling import Answer, answer_of, bearer, call_asgi, call_wsgi, scope_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Ask = Callable[..., Answer]
Place = Header | FormField | LegacyQuery
# For all who set nothing: the trust anchors are read once, and the providers say how long a call may take.
HTTP = HTTPSettings(timeout=30)
DOWN = Unavailable("fetch_failed", "A server did not answer.")


def said(status: int = 200, /, *, kind: str = "application/json", **members: Any) -> Reply:
    """What an endpoint answers: JSON with `members`."""
    return Reply(status, json.dumps(members).encode(), kind)


def played(flow: Flow[T], *answers: Reply | Unavailable) -> tuple[T, list[Fetch]]:
    """The result of `flow`, when it is given `answers` one after the other, and what it asked for."""
    run: Run[T] = Run(flow)
    fetches: list[Fetch] = []
    for answer in answers:
        assert isinstance(run.effect, Fetch)
        fetches.append(run.effect)
        if isinstance(answer, Unavailable):
            run.throw(answer)
        else:
            run.send(answer)
    assert run.effect is None, run.effect
    return run.result, fetches


@contextmanager
def undecided(reason: str) -> Iterator[None]:
    """Whatever happens in here ends as an Unavailable with `reason`."""
    with pytest.raises(Unavailable) as caught:
        yield
    assert caught.value.reason == reason


def form(fetch: Fetch) -> dict[str, str]:
    return dict(parse_qsl(fetch.body.decode(), strict_parsing=True))


def echo_wsgi(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [_said_of(environ["oauth_rs.grant"])]


async def echo_asgi(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": _said_of(scope["oauth_rs.grant"])})


def _said_of(grant: Any) -> bytes:
    return f"{grant.subject}: {' '.join(sorted(grant.scopes))}".encode()


def behind_wsgi(server: ResourceServer, http: HTTPSettings = HTTP) -> Ask:
    app = wsgi.OAuthMiddleware(echo_wsgi, server, http=http)
    return lambda token, headers=None: call_wsgi(app, headers=bearer(token) if headers is None else headers)


def behind_asgi(server: ResourceServer, http: HTTPSettings = HTTP) -> Ask:
    app = asgi.OAuthMiddleware(echo_asgi, server, http=http)
    return lambda token, headers=None: call_asgi(app, headers=bearer(token) if headers is None else headers)


SHELLS = {"wsgi": behind_wsgi, "asgi": behind_asgi}
each_shell = pytest.mark.parametrize("behind", SHELLS.values(), ids=SHELLS)
Behind = Callable[..., Ask]


def guarded(*providers: Provider, presentation: Sequence[Place] = (AUTHORIZATION,)) -> ResourceServer:
    return ResourceServer(Bearer(*providers, presentation=presentation))


def together_wsgi(server: ResourceServer, tokens: Sequence[str]) -> list[Answer]:
    """The answers to requests with `tokens`, each in a thread of its own, all at once."""
    ask, ready = behind_wsgi(server), threading.Barrier(len(tokens))

    def one(token: str) -> Answer:
        ready.wait()
        return ask(token)

    with ThreadPoolExecutor(len(tokens)) as threads:
        return list(threads.map(one, tokens))


def together_asgi(server: ResourceServer, tokens: Sequence[str], backend: str = "asyncio") -> list[Answer]:
    """The answers to requests with `tokens`, each in a task of its own on one event loop."""
    app, answers = asgi.OAuthMiddleware(echo_asgi, server, http=HTTP), dict[int, Answer]()

    async def one(number: int, token: str) -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        await app(scope_of("GET", "/", bearer(token)), receive, send)
        answers[number] = answer_of(sent)

    async def every() -> None:
        async with anyio.create_task_group() as tasks:
            for number, token in enumerate(tokens):
                tasks.start_soon(one, number, token)

    anyio.run(every, backend=backend)
    return [answers[number] for number in range(len(tokens))]


Together = Callable[[ResourceServer, Sequence[str]], list[Answer]]
TOGETHER = {"threads": together_wsgi, "tasks": together_asgi, "trio": partial(together_asgi, backend="trio")}
at_once = pytest.mark.parametrize("together", TOGETHER.values(), ids=TOGETHER)
