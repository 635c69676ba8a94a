"""SAML 2.0, end to end: keystoneauth by ECP, a browser, and assertions that must not work."""

import base64
import random
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from keystoneauth1 import session as sessions
from keystoneauth1.extras._saml2 import v3 as saml2
from lxml import etree

from pileus.services.identity.federation import keys
from pileus.services.identity.rules.sign_on import Place
from pileus.services.identity.types.sign_on import Saml2
from tests.federation.conftest import DASHBOARD, Cloud
from tests.support.saml_provider import NAMES, PASSWORD, SamlProvider, answer_of, in_envelope, request_of, saml_provider

RULES = [
    {
        "local": [{"user": {"name": "{0}"}}, {"groups": "{1}", "domain": {"id": "default"}}],
        "remote": [{"type": "uid"}, {"type": "MELLON_memberOf"}],
    }
]
AUTH = "/OS-FEDERATION/identity_providers/acme/protocols/saml2/auth"
WEBSSO = "/auth/OS-FEDERATION/identity_providers/acme/protocols/saml2/websso"
PAOS = "application/vnd.paos+xml"


@pytest.fixture(scope="module")
def provider() -> Iterator[SamlProvider]:
    with saml_provider() as found:
        yield found


@pytest.fixture(scope="module")
def place(cloud: Cloud, provider: SamlProvider) -> Place:
    settings = Saml2(metadata=provider.metadata)
    return cloud.believe("acme", "saml2", RULES, settings, None, remote_ids=[provider.entity_id])


def begin(cloud: Cloud, browser: httpx.Client) -> Any:
    """The request that the provider gets."""
    answer = browser.get(cloud.v3 + AUTH)
    assert answer.status_code == 302, answer.text
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert "Signature" in query
    return request_of(query["SAMLRequest"][0])


def bring(browser: httpx.Client, place: Place, response: str) -> httpx.Response:
    return browser.post(place.acs, data={"SAMLResponse": base64.b64encode(response.encode()).decode()})


def test_a_program_by_ecp(cloud: Cloud, provider: SamlProvider, place: Place) -> None:
    group_id, project_id = cloud.group_with_project("eng", "lab")
    auth = saml2.Saml2Password(
        auth_url=cloud.v3,
        identity_provider="acme",
        protocol="saml2",
        identity_provider_url=f"{provider.url}/ecp",
        username="dana",
        password=PASSWORD,
        project_id=project_id,
    )
    access = auth.get_access(sessions.Session())
    assert (access.username, access.project_name) == ("dana", "lab")
    found = cloud.ask("GET", "/auth/tokens", headers={"X-Subject-Token": access.auth_token}).json()["token"]
    assert found["methods"] == ["token", "saml2"]
    assert found["user"]["OS-FEDERATION"]["groups"] == [{"id": group_id}]


def test_a_browser_and_a_dashboard(cloud: Cloud, provider: SamlProvider, place: Place) -> None:
    with httpx.Client(follow_redirects=True, timeout=30) as browser:
        page = browser.get(cloud.v3 + WEBSSO, params={"origin": DASHBOARD})
        assert str(page.url).startswith(provider.url)
        there = browser.post(place.acs, data={"SAMLResponse": answer_of(page.text)})
        token = re.search(r'name="token" value="([^"]+)"', there.text)
        assert token is not None, there.text
        assert f'action="{DASHBOARD}"' in there.text
    assert "dana" in cloud.ask("GET", "/auth/tokens", headers={"X-Subject-Token": token[1]}).text


def test_a_signed_response_is_as_good_as_a_signed_assertion(cloud: Cloud, provider: SamlProvider, place: Place) -> None:
    for sign in ("assertion", "response"):
        with httpx.Client(timeout=30) as browser:
            request = begin(cloud, browser)
            assert bring(browser, place, provider.response(request, sign)).status_code == 303


def test_an_assertion_works_once(cloud: Cloud, provider: SamlProvider, place: Place) -> None:
    with httpx.Client(timeout=30) as browser:
        request = begin(cloud, browser)
        cookie = dict(browser.cookies)
        response = provider.response(request)
        assert bring(browser, place, response).status_code == 303
        browser.cookies.clear()
        browser.cookies.update(cookie)
        again = bring(browser, place, response)
        assert again.status_code == 401
        assert "used before" in again.text


