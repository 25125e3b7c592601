from collections.abc import Callable
from typing import Any

import pytest

from oauth_rs import HTTPSettings, IssuerMetadata, RemoteKeys
from oauth_rs.errors import InvalidRequest
from oauth_rs.outbound.auth import checked_origin
from oauth_rs.urls import DirectURL, ExternalURL, FixedURL, ForwardedURL, secure, shown
from tests.support.playing import PlainRequest

PROXY, STRANGER = "10.1.2.3", "192.0.2.1"
BAD_HOSTS = [
    *("", " ", "a b", "api.example.com/", "api.example.com/x", "api.example.com?x", "api.example.com#x"),
    *("user@api.example.com", "api.example.com\\x", "api.example.com:", "api.example.com:x", "api.example.com:123456"),
    *(
        "api.example.com,evil.example",
        "[::1",
        "::1]",
        "[::g]",
        "api.example.com\n",
        "api.example.com\x00",
        "\u00e9.com",
    ),
    *("api.example.com:0", "api.example.com:080", "api.example.com:65536", "api.example.com:99999", "[::1]:0"),
    *("api.example.com:80:80", "<script>", "a%2fb", "api.example.com;x", "a" * 256, f"[{':' * 46}]"),
]


def request(host: str = "api.example.com", *headers: tuple[str, str], **more: Any) -> PlainRequest:
    return PlainRequest(path="/photos/1", headers=[("Host", host), *headers], **more)


def forwarded(host: str = "", proto: str = "") -> list[tuple[str, str]]:
    return [("X-Forwarded-Host", host), ("X-Forwarded-Proto", proto)]


@pytest.mark.parametrize("base", ["https://api.example.com/v1", "https://api.example.com/v1/"])
def test_a_fixed_url_is_what_was_configured_and_the_raw_path(base: str) -> None:
    asked = PlainRequest(path="/a b", raw_path=b"/a%20b", headers=[("Host", "evil.example")], query=b"x=1")
    assert FixedURL(base).of(asked) == "https://api.example.com/v1/a%20b"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("HTTPS://API.Example.com/V1", "https://api.example.com/V1/photos/1"),
        ("https://api.example.com:443", "https://api.example.com/photos/1"),
        ("https://api.example.com:", "https://api.example.com/photos/1"),
        ("https://api.example.com:80/", "https://api.example.com:80/photos/1"),
        ("http://api.example.com:80", "http://api.example.com/photos/1"),
        ("http://api.example.com:65535//v1//", "http://api.example.com:65535//v1/photos/1"),
        ("http://[2001:DB8::1]:8080/a%2Fb", "http://[2001:db8::1]:8080/a%2Fb/photos/1"),
    ],
)
def test_a_fixed_url_is_written_as_clients_sign_it(base: str, url: str) -> None:
    assert FixedURL(base).of(request("evil.example")) == url


@pytest.mark.parametrize(
    "base", ["https://\u00e9.example", "https://api.example.com/caf\u00e9", "https://\uff41.example"]
)
def test_a_fixed_url_is_ascii(base: str) -> None:
    with pytest.raises(ValueError, match="as it goes over the wire"):
        FixedURL(base)


@pytest.mark.parametrize(
    "base",
    [
        *("", "/v1", "api.example.com", "//api.example.com", "https://", "https:///v1", "ftp://api.example.com"),
        *("https://api.example.com?x=1", "https://api.example.com#x", "https://[", "https://user@api.example.com"),
        *("https://api.example.com:0", "https://api.example.com:99999", "https://api.example.com:x", "https://a b"),
    ],
)
def test_a_fixed_url_is_absolute_and_bare(base: str) -> None:
    with pytest.raises(ValueError, match=r"FixedURL takes an absolute URL|Invalid IPv6"):
        FixedURL(base)


@pytest.mark.parametrize("base", [None, b"https://api.example.com", 5])
def test_a_fixed_url_is_text(base: Any) -> None:
    with pytest.raises(TypeError, match="FixedURL takes a URL"):
        FixedURL(base)


