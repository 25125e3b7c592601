from typing import Any

import anyio
import anyio.lowlevel
import pytest

from oauth_rs import Bearer, ResourceServer
from oauth_rs.errors import InvalidToken, Unavailable
from oauth_rs.flow import Call
from oauth_rs.model import Grant
from oauth_rs.users import with_user
from tests.providers.asking import Behind, each_shell
from tests.support.issuing import Issuer
from tests.support.playing import play

GRANT = Grant(
    scheme="Bearer",
    provider="id",
    issuer="https://id.example.com",
    subject="ada",
    client_id="app",
    scopes=frozenset({"photos"}),
    expires_at=0,
)


def by_subject(grant: Grant) -> dict[str, str]:
    return {"name": grant.subject}


async def later(grant: Grant) -> dict[str, str]:
    return by_subject(grant)


@pytest.mark.parametrize(
    ("load", "asked"),
    [(by_subject, Call(by_subject, None, (GRANT,))), (later, Call(None, later, (GRANT,)))],
    ids=["plain", "coroutine"],
)
def test_the_user_is_what_the_function_gives(load: Any, asked: Call) -> None:
    grant = play(with_user(GRANT, load), (asked, {"name": "ada"}))
    assert grant.user == {"name": "ada"}
    assert grant._replace(user=None) == GRANT


def test_the_grant_that_others_share_knows_no_user() -> None:
    play(with_user(GRANT, by_subject), (Call(by_subject, None, (GRANT,)), "ada"))
    assert GRANT.user is None


def test_there_may_be_no_user() -> None:
    assert play(with_user(GRANT, by_subject), (Call(by_subject, None, (GRANT,)), None)).user is None


def test_a_database_that_does_not_answer_is_no_missing_user() -> None:
    down = Unavailable("users_unavailable", "The users cannot be asked now.")
    with pytest.raises(Unavailable):
        play(with_user(GRANT, by_subject), (Call(by_subject, None, (GRANT,)), down))


def test_a_user_is_not_shown() -> None:
    grant = play(with_user(GRANT, by_subject), (Call(by_subject, None, (GRANT,)), "s3cret"))
    assert "s3cret" not in repr(grant)


@each_shell
def test_a_plain_function_may_pass_on_a_coroutine(behind: Behind) -> None:
    async def refuse(_grant: Grant) -> None:
        await anyio.lowlevel.checkpoint()
        raise InvalidToken("user_locked", "This user is locked.")

    issuer = Issuer()
    ask = behind(ResourceServer(Bearer(issuer.provider()), user=lambda grant: refuse(grant)))  # noqa: PLW0108 - as said
    assert ask(issuer.token()).status == 401
