from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.catalogue import ScopeCatalogue
from oauth_rs.providers.issuers import IssuedBy
from oauth_rs.providers.request_selection import InHeader, OnHost
from oauth_rs.providers.selection import (
    CarriesScope,
    JWTShape,
    Opaque,
    Reads,
    Selector,
    TokenPrefix,
    excluding,
    overlap,
    prefix_of,
    selectors_of,
    with_catalogue,
)
from oauth_rs.scope_declarations import Scope
from tests.providers.presenting import presented, refused
from tests.support.costing import cost
from tests.support.issuing import Issuer, encode

JWT = Issuer().token()


def carrying(value: Any, name: str = "scope") -> str:
    return Issuer().token(drop=["scope"] if name != "scope" else [], **{name: value})


# By the text


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("pt_1", True),
        ("pt_", True),
        (f"pt_{JWT}", True),
        ("PT_1", False),
        (" pt_1", False),
        ("xpt_1", False),
        ("pt1", False),
        ("pt", False),
        ("", False),
        ("pt\uff3f1", False),
    ],
)
def test_a_prefix_is_what_a_token_begins_with_to_the_letter(token: str, *, expected: bool) -> None:
    assert TokenPrefix("pt_").matches(presented_raw(token)) is expected


def presented_raw(token: str) -> Any:
    return presented(token, headers={"Authorization": ""})


@pytest.mark.parametrize("token", [JWT, "a.b.c", "..", f"pt_{JWT}"])
def test_three_parts_have_the_shape_of_a_jwt(token: str) -> None:
    assert JWTShape().matches(presented(token))
    assert not Opaque().matches(presented(token))


@pytest.mark.parametrize("token", ["opaque", "", "a.b", "a.b.c.d", "a.b.c.d.e", ".", "...", "pt_1"])
def test_any_other_number_of_parts_is_opaque(token: str) -> None:
    assert Opaque().matches(presented(token))
    assert not JWTShape().matches(presented(token))


@pytest.mark.parametrize("prefix", ["", " ", "pt ", "pt,", "p\tt", "é", "pt_\n", "\0"])
def test_a_prefix_that_begins_no_token_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="begins no token"):
        TokenPrefix(prefix)


# By unverified scopes


@pytest.mark.parametrize(
    "value",
    ["partner.read", "photos partner.read", "partner.read photos", ["partner.read"], ["photos", "partner.read"]],
    ids=str,
)
@pytest.mark.parametrize("scope", ["partner.read", "partner.*"])
@pytest.mark.parametrize("claim", ["scope", "scp"])
def test_a_token_that_claims_the_scope_carries_it(value: Any, scope: str, claim: str) -> None:
    assert CarriesScope(scope).matches(presented(carrying(value, claim)))


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "partner", "partner.", "xpartner.read", "partner.reads", "partner.rea", "Partner.read", "partner.*"),
        *("partner.read\t", "\tpartner.read", "photos\npartner.read", "photos,partner.read", "partner.read\u200b"),
        *(
            "p\u0430rtner.read",
            "partner\u2024read",
            7,
            True,
            {},
            {"partner.read": True},
            [],
            [7],
            [None],
            [["partner.read"]],
        ),
    ],
    ids=repr,
)
def test_what_is_not_that_scope_does_not_carry_it(value: Any) -> None:
    assert not CarriesScope("partner.read").matches(presented(carrying(value)))


@pytest.mark.parametrize(
    "value",
    ["partner", "xpartner.read", "Partner.read", "", " ", "photos\tpartner.read", ["", 7, None], "photos"],
    ids=repr,
)
def test_what_does_not_begin_so_is_not_taken_in(value: Any) -> None:
    assert not CarriesScope("partner.*").matches(presented(carrying(value)))


def test_scp_counts_where_scope_is_absent_only() -> None:
    token = Issuer().token(scope="photos", scp="partner.read")
    assert not CarriesScope("partner.read").matches(presented(token))


CATALOGUE = ScopeCatalogue(
    {"partner.read": Scope(url="https://api.example.com/scopes/read", id=17), "photos": Scope(id=1)}
)


@pytest.mark.parametrize("scope", ["partner.read", "partner.*"])
@pytest.mark.parametrize(
    "value",
    [
        *("partner.read", "https://api.example.com/scopes/read", "openid 17", ["17"], [17], ["openid", 17, None, {}]),
        "photos https://api.example.com/scopes/read",
    ],
    ids=repr,
)
def test_every_spelling_of_the_catalogue_carries_the_scope(value: Any, scope: str) -> None:
    assert CarriesScope(scope).with_catalogue(CATALOGUE, "here").matches(presented(carrying(value)))