@pytest.mark.parametrize(
    ("scheme", "host", "url"),
    [
        ("https", "api.example.com", "https://api.example.com/photos/1"),
        ("https", "API.Example.COM", "https://api.example.com/photos/1"),
        ("https", "api.example.com:443", "https://api.example.com/photos/1"),
        ("https", "api.example.com:80", "https://api.example.com:80/photos/1"),
        ("http", "api.example.com:80", "http://api.example.com/photos/1"),
        ("http", "api.example.com:8080", "http://api.example.com:8080/photos/1"),
        ("wss", "api.example.com:443", "wss://api.example.com/photos/1"),
        ("ws", "api.example.com", "ws://api.example.com/photos/1"),
        ("https", "[2001:DB8::1]:443", "https://[2001:db8::1]/photos/1"),
        ("http", "127.0.0.1:9000", "http://127.0.0.1:9000/photos/1"),
    ],
)
def test_a_direct_url_is_scheme_host_and_raw_path(scheme: str, host: str, url: str) -> None:
    assert DirectURL().of(request(host, url_scheme=scheme)) == url


def test_the_path_is_as_sent_and_never_empty() -> None:
    assert DirectURL().of(request(raw_path=b"/%2e%2e/a%2Fb/\xff")) == "https://api.example.com/%2e%2e/a%2Fb/\xff"
    assert DirectURL().of(request(raw_path=b"")) == "https://api.example.com/"


@pytest.mark.parametrize("host", BAD_HOSTS)
@pytest.mark.parametrize("url", [DirectURL(), ForwardedURL(proxies=[PROXY])], ids=["direct", "forwarded"])
def test_a_malformed_host_is_refused(url: DirectURL | ForwardedURL, host: str) -> None:
    with pytest.raises(InvalidRequest, match="bad_host"):
        url.of(request(host))


@pytest.mark.parametrize("hosts", [[], ["api.example.com", "evil.example"], ["api.example.com", "api.example.com"]])
def test_one_host_header_is_demanded(hosts: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="bad_host"):
        DirectURL().of(PlainRequest(headers=[("Host", host) for host in hosts]))


@pytest.mark.parametrize("scheme", ["", "ftp", "HTTPS", "javascript", "https:"])
def test_a_scheme_that_is_not_http_is_refused(scheme: str) -> None:
    with pytest.raises(InvalidRequest, match="bad_host"):
        DirectURL().of(request(url_scheme=scheme))


@pytest.mark.parametrize("host", ["evil.example", "api.example.com.evil.example", "xapi.example.com", "example.com"])
def test_only_listed_hosts_are_served(host: str) -> None:
    for url in (DirectURL(hosts=["API.example.com"]), ForwardedURL(proxies=[PROXY], hosts=["API.example.com"])):
        assert url.of(request("api.example.com:443")) == "https://api.example.com/photos/1"
        with pytest.raises(InvalidRequest, match="host_not_allowed"):
            url.of(request(host))


def test_a_port_is_part_of_a_listed_host() -> None:
    url = DirectURL(hosts=["api.example.com:8443"])
    assert url.of(request("api.example.com:8443"))
    with pytest.raises(InvalidRequest, match="host_not_allowed"):
        url.of(request("api.example.com"))


NAMED: list[ExternalURL] = [
    FixedURL("https://api.example.com"),
    DirectURL(hosts=["api.example.com"]),
    DirectURL(hosts=iter(["api.example.com", "b.example"])),
    ForwardedURL(proxies=[PROXY], hosts=["api.example.com"]),
]


@pytest.mark.parametrize("url", NAMED, ids=repr)
@pytest.mark.parametrize("host", ["evil.example", "api.example.com.evil.example", "api.example.com:8443", *BAD_HOSTS])
def test_where_hosts_are_named_a_caller_cannot_choose_another(url: ExternalURL, host: str) -> None:
    assert url.names_hosts
    for asked in (request(host), request(host, *forwarded(host), peer=PROXY)):
        try:
            assert url.of(asked) == "https://api.example.com/photos/1"
        except InvalidRequest as error:
            assert error.reason in {"bad_host", "host_not_allowed"}  # noqa: PT017 - one of two ways to be safe


@pytest.mark.parametrize(
    "url",
    [
        DirectURL(),
        DirectURL(hosts=[]),
        DirectURL(hosts=iter(())),
        ForwardedURL(proxies=[PROXY]),
        ForwardedURL(proxies=[], hosts=()),
    ],
    ids=repr,
)
def test_a_url_that_takes_any_host_says_so(url: ExternalURL) -> None:
    assert not url.names_hosts
    assert url.of(request("evil.example")) == "https://evil.example/photos/1"


@pytest.mark.parametrize("peer", [PROXY, "10.255.0.1", "::ffff:10.1.2.3", "2001:db8::7"])
def test_a_named_proxy_says_scheme_and_host(peer: str) -> None:
    url = ForwardedURL(proxies=["10.0.0.0/8", "2001:db8::/32"])
    asked = request("inner:8000", *forwarded("api.example.com", "https"), url_scheme="http", peer=peer)
    assert url.of(asked) == "https://api.example.com/photos/1"


