import base64
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import httpx2
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_rs.devserver import DevServer
from oauth_rs.devserver.authentication import ClientAuthentication
from oauth_rs.devserver.clients import Client
from oauth_rs.devserver.grants import Grants
from oauth_rs.devserver.ledger import Ledger
from oauth_rs.devserver.messages import FIELDS_LIMIT, Call
from oauth_rs.devserver.refresh_tokens import RefreshTokens
from oauth_rs.devserver.token_exchange import ACCESS_TOKEN, GRANT_TYPE
from tests.devserver.conftest import API, ASSERTION_TYPE, BASIC, Read, made_tokens, refused

GRANT = {"grant_type": "client_credentials"}
POSTED = {**GRANT, "client_id": "demo", "client_secret": "secret"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_client_secret_basic_gets_a_token(http: httpx2.Client, server: DevServer, read: Read) -> None:
    response = http.post("/token", data={**GRANT, "scope": "photos"}, auth=BASIC)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    claims = read(body.pop("access_token"), server.jwks())["claims"]
    assert body == {"expires_in": 600, "token_type": "Bearer", "scope": "photos"}
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("demo", "demo", "photos")
    assert (claims["iss"], claims["aud"]) == (server.issuer, "https://api.example.com")


def test_client_secret_post_gets_every_scope_when_none_is_asked_for(http: httpx2.Client) -> None:
    assert http.post("/token", data=POSTED).json()["scope"] == "albums photos"


def test_a_parameter_without_a_value_is_as_good_as_omitted(http: httpx2.Client) -> None:
    assert http.post("/token", data={**POSTED, "scope": "", "resource": ""}).json()["scope"] == "albums photos"


def test_a_client_without_scopes_gets_a_token_without_scope(http: httpx2.Client) -> None:
    body = http.post("/token", data={**POSTED, "client_id": "bare"}).json()
    assert "scope" not in body
    assert "scope" not in jwt.decode(body["access_token"], options={"verify_signature": False})


def test_basic_credentials_are_form_decoded(http: httpx2.Client) -> None:
    encoded = basic("odd%3Aid:s%25c%2Br%26t%3D")
    assert http.post("/token", data=GRANT, headers=encoded).status_code == 200


def test_unrecognised_parameters_are_ignored_even_with_names_oauthlib_uses(http: httpx2.Client) -> None:
    noise = {"client": "x", "scopes": "x", "expires_in": "x", "extra_credentials": "x", "state": "x", "a[]": "|"}
    assert http.post("/token", data={**POSTED, **noise}).status_code == 200


@pytest.mark.parametrize("name", ["resource", "audience"])
def test_a_known_resource_becomes_the_audience(http: httpx2.Client, name: str) -> None:
    token = http.post("/token", data={**POSTED, name: "https://other.example.com"}).json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == "https://other.example.com"


def test_several_resources_become_a_list_of_audiences(http: httpx2.Client) -> None:
    both = ["https://other.example.com", "https://api.example.com"]
    token = http.post("/token", data={**POSTED, "resource": both}).json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == both


@pytest.mark.parametrize("resource", ["https://evil.example", "https://api.example.com/", "x"])
def test_an_unknown_resource_is_an_invalid_target(http: httpx2.Client, resource: str) -> None:
    assert refused(http.post("/token", data={**POSTED, "resource": resource}), "invalid_target")


@pytest.mark.parametrize(
    "credentials", [("nobody", "secret"), ("demo", "wrong"), ("demo", ""), ("", ""), ("nobody", "\0")]
)
def test_wrong_credentials_are_an_invalid_client(http: httpx2.Client, credentials: tuple[str, str]) -> None:
    posted = {**GRANT, "client_id": credentials[0], "client_secret": credentials[1]}
    assert refused(http.post("/token", data=GRANT, auth=credentials), "invalid_client", 401)
    assert refused(http.post("/token", data=posted), "invalid_client", 401)


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !!!", "Basic /w==", "Basic ZGVtbw==", "Bearer x", b"Basic \xff\xfe", "Digest a=b"],
)
def test_unreadable_credentials_are_an_invalid_client(http: httpx2.Client, authorization: str | bytes) -> None:
    headers: dict[str, str | bytes] = {"Authorization": authorization}
    assert refused(http.post("/token", data=GRANT, headers=headers), "invalid_client", 401)  # type: ignore[arg-type]


