import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from io import BytesIO
from typing import Any

import anyio
import httpx2
import pytest

from oauth_rs.outbound.auth import BearerAuth, Held, checked_origin
from oauth_rs.outbound.errors import TokenRefused, WrongOrigin
from tests.outbound.provider import API

TLS = ssl.create_default_context()  # read once: it takes longer than most of these exchanges


def held(text: str) -> Held:
    return Held(text=text, refresh_at=1.0, ends_at=2.0)


class Script:
    """Gives tokens in turn, the last one for ever; a refused one makes way for the next."""

    def __init__(self, *texts: str, replaces: bool = True) -> None:
        self.tokens = [held(text) for text in texts]
        self.replaces = replaces
        self.refusals: list[str] = []

    def get(self) -> Held:
        return self.tokens[0]

    async def get_awaiting(self) -> Held:
        await anyio.lowlevel.checkpoint()
        return self.tokens[0]

    def refused(self, token: Held, /) -> bool:
        self.refusals.append(token.text)
        if len(self.tokens) > 1:
            del self.tokens[0]
        return self.replaces


Send = Callable[..., int]


def blocking(auth: BearerAuth, method: str, url: str, **options: Any) -> int:
    follow = options.pop("follow_redirects", False)
    with httpx2.Client(auth=auth, verify=TLS, trust_env=False, follow_redirects=follow) as client:
        return client.request(method, url, **options).status_code


def awaiting(auth: BearerAuth, method: str, url: str, **options: Any) -> int:
    return _run(auth, method, url, options, "asyncio")


def under_trio(auth: BearerAuth, method: str, url: str, **options: Any) -> int:
    return _run(auth, method, url, options, "trio")


def _run(auth: BearerAuth, method: str, url: str, options: dict[str, Any], backend: str) -> int:
    async def send() -> int:
        follow = options.pop("follow_redirects", False)
        async with httpx2.AsyncClient(auth=auth, verify=TLS, trust_env=False, follow_redirects=follow) as client:
            return (await client.request(method, url, **options)).status_code

    return anyio.run(send, backend=backend)


@pytest.fixture(params=[blocking, awaiting, under_trio])
def send(request: pytest.FixtureRequest) -> Send:
    way: Send = request.param
    return way


# What is sent


def test_a_token_goes_into_the_header(api: API, send: Send) -> None:
    assert send(BearerAuth(Script("t1")), "GET", f"{api.url}/bills") == 200
    assert api.seen == [("GET", "/bills", "t1")]


def test_a_header_of_the_call_makes_way(api: API, send: Send) -> None:
    send(BearerAuth(Script("t1")), "GET", f"{api.url}/bills", headers={"authorization": "Basic eDp5"})
    assert api.sent == ["t1"]


# A token that is refused


def test_a_call_that_is_refused_is_made_once_more_with_another_token(api: API, send: Send) -> None:
    api.good = {"t2"}
    assert send(BearerAuth(Script("t1", "t2")), "POST", f"{api.url}/bills", content=b"body") == 200
    assert api.seen == [("POST", "/bills", "t1"), ("POST", "/bills", "t2")]


def test_a_call_is_made_twice_at_most(api: API, send: Send) -> None:
    api.good = {"t3"}
    tokens = Script("t1", "t2", "t3")
    assert send(BearerAuth(tokens), "GET", f"{api.url}/bills") == 401
    assert (api.sent, tokens.refusals) == (["t1", "t2"], ["t1"])


def test_the_same_token_is_not_sent_twice(api: API, send: Send) -> None:
    api.good = set()
    assert send(BearerAuth(Script("t1")), "GET", f"{api.url}/bills") == 401
    assert api.sent == ["t1"]


def test_a_call_is_not_made_again_where_there_is_no_other_token(api: API, send: Send) -> None:
    api.good = set()
    assert send(BearerAuth(Script("t1", "t2", replaces=False)), "GET", f"{api.url}/bills") == 401
    assert api.sent == ["t1"]


@pytest.mark.parametrize("options", [{"json": {"a": 1}}, {"data": {"a": "1"}}, {"content": "text"}, {}], ids=str)
def test_a_body_that_is_there_is_sent_again(api: API, send: Send, options: dict[str, Any]) -> None:
    api.good = {"t2"}
    assert send(BearerAuth(Script("t1", "t2")), "PUT", f"{api.url}/bills", **options) == 200


def pieces() -> Iterator[bytes]:
    yield b"once"


async def async_pieces() -> AsyncIterator[bytes]:
    yield b"once"


def file_in_pieces() -> dict[str, Any]:
    return {"files": {"a": BytesIO(b"once")}}