@pytest.mark.parametrize("peer", [STRANGER, "11.1.2.3", "2001:db9::1", "::ffff:192.0.2.1", "", "unix:", "10.1.2", "x"])
def test_nobody_else_says_scheme_or_host(peer: str) -> None:
    url = ForwardedURL(proxies=["10.0.0.0/8", "2001:db8::/32"])
    asked = request("api.example.com", *forwarded("evil.example", "http"), peer=peer)
    assert url.of(asked) == "https://api.example.com/photos/1"


@pytest.mark.parametrize(
    ("host", "proto", "url"),
    [
        ("evil.example, api.example.com", "http, https", "https://api.example.com/photos/1"),
        ("evil.example,api.example.com", "http,https", "https://api.example.com/photos/1"),
        (",api.example.com", ",https", "https://api.example.com/photos/1"),
        ("", "", "http://inner/photos/1"),
        ("evil.example,", "https,", "http://inner/photos/1"),
        ("api.example.com:443", "https", "https://api.example.com/photos/1"),
    ],
)
def test_the_value_the_nearest_proxy_wrote_counts(host: str, proto: str, url: str) -> None:
    asked = request("inner", *forwarded(host, proto), url_scheme="http", peer=PROXY)
    assert ForwardedURL(proxies=[PROXY]).of(asked) == url


def test_the_last_of_repeated_forwarded_headers_counts() -> None:
    asked = request("inner", *forwarded("evil.example", "http"), *forwarded("api.example.com", "https"), peer=PROXY)
    assert ForwardedURL(proxies=[PROXY]).of(asked) == "https://api.example.com/photos/1"


def test_a_proxy_that_says_nothing_is_taken_as_direct() -> None:
    assert ForwardedURL(proxies=[PROXY]).of(request(peer=PROXY)) == "https://api.example.com/photos/1"


@pytest.mark.parametrize("host", [host for host in BAD_HOSTS if "," not in host and host.strip() == host != ""])
def test_a_malformed_forwarded_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest, match="bad_host"):
        ForwardedURL(proxies=[PROXY]).of(request("inner", *forwarded(host, "https"), peer=PROXY))


@pytest.mark.parametrize("proto", ["ftp", "javascript", "https://evil.example/", "https x"])
def test_a_malformed_forwarded_scheme_is_refused(proto: str) -> None:
    with pytest.raises(InvalidRequest, match="bad_host"):
        ForwardedURL(proxies=[PROXY]).of(request("inner", *forwarded("api.example.com", proto), peer=PROXY))


def test_a_forwarded_host_is_held_to_the_list_too() -> None:
    url = ForwardedURL(proxies=[PROXY], hosts=["api.example.com"])
    with pytest.raises(InvalidRequest, match="host_not_allowed"):
        url.of(request("api.example.com", *forwarded("evil.example", "https"), peer=PROXY))


@pytest.mark.parametrize(
    "options",
    [
        {"proxies": ["not an address"]},
        {"proxies": ["10.0.0.1/8"]},
        {"proxies": ["10.0.0.0/33"]},
    ],
)
def test_proxies_are_a_list_of_addresses_and_networks(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"does not appear to be|has host bits set"):
        ForwardedURL(**options)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://id.example.com",
            "https://id.example.com:8443/keys?a=b",
            "https://[2001:db8::1]/",
            "https://localhost",
        ),
        *("http://localhost:9000/keys", "http://127.0.0.1/", "http://[::1]:80/", "http://LOCALHOST/"),
    ],
)
def test_keys_may_come_over_https_or_from_this_machine(url: str) -> None:
    assert secure(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://id.example.com/keys", "http://127.0.0.2/", "http://10.0.0.1/", "http://0.0.0.0/", "http://[::]/"),
        *("http://localhost.evil.example/", "http://localhost@evil.example/", "http://127.0.0.1:80@evil.example/"),
        *("http://127.0.0.1\\@evil.example/", "http://evil.example#localhost", "http://evil.example/?localhost"),
        *("file:///etc/passwd", "data:application/json,{}", "ftp://localhost/", "gopher://localhost/", "javascript:1"),
        *("", "localhost", "//localhost/", "https:", "https://", "https:///keys", "https:id.example.com", "://x"),
        *("https://[", "https://[::1", "https://id.example.com:x/", "https://id.example.com:99999/", "https://]/"),
    ],
)
def test_keys_come_from_nowhere_else(url: str) -> None:
    assert not secure(url)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ForwardedURL(proxies="10.0.0.0/8"),
        lambda: ForwardedURL(proxies=[], hosts="api.example.com"),
        lambda: DirectURL(hosts="api.example.com"),
    ],
)
def test_one_string_is_no_list(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="is a list, as"):
        make()