def test_no_credentials_are_an_invalid_client(http: httpx2.Client) -> None:
    assert refused(http.post("/token", data=GRANT), "invalid_client", 401)


def test_two_authentication_methods_at_once_are_an_invalid_request(http: httpx2.Client) -> None:
    assert refused(http.post("/token", data=POSTED, auth=BASIC), "invalid_request")


def test_a_posted_client_id_must_be_the_one_that_authenticated(http: httpx2.Client) -> None:
    assert refused(http.post("/token", data={**GRANT, "client_id": "bare"}, auth=BASIC), "invalid_client", 401)
    assert http.post("/token", data={**GRANT, "client_id": "demo"}, auth=BASIC).status_code == 200


@pytest.mark.parametrize("scope", ["admin", "photos admin", "photos  albums", " ", 'photos"', "\N{SNOWMAN}"])
def test_a_scope_the_client_does_not_have_is_an_invalid_scope(http: httpx2.Client, scope: str) -> None:
    assert refused(http.post("/token", data={**POSTED, "scope": scope}), "invalid_scope")


@pytest.mark.parametrize(
    "grant", ["password", "authorization_code", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "x"]
)
def test_another_grant_is_unsupported(http: httpx2.Client, grant: str) -> None:
    assert refused(http.post("/token", data={**POSTED, "grant_type": grant}), "unsupported_grant_type")


@pytest.mark.parametrize("name", ["grant_type", "client_id", "client_secret", "scope"])
def test_a_repeated_parameter_is_an_invalid_request(http: httpx2.Client, name: str) -> None:
    repeated = {**POSTED, "scope": "photos", name: ["photos", "photos"]}
    assert refused(http.post("/token", data=repeated), "invalid_request")


@pytest.mark.parametrize(
    "body",
    [b"", b"%", b"=", b"&&&", b"\xff", b"grant_type=%ff", b"grant_type", b"{}", b"a=1&" * (FIELDS_LIMIT + 1), b"\0"],
)
def test_a_body_without_a_grant_type_is_an_invalid_request(http: httpx2.Client, body: bytes) -> None:
    assert refused(http.post("/token", content=body, headers=FORM), "invalid_request")


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_another_content_type_is_an_invalid_request(http: httpx2.Client, content_type: str) -> None:
    body = b"grant_type=client_credentials&client_id=demo&client_secret=secret"
    assert refused(http.post("/token", content=body, headers={"Content-Type": content_type}), "invalid_request")


@pytest.mark.parametrize("token_format", ["JWT", "Opaque", "reference", "jwt opaque", "\0"])
def test_another_token_format_is_an_invalid_request(http: httpx2.Client, token_format: str) -> None:
    assert refused(http.post("/token", data={**POSTED, "token_format": token_format}), "invalid_request")


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_secret": "wrong"},
        {"client_secret": ""},
        {"client_id": "signer", "client_secret": ""},
        {"client_id": "signer", "client_secret": "\0"},
    ],
)
def test_other_grants_ask_for_the_same_credentials(http: httpx2.Client, wrong: dict[str, str]) -> None:
    refresh = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "lasting", "client_secret": "secret"}
    assert refused(http.post("/token", data={**refresh, **wrong}), "invalid_client", 401)


def test_a_refresh_needs_its_token(http: httpx2.Client) -> None:
    data = {"grant_type": "refresh_token", "client_id": "lasting", "client_secret": "secret"}
    assert refused(http.post("/token", data=data), "invalid_request")


@pytest.mark.parametrize("token", ["x", "\0", "\N{SNOWMAN}", "a" * 5000])
def test_an_unknown_refresh_token_is_an_invalid_grant(http: httpx2.Client, token: str) -> None:
    assert refused(refresh(http, token), "invalid_grant")


def test_an_access_token_is_no_refresh_token(http: httpx2.Client, server: DevServer) -> None:
    for token in (server.token(client_id="lasting"), server.opaque_token(client_id="lasting")):
        assert refused(refresh(http, token), "invalid_grant")


