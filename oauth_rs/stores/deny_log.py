"""The log of denials in Redis or Valkey, a stream that one thread of each process follows.

A process reads all of it when it connects, and waits for what comes next: whoever was away has missed nothing. What
Redis has forgotten when it comes back, the processes that remember write again. Knows up to when this process has seen
everything, and does not decide what to do when that is long ago: see redis_deny.py.
"""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from math import inf, isnan
from random import uniform
from typing import Any, TypeAlias, cast

import redis

from ..denials import CLAIMS, Denial, Denials
from ..errors import Unavailable
from ..quiet import OUTAGE, Quiet
from ..traces import trace_of
from .redis_clients import FAILURES as REDIS_FAILURES
from .redis_clients import client_like, client_of_url, watch_cluster

PAUSE = 0.2  # seconds between attempts to reach Redis
PAGE = 1000  # denials that are read, or written, at a time
_LATER = (1.0, 3.0)  # seconds after which a process puts back what others have not
_KEPT_MORE = 60  # seconds that Redis keeps denials longer than processes do, whose clocks may be ahead
FAILURES = (*REDIS_FAILURES, KeyError)  # KeyError and its like: what is in the log is not from us
Client: TypeAlias = redis.Redis | redis.RedisCluster

logger = logging.getLogger("oauth_rs")


