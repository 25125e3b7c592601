"""What a lending library asks of its readers. flask_app/lending.py and starlette_app/lending.py are the applications.

Most tokens here are opaque: their issuers are asked about them, by introspection or at a user endpoint. All can be
revoked before they expire. Two operations call other APIs, with tokens that are made out to those: one on behalf of the
caller, one for an account of the library itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from oauth_rs import (
    AllOf,
    AnyOf,
    Bearer,
    Condition,
    Grant,
    Header,
    InHeader,
    IntrospectionProvider,
    IssuerMetadata,
    JWTProvider,
    MemoryDenyList,
    OperationScopes,
    Public,
    RemoteKeys,
    Request,
    ResourceServer,
    StatusLists,
    TokenPrefix,
    github,
    openid,
)
from oauth_rs.client_auth import ClientSecret, PrivateKeyJWT
from oauth_rs.outbound import (
    Connection,
    Connections,
    OutboundError,
    RefreshToken,
    RefreshTokenStore,
    TokenExchange,
)

API = "https://library.example.com"  # the audience
FEES, UNION = "https://fees.example.com", "https://union.example.com"  # those of the APIs that are called
LIBRARY, SCHOOLS, FRIENDS = "library.example.com", "schools.example.com", "friends.example.com"
BELIEVED = 1  # seconds, so that the demo sees the end of it; left out they are 60
LOANS = {f"ada@{LIBRARY}": ["Notes on the Analytical Engine"], f"ada@{SCHOOLS}": ["Numbers for Beginners"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """Whom the library trusts, each by its URL, and how it proves itself to them: with `secret` or with `key`."""

    library: str
    schools: str
    friends: str
    hub: str
    union: str
    secret: ClientSecret
    key: PrivateKeyJWT


class NoAnswer(Exception):
    """A back end did not answer as it should, which is not the caller's fault: 502."""


def has_id(grant: Grant, _request: Request) -> bool:
    """True where a token can be told from others, and old ones from new: what a user endpoint says has neither."""
    return {"jti", "iat"} <= grant.claims.keys()


def of_library(grant: Grant, _request: Request) -> bool:
    """True for tokens of the library's own issuer: others it does not trade."""
    return grant.owner_domain == LIBRARY


POLICY = OperationScopes(
    {
        "GET /health": Public(),
        "GET /loans": AnyOf("loans", "read:user"),  # the second is GitHub's
        "GET /fees": AllOf("fees", Condition(of_library)),
        "GET /requests": "requests",
        "POST /log-out": AllOf(Condition(has_id)),
        "POST /log-out/everywhere": AllOf(Condition(has_id)),
    }
)


def server(trusted: Trusted, deny: MemoryDenyList) -> ResourceServer:
    """The server in front of the library. An application of several processes takes a RedisDenyList."""
    usual = InHeader("Authorization")
    asked: dict[str, Any] = {"cache_seconds": BELIEVED}
    schools = IssuerMetadata(trusted.schools)
    bearer = Bearer(
        JWTProvider(trusted.library, audience=API, accepts=usual, status=StatusLists(), domain=LIBRARY, name="readers"),
        IntrospectionProvider(
            IssuerMetadata(trusted.library),
            client=trusted.secret,
            audience=API,
            accepts=[usual, TokenPrefix("pt_")],
            domain=LIBRARY,
            name="guests",
            **asked,
        ),
        IntrospectionProvider(
            schools,
            client=trusted.key,
            audience=API,
            keys=RemoteKeys(schools),  # answers are signed
            scopes={"loans", "fees"},
            accepts=[usual, TokenPrefix("sc_")],
            domain=SCHOOLS,
            name="schools",
            **asked,
        ),
        openid(
            trusted.friends,
            audience_unproved=True,  # any application of theirs may act for its users here
            grants=["loans"],
            accepts=[usual, TokenPrefix("fr_")],
            domain=FRIENDS,
            name="friends",
            **asked,
        ),
        github(trusted.secret, api=trusted.hub, accepts=[InHeader("Access-Token"), TokenPrefix("gho_")], **asked),
        presentation=[Header("Authorization", "Bearer"), Header("Access-Token")],
        realm="library",
    )
    return ResourceServer(bearer, policy=POLICY, deny=deny)


def connections(trusted: Trusted, account: RefreshTokenStore, *, fees: str, union: str) -> Connections:
    """The back ends at the URLs `fees` and `union`. `account` keeps the refresh token for the union catalogue."""
    return Connections(
        {
            "fees": Connection(
                fees, auth=TokenExchange(trusted.library, client=trusted.key, audience=FEES, scopes=["fees"])
            ),
            "union": Connection(union, auth=RefreshToken(trusted.union, client=trusted.secret, store=account)),
        }
    )


def loans(grant: Grant) -> dict[str, Any]:
    """What the caller has lent. Ada of one issuer is not Ada of another."""
    reader = f"{grant.subject}@{grant.owner_domain}"
    return {"loans": LOANS.get(reader, []), "name": grant.owner.get("preferred_username", ""), "reader": reader}


def log_out(deny: MemoryDenyList, grant: Grant) -> None:
    """The token of the caller is refused from now on."""
    deny.deny(jti=grant.claims["jti"], issuer=grant.issuer)


def log_out_everywhere(deny: MemoryDenyList, grant: Grant) -> None:
    """So are all that the caller has been given until now."""
    deny.deny(sub=grant.subject, issuer=grant.issuer)


@contextmanager
def calling() -> Iterator[None]:
    """What goes wrong with a call, or with the token for it, is NoAnswer.

    Unavailable passes, and is a 503; so does InvalidToken, a 401 for a caller whose token its issuer does not trade.
    """
    try:
        yield
    except (OutboundError, httpx2.HTTPError, ValueError) as error:
        raise NoAnswer from error