def test_a_refresh_token_of_another_client_is_an_invalid_grant_and_stays_good() -> None:
    clients = [Client("mine", "secret", refresh=True), Client("other", "secret", refresh=True)]
    with DevServer.running(audience="urn:api", algorithm="ES256", clients=clients) as own:
        token = own.refresh_token(client_id="mine")
        with httpx2.Client(base_url=own.issuer, trust_env=False) as client:
            assert refused(refresh(client, token, client_id="other"), "invalid_grant")
            assert refresh(client, token, client_id="mine").status_code == 200


def test_a_client_without_refresh_may_not_use_the_grant(http: httpx2.Client) -> None:
    assert refused(refresh(http, "x", client_id="demo"), "unauthorized_client")


@pytest.mark.parametrize("scope", ["albums", "photos albums", "Photos", " ", "photos  photos"])
def test_a_refresh_does_not_widen_the_scope_and_is_not_used_up_by_trying(
    http: httpx2.Client, server: DevServer, scope: str
) -> None:
    token = server.refresh_token(client_id="lasting", scope="photos")
    assert refused(refresh(http, token, scope=scope), "invalid_scope")
    assert refresh(http, token).status_code == 200


@pytest.mark.parametrize("resource", ["https://other.example.com", "https://evil.example"])
def test_a_refresh_keeps_to_its_resources_and_is_not_used_up_by_trying(
    http: httpx2.Client, server: DevServer, resource: str
) -> None:
    token = server.refresh_token(client_id="lasting", audience=[API])
    assert refused(refresh(http, token, resource=resource), "invalid_target")
    assert refresh(http, token, resource=API).status_code == 200


def test_a_refresh_token_that_is_sent_twice_in_one_form_is_an_invalid_request(http: httpx2.Client) -> None:
    repeated = {"grant_type": "refresh_token", "refresh_token": ["x", "x"], "client_id": "lasting"}
    assert refused(http.post("/token", data=repeated), "invalid_request")


def test_a_refresh_gives_the_subject_a_token_and_the_client_the_next(
    http: httpx2.Client, server: DevServer, read: Read
) -> None:
    first = server.refresh_token(client_id="lasting", subject="ada", scope="photos albums")
    body = refresh(http, first, scope="photos").json()
    second = body.pop("refresh_token")
    claims = read(body.pop("access_token"), server.jwks())["claims"]
    assert body == {"expires_in": 600, "token_type": "Bearer", "scope": "photos"}
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("ada", "lasting", "photos")
    assert refresh(http, second).json()["scope"] == "photos albums"


def test_a_used_refresh_token_ends_its_family(http: httpx2.Client, server: DevServer) -> None:
    first = server.refresh_token(client_id="lasting")
    second = refresh(http, first).json()["refresh_token"]
    assert refused(refresh(http, first), "invalid_grant")
    assert refused(refresh(http, second), "invalid_grant")


def test_a_refresh_token_that_comes_many_times_at_once_is_good_once(server: DevServer) -> None:
    token = server.refresh_token(client_id="lasting")
    with ThreadPoolExecutor(16) as pool, httpx2.Client(base_url=server.issuer, trust_env=False) as client:
        replies = list(pool.map(lambda _: refresh(client, token), range(16)))
        assert sorted(reply.status_code for reply in replies) == [200, *[400] * 15]
        good = next(reply.json() for reply in replies if reply.status_code == 200)
        assert refused(refresh(client, good["refresh_token"]), "invalid_grant")


def test_a_refresh_token_that_another_request_uses_meanwhile_is_an_invalid_grant() -> None:
    meanwhile: list[Callable[[], bool]] = []

    def clock() -> float:
        for use in meanwhile:
            use()
        return time.time()

    refresh_tokens = RefreshTokens(made_tokens(time.time), clock=clock)
    family = refresh_tokens.begin(client_id="demo", subject="ada", scopes=("photos",))
    token = refresh_tokens.follow(family)
    meanwhile.append(lambda: refresh_tokens.use(token, family))
    form = {**POSTED, "grant_type": "refresh_token", "refresh_token": token}
    call = Call(body=urlencode(form).encode(), content_type=FORM["Content-Type"])
    reply = made_grants(refresh_tokens).respond(call)
    assert (reply.status, reply.body, family.ended) == (400, {"error": "invalid_grant"}, True)