class DenyLog:
    """The log at `given`, as one process sees it. `denials` are what is read from it, and what is put back into it.

    `read_at` is up to when all of it was read, by `monotonic`. `is_failing` is True from a failure to the next success.
    `beat` is how long, in seconds, it waits for news before it looks whether Redis is still there.
    """

    def __init__(
        self,
        given: str | Client,
        denials: Denials,
        *,
        prefix: bytes,
        kept: float,
        beat: float,
        timeout: float,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pid = os.getpid()
        self.read_at = -inf
        self.is_failing = False
        self.unsent: dict[Denial, float] = {}  # when they came, by the wall clock
        self._given, self._timeout, self._kept = given, timeout, kept
        self._beat = max(1, int(beat * 1000))  # milliseconds; 0 would be for ever
        self._denials = denials
        # In braces, so that both are in one slot of a cluster.
        self._log, self._epoch_key = prefix + b"{deny}:log", prefix + b"{deny}:epoch"
        self._clock, self._monotonic = clock, monotonic
        self._epoch: object = None
        self._position = "0-0"
        self._greetings = self._read_by = 0
        self._puts_back_at = inf
        self._news = threading.Condition()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._writer: Any = None
        self._quiet = Quiet(OUTAGE)

    def start(self) -> None:
        """The log is being followed."""
        with self._news:
            if (self._thread is None or not self._thread.is_alive()) and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._follow, name="oauth_rs-deny", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """The log will soon not be followed any more, and connections of ours be closed."""
        self._stopped.set()
        if self.pid == os.getpid():  # else they, and their locks, are another process's
            _close(self._writer)

    def wait(self, believed: float) -> None:
        """Returns when all of the log was read in the last `believed` seconds, or cannot be, or after `timeout`."""
        with self._news:
            self._news.wait_for(lambda: self.is_failing or self._monotonic() - self.read_at <= believed, self._timeout)

    def append(self, denials: Mapping[Denial, float]) -> None:
        """Tells all processes of `denials`, and when they came by the wall clock. Raises what FAILURES lists."""
        if self._writer is None:
            self._writer = self._connect(_ignored)
        self._write(self._writer, denials)

    def _connect(self, on_connect: Callable[[], None]) -> Any:
        """A client that calls `on_connect` for each connection that leads to a primary."""
        # Only to be called by the makers, as Servers are.
        greeter = cast("Any", _Greeter(on_connect))
        if isinstance(self._given, str):
            return client_of_url(self._given, greeter, self._timeout)
        if isinstance(self._given, redis.Redis):
            return client_like(self._given, greeter, self._timeout)
        return self._given

    def _follow(self) -> None:
        client = self._connect(self._greeted)
        if isinstance(client, redis.RedisCluster):
            watch_cluster(client, cast("Any", _Greeter(self._greeted)), self._timeout)
        try:
            while not self._stopped.is_set():
                try:
                    self._step(client)
                except (Unavailable, *FAILURES) as error:
                    self._failed(client, error)
        except Exception as error:  # noqa: BLE001 - not foreseen, as of a client of the application; may show a denial
            logger.error("denied tokens are not known: %s", trace_of(error))  # noqa: TRY400 - that would show its text
        finally:
            _close(client)

    def _greeted(self) -> None:
        self._greetings += 1

    def _step(self, client: Any) -> None:
        """Reads what there is, or waits for news; notes that all was read."""
        asked_at = self._monotonic()
        if isinstance(client, redis.Redis):  # not a cluster: there a replica sends on whoever asks it for a key
            # One that becomes a replica cuts off only those that wait for it just then.
            _check_role(client.info("replication"))
        epoch, is_mine = self._find_epoch(client)
        greetings = self._greetings
        if epoch != self._epoch or greetings != self._read_by or asked_at >= self._puts_back_at:
            self._read_all(client, puts_back=is_mine or asked_at >= self._puts_back_at)
            self._epoch, self._read_by = epoch, greetings
        elif client.xread({self._log: self._position}, count=1, block=self._beat):
            for _ in self._read(client):
                pass
        if self.unsent:
            self._send(client)
        if greetings == self._greetings:  # else a cluster has silently gone to another server
            self._succeeded(asked_at)

    def _find_epoch(self, client: Any) -> tuple[object, bool]:
        """A text that is lost together with the log, and True where this process has written it just now."""
        epoch = client.get(self._epoch_key)
        if epoch is not None:
            return epoch, False
        with suppress(redis.ResponseError):  # no right to: one of those that have it will
            is_mine = client.set(self._epoch_key, secrets.token_hex(8), nx=True)
            return client.get(self._epoch_key), bool(is_mine)
        return None, False

    def _read_all(self, client: Any, *, puts_back: bool) -> None:
        self._position = "0-0"
        there = set(self._read(client))
        now, wall = self._monotonic(), self._clock()
        missing = {
            denial: wall - (now - came_at)
            for denial, came_at in self._denials.items()
            if denial not in there and now - came_at < self._kept
        }
        if puts_back:
            self.unsent.update(missing)
        # Whoever found the log empty writes at once, and the others, a little later, what is missing still.
        self._puts_back_at = now + uniform(*_LATER) if missing and not puts_back else inf

    def _read(self, client: Any) -> Iterator[Denial]:
        """What comes after the position, which goes along; it is in force when it is given."""
        while True:
            page = client.xrange(self._log, min=f"({self._position}", count=PAGE)
            for position, fields in page:
                denial, came_at = _parsed(fields)
                now, age = self._monotonic(), max(0.0, self._clock() - came_at)
                if age < self._kept:
                    self._denials.check_room(denial, now, times=2)  # whoever denies leaves it at one
                    self._denials.add(denial, now - age)
                self._position = _text(position)
                yield denial
            if len(page) < PAGE:
                return

    def _send(self, client: Any) -> None:
        page = dict(list(self.unsent.items())[:PAGE])
        try:
            self._write(client, page)
        except redis.ResponseError as error:  # Redis is full, or there is no right to: no reason not to read
            self._tell(f"denials are not passed on: {type(error).__name__}")  # its text may show one
            return
        for denial in page:
            self.unsent.pop(denial, None)

    def _write(self, client: Any, denials: Mapping[Denial, float]) -> None:
        since = int((self._clock() - self._kept - _KEPT_MORE) * 1000)
        with client.pipeline(transaction=True) as transaction:
            for denial, came_at in denials.items():
                fields = {**denial._asdict(), "at": repr(came_at)}
                transaction.xadd(self._log, fields, minid=max(since, 0), approximate=True)
            transaction.expire(self._log, int(self._kept) + 2 * _KEPT_MORE)
            transaction.execute()

    def _succeeded(self, asked_at: float) -> None:
        with self._news:
            if self.is_failing:
                logger.warning("denied tokens are known again")
            self.read_at = asked_at
            self.is_failing = False
            self._news.notify_all()

    def _failed(self, client: Any, error: Exception) -> None:
        self._tell(f"denied tokens are not known: {type(error).__name__}: {error}")
        with self._news:
            self.is_failing = True
            self._news.notify_all()
        self._read_by = -1  # what is known may have holes
        if isinstance(client, redis.Redis):
            client.connection_pool.disconnect()
        self._stopped.wait(PAUSE)

    def _tell(self, what: str) -> None:
        if self._quiet.ends(self._monotonic()):
            logger.warning("%s", what)


def _ignored() -> None:
    pass


def _close(client: Any) -> None:
    if isinstance(client, redis.Redis):  # not a cluster: that is the user's
        client.close()


class _Greeter:
    """Looks at each new connection before it is used: see redis_clients.py."""

    def __init__(self, on_connect: Callable[[], None]) -> None:
        self._on_connect = on_connect

    def greet(self, connection: Any, on_connect: Callable[[Any], object] | None = None) -> None:
        try:
            (on_connect or type(connection).on_connect)(connection)
            connection.send_command("INFO")
            _check(_text(connection.read_response()))
        except BaseException:
            connection.disconnect()  # or the pool would take it for one that was greeted
            raise
        self._on_connect()


def _check(info: str) -> None:
    facts = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    _check_role(facts)
    if (eviction := facts.get("maxmemory_policy", "noeviction")) != "noeviction":
        logger.warning("Redis may forget denials: set maxmemory-policy to noeviction, it is %s", eviction)


def _check_role(facts: Mapping[str, object]) -> None:
    if facts.get("role") != "master":
        raise redis.ConnectionError("a replica, which may be behind")


def _parsed(fields: Mapping[Any, Any]) -> tuple[Denial, float]:
    said = {_text(name): _text(value) for name, value in fields.items()}
    claim, before, came_at = said["claim"], float(said["before"]), float(said["at"])
    if claim not in CLAIMS or isnan(before) or isnan(came_at):
        raise ValueError("the log of denials has an entry that is not from us")
    return Denial(claim, said["value"], said["issuer"], before), came_at


def _text(said: Any) -> str:
    return said.decode() if isinstance(said, bytes) else str(said)
