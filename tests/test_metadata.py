import json
from typing import Any

import pytest

from oauth_rs.errors import Unavailable
from oauth_rs.flow import Fetch, Reply
from oauth_rs.metadata import IssuerMetadata, discover, endpoint_for_secrets, metadata_urls
from tests.support.playing import play

ISSUER = "https://id.example.com/tenant"
KEYS = "https://id.example.com/keys"
DOCUMENT = {"issuer": ISSUER, "jwks_uri": KEYS}
URLS = metadata_urls(ISSUER)
NOT_FOUND = Reply(404, b"not here")


def fetch(url: str) -> Fetch:
    return Fetch("GET", url, (("Accept", "application/json"),), shared=1.5)


def reply(document: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(document).encode(), "application/json")


def located(document: dict[str, Any]) -> str:
    return play(IssuerMetadata(ISSUER).endpoint("jwks_uri", shared=1.5), (fetch(URLS[0]), reply(document)))


def discovered(*replies: Reply | Unavailable) -> Any:
    script = [(fetch(url), answer) for url, answer in zip(URLS, replies, strict=False)]
    return play(discover(ISSUER, "jwks_uri", shared=1.5), *script)


@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        (
            "https://id.example.com",
            (
                "https://id.example.com/.well-known/oauth-authorization-server",
                "https://id.example.com/.well-known/openid-configuration",
            ),
        ),
        (
            "https://id.example.com/",
            (
                "https://id.example.com/.well-known/oauth-authorization-server",
                "https://id.example.com/.well-known/openid-configuration",
            ),
        ),
        (
            "https://id.example.com:8443/a/b",
            (
                "https://id.example.com:8443/.well-known/oauth-authorization-server/a/b",
                "https://id.example.com:8443/.well-known/openid-configuration/a/b",
                "https://id.example.com:8443/a/b/.well-known/openid-configuration",
            ),
        ),
    ],
    ids=["bare", "slash", "path"],
)
def test_metadata_is_asked_for_in_the_order_of_the_standards(issuer: str, urls: tuple[str, ...]) -> None:
    assert metadata_urls(issuer) == urls


def test_the_first_place_that_answers_is_believed() -> None:
    assert discovered(reply(DOCUMENT)) == KEYS


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 308, 400, 401, 403, 404, 405, 410, 499])
def test_a_place_that_has_no_metadata_leads_to_the_next(status: int) -> None:
    assert discovered(Reply(status, b""), Reply(status, json.dumps(DOCUMENT).encode()), reply(DOCUMENT)) == KEYS


@pytest.mark.parametrize("reason", ["redirected", "reply_too_large"])
def test_a_redirect_or_a_long_page_leads_to_the_next(reason: str) -> None:
    assert discovered(Unavailable(reason, "x"), Unavailable(reason, "x"), reply(DOCUMENT)) == KEYS


@pytest.mark.parametrize("reason", ["redirected", "reply_too_large"])
def test_no_place_has_metadata_where_they_redirect_or_have_long_pages(reason: str) -> None:
    # Not that reason: those who ask take a long answer for one about what they ask.
    with pytest.raises(Unavailable, match="discovery_failed"):
        discovered(NOT_FOUND, Unavailable(reason, "x"), NOT_FOUND)


@pytest.mark.parametrize(
    "body",
    [b"<html>Welcome</html>", b"", b"[]", b"null", b"{", b'{"issuer":1,"issuer":2}', b"\xff", b"[" * 100_000],
    ids=lambda body: repr(body[:20]),
)
def test_a_page_that_is_no_json_object_leads_to_the_next(body: bytes) -> None:
    assert discovered(Reply(200, body), reply(DOCUMENT)) == KEYS


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_a_server_that_fails_or_is_busy_ends_the_search(status: int) -> None:
    with pytest.raises(Unavailable, match="discovery_failed"):
        discovered(reply(DOCUMENT, status))


def test_an_issuer_without_metadata_cannot_be_reached() -> None:
    with pytest.raises(Unavailable, match="discovery_failed") as caught:
        discovered(NOT_FOUND, NOT_FOUND, NOT_FOUND)
    assert caught.value.cause == "no metadata document has it"


@pytest.mark.parametrize(
    "claimed",
    [
        *(None, 1, True, [ISSUER], {"issuer": ISSUER}, "", ISSUER + "/", ISSUER.upper(), ISSUER + " "),
        *(
            "https://id.example.com",
            "https://evil.example",
            "http://id.example.com/tenant",
            "https://id.example.com/tenan",
        ),
    ],
    ids=repr,
)
def test_metadata_of_another_issuer_is_never_believed(claimed: Any) -> None:
    with pytest.raises(Unavailable, match="issuer_mismatch"):
        discovered(reply({**DOCUMENT, "issuer": claimed}))


def test_metadata_that_names_no_issuer_is_never_believed() -> None:
    with pytest.raises(Unavailable, match="issuer_mismatch"):
        discovered(NOT_FOUND, reply({"jwks_uri": DOCUMENT["jwks_uri"]}))


@pytest.mark.parametrize("reason", ["fetch_failed", "fetch_timeout"])
def test_a_fetch_that_fails_ends_the_search_with_its_own_reason(reason: str) -> None:
    failure = Unavailable(reason, "The issuer of the access token could not be reached.", retry_after=7)
    with pytest.raises(Unavailable) as raised:
        discovered(NOT_FOUND, failure)
    assert raised.value is failure


