from concurrent.futures import ThreadPoolExecutor

from oauth_rs.devserver.recent import Recent


def test_what_was_never_put_is_not_there() -> None:
    recent: Recent[int] = Recent(2)
    assert recent.get("a") is None
    assert recent.pop("a") is None


def test_what_was_popped_is_not_there_for_those_who_come_later() -> None:
    recent: Recent[int] = Recent(2)
    recent.put("a", 1)
    assert (recent.get("a"), recent.pop("a"), recent.pop("a"), recent.get("a")) == (1, 1, None, None)


def test_the_oldest_is_forgotten_first() -> None:
    recent: Recent[int] = Recent(2)
    for value, key in enumerate("abac"):
        recent.put(key, value)
    assert [recent.get(key) for key in "abc"] == [2, None, 3]


def test_there_are_never_more_than_the_limit_whoever_puts_them() -> None:
    recent: Recent[int] = Recent(8)

    def fill(thread: int) -> None:
        for number in range(500):
            recent.put(f"{thread}-{number % 20}", number)
            recent.pop(f"{thread}-{number % 7}")
            assert len(recent) <= 8

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fill, range(8)))
