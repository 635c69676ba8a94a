"""OpenID Connect, end to end: keystoneauth's plugins, a browser, and tokens that must not work."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from keystoneauth1 import session as sessions
from keystoneauth1.exceptions import HttpError
from keystoneauth1.identity import v3

from pileus.services.identity.federation import openid
from pileus.services.identity.types.sign_on import OpenId
from tests.federation.conftest import DASHBOARD, RULES, Cloud
from tests.support.openid_provider import PASSWORD, OpenIdProvider, openid_provider

AUTH = "/OS-FEDERATION/identity_providers/acme/protocols/openid/auth"
WEBSSO = "/auth/OS-FEDERATION/websso/openid"


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    with openid_provider() as found:
        yield found


@pytest.fixture
def acme(cloud: Cloud, provider: OpenIdProvider) -> Iterator[Cloud]:
    settings = OpenId(issuer=provider.issuer, client_id="cloud", audiences=("cli",))
    cloud.believe("acme", "openid", RULES, settings, "cloud-secret", remote_ids=[provider.issuer])
    yield cloud
    cloud.make("DELETE", "/OS-FEDERATION/identity_providers/acme")
    cloud.make("DELETE", "/OS-FEDERATION/mappings/acme")


def plugin(cloud: Cloud, provider: OpenIdProvider, kind: Any, **more: Any) -> Any:
    discovery = f"{provider.issuer}/.well-known/openid-configuration"
    client = {} if kind is v3.OidcAccessToken else {"client_id": "cli", "client_secret": "cli-secret"}
    return kind(
        auth_url=f"{cloud.url}/identity/v3",
        identity_provider="acme",
        protocol="openid",
        **client,
        **({"discovery_endpoint": discovery} if client else {}),
        **more,
    )


def test_a_user_with_a_password_at_the_provider(acme: Cloud, provider: OpenIdProvider) -> None:
    group_id, project_id = acme.group_with_project("eng", "lab of eng")
    auth = plugin(acme, provider, v3.OidcPassword, username="dana", password=PASSWORD, project_id=project_id)
    access = auth.get_access(sessions.Session())
    assert access.username == "dana"
    assert access.project_name == "lab of eng"
    assert set(access.role_names) == {"member", "reader"}
    found = acme.ask("GET", "/auth/tokens", headers={"X-Subject-Token": access.auth_token}).json()["token"]
    assert found["methods"] == ["token", "openid"]
    assert found["user"]["OS-FEDERATION"] == {
        "identity_provider": {"id": "acme"},
        "protocol": {"id": "openid"},
        "groups": [{"id": group_id}],
    }
    user = acme.make("GET", f"/users/{access.user_id}")["user"]
    assert user["email"] == "dana@acme.example"
    assert user["federated"] == [{"idp_id": "acme", "protocols": [{"protocol_id": "openid", "unique_id": "dana"}]}]
    assert acme.make("GET", "/users?idp_id=acme&unique_id=dana")["users"][0]["id"] == access.user_id
    assert acme.make("GET", "/users?idp_id=other")["users"] == []


def test_a_program_with_a_token_of_the_provider(acme: Cloud, provider: OpenIdProvider) -> None:
    ids = set()
    for kind, more in (
        (v3.OidcClientCredentials, {}),
        (v3.OidcAccessToken, {"access_token": provider.signed("cloud")}),
        (v3.OidcClientCredentials, {"access_token_type": "id_token"}),
    ):
        ids.add(plugin(acme, provider, kind, **more).get_access(sessions.Session()).user_id)
    assert len(ids) == 1, "one person is one user, however they come"


def test_a_token_that_only_the_provider_can_read(acme: Cloud, provider: OpenIdProvider) -> None:
    provider.gives_opaque = True
    access = plugin(acme, provider, v3.OidcClientCredentials).get_access(sessions.Session())
    assert access.username == "dana"
    provider.opaque.clear()
    assert bearer(acme, "0123456789abcdef").status_code == 401


def bearer(cloud: Cloud, token: str) -> httpx.Response:
    return httpx.post(cloud.v3 + AUTH, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def test_tokens_that_must_not_work(acme: Cloud, provider: OpenIdProvider) -> None:
    good = provider.signed("cloud")
    assert bearer(acme, good).status_code == 201
    head, body, _ = good.split(".")
    none = jwt.encode(jwt.decode(good, options={"verify_signature": False}), None, "none")
    wrong = {
        "no token": "x.y.z",
        "no signature": f"{head}.{body}.",
        "unsigned": none,
        "for another service": provider.signed("shop"),
        "of another issuer": provider.signed("cloud", iss="https://elsewhere"),
        "ended": provider.signed("cloud", exp=1),
        "of another type": jwt.encode({}, provider.key, "RS256", {"typ": "logout+jwt", "kid": "k1"}),
        "with an unknown key": jwt.encode({}, provider.key, "RS256", {"kid": "other"}),
        "of nobody": jwt.encode(
            {"iss": provider.issuer, "exp": 1 << 40, "aud": "cloud"}, provider.key, "RS256", {"kid": "k1"}
        ),
        "too long": "a." + "b" * 40_000 + ".c",
    }
    for what, token in wrong.items():
        assert bearer(acme, token).status_code == 401, what
    assert provider.key_requests == 1, "unknown keys do not make everybody ask"


def test_a_secret_is_no_key(acme: Cloud, provider: OpenIdProvider) -> None:
    """The public key as the secret of a symmetric signature, which everybody could make."""
    import base64
    import hashlib
    import hmac
    import json

    from cryptography.hazmat.primitives import serialization

    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    pem = provider.key.public_key().public_bytes(*form)
    _, body, _ = provider.signed("cloud").split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "k1"}).encode()).decode().rstrip("=")
    made = hmac.new(pem, f"{head}.{body}".encode(), hashlib.sha256).digest()
    token = f"{head}.{body}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"
    assert bearer(acme, token).status_code == 401


def test_a_new_key_of_the_provider(acme: Cloud, provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bearer(acme, provider.signed("cloud")).status_code == 201
    provider.key_id = "k2"
    monkeypatch.setattr(openid, "_ASK_AGAIN", 0.0)
    assert bearer(acme, provider.signed("cloud")).status_code == 201


def test_a_browser_and_a_dashboard(acme: Cloud, provider: OpenIdProvider) -> None:
    """As a dashboard sends it: to the protocol alone, from where it goes to the one provider, and back with a token."""
    with httpx.Client(follow_redirects=True, timeout=30) as browser:
        page = browser.get(acme.v3 + WEBSSO, params={"origin": DASHBOARD})
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert f'action="{DASHBOARD}"' in page.text
        token = re.search(r'name="token" value="([^"]+)"', page.text)
        assert token is not None
        hosts = {step.url.host for step in page.history}
        assert hosts == {"127.0.0.1"}
        assert not browser.cookies, "the cookie has served"
        assert "dana" in acme.ask("GET", "/auth/tokens", headers={"X-Subject-Token": token[1]}).text
        # once more: the provider is asked anew
        assert browser.get(acme.v3 + WEBSSO, params={"origin": DASHBOARD}).text != page.text


def test_a_browser_without_a_dashboard(acme: Cloud, provider: OpenIdProvider) -> None:
    provider.claims["preferred_username"] = "erin"
    with httpx.Client(follow_redirects=True, timeout=30) as browser:
        answer = browser.get(acme.v3 + AUTH)
    assert answer.status_code == 201
    assert answer.json()["token"]["user"]["name"] == "erin"
    assert answer.headers["X-Subject-Token"]


def test_a_choice_of_providers(acme: Cloud, provider: OpenIdProvider) -> None:
    settings = OpenId(issuer=provider.issuer, client_id="cloud")
    acme.believe("<b>", "openid", RULES, settings, "cloud-secret")
    page = httpx.get(acme.v3 + WEBSSO, params={"origin": DASHBOARD}, timeout=30)
    acme.make("DELETE", "/OS-FEDERATION/identity_providers/%3Cb%3E")
    assert page.status_code == 200
    assert "identity_providers/acme/protocols/openid/websso?origin=http%3A" in page.text
    assert "<b>" not in page.text


@pytest.mark.parametrize("origin", ["", "https://evil.example/", DASHBOARD + "x", "javascript:alert(1)"])
def test_no_token_for_strangers(acme: Cloud, origin: str) -> None:
    for path in (WEBSSO, "/auth/OS-FEDERATION/identity_providers/acme/protocols/openid/websso"):
        answer = httpx.get(acme.v3 + path, params={"origin": origin}, timeout=30)
        assert answer.status_code in (400, 401)


def begin(cloud: Cloud, browser: httpx.Client) -> dict[str, str]:
    """What the provider is asked."""
    answer = browser.get(cloud.v3 + AUTH)
    assert answer.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def test_a_sign_on_belongs_to_its_browser(acme: Cloud, provider: OpenIdProvider) -> None:
    """Nobody can be made to sign on as somebody else, and no code works twice."""
    with httpx.Client(timeout=30) as mallory, httpx.Client(timeout=30) as victim:
        asked = begin(acme, mallory)
        back = httpx.get(f"{provider.issuer}/authorize", params=asked).headers["Location"]
        assert victim.get(back).status_code == 401
        begin(acme, victim)
        assert victim.get(back).status_code == 401
        done = mallory.get(back)
        assert done.status_code == 303
        assert mallory.get(back).status_code == 401
    assert asked["code_challenge_method"] == "S256"


def test_answers_that_must_not_work(acme: Cloud, provider: OpenIdProvider) -> None:
    for wrong in ({"nonce": "other"}, {"aud": "shop"}, {"iss": "https://elsewhere"}, {"exp": 1}):
        provider.overrides = wrong
        with httpx.Client(timeout=30) as browser:
            back = httpx.get(f"{provider.issuer}/authorize", params=begin(acme, browser)).headers["Location"]
            assert browser.get(back).status_code == 401, wrong
    provider.overrides = {}
    with httpx.Client(timeout=30) as browser:
        state = begin(acme, browser)["state"]
        here = f"{acme.v3}{AUTH.removesuffix('auth')}callback"
        refused = browser.get(here, params={"error": "access_denied", "state": state})
        assert refused.status_code == 401
        assert "access_denied" in refused.text


def test_who_is_not_believed(acme: Cloud, provider: OpenIdProvider) -> None:
    token = provider.signed("cloud")
    path = "/OS-FEDERATION/identity_providers/acme"
    acme.make("PATCH", path, {"identity_provider": {"remote_ids": ["https://elsewhere"]}})
    assert bearer(acme, token).status_code == 403
    acme.make("PATCH", path, {"identity_provider": {"remote_ids": [provider.issuer]}})
    good = bearer(acme, token)
    assert good.status_code == 201
    acme.make("PATCH", path, {"identity_provider": {"enabled": False}})
    assert bearer(acme, token).status_code == 403
    mine = {"X-Auth-Token": good.headers["X-Subject-Token"]}
    assert acme.ask("GET", "/auth/projects", headers=mine).status_code == 401, "tokens end with the belief"


def test_a_provider_that_is_away(acme: Cloud) -> None:
    with openid_provider() as gone:
        acme.configure("acme", "openid", OpenId(issuer=gone.issuer, client_id="cloud"), None)
    assert bearer(acme, "a.b.c").status_code in (401, 503)
    assert httpx.get(acme.v3 + AUTH, timeout=30).status_code == 503


def test_wrong_passwords_stay_with_the_provider(acme: Cloud, provider: OpenIdProvider) -> None:
    auth = plugin(acme, provider, v3.OidcPassword, username="dana", password="guess")
    with pytest.raises(HttpError):
        auth.get_access(sessions.Session())


def test_scoping_by_the_methods_of_the_protocols(acme: Cloud, provider: OpenIdProvider) -> None:
    _, project_id = acme.group_with_project("staff", "lab of staff")
    text = bearer(acme, provider.signed("cloud")).headers["X-Subject-Token"]

    def scoped(method: str, token: str) -> httpx.Response:
        identity = {"methods": [method], method: {"id": token}}
        body = {"auth": {"identity": identity, "scope": {"project": {"id": project_id}}}}
        return httpx.post(f"{acme.v3}/auth/tokens", json=body, timeout=30)

    for method in ("openid", "saml2", "mapped", "token"):
        answer = scoped(method, text)
        assert answer.status_code == 201, answer.text
        assert answer.json()["token"]["user"]["OS-FEDERATION"]["protocol"]["id"] == "openid"
    assert scoped("mapped", acme.token).status_code == 401
    listed = httpx.get(f"{acme.v3}/OS-FEDERATION/projects", headers={"X-Auth-Token": text}, timeout=30)
    assert project_id in [one["id"] for one in listed.json()["projects"]]