@pytest.mark.parametrize("target", [b".evil.example/x", b"evil", b"*", b"http://evil.example/"])
@pytest.mark.parametrize("policy", [FixedURL("https://api.example.com"), DirectURL(hosts=["api.example.com"])])
def test_a_target_without_its_slash_does_not_become_part_of_the_host(policy: ExternalURL, target: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        policy.of(PlainRequest(raw_path=target, headers=[("Host", "api.example.com")]))
    assert caught.value.reason == "bad_target"


@pytest.mark.parametrize("host", ["https://api.example.com", "api.example.com/", "", "api.example.com:x", "*"])
@pytest.mark.parametrize("make", [DirectURL, lambda hosts: ForwardedURL(proxies=["10.0.0.0/8"], hosts=hosts)])
def test_a_host_that_no_request_can_have_is_refused_at_once(make: Callable[..., ExternalURL], host: str) -> None:
    with pytest.raises(ValueError, match="is no Host: write"):
        make(hosts=[host])


@pytest.mark.parametrize("sent", ["api.example.com", "api.example.com:443", "API.example.com"])
@pytest.mark.parametrize("configured", ["api.example.com", "api.example.com:443"])
def test_a_default_port_may_be_written_or_left_out(configured: str, sent: str) -> None:
    assert DirectURL(hosts=[configured]).of(request(sent)) == "https://api.example.com/photos/1"


def test_a_port_that_is_not_the_default_one_is_another_host() -> None:
    with pytest.raises(InvalidRequest):
        DirectURL(hosts=["api.example.com:443"]).of(request("api.example.com:80"))


@pytest.mark.parametrize(
    ("url", "served"),
    [
        (FixedURL("https://api.example.com/v1"), {"api.example.com"}),
        (FixedURL("https://API.example.com:8443"), {"api.example.com:8443"}),
        (DirectURL(), {"api.example.com", "api.example.com:8443", "other.example"}),
        (DirectURL(hosts=["Api.example.com", "other.example:443"]), {"api.example.com", "other.example"}),
        (ForwardedURL(proxies=["10.0.0.0/8"], hosts=["api.example.com"]), {"api.example.com"}),
    ],
    ids=repr,
)
def test_a_policy_for_urls_tells_which_hosts_it_serves(
    url: FixedURL | DirectURL | ForwardedURL, served: set[str]
) -> None:
    asked = {"api.example.com", "api.example.com:8443", "other.example"}
    assert {host for host in asked if url.serves(host)} == served


# In the log


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://id.example.com/introspect", "https://id.example.com/introspect"),
        ("https://id.example.com:8443/a?token=t0ken#t0ken", "https://id.example.com:8443/a"),
        ("https://me:t0ken@id.example.com/", "https://id.example.com/"),
        ("https://a@t0ken@id.example.com/", "https://id.example.com/"),
        ("https://[::1]:8443/", "https://[::1]:8443/"),
        ("https://[oops", "a URL that is not plain"),
        ("https://id.example.com/\x1b[2J", "a URL that is not plain"),
        ("https://\u00e9.example.com/", "a URL that is not plain"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, text: str) -> None:
    assert shown(url) == text


def test_a_long_url_is_cut() -> None:
    assert shown(f"https://id.example.com/{'a' * 5000}") == f"https://id.example.com/{'a' * 277}"


@pytest.mark.parametrize("url", ["", "id.example.com/jwks", "/jwks", "data:,{}", "http://id.example.com"])
def test_what_is_no_url_of_ours_is_shown_as_it_is(url: str) -> None:
    assert shown(url) == url


@pytest.mark.parametrize(
    "make",
    [RemoteKeys, IssuerMetadata, lambda url: checked_origin(url, plain_http=False)],
    ids=["keys", "issuer", "to"],
)
def test_no_error_shows_what_a_url_may_hold(make: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match=r"id\.example\.com/a") as caught:
        make("http://id.example.com/a?key=s3cret")
    assert "s3cret" not in str(caught.value)


def test_settings_do_not_show_the_password_of_a_proxy() -> None:
    assert "s3cret" not in repr(HTTPSettings(proxy="http://app:s3cret@proxy.example:3128"))