def tampered(change: Callable[[Any], Any], sign: str = "assertion") -> Callable[[SamlProvider, Any], str]:
    """A response that was changed after it was signed."""

    def make(provider: SamlProvider, request: Any) -> str:
        root = etree.fromstring(provider.response(request, sign))
        return etree.tostring(change(root)).decode()

    return make


def as_admin(root: Any) -> Any:
    root.find(".//saml:AttributeValue", NAMES).text = "admin"
    return root


def without_signature(root: Any) -> Any:
    for signature in root.iter("{http://www.w3.org/2000/09/xmldsig#}Signature"):
        signature.getparent().remove(signature)
        break
    return root


def wrapped(root: Any) -> Any:
    """Signature wrapping: the signed assertion stays somewhere, and a forged one stands in its place."""
    signed = root.find("saml:Assertion", NAMES)
    forged = etree.fromstring(etree.tostring(signed))
    without_signature(forged).set("ID", "_forged")
    as_admin(forged)
    root.replace(signed, forged)
    extensions = etree.SubElement(root, f"{{{NAMES['samlp']}}}Extensions")
    root.insert(1, extensions)
    extensions.append(signed)
    return root


def wrapped_inside(root: Any) -> Any:
    signed = root.find("saml:Assertion", NAMES)
    forged = etree.fromstring(etree.tostring(signed))
    forged.set("ID", "_forged")
    as_admin(forged)
    signature = forged.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
    etree.SubElement(signature, "{http://www.w3.org/2000/09/xmldsig#}Object").append(signed)
    root.append(forged)
    return root


def same_id(root: Any) -> Any:
    signed = root.find("saml:Assertion", NAMES)
    root.insert(2, as_admin(without_signature(etree.fromstring(etree.tostring(signed)))))
    return root


def wrong(**facts: str) -> Callable[[SamlProvider, Any], str]:
    return lambda provider, request: provider.response(request, **facts)


def by_another(provider: SamlProvider, request: Any) -> str:
    provider.key, kept = keys.new(), provider.key
    try:
        return provider.response(request)
    finally:
        provider.key = kept


def with_entities(provider: SamlProvider, request: Any) -> str:
    return '<!DOCTYPE r [<!ENTITY a "dana">]>' + provider.response(request)


def with_a_bomb(provider: SamlProvider, request: Any) -> str:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE r [<!ENTITY l0 "lol">{lol}]><samlp:Response>&l11;</samlp:Response>'


def with_a_file(provider: SamlProvider, request: Any) -> str:
    return f'<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]>{provider.response(request)}'.replace(
        "dana@acme", "&f;"
    )


FORGERIES = {
    "not signed": wrong(sign="no"),
    "signed by another": by_another,
    "changed": tampered(as_admin),
    "changed in a signed response": tampered(as_admin, "response"),
    "signature taken away": tampered(without_signature),
    "wrapped": tampered(wrapped),
    "wrapped inside": tampered(wrapped_inside),
    "two of one id": tampered(same_id),
    "for another service": wrong(audience="https://shop.example"),
    "sent to another service": wrong(acs="https://shop.example/acs"),
    "of another issuer": wrong(issuer="https://elsewhere/idp"),
    "ended": wrong(ends="2020-01-01T00:00:00Z"),
    "for another sign-on": wrong(to="_other"),
    "nobody asked for": wrong(to=""),
    "entities": with_entities,
    "a bomb": with_a_bomb,
    "a file": with_a_file,
    "no XML": lambda *_: "<<<",
    "nothing of SAML": lambda *_: "<a/>",
}


