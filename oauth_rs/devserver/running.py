"""The development server as tests and demos hold it: made, started, stopped, and asked for tokens without HTTP.

Runs in a background thread (`foreground` runs it until a signal). Keys and tokens live as long as the `DevServer`
object. On disk is only what goes to the `credentials` it is given.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oauth_rs.credentials import MACKey, OAuth1Token
from oauth_rs.devserver.app import DevApplication
from oauth_rs.devserver.clients import Client
from oauth_rs.devserver.endpoints import endpoints
from oauth_rs.devserver.faults import Fault
from oauth_rs.devserver.issued import IssuedTokens
from oauth_rs.devserver.keys import KeyRing
from oauth_rs.devserver.ledger import Ledger
from oauth_rs.devserver.oauth1 import ThreeLegged
from oauth_rs.devserver.refresh_tokens import RefreshTokens
from oauth_rs.devserver.serving import Address
from oauth_rs.devserver.status_list import StatusList
from oauth_rs.devserver.tokens import Mint
from oauth_rs.devserver.users import User, Users

if TYPE_CHECKING:  # SQLAlchemy is for those who give a store
    from oauth_rs.stores.sql import SQLCredentials


class DevServer:
    """An issuer of RFC 9068 tokens on `host` and `port`; `port=0` takes a free one and keeps it.

    The port is taken here, requests are answered between `start` and `stop`. `lifetime` is in seconds; the first
    client is the one `token` speaks for. `audience` is the default, clients may also ask for `more_audiences`. With
    `credentials` the clients may sign requests: they, their OAuth 1.0a tokens and their MAC keys are written there.
    `users` are those it can say more about than their subject. Opaque tokens begin with `opaque_prefix`; a status list
    may be kept for `status_ttl` seconds. With `token_by_get` tokens may be asked for in a query. `hits` counts the
    requests of each path, as `hits["/introspect"]`.

    `ValueError` for unusable options, `OSError` when the port cannot be taken.
    """

    def __init__(
        self,
        *,
        audience: str,
        more_audiences: Collection[str] = (),
        algorithm: str = "RS256",
        clients: Sequence[Client] = (),
        users: Sequence[User] = (),
        lifetime: int = 600,
        host: str = "127.0.0.1",
        port: int = 0,
        credentials: "SQLCredentials | None" = None,
        opaque_prefix: str = "pt_",
        status_ttl: int = 60,
        token_by_get: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if lifetime < 1:
            raise ValueError("lifetime must be at least one second")
        self._clients = {client.client_id: client for client in clients}
        if len(self._clients) < len(clients):
            raise ValueError("two clients have the same id: give each its own")
        keys, known = KeyRing(algorithm), Users(users)
        self.hits: Counter[str] = Counter()
        self._address = Address(host, port)
        self._mint = Mint(
            issuer=self._address.url,
            audience=audience,
            client_id=clients[0].client_id if clients else "client",
            keys=keys,
            lifetime=lifetime,
            clock=clock,
        )
        signers = [client.oauth1() for client in clients if client.signs]
        try:
            statuses = StatusList(self._mint, ttl=status_ttl)
            self._issued = IssuedTokens(self._mint, statuses=statuses, prefix=opaque_prefix)
            self._ledger = Ledger(credentials, mint=self._mint, clients=signers)
        except BaseException:
            self.stop()
            raise
        self._refresh_tokens = RefreshTokens(self._issued, clock=clock)
        served = endpoints(
            self._issued,
            ledger=self._ledger,
            refresh_tokens=self._refresh_tokens,
            clients=self._clients,
            users=known,
            audiences={audience, *more_audiences},
            token_by_get=token_by_get,
        )
        three_legged = ThreeLegged(self._ledger, clients=signers) if self._ledger.writes else None
        self._app = DevApplication(self._mint, served, hits=self.hits, three_legged=three_legged)

    @classmethod
    @contextmanager
    def running(cls, **options: Any) -> Generator["DevServer", None, None]:
        """A server that answers inside the `with` block; the options are those of `DevServer`."""
        server = cls(**options)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    @property
    def issuer(self) -> str:
        return self._mint.issuer

    @property
    def host(self) -> str:
        return self._address.host

    def start(self) -> None:
        """Requests are answered, on the same port and with the same keys as before a `stop`."""
        self._address.start(self._app)

    def stop(self) -> None:
        """Connections are refused and the port is free; keys, tokens and `hits` stay for the next `start`."""
        self._address.stop()

    def token(
        self,
        *,
        client_id: str | None = None,
        scope: str = "",
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        drop: Collection[str] = (),
        alg: str | None = None,
        status: bool = False,
    ) -> str:
        """A token minted without HTTP, as `Mint.token` does; also while the server is stopped.

        With `status` it has a place in the status list.
        """
        return self._issued.jwt(
            client_id=client_id, scope=scope, claims=claims, header=header, drop=drop, alg=alg, status=status
        )

    def opaque_token(
        self,
        *,
        client_id: str | None = None,
        subject: str | None = None,
        scope: str = "",
        audience: str | list[str] | None = None,
        claims: Mapping[str, Any] | None = None,
        lifetime: int | None = None,
    ) -> str:
        """An opaque token made without HTTP; `claims` are laid over what introspection says. Seconds of `lifetime`."""
        laid_over = {**({} if subject is None else {"sub": subject}), **(claims or {})}
        return self._issued.opaque(
            client_id=client_id, scope=scope, audience=audience, claims=laid_over, lifetime=lifetime
        )

    def refresh_token(
        self,
        *,
        client_id: str | None = None,
        subject: str | None = None,
        scope: str = "",
        audience: str | Sequence[str] = (),
    ) -> str:
        """A refresh token made without HTTP: what `subject` allowed a client, by default the client itself.

        ValueError for a client that is not there or is given none.
        """
        client = self._clients.get(self._mint.client_id if client_id is None else client_id)
        if client is None or not client.refresh:
            raise ValueError("nobody could use it: name a client that is there, with Client(..., refresh=True)")
        family = self._refresh_tokens.begin(
            client_id=client.client_id,
            subject=client.client_id if subject is None else subject,
            scopes=tuple(scope.split()),
            audience=(audience,) if isinstance(audience, str) else tuple(audience),
        )
        return self._refresh_tokens.follow(family)

    def set_status(self, token: str | int, value: int) -> None:
        """The status list says `value` of a token, or of an index: 0 valid, 1 invalid, 2 suspended, 3 as you like.

        ValueError for a token that was made without `status`.
        """
        self._issued.set_status(token, value)

    def fault(self, path: str, fault: Fault, *, calls: int | None = None) -> None:
        """The next `calls` of `path`, or all, meet `fault`: `Slow`, `Answer`, `Flood`, `Drop`; earlier orders are off.

        ValueError for a path that is not served.
        """
        self._app.faults.order(path, fault, calls=calls)

    def heal(self) -> None:
        """Every path answers again as it should."""
        self._app.faults.clear()

    def oauth1_token(
        self, *, client_id: str | None = None, subject: str = "", scope: str = "", expires_at: int = 0
    ) -> OAuth1Token:
        """A token made and written without HTTP, as `Ledger.oauth1_token` does. ValueError without `credentials`."""
        return self._written().oauth1_token(client_id=client_id, subject=subject, scope=scope, expires_at=expires_at)

    def mac_key(
        self,
        *,
        client_id: str | None = None,
        subject: str = "",
        scope: str = "",
        algorithm: str = "hmac-sha-256",
        expires_at: int | None = None,
    ) -> MACKey:
        """A key made and written without HTTP, as `Ledger.mac_key` does. ValueError without `credentials`."""
        return self._written().mac_key(
            client_id=client_id, subject=subject, scope=scope, algorithm=algorithm, expires_at=expires_at
        )

    def rotate(self, *, keep: bool = False) -> str:
        """A new key signs, and its `kid` is returned; with `keep` the old ones stay published."""
        return self._mint.keys.rotate(keep=keep).kid

    def jwks(self) -> dict[str, Any]:
        """The key set as `/jwks` publishes it."""
        return self._mint.keys.jwks()

    def _written(self) -> Ledger:
        if not self._ledger.writes:
            raise ValueError("nobody would know it: give DevServer credentials=SQLCredentials(...)")
        return self._ledger
