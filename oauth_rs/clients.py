"""Registered clients: who may call without a token of a user, by a secret or an API key, and where they are looked up.

Of secrets and keys only hashes are kept, made once of generated ones (NIST SP 800-63B section 5.1.2.2). A registry
answers at once, from memory, or with a flow; the one that asks a database is in stores/. Compares no secret and issues
none: schemes/client_key.py checks what requests present.
"""

import json
import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Protocol, TypeAlias, TypeGuard

from .encoding import json_object
from .entries import placed
from .flow import Flow, at_once, call
from .members import offers, takes
from .scopes import checked_scope

MIN_SECRET = 22  # characters: 128 bits in base64url, the least that a generator should make
MAX_SECRET = 512  # characters: ten times what generators make, and hashed in a microsecond
MAX_KEYS = 16  # of one client: a check looks at as many, whoever calls; to change a key takes two
_ROOM = "characters of printable ASCII without spaces and commas"  # what a header carries through every server
_SECRET = re.compile(r"[\x21-\x2B\x2D-\x7E]*")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def new_secret() -> str:
    """A secret or API key of 256 bits, to be shown once to the client and kept nowhere."""
    return token_urlsafe(32)


def hashed(secret: str) -> str:
    """What is kept of a generated secret or key: it shows a right one, and nobody gets from it to the secret.

    For generated ones a single SHA-256 will do: among 2^128 of them nobody tries them all, whatever a try costs. A slow
    hash with salt is for what can be guessed, and would be a way to keep this server busy. So passwords that people
    chose must not be used here: no length makes them safe. Raises ValueError for what is not 22 to 512 characters of
    printable ASCII without spaces and commas. NIST SP 800-63B section 5.1.2.2.
    """
    if not isinstance(secret, str):
        raise TypeError("a secret is text")
    if len(secret) < MIN_SECRET:
        raise ValueError(f"a secret has {MIN_SECRET} characters or more: generate it by secrets.token_urlsafe(32)")
    if len(secret) > MAX_SECRET or not _SECRET.fullmatch(secret):
        raise ValueError(f"a secret has at most {MAX_SECRET} {_ROOM}: generate it by secrets.token_urlsafe(32)")
    return digest_of(secret)


