"""Redis clients whose every new connection says which server it leads to, and since when that one remembers.

Redis forgets when it restarts without persistence, and may forget the last writes with it or when a replica takes over.
So each new connection is greeted with one INFO before anything else is sent over it; redis-py reconnects silently, and
the greeting is part of connecting. A server that was not met before moves the gate of `Trust`.

Clients are made with the settings of the user's own, over connections of ours: no silent retries, time-outs as asked.
"""

import copy
import logging
import time
from collections.abc import Callable, Generator
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.asyncio.sentinel
import redis.backoff
import redis.connection
import redis.exceptions
import redis.retry
import redis.sentinel

from .trust import Trust

# What redis-py raises. The two that are no RedisError: no node for a slot; a fork that inherited a lock. ValueError,
# IndexError: what is at the other end does not speak the protocol.
FAILURES = (
    redis.RedisError,
    redis.exceptions.RedisClusterException,
    redis.exceptions.ChildDeadlockedError,
    OSError,
    ValueError,
    IndexError,
)
ENDLESS = 2**31 - 1  # threads are bounded by who makes them, tasks by a semaphore of ours
_THEIR_TIMEOUT = getattr(redis.connection, "DEFAULT_SOCKET_TIMEOUT", None)  # seconds; for ever before redis-py 8
# Put into a pool's settings by the pool itself, or with no meaning once nothing is retried.
_NOT_COPIED = ("maint_notifications_", "orig_", "connection_pool", "himport_registry", "event_dispatcher", "retry")

logger = logging.getLogger("oauth_rs")


