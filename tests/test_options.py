from typing import Any

import pytest

from oauth_rs import (
    Bearer,
    ClientKey,
    DirectURL,
    Grant,
    Header,
    IdentityHeaders,
    InvalidToken,
    KeyHeader,
    OAuthError,
    RegisteredClient,
    ResourceServer,
    SignedIdentity,
    StaticClients,
    Unavailable,
    hashed,
)
from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.deny_list import MemoryDenyList
from oauth_rs.fields import FieldFilter
from oauth_rs.policy import APIScopes, NoScopes, OperationScopes, Policy, Public
from oauth_rs.replay import MemoryReplay
from tests.support.issuing import Issuer, private_key


def test_a_server_needs_a_scheme() -> None:
    with pytest.raises(ValueError, match="lets nobody in"):
        ResourceServer()


def test_two_schemes_of_one_name_are_refused(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="same name in Authorization"):
        ResourceServer(Bearer(issuer.provider()), Bearer(issuer.provider()))


@pytest.mark.parametrize("credentials", ["Optional", "none", "", None, False])
def test_credentials_are_required_or_optional(issuer: Issuer, credentials: Any) -> None:
    with pytest.raises(ValueError, match='"required" or "optional"'):
        ResourceServer(Bearer(issuer.provider()), credentials=credentials)


def test_public_is_a_list(issuer: Issuer) -> None:
    with pytest.raises(TypeError, match="list of paths"):
        ResourceServer(Bearer(issuer.provider()), public="/health")


@pytest.mark.parametrize("pattern", ["health", "", "*", "/docs*", "/a/*/b", "/**", "https://api.example.com/health"])
def test_a_pattern_that_is_no_public_path_is_refused(issuer: Issuer, pattern: str) -> None:
    with pytest.raises(ValueError, match="not a public path"):
        ResourceServer(Bearer(issuer.provider()), public=[pattern])


def test_a_provider_is_not_a_scheme(issuer: Issuer) -> None:
    with pytest.raises(TypeError, match=r"ResourceServer\(Bearer\(JWTProvider"):
        ResourceServer(issuer.provider())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "https://api.example.com"}, r"url is FixedURL"),
        ({"url": DirectURL}, r"url is FixedURL"),
        ({"replay": "redis://127.0.0.1"}, "replay is a store"),
        ({"replay": MemoryReplay}, "replay is a store"),
        ({"public": 5}, "public is a list of paths, not 5"),
        ({"public": True}, "public is a list of paths, not True"),
        ({"public": [1]}, "public is a list of paths, .* and 1 is none"),
        ({"public": b"/a"}, "public is a list of paths, .* and 47 is none"),
        ({"filters": 5}, "filters maps operations to filters"),
        ({"filters": [1]}, "filters maps operations to filters"),
        ({"filters": {1: FieldFilter({"a": ["b"]})}}, "filters maps operations to filters"),
        ({"hide_credentials": "no"}, "hide_credentials is True or False, not 'no'"),
        ({"hide_credentials": None}, "hide_credentials is True or False, not None"),
    ],
    ids=repr,
)
def test_options_that_are_no_objects_of_their_kind_are_refused(
    issuer: Issuer, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        ResourceServer(Bearer(issuer.provider()), **options)


def test_a_scheme_is_an_object_and_not_its_class() -> None:
    with pytest.raises(TypeError, match="wrap providers in a scheme"):
        ResourceServer(Bearer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "policy", ["photos", {"GET /photos": "photos"}, NoScopes, OperationScopes, ["photos"]], ids=repr
)
def test_a_policy_is_an_object_of_its_kind(issuer: Issuer, policy: Any) -> None:
    with pytest.raises(TypeError, match="policy is NoScopes"):
        ResourceServer(Bearer(issuer.provider()), policy=policy)


@pytest.mark.parametrize("policy", [NoScopes(), APIScopes("photos"), OperationScopes({"GET /open": Public()})])
def test_a_policy_and_optional_credentials_contradict_each_other(issuer: Issuer, policy: Policy) -> None:
    with pytest.raises(ValueError, match=r"by Public\(\)"):
        ResourceServer(Bearer(issuer.provider()), policy=policy, credentials="optional")


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"policy": OperationScopes({"GET /photos": "phtoos"})}, "GET /photos"),
        ({"policy": OperationScopes({"GET /open": Public()}, default="phtoos")}, "default"),
        ({"policy": APIScopes("photos", "phtoos")}, "every operation"),
        ({"filters": {"GET /photos": FieldFilter({"phtoos": ["title"]})}}, "the filter of GET /photos"),
    ],
)
def test_a_scope_that_the_catalogue_does_not_have_is_refused(
    issuer: Issuer, options: dict[str, Any], where: str
) -> None:
    with pytest.raises(ValueError, match=f"phtoos.*{where}|{where}.*phtoos"):
        ResourceServer(Bearer(issuer.provider()), scopes=ScopeCatalogue({"photos": {}}), **options)