def digest_of(presented: str) -> str:
    """The hash that is kept of `presented` where it is a secret of somebody; checks nothing."""
    return f"sha256:{sha256(presented.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """An application that this API knows. Without a hash it is known, and cannot call for itself.

    `secret_hash` and `key_hashes` are made by `hashed`; of up to 16 keys all are good at once. `scopes` are what it may
    do, and `roles` stand for more where the scheme maps them. `properties` are for handlers to read, in JSON.
    A `disabled` client is refused, and keeps its id from others. `claims_json` is what its grants carry.
    """

    client_id: str
    _: KW_ONLY
    secret_hash: str = field(default="", repr=False)
    key_hashes: Collection[str] = field(default=(), repr=False)
    roles: Collection[str] = ()
    scopes: Collection[str] = ()
    properties: Mapping[str, Any] = field(default_factory=dict, hash=False)
    disabled: bool = False
    claims_json: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_texts(client_id=self.client_id, secret_hash=self.secret_hash)
        if not self.client_id:
            raise ValueError("a client_id is not empty")
        if not isinstance(self.disabled, bool):
            raise TypeError("disabled is True or False")
        roles = _several(self.roles, "roles")
        if not all(role and role.isprintable() for role in roles):
            raise ValueError("a role is printable text that is not empty")
        claims = _claims(roles, self.properties)
        object.__setattr__(self, "key_hashes", _key_hashes(self.secret_hash, _several(self.key_hashes, "key_hashes")))
        object.__setattr__(self, "roles", roles)
        scopes = _several(self.scopes, "scopes")
        with placed("scopes", what=f"client {self.client_id!r}"):
            object.__setattr__(self, "scopes", frozenset(map(checked_scope, scopes)))
        object.__setattr__(self, "claims_json", claims)
        # What JSON made of them: nobody else has these, to change them.
        object.__setattr__(self, "properties", json_object(claims)["properties"])


Found: TypeAlias = RegisteredClient | None


class ClientRegistry(Protocol):
    """Finds registered clients, disabled ones too.

    Unknown ones are None, never an exception. Raises Unavailable when that cannot be known.
    """

    def find(self, client_id: str, /) -> Found | Flow[Found]: ...

    def find_by_key(self, key_hash: str, /) -> Found | Flow[Found]:
        """The client that has the key of which `hashed` makes `key_hash`."""


class StaticClients:
    """Clients that are known from the start. Raises ValueError for an id or a key that is there twice."""

    def __init__(self, clients: Iterable[RegisteredClient] | Mapping[str, RegisteredClient] = ()) -> None:
        listed = list(clients.values() if isinstance(clients, Mapping) else clients)
        if not all(isinstance(client, RegisteredClient) for client in listed):
            raise TypeError("clients lists RegisteredClient objects")
        self._clients = {client.client_id: client for client in listed}
        self._by_key = {key: client for client in listed for key in client.key_hashes}
        if len(self._clients) < len(listed):
            raise ValueError("every client_id is there once")
        if len(self._by_key) < sum(len(client.key_hashes) for client in listed):
            raise ValueError("two clients have the same key: who calls with it could not be told")
        if isinstance(clients, Mapping) and clients.keys() != self._clients.keys():
            raise ValueError("clients maps each client_id to the client of that id")

    def __iter__(self) -> Iterator[RegisteredClient]:
        return iter(self._clients.values())

    def find(self, client_id: str, /) -> Found:
        return self._clients.get(client_id)

    def find_by_key(self, key_hash: str, /) -> Found:
        return self._by_key.get(key_hash)


class FunctionClients:
    """Clients that functions of the application find; each may be a coroutine function.

    `find(client_id)` and `find_by_key(key_hash)` give a RegisteredClient, or None for one that is unknown. They raise
    Unavailable when they cannot tell; any other exception is a 500. Plain functions are called in worker threads by the
    ASGI middleware, for they may block.
    """

    def __init__(
        self, *, find: Callable[[str], Any] | None = None, find_by_key: Callable[[str], Any] | None = None
    ) -> None:
        given = [function for function in (find, find_by_key) if function is not None]
        if not given or not all(takes(function, 1) for function in given):
            raise TypeError("give at least one function of one text: find= or find_by_key=")
        self._find, self._find_by_key = find, find_by_key

    @property
    def functions(self) -> frozenset[str]:
        """The names of the functions that were given."""
        given = {"find": self._find, "find_by_key": self._find_by_key}
        return frozenset(name for name, function in given.items() if function is not None)

    def find(self, client_id: str, /) -> Flow[Found]:
        return (yield from _ask(self._find, client_id))

    def find_by_key(self, key_hash: str, /) -> Flow[Found]:
        return (yield from _ask(self._find_by_key, key_hash))


Clients: TypeAlias = Collection[str] | Collection[RegisteredClient] | Mapping[str, RegisteredClient] | ClientRegistry


def registry_of(clients: Clients) -> ClientRegistry:
    """The registry that `clients` is, or one of the clients or ids that it lists.

    Raises ValueError for a list of none, which would refuse everybody.
    """
    if is_registry(clients):
        check_functions(clients, "find")
        return clients
    if isinstance(clients, str | bytes) or not isinstance(clients, Iterable):
        raise TypeError("clients is a list of client ids, or a registry such as StaticClients([...])")
    if not clients:
        raise ValueError("clients lists at least one client: leave it out to accept them all")
    if isinstance(clients, Mapping):
        return StaticClients(clients)
    return StaticClients([RegisteredClient(client) if isinstance(client, str) else client for client in clients])


def is_registry(clients: object) -> TypeGuard[ClientRegistry]:
    """True for an object that finds clients; not for the class of one."""
    return offers(clients, "find_by_key", "find")


def check_functions(registry: ClientRegistry, *names: str) -> None:
    """Returns unless `registry` is FunctionClients that lack one of `names`, and so would find nobody.

    Raises ValueError.
    """
    if not isinstance(registry, FunctionClients):
        return
    own = {name for name in names if getattr(type(registry), name) is not getattr(FunctionClients, name)}
    missing = sorted({*names} - registry.functions - own)  # a class below may find clients by itself
    if missing:
        raise ValueError(f"clients are to be found, and FunctionClients is not told how: give {missing[0]}=")


def known(registry: ClientRegistry, client_id: str) -> bool | Flow[bool]:
    """True when `client_id`, letter by letter, is that of a client that is registered and not disabled.

    Raises Unavailable as the registry does. Does not prove that the client is the caller.
    """
    return at_once(_known(registry, client_id))


def _known(registry: ClientRegistry, client_id: str) -> Flow[bool]:
    if not client_id:
        return False
    client = yield from settled(registry.find(client_id))
    # What a registry found under another spelling, as databases may that do not mind case, is not what was asked for.
    return client is not None and client.client_id == client_id and not client.disabled


def settled(found: Found | Flow[Found]) -> Flow[Found]:
    """What a registry answers, when it has. Raises TypeError for what is neither a client nor None."""
    client = (yield from found) if isinstance(found, Generator) else found
    return _checked(client)


def _ask(function: Callable[[str], Any] | None, asked: str) -> Flow[Found]:
    return None if function is None else _checked((yield from call(function, asked)))


def _checked(found: Any) -> Found:
    if found is not None and not isinstance(found, RegisteredClient):
        raise TypeError("what finds clients gives a RegisteredClient or None")
    return found


def _key_hashes(secret_hash: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    if not all(map(_HASH.fullmatch, (*keys, *([secret_hash] if secret_hash else [])))):
        raise ValueError("secret_hash and key_hashes are what hashed(secret) gives: the secret is kept nowhere")
    if len(keys) > MAX_KEYS:
        raise ValueError(f"a client has at most {MAX_KEYS} keys: remove old ones, or register another client")
    return keys


def _claims(roles: tuple[str, ...], properties: Mapping[str, Any]) -> bytes:
    if not isinstance(properties, Mapping):
        raise TypeError("properties maps names to values")
    try:
        claims = json.dumps({"roles": roles, "properties": dict(properties)}, allow_nan=False).encode()
        json_object(claims)
    except (TypeError, ValueError) as error:
        raise ValueError("properties are what JSON can hold, not nested deep, under names that are text") from error
    return claims


def _several(values: Collection[str], name: str) -> tuple[str, ...]:
    """Each of `values` once, in one order whatever they came as."""
    listed = frozenset(values)
    if isinstance(values, str) or not all(isinstance(value, str) for value in listed):
        raise TypeError(f"{name} is a list of texts, not one string")
    return tuple(sorted(listed))


def _check_texts(**texts: str) -> None:
    for name, text in texts.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} is text")