class Servers:
    """The Redis servers that this process has met; `cluster` says that there may be several at a time.

    A server that was a replica, or restarted with its data, does not say when it took over. The first process to notice
    leaves word of that under `word_key`, for those that start later.
    """

    def __init__(
        self, trust: Trust, word_key: bytes, *, cluster: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._trust = trust
        self._word_key = word_key
        self._cluster = cluster
        self._clock = clock
        self._known: frozenset[str] = frozenset()

    def greet(self, connection: Any, on_connect: Callable[[Any], object] | None = None) -> None:
        """Makes a new connection ready (`redis_connect_func`), and ends it where that fails half-way."""
        steps, answer = self._greeting(), None
        try:
            (on_connect or type(connection).on_connect)(connection)
            while command := steps.send(answer):
                connection.send_command(*command)
                try:
                    answer = connection.read_response()
                except redis.ResponseError as error:
                    answer = error
        except BaseException:
            connection.disconnect()  # or the pool would take it for one that was greeted
            raise

    async def greet_awaiting(self, connection: Any, on_connect: Callable[[Any], Any] | None = None) -> None:
        steps, answer = self._greeting(), None
        try:
            await (on_connect or type(connection).on_connect)(connection)
            while command := steps.send(answer):
                await connection.send_command(*command)
                try:
                    answer = await connection.read_response()
                except redis.ResponseError as error:
                    answer = error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise

    def _greeting(self) -> Generator[tuple[str | bytes, ...], Any, None]:
        """The commands over a new connection, and an empty one when there are no more.

        It is sent what the server answers, a redis.ResponseError where it refuses.
        """
        info = yield ("INFO",)
        if isinstance(info, redis.ResponseError):
            raise info
        name = self.meet(info)
        if name:
            word = yield ("GET", self._word_key)
            # No right to it: then there is no word.
            left = self.hear(name, None if isinstance(word, redis.ResponseError) else word)
            if left:
                yield ("SET", self._word_key, left)
        yield ()

    def meet(self, info: object) -> str:
        """Reads what a server says of itself. Raises redis.ConnectionError unless it is one that nonces can be kept in.

        On the first server of a process the loss was at its start. Of one that replaced another, up to now. "" but for
        a server that does not say when it took over: its name, with which to `hear` before it is used.
        """
        text = _text(info)
        facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        try:
            name = facts["run_id"] + facts["master_replid"]  # the first changes at a start, the second at a promotion
            took_over = facts["master_replid2"].strip("0") != ""
            started_at = self._clock() - int(facts["uptime_in_seconds"]) + 1  # both ends of an uptime are rounded down
            role = facts["role"]
        except (KeyError, ValueError) as error:
            raise redis.ConnectionError("INFO does not say which server this is, and since when it runs") from error
        if role != "master":
            raise redis.ConnectionError("a replica, where nothing can be written")
        known = self._known
        if name in known:
            return ""
        if (eviction := facts.get("maxmemory_policy", "noeviction")) != "noeviction":
            logger.warning("Redis may forget nonces: set maxmemory-policy to noeviction, it is %s", eviction)
        if known and not self._cluster:
            logger.warning("the Redis of used nonces was restarted or replaced: requests signed before now are refused")
        if took_over and not self._cluster:  # in a cluster the node need not be the one to keep the word
            return name
        self._trust.lost(self._clock() if took_over or (known and not self._cluster) else started_at, ours=bool(known))
        # After the gate: whoever finds the name among the known ones relies on it.
        self._known = self._known | {name} if self._cluster else frozenset({name})
        return ""

    def hear(self, name: str, word: object) -> str:
        """Believes the word that a process has left about the server `name`. The word to leave, "" for none."""
        about, _, gate = _text(word).partition(" ")
        left = ""
        if self._known or about != name:
            self._trust.lost(self._clock(), ours=bool(self._known))
            left = f"{name} {self._trust.gate}"
        else:
            self._trust.raise_gate(float(gate))
        self._known = frozenset({name})
        return left


def _text(said: object) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def client_of_url(url: str, servers: Servers, timeout: float) -> redis.Redis:
    return redis.Redis.from_pool(
        redis.ConnectionPool.from_url(url, redis_connect_func=servers.greet, **_settings(timeout))
    )


def async_client_of_url(url: str, servers: Servers, timeout: float) -> "redis.asyncio.Redis":
    return redis.asyncio.Redis(
        connection_pool=redis.asyncio.ConnectionPool.from_url(
            url, redis_connect_func=servers.greet_awaiting, **_settings(timeout, asynchronous=True)
        )
    )


def client_like(client: redis.Redis, servers: Servers, timeout: float) -> redis.Redis:
    """A client with the settings of `client`, be it of one server or of a Sentinel's, and with connections of ours."""
    settings = _settings(timeout)
    theirs = client.connection_pool.connection_kwargs.get("redis_connect_func")

    def greet(connection: Any) -> None:
        servers.greet(connection, theirs)

    return redis.Redis.from_pool(_pool_like(client.connection_pool, settings, redis_connect_func=greet))


def async_client_like(client: "redis.asyncio.Redis", servers: Servers, timeout: float) -> "redis.asyncio.Redis":
    settings = _settings(timeout, asynchronous=True)
    theirs = client.connection_pool.connection_kwargs.get("redis_connect_func")

    async def greet(connection: Any) -> None:
        await servers.greet_awaiting(connection, theirs)

    return redis.asyncio.Redis(connection_pool=_pool_like(client.connection_pool, settings, redis_connect_func=greet))


async def disconnect(client: "redis.asyncio.Redis") -> None:
    """Closes what a client of ours has open, to sentinels too."""
    pool: Any = client.connection_pool
    sentinels = (
        pool.sentinel_manager.sentinels if isinstance(pool, redis.asyncio.sentinel.SentinelConnectionPool) else ()
    )
    for one in (pool, *(sentinel.connection_pool for sentinel in sentinels)):
        await one.disconnect()


def watch_cluster(client: redis.RedisCluster, servers: Servers, timeout: float) -> None:
    """Lets `servers` see the connections that `client` makes from now on, and ends those it has."""
    waits = client.nodes_manager.connection_kwargs.get("socket_timeout", _THEIR_TIMEOUT)
    attempts = 1 + client.retry.get_retries()
    if waits is None or waits * attempts > timeout:
        logger.warning(
            "a request may wait for a node %d times %s s: make the RedisCluster with socket_timeout=%g and"
            " retry=Retry(NoBackoff(), 0)",
            attempts,
            waits,
            timeout,
        )
    theirs = client.user_on_connect_func

    def greet(connection: Any) -> None:
        servers.greet(connection, theirs or _is_ready)  # the cluster has called on_connect already

    client.user_on_connect_func = greet
    client.disconnect_connection_pools()  # type: ignore[no-untyped-call]


def _is_ready(_connection: Any) -> None:
    pass


def watch_async_cluster(client: "redis.asyncio.RedisCluster", servers: Servers) -> None:
    manager = client.nodes_manager
    if manager.nodes_cache:
        raise ValueError("give RedisReplay an asyncio RedisCluster of its own, that was not used yet")
    for settings in (
        client.connection_kwargs,
        manager.connection_kwargs,
        *(node.connection_kwargs for node in manager.startup_nodes.values()),
    ):
        settings["redis_connect_func"] = servers.greet_awaiting


def _settings(timeout: float, *, asynchronous: bool = False) -> dict[str, Any]:
    """Of connections that fail at once. RESP 2 has all that is needed, and one exchange less at the start of each."""
    retries = redis.asyncio.retry if asynchronous else redis.retry
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": retries.Retry(redis.backoff.NoBackoff(), 0),
        "protocol": 2,
        "max_connections": ENDLESS,
    }


def _pool_like(pool: Any, settings: dict[str, Any], **more: Any) -> Any:
    kept = {name: value for name, value in pool.connection_kwargs.items() if not name.startswith(_NOT_COPIED)}
    kept.update(settings, connection_class=pool.connection_class, **more)
    if not isinstance(pool, (redis.sentinel.SentinelConnectionPool, redis.asyncio.sentinel.SentinelConnectionPool)):
        module = redis.asyncio if isinstance(pool, redis.asyncio.ConnectionPool) else redis
        return module.ConnectionPool(**kept)
    # Who asks the sentinels is copied too: their connections belong to a process, or to an event loop, like ours.
    sentinels = copy.copy(pool.sentinel_manager)
    sentinels.sentinels = [
        type(one).from_pool(_pool_like(one.connection_pool, settings)) for one in sentinels.sentinels
    ]
    return type(pool)(pool.service_name, sentinels, check_connection=pool.check_connection, **kept)