@pytest.mark.parametrize("url", ["https://id.example.com/keys", "https://keys.example/"])
def test_keys_are_where_the_document_says(url: str) -> None:
    assert located({**DOCUMENT, "jwks_uri": url}) == url


@pytest.mark.parametrize(
    "url",
    [
        *(
            1,
            True,
            [],
            ["https://id.example.com/keys"],
            {},
            "",
            "/keys",
            "id.example.com/keys",
            "https://",
            "https://[",
        ),
        *(
            "http://id.example.com/keys",
            "file:///etc/passwd",
            "data:,{}",
            "ftp://id.example.com/",
            "http://169.254.169.254/",
        ),
    ],
    ids=repr,
)
def test_keys_are_fetched_over_https_only(url: Any) -> None:
    with pytest.raises(Unavailable, match="discovery_failed"):
        located({**DOCUMENT, "jwks_uri": url})


def test_an_issuer_elsewhere_has_no_keys_on_this_machine() -> None:
    with pytest.raises(Unavailable, match="discovery_failed"):
        located({**DOCUMENT, "jwks_uri": "http://127.0.0.1:9000/keys"})


def test_an_issuer_on_this_machine_has() -> None:
    issuer, keys = "http://127.0.0.1:9000", "http://localhost:9001/keys"
    script = (fetch(metadata_urls(issuer)[0]), reply({"issuer": issuer, "jwks_uri": keys}))
    assert play(IssuerMetadata(issuer).endpoint("jwks_uri", shared=1.5), script) == keys


@pytest.mark.parametrize("lacking", [{"issuer": ISSUER}, {"issuer": ISSUER, "jwks_uri": None}], ids=["absent", "null"])
def test_a_document_without_what_is_wanted_leads_to_the_next(lacking: dict[str, Any]) -> None:
    assert discovered(reply(lacking), reply(DOCUMENT)) == KEYS
    assert discovered(reply(lacking), NOT_FOUND, reply(DOCUMENT)) == KEYS


def test_what_no_document_has_is_not_found() -> None:
    with pytest.raises(Unavailable, match="discovery_failed"):
        discovered(reply({"issuer": ISSUER}), NOT_FOUND, reply({"issuer": ISSUER}))


def test_a_later_document_of_another_issuer_is_not_believed_either() -> None:
    with pytest.raises(Unavailable, match="issuer_mismatch"):
        discovered(reply({"issuer": ISSUER}), reply({**DOCUMENT, "issuer": "https://evil.example"}))


def test_an_outage_of_a_later_place_ends_the_search() -> None:
    with pytest.raises(Unavailable, match="discovery_failed"):
        discovered(reply({"issuer": ISSUER}), reply(DOCUMENT, 503))


# Endpoints that are shown tokens or secrets

ENDPOINT, ALIAS = "https://id.example.com/token", "https://mtls.example.com/token"


def for_secrets(said: dict[str, Any], *, with_certificate: bool = False) -> str:
    flow = endpoint_for_secrets(ISSUER, "token_endpoint", with_certificate=with_certificate, shared=1.5)
    return play(flow, (fetch(URLS[0]), reply({**DOCUMENT, "token_endpoint": ENDPOINT, **said})))


@pytest.mark.parametrize(
    ("aliases", "url"),
    [({"token_endpoint": ALIAS}, ALIAS), ({}, ENDPOINT), (ALIAS, ENDPOINT), (None, ENDPOINT)],
    ids=str,
)
def test_the_alias_is_for_clients_with_a_certificate(aliases: Any, url: str) -> None:
    said = {"mtls_endpoint_aliases": aliases}
    assert (for_secrets(said, with_certificate=True), for_secrets(said)) == (url, ENDPOINT)


@pytest.mark.parametrize(
    "url",
    ["http://id.example.com/", "http://127.0.0.1/", "https://me:pw@id.example.com/", "https://id.example.com/#x"],
    ids=str,
)
def test_nothing_secret_is_sent_to_a_place_that_is_not_for_it(url: str) -> None:
    with pytest.raises(Unavailable, match="discovery_failed"):
        for_secrets({"token_endpoint": url})
    with pytest.raises(Unavailable, match="discovery_failed"):
        for_secrets({"mtls_endpoint_aliases": {"token_endpoint": url}}, with_certificate=True)


@pytest.mark.parametrize(
    "second", [{"token_endpoint": ALIAS}, {"mtls_endpoint_aliases": {"token_endpoint": ALIAS}}], ids=["plain", "alias"]
)
def test_an_endpoint_may_stand_in_another_document_alone(second: dict[str, Any]) -> None:
    flow = endpoint_for_secrets(ISSUER, "token_endpoint", with_certificate=True, shared=1.5)
    script = (fetch(URLS[0]), reply(DOCUMENT)), (fetch(URLS[1]), reply({**DOCUMENT, **second}))
    assert play(flow, *script) == ALIAS


@pytest.mark.parametrize("issuer", ["https://a:s3cret@id.example.com", f"{ISSUER}?key=s3cret", f"{ISSUER}#s3cret"])
def test_an_issuer_holds_nothing_that_may_be_secret(issuer: str) -> None:
    with pytest.raises(ValueError, match="has no name, password, query or fragment") as caught:
        IssuerMetadata(issuer)
    assert "s3cret" not in str(caught.value)
    assert IssuerMetadata(f"{ISSUER}/@tenant").issuer == f"{ISSUER}/@tenant"
