from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from oauth_rs.devserver.issued import IssuedTokens
from oauth_rs.devserver.refresh_tokens import LIFETIME, LIMIT, Family, RefreshTokens
from tests.devserver.conftest import Clock, made_tokens


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issued(clock: Clock) -> IssuedTokens:
    return made_tokens(clock)


@pytest.fixture
def refresh_tokens(issued: IssuedTokens, clock: Clock) -> RefreshTokens:
    return RefreshTokens(issued, clock=clock)


def begun(refresh_tokens: RefreshTokens) -> Family:
    return refresh_tokens.begin(client_id="demo", subject="ada", scopes=("photos",))


@pytest.mark.parametrize("text", ["", "x", "\udc80"])
def test_other_text_is_no_refresh_token(refresh_tokens: RefreshTokens, text: str) -> None:
    begun(refresh_tokens)
    assert refresh_tokens.find(text, client_id="demo") is None
    assert refresh_tokens.owner(text) is None


@pytest.mark.parametrize("client_id", ["", "Demo", "other"])
def test_a_token_is_good_for_its_client_alone(refresh_tokens: RefreshTokens, client_id: str) -> None:
    token = refresh_tokens.follow(begun(refresh_tokens))
    assert refresh_tokens.find(token, client_id=client_id) is None
    assert refresh_tokens.find(token, client_id="demo") is not None


def test_another_client_does_not_end_a_family_with_a_used_token(refresh_tokens: RefreshTokens) -> None:
    family = begun(refresh_tokens)
    first = refresh_tokens.follow(family)
    second = refresh_tokens.follow(family)
    assert refresh_tokens.find(first, client_id="other") is None
    assert refresh_tokens.find(second, client_id="demo") is family


def test_a_family_is_over_some_time_after_it_began(refresh_tokens: RefreshTokens, clock: Clock) -> None:
    family = begun(refresh_tokens)
    clock.now += LIFETIME - 1
    token = refresh_tokens.follow(family)
    assert refresh_tokens.find(token, client_id="demo") is family
    clock.now += 1
    assert refresh_tokens.find(token, client_id="demo") is None


def test_looking_does_not_use_a_token_up(refresh_tokens: RefreshTokens) -> None:
    token = refresh_tokens.follow(begun(refresh_tokens))
    family = refresh_tokens.find(token, client_id="demo")
    assert refresh_tokens.find(token, client_id="demo") is family
    assert family is not None
    assert refresh_tokens.use(token, family)


def test_a_used_token_ends_its_family_when_it_comes_again(refresh_tokens: RefreshTokens) -> None:
    family = begun(refresh_tokens)
    first = refresh_tokens.follow(family)
    assert refresh_tokens.use(first, family)
    second = refresh_tokens.follow(family)
    assert refresh_tokens.find(first, client_id="demo") is None
    assert refresh_tokens.find(second, client_id="demo") is None
    assert refresh_tokens.owner(second) is family


def test_of_two_uses_the_second_ends_the_family(refresh_tokens: RefreshTokens, issued: IssuedTokens) -> None:
    family = begun(refresh_tokens)
    first = refresh_tokens.follow(family)
    assert refresh_tokens.use(first, family)
    assert not refresh_tokens.use(first, family)
    access = issued.opaque()
    late = refresh_tokens.follow(family, access_token=access)
    assert refresh_tokens.find(late, client_id="demo") is None
    assert issued.find(access) is None


def test_the_access_tokens_of_a_family_end_with_it(refresh_tokens: RefreshTokens, issued: IssuedTokens) -> None:
    family, other = begun(refresh_tokens), begun(refresh_tokens)
    ending = [issued.opaque(), issued.jwt(), issued.jwt(status=True)]
    kept = issued.opaque()
    for token in ending:
        refresh_tokens.follow(family, access_token=token)
    refresh_tokens.follow(other, access_token=kept)
    refresh_tokens.end(family)
    assert [issued.find(token) for token in ending] == [None] * 3
    assert issued.find(kept) is not None


def test_the_end_of_one_family_leaves_others_of_its_client(refresh_tokens: RefreshTokens) -> None:
    family, other = begun(refresh_tokens), begun(refresh_tokens)
    token = refresh_tokens.follow(other)
    refresh_tokens.end(family)
    assert refresh_tokens.find(token, client_id="demo") is other


def test_a_token_that_is_used_many_times_at_once_is_used_once(refresh_tokens: RefreshTokens) -> None:
    barrier = Barrier(16)

    def use(token: str, family: Family) -> bool:
        barrier.wait()
        return refresh_tokens.use(token, family)

    with ThreadPoolExecutor(16) as pool:
        for _ in range(20):
            family = begun(refresh_tokens)
            token = refresh_tokens.follow(family)
            assert sum(pool.map(use, [token] * 16, [family] * 16)) == 1
            assert family.ended


def test_tokens_are_few_and_the_oldest_is_forgotten(refresh_tokens: RefreshTokens) -> None:
    family = begun(refresh_tokens)
    first = refresh_tokens.follow(family)
    for _ in range(LIMIT):
        refresh_tokens.follow(family)
    assert refresh_tokens.owner(first) is None
    assert len(family.access) == 0


def test_a_family_does_not_print_its_tokens(refresh_tokens: RefreshTokens) -> None:
    family = begun(refresh_tokens)
    token = refresh_tokens.follow(family, access_token="hush")
    assert token not in repr(family)
    assert "hush" not in repr(family)