@pytest.mark.parametrize("what", FORGERIES)
def test_assertions_that_must_not_work(cloud: Cloud, provider: SamlProvider, place: Place, what: str) -> None:
    with httpx.Client(timeout=30) as browser:
        answer = bring(browser, place, FORGERIES[what](provider, begin(cloud, browser)))
        assert answer.status_code in (400, 401), f"{what}: {answer.text}"
        assert "root:" not in answer.text
        # the same, as a program brings it
        asked = browser.get(cloud.v3 + AUTH, headers={"Accept": PAOS})
        assert asked.headers["Content-Type"] == PAOS
        envelope = etree.fromstring(asked.content)
        state = etree.tostring(envelope.find("S:Header/ecp:RelayState", NAMES)).decode()
        request = envelope.find("S:Body/samlp:AuthnRequest", NAMES)
        sent = in_envelope(FORGERIES[what](provider, request), place.acs, state)
        answer = browser.post(place.acs, content=sent.encode(), headers={"Content-Type": PAOS})
        assert answer.status_code in (400, 401), f"{what}: {answer.text}"
    assert cloud.make("GET", "/users?idp_id=acme&unique_id=admin")["users"] == [], "nobody came"


def test_a_comment_does_not_shorten_a_name(
    cloud: Cloud, provider: SamlProvider, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments are not signed: what stands around them must stay one text."""
    monkeypatch.setitem(provider.attributes, "uid", ["admin.evil"])
    with httpx.Client(timeout=30) as browser:
        request = begin(cloud, browser)
        response = provider.response(request).replace("admin.evil", "admin<!-- -->.evil")
        answer = bring(browser, place, response)
    assert answer.status_code in (303, 401)
    assert not {"admin", ".evil"} & {user["name"] for user in cloud.make("GET", "/users?idp_id=acme")["users"]}


def test_a_sign_on_belongs_to_its_browser(cloud: Cloud, provider: SamlProvider, place: Place) -> None:
    with httpx.Client(timeout=30) as mallory, httpx.Client(timeout=30) as victim:
        response = provider.response(begin(cloud, mallory))
        assert bring(victim, place, response).status_code == 401
        begin(cloud, victim)
        assert bring(victim, place, response).status_code == 401
        assert bring(mallory, place, response).status_code == 303


def test_no_change_of_an_answer_gets_far(cloud: Cloud, provider: SamlProvider, place: Place) -> None:
    """Bytes changed, cut, doubled, at random: refused as they are, and never a failure of ours."""
    chance = random.Random(7)
    with httpx.Client(timeout=30) as browser:
        good = provider.response(begin(cloud, browser)).encode()
        for _ in range(60):
            raw = bytearray(good)
            at = chance.randrange(len(raw))
            size = chance.choice((1, 1, 2, 20, 300))
            match chance.randrange(4):
                case 0:
                    del raw[at : at + size]
                case 1:
                    raw[at:at] = raw[at : at + size]
                case 2:
                    raw[at] = chance.randrange(256)
                case 3:
                    raw[at:at] = chance.choice((b"<!-- -->", b"<a/>", b"&lt;", b"\x00", b"]]>", b"<?x y?>", b"&#0;"))
            for body in (base64.b64encode(bytes(raw)), bytes(raw)):
                answer = browser.post(place.acs, data={"SAMLResponse": body})
                assert answer.status_code in (303, 400, 401), bytes(raw)
            answer = browser.post(place.acs, content=bytes(raw), headers={"Content-Type": PAOS})
            assert answer.status_code in (400, 401), bytes(raw)
    users = {user["name"] for user in cloud.make("GET", "/users?idp_id=acme")["users"]}
    assert users <= {"dana", "admin.evil"}, "and whoever came is who was signed"


def test_what_a_provider_must_know(cloud: Cloud, place: Place) -> None:
    answer = httpx.get(place.entity_id, timeout=30)
    assert answer.status_code == 200
    found = etree.fromstring(answer.content)
    assert found.get("entityID") == place.entity_id
    assert place.acs in answer.text


def test_a_protocol_without_settings(cloud: Cloud) -> None:
    cloud.make("PUT", "/OS-FEDERATION/identity_providers/bare", {"identity_provider": {"enabled": True}})
    cloud.make("PUT", "/OS-FEDERATION/mappings/bare", {"mapping": {"rules": RULES}})
    here = "/OS-FEDERATION/identity_providers/bare/protocols/saml2"
    cloud.make("PUT", here, {"protocol": {"mapping_id": "bare"}})
    answer = httpx.get(f"{cloud.v3}{here}/auth", timeout=30)
    assert answer.status_code == 401
    assert "pileus federation set" in answer.text