@pytest.mark.parametrize("make", [lambda: {"content": pieces()}, file_in_pieces], ids=["generator", "file"])
def test_a_body_in_pieces_is_sent_once_and_its_token_is_dropped(api: API, make: Callable[[], dict[str, Any]]) -> None:
    api.good = {"t2"}
    tokens = Script("t1", "t2")
    options = {"headers": {"Content-Length": "4"}, **make()} if "content" in make() else make()
    assert blocking(BearerAuth(tokens), "POST", f"{api.url}/bills", **options) == 401
    assert (api.sent, tokens.refusals) == (["t1"], ["t1"])


def test_an_async_body_in_pieces_is_sent_once(api: API) -> None:
    api.good = {"t2"}
    headers = {"Content-Length": "4"}
    auth = BearerAuth(Script("t1", "t2"))
    assert awaiting(auth, "POST", f"{api.url}/bills", content=async_pieces(), headers=headers) == 401
    assert api.sent == ["t1"]


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_no_other_status_drops_a_token(api: API, send: Send, status: int) -> None:
    api.redirects["/bills"] = (status, "/")
    tokens = Script("t1", "t2")
    assert send(BearerAuth(tokens), "GET", f"{api.url}/bills") == status
    assert not tokens.refusals


# Where it goes


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_elsewhere_carries_no_token(api: API, other: API, send: Send, status: int) -> None:
    api.redirects["/bills"] = (status, f"{other.url}/x")
    assert send(BearerAuth(Script("t1"), api.url), "GET", f"{api.url}/bills", follow_redirects=True) == 200
    assert (api.sent, other.sent) == (["t1"], [""])


def test_a_redirect_elsewhere_and_back_carries_no_token(api: API, other: API, send: Send) -> None:
    api.redirects["/bills"] = (302, f"{other.url}/x")
    other.redirects["/x"] = (302, f"{api.url}/end")
    send(BearerAuth(Script("t1")), "GET", f"{api.url}/bills", follow_redirects=True)
    assert (api.sent, other.sent) == (["t1", ""], [""])


def test_a_refusal_elsewhere_drops_no_token_and_gets_none(api: API, other: API, send: Send) -> None:
    api.redirects["/bills"] = (302, f"{other.url}/x")
    other.good = {"t1", "t2"}
    tokens = Script("t1", "t2")
    assert send(BearerAuth(tokens), "GET", f"{api.url}/bills", follow_redirects=True) == 401
    assert (other.sent, tokens.refusals) == ([""], [])


def test_a_call_that_was_redirected_is_done_and_not_made_again(api: API, send: Send) -> None:
    api.redirects["/orders"] = (303, "/orders/1")
    api.good = set()
    tokens = Script("t1", "t2")
    assert send(BearerAuth(tokens), "POST", f"{api.url}/orders", content=b"x", follow_redirects=True) == 401
    assert [(method, path) for method, path, _ in api.seen] == [("POST", "/orders"), ("GET", "/orders/1")]
    assert tokens.refusals == ["t1"]


def test_a_call_to_another_origin_is_not_sent(api: API, other: API, send: Send) -> None:
    with pytest.raises(WrongOrigin, match="other_origin"):
        send(BearerAuth(Script("t1"), api.url), "GET", f"{other.url}/x")
    assert not other.seen


def test_an_auth_without_origins_is_bound_by_its_first_call(api: API, other: API) -> None:
    auth = BearerAuth(Script("t1"))
    assert blocking(auth, "GET", f"{api.url}/x") == 200
    with pytest.raises(WrongOrigin, match="other_origin"):
        blocking(auth, "GET", f"{other.url}/x")
    assert blocking(auth, "GET", f"{api.url}/y") == 200
    assert not other.seen


def message(auth: BearerAuth, url: str) -> str:
    with pytest.raises(WrongOrigin) as caught:
        next(auth.sync_auth_flow(httpx2.Request("GET", url)))
    return str(caught.value)


def test_a_call_that_is_not_sent_says_where_it_would_have_gone() -> None:
    auth = BearerAuth(Script("t1"), f"{BOUND}/v1", "https://[2001:db8::1]:8443")
    assert message(auth, "https://ada:s3cret@other.example:444/x?token=s3cret") == (
        "other_origin: https://other.example:444 is not https://[2001:db8::1]:8443, "
        "https://billing.example.com, which the token is for"
    )
    assert message(auth, "http://billing.example.com/x?token=s3cret") == (
        "plain_http: http://billing.example.com is not https"
    )
    plain = BearerAuth(Script("t1"), BOUND, plain_http=True)
    assert message(plain, "ftp://billing.example.com/").startswith("other_origin: ftp://billing.example.com")


