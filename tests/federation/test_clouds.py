"""Two clouds: one vouches for its users, the other takes them, as keystoneauth brings them from one to the other."""

import base64
from collections.abc import Iterator

import httpx
import pytest
from keystoneauth1 import session as sessions
from keystoneauth1.identity import v3
from lxml import etree

from pileus.services.identity.rules.sign_on import Place
from pileus.services.identity.types.sign_on import Saml2
from tests.federation.conftest import Cloud, cloud_on_socket
from tests.support.live import PASSWORD
from tests.support.saml_provider import NAMES

RULES = [
    {
        "local": [
            {"user": {"name": "{0} of {1}"}},
            {"groups": "{2}"},
            {"projects": [{"name": "visitors from {1}", "roles": [{"name": "reader"}]}]},
        ],
        "remote": [{"type": "openstack_user"}, {"type": "openstack_user_domain"}, {"type": "openstack_groups"}],
    },
    {"local": [{"group_ids": "staff"}], "remote": [{"type": "openstack_roles", "any_one_of": ["nobody"]}]},
]


@pytest.fixture(scope="module")
def far() -> Iterator[Cloud]:
    with cloud_on_socket() as found:
        yield found


@pytest.fixture(scope="module")
def place(cloud: Cloud, far: Cloud) -> Place:
    """The far cloud believes the near one, and the near one knows where the far one is."""
    metadata = httpx.get(f"{cloud.v3}/OS-FEDERATION/saml2/metadata", timeout=30)
    assert metadata.headers["content-type"].startswith("text/xml")
    names = etree.fromstring(metadata.content)
    settings = Saml2(metadata=metadata.text, unsolicited=True)
    place = far.believe("near", "saml2", RULES, settings, None, remote_ids=[names.get("entityID")])
    cloud.make(
        "PUT",
        "/OS-FEDERATION/service_providers/far",
        {"service_provider": {"auth_url": place.auth, "sp_url": place.acs, "enabled": True}},
    )
    return place


def local(cloud: Cloud) -> v3.Password:
    return v3.Password(
        auth_url=cloud.v3,
        username="admin",
        password=PASSWORD,
        user_domain_id="default",
        project_name="admin",
        project_domain_id="default",
    )


def test_a_user_of_one_cloud_in_the_other(cloud: Cloud, far: Cloud, place: Place) -> None:
    group_id, _ = cloud.group_with_project("crew", "deck")
    user_id = cloud.make("GET", "/users?name=admin")["users"][0]["id"]
    cloud.make("PUT", f"/groups/{group_id}/users/{user_id}")
    far_group_id, far_project_id = far.group_with_project("crew", "far deck")
    auth = v3.Keystone2Keystone(local(cloud), "far", project_id=far_project_id)
    access = auth.get_access(sessions.Session())
    assert access.username == "admin of Default"
    assert access.project_name == "far deck"
    assert set(access.role_names) == {"member", "reader"}
    token = far.ask("GET", "/auth/tokens", headers={"X-Subject-Token": access.auth_token}).json()["token"]
    assert token["user"]["OS-FEDERATION"]["groups"] == [{"id": far_group_id}]
    mine = httpx.get(f"{far.v3}/auth/projects", headers={"X-Auth-Token": access.auth_token}, timeout=30).json()
    assert [one["name"] for one in mine["projects"]] == ["far deck", "visitors from Default"]
    # once more: nothing is made twice, and an assertion is another each time
    again = v3.Keystone2Keystone(local(cloud), "far").get_access(sessions.Session())
    assert again.user_id == access.user_id
    assert again.project_id is None


def assertion(cloud: Cloud, token: str, to: str = "far", path: str = "saml2/ecp") -> httpx.Response:
    identity = {"methods": ["token"], "token": {"id": token}}
    body = {"auth": {"identity": identity, "scope": {"service_provider": {"id": to}}}}
    return httpx.post(f"{cloud.v3}/auth/OS-FEDERATION/{path}", json=body, timeout=30)


def test_an_assertion_as_it_is(cloud: Cloud, place: Place) -> None:
    found = etree.fromstring(assertion(cloud, cloud.token, path="saml2").content)
    assert found.tag == f"{{{NAMES['samlp']}}}Response"
    values = {one.get("Name"): [value.text for value in one] for one in found.iterfind(".//saml:Attribute", NAMES)}
    assert values["openstack_user"] == ["admin"]
    assert values["openstack_project"] == ["admin"]
    assert values["openstack_project_domain"] == ["Default"]
    assert "admin" in values["openstack_roles"]
    confirmed = found.find(".//saml:SubjectConfirmationData", NAMES)
    assert confirmed.get("Recipient") == place.acs


def test_an_assertion_works_once(cloud: Cloud, place: Place) -> None:
    envelope = assertion(cloud, cloud.token).content
    headers = {"Content-Type": "application/vnd.paos+xml"}
    assert httpx.post(place.acs, content=envelope, headers=headers, timeout=30).status_code == 303
    again = httpx.post(place.acs, content=envelope, headers=headers, timeout=30)
    assert again.status_code == 401
    assert "used before" in again.text


def test_who_gets_no_assertion(cloud: Cloud, place: Place) -> None:
    assert assertion(cloud, "nonsense").status_code == 401
    assert assertion(cloud, cloud.token, "nowhere").status_code == 404
    identity = {"methods": ["token"], "token": {"id": cloud.token}}
    unscoped = cloud.ask("POST", "/auth/tokens", json={"auth": {"identity": identity, "scope": "unscoped"}})
    refused = assertion(cloud, unscoped.headers["X-Subject-Token"])
    assert refused.status_code == 403
    assert "project" in refused.text
    user = cloud.make("GET", "/users?name=admin")["users"][0]["id"]
    lent = cloud.make("POST", f"/users/{user}/application_credentials", {"application_credential": {"name": "robot"}})
    credential = {key: lent["application_credential"][key] for key in ("id", "secret")}
    wish = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": credential}}}
    robot = cloud.ask("POST", "/auth/tokens", json=wish).headers["X-Subject-Token"]
    assert assertion(cloud, robot).status_code == 403, "what was lent must not grow in another cloud"
    cloud.make("PATCH", "/OS-FEDERATION/service_providers/far", {"service_provider": {"enabled": False}})
    assert assertion(cloud, cloud.token).status_code == 403
    cloud.make("PATCH", "/OS-FEDERATION/service_providers/far", {"service_provider": {"enabled": True}})


def test_a_cloud_that_is_not_believed_any_more(cloud: Cloud, far: Cloud, place: Place) -> None:
    path = "/OS-FEDERATION/identity_providers/near"
    headers = {"Content-Type": "application/vnd.paos+xml"}
    far.make("PATCH", path, {"identity_provider": {"enabled": False}})
    envelope = assertion(cloud, cloud.token).content
    assert httpx.post(place.acs, content=envelope, headers=headers, timeout=30).status_code == 403
    far.make("PATCH", path, {"identity_provider": {"enabled": True}})


def test_a_form_can_not_bring_what_nobody_asked_for(cloud: Cloud, far: Cloud, place: Place) -> None:
    response = base64.b64encode(assertion(cloud, cloud.token, path="saml2").content).decode()
    assert httpx.post(place.acs, data={"SAMLResponse": response}, timeout=30).status_code == 401


def test_a_browser_can_not_go_to_a_cloud(far: Cloud, place: Place) -> None:
    answer = httpx.get(place.auth, timeout=30)
    assert answer.status_code == 401
    assert "no page" in answer.text
