"""Tokens that processes share through Redis or Valkey, encrypted (Fernet).

Whoever reads Redis learns no token, and whoever writes to it cannot pass the token of one source off as that of
another. An outage is logged and costs a time-out when a token is renewed. Tokens are renewed seldom, so no connection
is kept: nothing is shared over a fork or between event loops, and there is nothing to close.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, TypeVar

import redis
import redis.connection
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..encoding import json_object
from ..quiet import OUTAGE, Quiet
from .answer import MAX_LIFE, Token, is_token

TIMEOUT = 1.0  # seconds for one exchange with Redis
# What redis-py raises. ValueError, IndexError: what is at the other end does not speak the protocol.
_FAILURES = (redis.RedisError, OSError, ValueError, IndexError)

R = TypeVar("R")
logger = logging.getLogger("oauth_rs")


class RedisTokens:
    """`shared=` of ClientCredentials, in the Redis at `url`.

    `keys` are made by `Fernet.generate_key()`, the newest first: that one encrypts, all of them decrypt. `timeout` is
    in seconds, for each of the two exchanges that renewing a token may take. Sources share a token when they ask the
    same provider for the same, as the same client. Raises ValueError and TypeError.
    """

    def __init__(
        self,
        url: str,
        *,
        keys: Iterable[bytes | str],
        prefix: str = "oauth_rs:token:",
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(keys, bytes | str):
            raise TypeError("keys is a list of keys, the newest first")
        fernets = [Fernet(key) for key in keys]
        if not fernets:
            raise ValueError("keys holds at least one key, made by cryptography.fernet.Fernet.generate_key()")
        if not timeout > 0:
            raise ValueError("timeout is a number of seconds above 0")
        redis.connection.parse_url(url)  # type: ignore[no-untyped-call]  # raises ValueError
        self._url, self._prefix, self._timeout = url, prefix.encode(), timeout
        self._clock, self._monotonic = clock, monotonic
        self._fernet = MultiFernet(fernets)
        self._quiet = Quiet(OUTAGE)

    def get(self, key: bytes, /) -> Token | None:
        """The token that was put there, with the seconds it has left; None when there is none that can be read."""
        sealed = self._ask(lambda client: client.get(self._name(key)))
        if not isinstance(sealed, bytes):
            return None
        try:
            return self._opened(key, json_object(self._fernet.decrypt(sealed)))
        except (InvalidToken, ValueError, TypeError, KeyError) as error:
            self._tell(error)
            return None

    def put(self, key: bytes, token: Token, /) -> None:
        """Keeps `token` for as long as it lives."""
        now = self._clock()
        # Its place is sealed in too: a token that is moved to another one is none.
        content = {"key": key.hex(), "token": token.text, "fresh": now + token.fresh, "ends": now + token.life}
        sealed = self._fernet.encrypt(json.dumps(content).encode())
        self._ask(lambda client: client.set(self._name(key), sealed, px=max(1, int(token.life * 1000))))

    def _opened(self, key: bytes, content: dict[str, Any]) -> Token | None:
        now, text = self._clock(), content["token"]
        life = min(float(content["ends"]) - now, MAX_LIFE)
        if content["key"] != key.hex() or not is_token(text):
            raise ValueError("not the token of this source")
        return Token(text=text, life=life, fresh=min(float(content["fresh"]) - now, life)) if life > 0 else None

    def _name(self, key: bytes) -> bytes:
        return self._prefix + sha256(key).hexdigest().encode()

    def _ask(self, command: Callable[["redis.Redis"], R]) -> R | None:
        try:
            with redis.Redis.from_url(
                self._url,
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry=Retry(NoBackoff(), 0),
                protocol=2,  # has all that is needed, and one exchange less at the start
            ) as client:
                return command(client)
        except _FAILURES as error:
            self._tell(error)
            return None

    def _tell(self, error: Exception) -> None:
        """Logs what is wrong, now and then, by its kind alone: what it says may be a token."""
        if not self._quiet.ends(self._monotonic()):
            return
        if isinstance(error, InvalidToken):
            logger.warning("tokens are not shared: none of `keys` fits what another process has put into Redis")
        else:
            logger.warning("tokens are not shared, Redis cannot be used: %s", type(error).__name__)
