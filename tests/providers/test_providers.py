from oauth_rs.providers import unknown_issuer


def test_the_issuer_is_not_named_when_it_is_unknown() -> None:
    assert (unknown_issuer().reason, unknown_issuer().status) == ("unknown_issuer", 401)