def test_client_credentials_bring_a_refresh_token_to_those_who_are_given_them(http: httpx2.Client) -> None:
    body = http.post("/token", data={**GRANT, "scope": "photos"}, auth=("lasting", "secret")).json()
    assert refresh(http, body["refresh_token"]).json()["scope"] == "photos"
    assert "refresh_token" not in http.post("/token", data=POSTED).json()


@pytest.mark.parametrize("query", ["", urlencode(POSTED), urlencode({**POSTED, "client_secret": "wrong"})])
def test_a_get_asks_for_no_token_unless_that_is_switched_on(http: httpx2.Client, query: str) -> None:
    assert http.get(f"/token?{query}").status_code == 405


def test_a_get_asks_for_a_token_where_that_is_switched_on() -> None:
    clients = [Client("demo", "secret", scopes={"photos"})]
    with (
        DevServer.running(audience="urn:api", algorithm="ES256", clients=clients, token_by_get=True) as own,
        httpx2.Client(base_url=own.issuer, trust_env=False) as client,
    ):
        assert refused(client.get("/token"), "invalid_request")
        assert refused(client.get("/token", params={**POSTED, "client_secret": "wrong"}), "invalid_client", 401)
        assert refused(client.post("/token", params=POSTED), "invalid_request")
        assert client.get("/token", params=POSTED).json()["scope"] == "photos"
        assert client.get("/token", params=GRANT, auth=BASIC).json()["scope"] == "photos"


def refresh(http: httpx2.Client, token: str, *, client_id: str = "lasting", **more: str) -> httpx2.Response:
    data = {"grant_type": "refresh_token", "refresh_token": token, **more}
    return http.post("/token", data=data, auth=(client_id, "secret"))


def made_grants(refresh_tokens: RefreshTokens | None = None) -> Grants:
    issued = made_tokens(time.time)
    clients = {"demo": Client("demo", "secret", scopes={"photos"}, refresh=True)}
    return Grants(
        Ledger(None, mint=issued.mint),
        clients=clients,
        authentication=ClientAuthentication(clients, issuer=issued.mint.issuer, clock=time.time),
        issued=issued,
        refresh_tokens=refresh_tokens or RefreshTokens(issued, clock=time.time),
        audiences=["urn:api"],
    )


GRANTS = made_grants()
NAMES = st.sampled_from(
    [
        *("grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type"),
        *("scope", "resource", "audience", "token_type", "token_format", "refresh_token"),
        *("subject_token", "subject_token_type", "actor_token", "requested_token_type", "client", "user", "x"),
    ]
)
VALUES = st.sampled_from(
    [
        *("client_credentials", "refresh_token", "demo", "secret", "photos", "urn:api", "mac", "opaque", ""),
        *(GRANT_TYPE, ACCESS_TOKEN, ASSERTION_TYPE),
    ]
)
HEADERS = st.binary().map(lambda data: "Basic " + base64.b64encode(data).decode())


def test_grants_know_what_they_offer() -> None:
    assert GRANTS.grant_types == ["client_credentials", "refresh_token", GRANT_TYPE]
    assert GRANTS.scopes == ["photos"]


@given(
    body=st.binary() | st.lists(st.tuples(NAMES, VALUES | st.text())).map(lambda fields: urlencode(fields).encode()),
    authorization=st.none() | st.just("Basic ZGVtbzpzZWNyZXQ=") | HEADERS | st.text(st.characters(max_codepoint=255)),
    method=st.sampled_from(["GET", "POST"]),
)
def test_nothing_sent_to_the_token_endpoint_raises(body: bytes, authorization: str | None, method: str) -> None:
    content_type = FORM["Content-Type"]
    call = Call(method=method, body=body, query=body, content_type=content_type, authorization=authorization)
    reply = GRANTS.respond(call)
    assert reply.status in {200, 400, 401}
    assert ("access_token" in reply.body) is (reply.status == 200)
