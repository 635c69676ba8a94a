"""Tokens, catalog, projects, users, roles, as the `openstack` command does them."""

from pathlib import Path

import pytest

from tests.cli.conftest import Client

pytestmark = pytest.mark.slow


def test_token_and_catalog(openstack: Client) -> None:
    token = openstack("token issue")
    assert {"id", "expires", "project_id", "user_id"} <= set(token)
    catalog = openstack("catalog list")
    assert {entry["Type"] for entry in catalog} == {"identity", "image", "placement", "compute", "network"}
    assert openstack("catalog show compute")["name"] == "nova"
    assert {"keystone", "glance", "placement", "nova", "neutron"} == {one["Name"] for one in openstack("service list")}
    endpoints = openstack("endpoint list")
    assert {one["Interface"] for one in endpoints} >= {"public"}
    assert set(endpoints[0]) == {"ID", "Region", "Service Name", "Service Type", "Enabled", "Interface", "URL"}
    assert openstack(f"endpoint show {endpoints[0]['ID']}")["url"] == endpoints[0]["URL"]
    assert openstack("service show nova")["type"] == "compute"
    assert [one["Region"] for one in openstack("region list")] == ["RegionOne"]
    openstack.text(f"token revoke {token['id']}")


def test_services_and_endpoints(openstack: Client) -> None:
    made = openstack("service create --name swift --description objects object-store")
    assert made["enabled"] is True
    endpoint = openstack("endpoint create --region RegionOne swift public http://127.0.0.1/$(project_id)s")
    assert endpoint["service_name"] == "swift"
    openstack.text(f"endpoint set {endpoint['id']} --disable")
    assert openstack(f"endpoint show {endpoint['id']}")["enabled"] is False
    openstack.text(f"endpoint delete {endpoint['id']}")
    openstack.text("service set swift --description none")
    openstack.text("service delete swift")


def test_projects(openstack: Client) -> None:
    made = openstack("project create --description first --tag a --property colour=blue p1")
    assert made["name"] == "p1"
    assert made["enabled"] is True
    assert {"id", "domain_id", "is_domain", "parent_id", "tags"} <= set(made)
    assert {"p1", "admin"} <= {one["Name"] for one in openstack("project list")}
    openstack.text("project set --name p2 --description second --tag b --disable p1")
    shown = openstack("project show p2")
    assert (shown["description"], shown["enabled"], sorted(shown["tags"])) == ("second", False, ["a", "b"])
    assert [one["Name"] for one in openstack("project list --tags a,b")] == ["p2"]
    openstack.text("project delete p2")
    assert "p2" in openstack.refused("project show p2")


def test_users_groups_and_roles(openstack: Client) -> None:
    openstack("project create team")
    made = openstack("user create --project team --password secret --email a@b --description x anna")
    assert {"id", "name", "domain_id", "enabled", "default_project_id", "email"} <= set(made)
    assert "anna" in {one["Name"] for one in openstack("user list")}
    assert openstack("user list --long")[0].keys() >= {
        "ID",
        "Name",
        "Project",
        "Domain",
        "Description",
        "Email",
    }
    openstack.text("user set --description y --email c@d anna")
    assert openstack("user show anna")["description"] == "y"
    assert openstack("role create --description z gardener")["name"] == "gardener"
    assert {"admin", "member", "reader", "gardener"} <= {one["Name"] for one in openstack("role list")}
    openstack.text("role set --name florist gardener")
    assert openstack("role show florist")["name"] == "florist"
    openstack.text("role add --project team --user anna florist")
    assigned = openstack("role assignment list --user anna --project team --names")
    assert [(one["Role"], one["User"], one["Project"]) for one in assigned] == [
        ("florist", "anna@Default", "team@Default")
    ]
    assert [one["Name"] for one in openstack("user list --project team")] == ["anna"]
    openstack("group create staff")
    openstack.text("group add user staff anna")
    openstack.text("group contains user staff anna")
    openstack.text("role add --project team --group staff member")
    issued = openstack("--os-username anna --os-password secret --os-project-name team token issue")
    assert issued["user_id"] == made["id"]
    openstack.text("role remove --project team --group staff member")
    openstack.text("group delete staff")
    openstack.text("role remove --project team --user anna florist")
    assert openstack("role assignment list --user anna") == []
    for noun, name in (("role", "florist"), ("user", "anna"), ("project", "team")):
        openstack.text(f"{noun} delete {name}")
        openstack.refused(f"{noun} show {name}")


def test_domains_and_application_credentials(openstack: Client) -> None:
    assert openstack("domain create branch")["enabled"] is True
    assert {"Default", "branch"} <= {one["Name"] for one in openstack("domain list")}
    openstack.text("domain set --disable branch")
    openstack.text("domain delete branch")
    made = openstack("application credential create --secret s --role reader robot")
    assert (made["Name"], made["Secret"]) == ("robot", "s")
    assert [one["Name"] for one in openstack("application credential list")] == ["robot"]
    openstack.text("application credential delete robot")


def test_limits_and_versions(openstack: Client) -> None:
    assert {one["Service Type"] for one in openstack("versions show")} == {
        "identity", "image", "placement", "compute", "network",
    }  # fmt: skip
    assert openstack("configuration show")["region_name"] == "RegionOne"


def test_federation(openstack: Client, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('[{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "sub"}]}]')
    made = openstack("identity provider create --remote-id https://acme --authorization-ttl 60 --description x acme")
    assert (made["id"], made["enabled"], made["authorization_ttl"]) == ("acme", True, 60)
    openstack.text("identity provider set --disable --remote-id https://other acme")
    assert openstack("identity provider show acme")["enabled"] is False
    assert [one["ID"] for one in openstack("identity provider list")] == ["acme"]
    assert openstack(f"mapping create --rules {rules} people")["id"] == "people"
    openstack.text(f"mapping set --rules {rules} people")
    assert [one["ID"] for one in openstack("mapping list")] == ["people"]
    assert openstack("mapping show people")["rules"][0]["remote"] == [{"type": "sub"}]
    assert openstack("federation protocol create --identity-provider acme --mapping people openid")["id"] == "openid"
    assert openstack("federation protocol show --identity-provider acme openid")["mapping"] == "people"
    assert [one["id"] for one in openstack("federation protocol list --identity-provider acme")] == ["openid"]
    sister = "--auth-url http://sister/auth --service-provider-url http://sister/acs"
    assert openstack(f"service provider create {sister} --enable sister")["sp_url"] == "http://sister/acs"
    openstack.text("service provider set --description x sister")
    assert openstack("service provider show sister")["description"] == "x"
    assert [one["ID"] for one in openstack("service provider list")] == ["sister"]
    assert openstack("federation project list")
    assert openstack("federation domain list") == []
    openstack.text("service provider delete sister")
    openstack.text("federation protocol delete --identity-provider acme openid")
    openstack.text("mapping delete people")
    openstack.text("identity provider delete acme")
