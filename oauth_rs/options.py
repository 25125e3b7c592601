"""What is looked at when a server is made: options of the wrong kind, and scopes that nobody has declared.

Raises what a programmer reads; nothing here is asked again once requests come.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import combinations
from typing import Any

from .catalogue import ScopeCatalogue
from .deny_list import DenyList
from .errors import OAuthError
from .fields import FieldFilter
from .identity import Identity, folded, scope_text
from .members import check_flag, offers, takes
from .model import Grant
from .policy import Policy
from .public_paths import PublicPaths
from .replay import ReplayStore
from .schemes import Scheme
from .scopes import Requirement
from .urls import ExternalURL
from .users import UserLoader

_TOO_LARGE = frozenset({"identity_too_large", "scopes_too_large"})


def check_options(
    schemes: tuple[Scheme, ...],
    public: Iterable[str],
    credentials: str,
    url: ExternalURL | None,
    replay: ReplayStore | None,
) -> None:
    """Returns when the options of a server are of their kinds. Raises TypeError and ValueError."""
    if not schemes:
        raise ValueError("ResourceServer() lets nobody in: give it at least one scheme, as Bearer(JWTProvider(...))")
    if not all(offers(scheme, "authorization_names") for scheme in schemes):
        raise TypeError("wrap providers in a scheme: ResourceServer(Bearer(JWTProvider(...)))")
    if url is not None and not offers(url, "names_hosts"):
        raise TypeError("url is FixedURL(...), DirectURL(...) or ForwardedURL(...)")
    if replay is not None and not offers(replay, "first_use"):
        raise TypeError("replay is a store such as SQLiteReplay(path) or RedisReplay(url)")
    if isinstance(public, str):
        raise TypeError("public is a list of paths, not one string")
    if not isinstance(public, Iterable):
        raise TypeError(f"public is a list of paths, not {public!r}")
    if credentials not in {"required", "optional"}:
        raise ValueError('credentials is "required" or "optional"')


def check_policy(policy: Policy | None, public: PublicPaths | None, credentials: str) -> None:
    """Returns when `policy` is one, and can be kept. Raises TypeError and ValueError."""
    if policy is None:
        return
    if public is not None and public.cover_everything:
        raise ValueError('public=["/*"] leaves nothing for the policy to decide: leave one of them out')
    if not offers(policy, "rules"):
        raise TypeError("policy is NoScopes(), APIScopes(...) or OperationScopes({...})")
    if credentials == "optional":
        raise ValueError('a policy says which operations need no credentials, by Public(): leave out "optional"')


def check_more(
    catalogue: ScopeCatalogue | None,
    identity: Identity | None,
    hide_credentials: bool,  # noqa: FBT001 - to be looked at
    filters: Mapping[str, FieldFilter] | None,
) -> None:
    """Returns when these options are of their kinds. Raises TypeError."""
    if catalogue is not None and not isinstance(catalogue, ScopeCatalogue):
        raise TypeError("scopes is ScopeCatalogue({...}); what a provider may grant is an option of the provider")
    if identity is not None and not offers(identity, "headers"):
        raise TypeError("identity is IdentityHeaders() or SignedIdentity(...)")
    check_flag("hide_credentials", hide_credentials)
    if filters is not None and not _are_filters(filters):
        raise TypeError("filters maps operations to filters, as {'GET /customers/<id>': FieldFilter({...})}")


def _are_filters(filters: Any) -> bool:
    return isinstance(filters, Mapping) and all(
        isinstance(name, str) and isinstance(one, FieldFilter) for name, one in filters.items()
    )


def check_callables(deny: DenyList | None, user: UserLoader | None) -> None:
    """Returns when these options are of their kinds. Raises TypeError."""
    if deny is not None and not offers(deny, "denied"):
        raise TypeError("deny is a list such as MemoryDenyList() or RedisDenyList(url)")
    if user is not None and not takes(user, 1):
        raise TypeError("user is a function of a grant, plain or async")


def check_identity(identity: Identity, schemes: tuple[Scheme, ...], catalogue: ScopeCatalogue | None) -> None:
    """Returns when no credentials come in a header that is taken out of every request, and each scope of `catalogue`
    can be passed on. Raises ValueError.
    """
    if catalogue:  # None and an empty one add nothing to what is claimed
        _check_room(identity, catalogue)
    for scheme in schemes:
        for name in scheme.places.headers:
            if folded(name.decode()) in identity.names:
                raise ValueError(
                    f"{scheme.name} reads {name.decode()!r}, which identity takes out of every request: rename it"
                )


def check_apart(schemes: tuple[Scheme, ...]) -> None:
    """Returns when no two of `schemes` read the same credentials. Raises ValueError."""
    for first, second in combinations(schemes, 2):
        if not set(first.authorization_names).isdisjoint(second.authorization_names):
            raise ValueError("two schemes answer to the same name in Authorization")
        if first.places.headers & second.places.headers or first.places.fields & second.places.fields:
            raise ValueError(
                f"{first.name} and {second.name} read the same header or field: a request would count as two sets of "
                "credentials"
            )


def check_hosts(url: ExternalURL | None, schemes: tuple[Scheme, ...], public: PublicPaths | None) -> None:
    """Returns when `url` serves each host that `public` and the providers of `schemes` name. Raises ValueError.

    A policy for URLs that does not tell is believed.
    """
    serves: Callable[[str], bool] = getattr(url, "serves", lambda _host: True)
    hosts = [*(public.hosts if public is not None else ()), *(host for one in schemes for host in _hosts_of(one))]
    for host in hosts:
        if not serves(host):
            raise ValueError(f"no request to {host!r} comes through, for url= does not name it: name it there too")


def _hosts_of(scheme: Scheme) -> Collection[str]:
    return getattr(scheme, "hosts", ())


def check_names(catalogue: ScopeCatalogue, policy: Policy | None, filters: Mapping[str, FieldFilter] | None) -> None:
    """Returns when `catalogue` has every scope that the policy and the filters name. Raises ValueError."""
    for where, rule in policy.rules() if policy is not None else ():
        if isinstance(rule, Requirement):
            catalogue.check_requirement(rule, where)
    for where, fields in (filters or {}).items():
        catalogue.check(fields.scopes, f"the filter of {where}")


def _check_room(identity: Identity, catalogue: ScopeCatalogue) -> None:
    def held(name: str) -> frozenset[str]:
        return catalogue.expand(frozenset((name,)))

    # What stands below another scope has no more to pass on than that one.
    for written in (" ".join, scope_text):  # as they are, or percent-encoded
        largest = max(catalogue.tops, key=lambda name: len(written(held(name))))
        try:
            identity.headers(_bare(held(largest)))
        except OAuthError as error:
            if error.reason in _TOO_LARGE:  # others may want more of a grant than scopes
                raise ValueError(
                    f"identity cannot pass on scope {largest!r} with all that it implies: let it imply less"
                ) from error


def _bare(scopes: frozenset[str]) -> Grant:
    return Grant(scheme="Bearer", provider="", issuer="", subject="", client_id="", scopes=scopes, expires_at=0)