@pytest.mark.parametrize(
    "value",
    ["photos", "1", "017", 17, [1], [True], [17.0], "https://api.example.com/scopes/read/", ["17 "], [["17"]], None],
    ids=repr,
)
def test_what_spells_another_scope_does_not_carry_it(value: Any) -> None:
    assert not CarriesScope("partner.read").with_catalogue(CATALOGUE, "here").matches(presented(carrying(value)))


def test_a_whole_scope_is_one_that_the_catalogue_has() -> None:
    with pytest.raises(ValueError, match=r"here: there is no scope 'partner\.raed'.*did you mean 'partner\.read'"):
        CarriesScope("partner.raed").with_catalogue(CATALOGUE, "here")
    with pytest.raises(ValueError, match=r"another spelling of 'partner\.read'"):
        CarriesScope("17").with_catalogue(CATALOGUE, "here")
    for scope in ("patient/*", "patient/Observation.rs", "others.*"):
        assert CarriesScope(scope).with_catalogue(CATALOGUE, "here") == CarriesScope(scope)


def test_other_selectors_know_nothing_of_a_catalogue() -> None:
    selectors = (Opaque(), TokenPrefix("pt_"))
    assert with_catalogue(selectors, CATALOGUE, "partner") == with_catalogue(selectors, None, "partner") == selectors
    with pytest.raises(ValueError, match="accepts of provider 'partner'"):
        with_catalogue([CarriesScope("x")], CATALOGUE, "partner")


def test_a_token_without_scopes_carries_none() -> None:
    assert not CarriesScope("partner.*").matches(presented(Issuer().token(drop=["scope"])))


@pytest.mark.parametrize(
    ("token", "reason"),
    [("opaque", "malformed_token"), (Issuer().sign({"alg": "ES256"}, encode(b"[]")), "malformed_claims")],
    ids=["opaque", "no object"],
)
def test_what_cannot_be_read_carries_nothing_and_says_why(token: str, reason: str) -> None:
    with refused(reason):
        CarriesScope("partner.*").matches(presented(token))


@pytest.mark.parametrize("scope", ["", "a b", "é", "a\t"])
def test_a_scope_that_is_none_is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match="is not one scope"):
        CarriesScope(scope)


def test_a_pattern_that_takes_in_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="any scope"):
        CarriesScope("*")


def test_two_thousand_scopes_are_read_in_no_time() -> None:
    text = carrying(" ".join(f"s{number}" for number in range(2000)))
    tokens = [presented(text) for _ in range(5)]  # each is read once
    assert not CarriesScope("partner.*").matches(presented(text))
    assert cost(lambda: CarriesScope("partner.*").matches(tokens.pop())) < 0.05


# What excludes what


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TokenPrefix("pt_"), TokenPrefix("px_")),
        (TokenPrefix("pt_1"), TokenPrefix("pt_2")),
        (TokenPrefix("pt_"), TokenPrefix("PT_")),
        (JWTShape(), Opaque()),
        (IssuedBy("https://a.example"), IssuedBy("https://b.example")),
        (IssuedBy("https://a.example"), IssuedBy("https://a.example/")),
        (IssuedBy("https://a.example"), Opaque()),
        (CarriesScope("a"), Opaque()),
    ],
    ids=str,
)
def test_these_exclude_each_other(one: Selector, other: Selector) -> None:
    assert excluding(one, other)
    assert excluding(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TokenPrefix("pt_"), TokenPrefix("pt_")),
        (TokenPrefix("pt_"), TokenPrefix("pt_x")),
        (TokenPrefix("pt_"), JWTShape()),
        (TokenPrefix("pt_"), Opaque()),
        (TokenPrefix("pt_"), CarriesScope("a")),
        (TokenPrefix("pt_"), InHeader("X-Token")),
        (JWTShape(), JWTShape()),
        (Opaque(), Opaque()),
        (Opaque(), OnHost("api.example.com")),
        (JWTShape(), CarriesScope("a")),
        (JWTShape(), IssuedBy("https://a.example")),
        (IssuedBy("https://a.example"), IssuedBy("https://a.example")),
        (IssuedBy("https://a.example"), CarriesScope("a")),
        (CarriesScope("a"), CarriesScope("b")),
        (CarriesScope("a"), CarriesScope("a")),
    ],
    ids=str,
)
def test_these_may_both_be_met(one: Selector, other: Selector) -> None:
    assert not excluding(one, other)
    assert not excluding(other, one)


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("a", "b", True),
        ("a.*", "b.*", True),
        ("a.*", "a", True),
        ("a", "a", False),
        ("a.*", "a.b", False),
        ("a.*", "a.b.*", False),
    ],
)
def test_scopes_differ_when_none_is_meant_by_both(one: str, other: str, *, differs: bool) -> None:
    assert CarriesScope(one).differs(CarriesScope(other)) is differs
    assert CarriesScope(other).differs(CarriesScope(one)) is differs
    assert not CarriesScope(one).differs(JWTShape())