class Refuses(Script):
    def get(self) -> Held:
        raise TokenRefused("invalid_scope", "no token of https://id.example.com")

    async def get_awaiting(self) -> Held:
        raise TokenRefused("access_denied")


def test_an_error_of_a_source_says_for_which_origin_there_is_no_token(api: API, send: Send) -> None:
    with pytest.raises(TokenRefused) as caught:
        send(BearerAuth(Refuses("t1")), "GET", f"{api.url}/bills?token=s3cret")
    assert (
        str(caught.value)
        == {
            "invalid_scope": f"invalid_scope: no token of https://id.example.com for {api.url}",
            "access_denied": f"access_denied: no token for {api.url}",
        }[caught.value.reason]
    )


def test_so_does_one_of_the_second_attempt(api: API, send: Send) -> None:
    class Once(Script):
        def refused(self, token: Held, /) -> bool:
            self.get = Refuses("t2").get  # type: ignore[method-assign]
            self.get_awaiting = Refuses("t2").get_awaiting  # type: ignore[method-assign]
            return super().refused(token)

    api.good = set()
    with pytest.raises(TokenRefused, match=f"for {api.url}$"):
        send(BearerAuth(Once("t1")), "GET", f"{api.url}/bills")


def test_an_auth_may_be_bound_to_several_origins(api: API, other: API) -> None:
    auth = BearerAuth(Script("t1"), f"{api.url}/v1", other.url)
    assert [blocking(auth, "GET", f"{url}/x") for url in (api.url, other.url)] == [200, 200]


BOUND = "https://billing.example.com"


@pytest.mark.parametrize(
    "url",
    [
        "http://billing.example.com/",
        "https://billing.example.com:8443/",
        "https://billing.example.com.evil.example/",
        "https://billing.example.com@evil.example/",
        "https://evil.example/billing.example.com",
        "https://billing.example.com\\@evil.example/",
        "https://billing.example.com.",
        "https://example.com/",
        "https://sub.billing.example.com/",
        "https://xn--billing-.example.com/",
        "ftp://billing.example.com/",
    ],
)
def test_no_other_spelling_is_the_origin(url: str) -> None:
    assert not goes(BearerAuth(Script("t1"), BOUND), url)


@pytest.mark.parametrize(
    "url", ["https://billing.example.com", "https://BILLING.example.com:443/x?y", "https://billing.example.com/a/../b"]
)
def test_the_origin_is_scheme_host_and_port(url: str) -> None:
    assert goes(BearerAuth(Script("t1"), f"{BOUND}/v1"), url)


def goes(auth: BearerAuth, url: str) -> bool:
    """Whether `auth` lets a request there go out."""
    try:
        next(auth.sync_auth_flow(httpx2.Request("GET", url)))
    except (WrongOrigin, httpx2.InvalidURL):
        return False
    return True


@pytest.mark.parametrize("url", ["http://billing.internal/x", "http://192.0.2.1/", "http://localhost.evil.example/"])
def test_no_token_goes_over_plain_http_to_another_machine(url: str) -> None:
    with pytest.raises(WrongOrigin, match="plain_http"):
        next(BearerAuth(Script("t1")).sync_auth_flow(httpx2.Request("GET", url)))
    with pytest.raises(ValueError, match="over https"):
        BearerAuth(Script("t1"), url)


def test_plain_http_is_allowed_by_name() -> None:
    url = "http://billing.internal/x"
    assert goes(BearerAuth(Script("t1"), url, plain_http=True), url)
    assert goes(BearerAuth(Script("t1"), plain_http=True), url)
    assert not goes(BearerAuth(Script("t1"), url, plain_http=True), "http://other.internal/x")


@pytest.mark.parametrize(
    "url", ["", "/bills", "billing.example.com", "https://", "ftp://a.example", "https://me:secret@a.example"]
)
@pytest.mark.parametrize("plain_http", [True, False])
def test_what_is_no_origin_is_refused_when_made(url: str, plain_http: bool) -> None:  # noqa: FBT001 - a parameter
    with pytest.raises(ValueError, match="bound to a URL") as caught:
        checked_origin(url, plain_http=plain_http)
    assert "secret" not in str(caught.value)


def test_a_token_is_in_no_repr(api: API) -> None:
    auth = BearerAuth(Script("s3cret"))
    with httpx2.Client(auth=auth, verify=TLS, trust_env=False) as client:
        reply = client.get(api.url)
    shown = [repr(one) for one in (auth, held("s3cret"), reply, reply.request, reply.request.headers)]
    assert not any("s3cret" in text for text in shown)


def test_an_origin_is_text() -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match="base_url and origins are URLs"):
        checked_origin(wrong, plain_http=False)