def test_scopes_that_the_catalogue_has_are_taken(issuer: Issuer) -> None:
    ResourceServer(
        Bearer(issuer.provider()),
        scopes=ScopeCatalogue({"photos": {}}),
        policy=OperationScopes({"GET /photos": "photos", "GET /open": Public()}),
        filters={"GET /photos": FieldFilter({"photos": ["title"]})},
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scopes": {"photos"}}, r"scopes is ScopeCatalogue"),
        ({"identity": IdentityHeaders}, r"identity is IdentityHeaders\(\)"),
        ({"identity": True}, r"identity is IdentityHeaders\(\)"),
        ({"filters": {"GET /photos": ["title"]}}, r"filters maps operations to filters"),
        ({"filters": {"GET /photos": FieldFilter}}, r"filters maps operations to filters"),
        ({"deny": MemoryDenyList}, r"deny is a list"),
        ({"deny": {"t1"}}, r"deny is a list"),
        ({"user": "ada"}, r"user is a function"),
        ({"user": lambda: None}, r"user is a function"),
    ],
    ids=repr,
)
def test_further_options_are_of_their_kinds(issuer: Issuer, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ResourceServer(Bearer(issuer.provider()), **options)


def test_a_policy_that_public_paths_leave_nothing_to_is_refused(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="leaves nothing for the policy"):
        ResourceServer(Bearer(issuer.provider()), policy=NoScopes(), public=["/*"])
    ResourceServer(Bearer(issuer.provider()), policy=NoScopes(), public=["/", "/docs/*"])


CLIENTS = StaticClients([RegisteredClient("app", key_hashes=[hashed("x" * 32)])])


@pytest.mark.parametrize(
    "others",
    [
        (ClientKey(CLIENTS, presentation=[KeyHeader("X-Key")]), ClientKey(CLIENTS, presentation=[KeyHeader("x-key")])),
        (ClientKey(CLIENTS, presentation=[KeyHeader("Access-Token")]),),
    ],
    ids=["keys", "key and token"],
)
def test_two_schemes_that_read_the_same_header_are_refused(issuer: Issuer, others: tuple[ClientKey, ...]) -> None:
    bearer = Bearer(issuer.provider(), presentation=[Header("Access-Token")])
    with pytest.raises(ValueError, match="read the same header or field"):
        ResourceServer(bearer, *others)


class OwnIdentity:
    """Passes on `limit` scopes at most, and raises `refusal` for more."""

    names = frozenset[str]()

    def __init__(self, limit: int, refusal: OAuthError) -> None:
        self.limit, self.refusal = limit, refusal

    def headers(self, grant: Grant, /) -> list[tuple[str, str]]:
        if len(grant.scopes) > self.limit:
            raise self.refusal
        return []


SIGNED = SignedIdentity(private_key("ES256", "identity"), issuer="https://a.example", audience="https://b.example")


def implying(size: int) -> ScopeCatalogue:
    """One whose scope `top`, with all that it implies, takes `size` bytes."""
    return ScopeCatalogue({"top": {"root": {"a" * 4_000: {}, "b" * (size - 4_010): {}}}})


# `top` is the longest as percent-encoding writes it, `plain` as it is.
ENCODED = ScopeCatalogue({"top": {"%" * 2_729: {}}, "plain": {"c" * 5_000: {}}})
OVER = ScopeCatalogue({"top": {"%" * 2_730: {}}, "plain": {"c" * 5_000: {}}})
TOO_MUCH = InvalidToken("identity_too_large", "")


@pytest.mark.parametrize(
    ("identity", "catalogue"),
    [
        (IdentityHeaders(), implying(8_192)),
        (IdentityHeaders(), ENCODED),
        (IdentityHeaders(), ScopeCatalogue({})),
        (SIGNED, implying(5_700)),
        (SIGNED, OVER),
        (OwnIdentity(4, TOO_MUCH), implying(9_000)),
        (OwnIdentity(0, InvalidToken("no_subject", "")), implying(9_000)),
    ],
    ids=["plain", "encoded", "no scopes", "signed", "signed as it is", "own", "own that wants more than scopes"],
)
def test_a_scope_is_passed_on_with_all_that_it_implies(
    issuer: Issuer, identity: Any, catalogue: ScopeCatalogue
) -> None:
    ResourceServer(Bearer(issuer.provider()), identity=identity, scopes=catalogue)


@pytest.mark.parametrize(
    ("identity", "catalogue"),
    [
        (IdentityHeaders(), implying(8_193)),
        (IdentityHeaders(), OVER),
        (SIGNED, implying(6_145)),
        (OwnIdentity(3, TOO_MUCH), implying(9_000)),
        (OwnIdentity(3, Unavailable("scopes_too_large", "")), implying(9_000)),
    ],
    ids=["plain", "encoded", "signed", "own", "own, of configuration"],
)
def test_a_scope_that_implies_more_than_can_be_passed_on_is_refused(
    issuer: Issuer, identity: Any, catalogue: ScopeCatalogue
) -> None:
    with pytest.raises(ValueError, match="cannot pass on scope 'top' with all that it implies: let it imply less"):
        ResourceServer(Bearer(issuer.provider()), identity=identity, scopes=catalogue)
    ResourceServer(Bearer(issuer.provider()), scopes=catalogue)


def test_few_long_scopes_take_more_room_than_many_short_ones(issuer: Issuer) -> None:
    many: dict[str, Any] = {f"p{top}": {f"c{top}.{number}": {} for number in range(150)} for top in range(40)}
    long: dict[str, Any] = {
        f"https://api.example.com/scopes/of/long/names/all-of-them-apart/{number:06}": {} for number in range(130)
    }
    ResourceServer(Bearer(issuer.provider()), identity=IdentityHeaders(), scopes=ScopeCatalogue(many))
    with pytest.raises(ValueError, match="cannot pass on scope 'top' with all"):
        ResourceServer(
            Bearer(issuer.provider()),
            identity=IdentityHeaders(),
            scopes=ScopeCatalogue({**many, "top": {"below": long}}),
        )


def test_of_many_scopes_those_that_no_other_implies_are_looked_at(issuer: Issuer) -> None:
    parents: dict[str, Any] = {f"parent-{number}": {f"child-{number}": {}} for number in range(450)}
    catalogue = ScopeCatalogue({**parents, "all": [f"child-{number}" for number in range(450)], "deep": ["all"]})
    ResourceServer(Bearer(issuer.provider()), identity=IdentityHeaders(), scopes=catalogue)
    with pytest.raises(ValueError, match="cannot pass on scope 'x' with all"):
        ResourceServer(
            Bearer(issuer.provider()),
            identity=IdentityHeaders(),
            scopes=ScopeCatalogue({**parents, "x": [*parents, *(f"child-{number}" for number in range(450))]}),
        )


def test_a_catalogue_may_have_families_alone(issuer: Issuer) -> None:
    catalogue = ScopeCatalogue({}, families=["tenant:{tenant}:read"])
    ResourceServer(Bearer(issuer.provider()), identity=IdentityHeaders(), scopes=catalogue)


def test_credentials_in_a_header_of_the_identity_are_refused(issuer: Issuer) -> None:
    bearer = Bearer(issuer.provider(), presentation=[Header("OAuth_ClientID")])
    with pytest.raises(ValueError, match="identity takes out of every request"):
        ResourceServer(bearer, identity=IdentityHeaders())


def test_a_scope_of_a_registered_client_is_one_of_the_catalogue(issuer: Issuer) -> None:
    clients = StaticClients([RegisteredClient("app", scopes=["phtoos"])])
    with pytest.raises(ValueError, match=r"ClientKey.*phtoos"):
        ResourceServer(Bearer(issuer.provider()), ClientKey(clients), scopes=ScopeCatalogue({"photos": {}}))