@given(st.text("ab", max_size=4), st.text("ab", max_size=4), st.booleans(), st.booleans())
def test_patterns_overlap_when_some_text_is_both(one: str, other: str, wide: bool, other_wide: bool) -> None:  # noqa: FBT001 - hypothesis gives them
    def is_one(text: str, pattern: str, *, wide: bool) -> bool:
        return text.startswith(pattern) if wide else text == pattern

    both = [text for text in (one, other) if is_one(text, one, wide=wide) and is_one(text, other, wide=other_wide)]
    assert overlap(one + "*" * wide, other + "*" * other_wide) is bool(both)


# What accepts may be


def test_selectors_are_asked_the_cheap_ones_first() -> None:
    given: list[Selector] = [CarriesScope("a"), OnHost("api.example.com"), TokenPrefix("pt_")]
    order = [one.reads for one in selectors_of(given, IssuedBy("https://a.example"))]
    assert order == [Reads.TEXT, Reads.REQUEST, Reads.CLAIMS, Reads.CLAIMS]


def test_one_selector_needs_no_list() -> None:
    assert selectors_of(Opaque()) == selectors_of([Opaque()]) == (Opaque(),)
    assert selectors_of(()) == ()


@pytest.mark.parametrize("accepts", ["pt_", ["pt_"], None, 7, Opaque, [Opaque], [None], [JWTShape(), "pt_"]], ids=str)
def test_what_is_no_selector_is_refused(accepts: Any) -> None:
    with pytest.raises(TypeError, match="accepts is a selector"):
        selectors_of(accepts)


@pytest.mark.parametrize(
    "accepts",
    [
        [Opaque(), JWTShape()],
        [OnHost("a.example"), OnHost("b.example")],
        [TokenPrefix("a"), TokenPrefix("b")],
        [Opaque(), CarriesScope("a")],
    ],
    ids=str,
)
def test_selectors_that_cannot_all_hold_are_refused(accepts: list[Selector]) -> None:
    with pytest.raises(ValueError, match="all of accepts must hold"):
        selectors_of(accepts)


def test_a_jwt_provider_cannot_take_opaque_tokens() -> None:
    with pytest.raises(ValueError, match="all of accepts must hold"):
        Issuer().provider(accepts=Opaque())
    with pytest.raises(ValueError, match="all of accepts must hold"):
        Issuer().provider(accepts=IssuedBy("https://other.example"))


def test_one_prefix_says_it_all() -> None:
    with pytest.raises(ValueError, match="one TokenPrefix"):
        selectors_of([TokenPrefix("pt_"), TokenPrefix("pt_x")])


@pytest.mark.parametrize("prefix", ["e", "ey", "eyJ", "eyJh", "eyJhbGciOiJFUzI1NiI"])
def test_a_jwt_is_not_known_by_its_own_beginning(prefix: str) -> None:
    for selectors in ([CarriesScope("a")], [IssuedBy("https://id.example.com"), JWTShape()]):
        with pytest.raises(ValueError, match=f"'{prefix}' is how a JWT itself begins"):
            selectors_of([TokenPrefix(prefix), *selectors])
    with pytest.raises(ValueError, match="how a JWT itself begins"):
        Issuer().provider(accepts=TokenPrefix(prefix))


@pytest.mark.parametrize("prefix", ["eyes_", "ex", "E", "yJ", "pt_eyJ", "EyJ"])
def test_other_beginnings_stand_before_a_jwt(prefix: str) -> None:
    provider = Issuer().provider(accepts=TokenPrefix(prefix))
    assert provider.accepts[0].matches(presented(f"{prefix}{JWT}"))


def test_where_nothing_is_taken_off_a_token_may_be_known_by_the_beginning_of_a_jwt() -> None:
    listed: list[list[Selector]] = [[TokenPrefix("eyJ")], [TokenPrefix("eyJ"), JWTShape()]]
    for selectors in listed:
        assert all(one.matches(presented(JWT)) for one in selectors_of(selectors))


def test_a_prefix_before_a_jwt_has_no_dot() -> None:
    with pytest.raises(ValueError, match="has no dot"):
        Issuer().provider(accepts=TokenPrefix("v4.public."))
    assert selectors_of(TokenPrefix("v4.public."))


def test_the_prefix_of_selectors_is_what_stands_before_the_jwt() -> None:
    assert prefix_of([JWTShape(), TokenPrefix("pt_")]) == b"pt_"
    assert prefix_of([JWTShape()]) == b""
