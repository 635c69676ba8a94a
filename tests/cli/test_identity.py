"""Identity, as the `openstack` command does it: every command that the client has for it."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import not_run
from tests.cli.conftest import Client

pytestmark = pytest.mark.slow
NOT_RUN: dict[str, str] = {}
"""Command -> why it is not run."""


def test_every_command_is_run() -> None:
    """Or stands in NOT_RUN."""
    assert not_run("openstack.identity.v3", Path(__file__)) == set(NOT_RUN)


def as_user(openstack: Client, name: str, password: str, project: str = "") -> Client:
    where = ["--os-project-name", project] if project else ["--os-project-name", ""]
    return openstack.but("--os-username", name, "--os-password", password, *where)


def test_token_and_catalog(openstack: Client) -> None:
    token = openstack("token issue")
    assert {"id", "expires", "project_id", "user_id"} <= set(token)
    catalog = openstack("catalog list")
    assert {entry["Type"] for entry in catalog} == {"identity", "image", "placement", "compute", "network"}
    assert openstack("catalog show compute")["name"] == "nova"
    openstack.text(f"token revoke {token['id']}")


def test_regions_services_and_endpoints(openstack: Client) -> None:
    assert [one["Region"] for one in openstack("region list")] == ["RegionOne"]
    assert openstack("region create --description south --parent-region RegionOne Two")["region"] == "Two"
    openstack.text("region set --description north Two")
    assert openstack("region show Two")["description"] == "north"
    assert {"keystone", "glance", "placement", "nova", "neutron"} == {one["Name"] for one in openstack("service list")}
    made = openstack("service create --name swift --description objects object-store")
    assert made["enabled"] is True
    openstack.text("service set --description none --disable swift")
    openstack.text("service set --enable swift")
    assert openstack("service show swift")["description"] == "none"
    endpoint = openstack("endpoint create --region Two swift public http://127.0.0.1/$(project_id)s")
    assert endpoint["service_name"] == "swift"
    openstack.text(f"endpoint set {endpoint['id']} --disable")
    assert openstack(f"endpoint show {endpoint['id']}")["enabled"] is False
    found = openstack("endpoint list")
    assert {one["Interface"] for one in found} >= {"public"}
    assert set(found[0]) == {"ID", "Region", "Service Name", "Service Type", "Enabled", "Interface", "URL"}
    openstack("project create limited")
    openstack.text(f"endpoint add project {endpoint['id']} limited")
    assert [one["ID"] for one in openstack("endpoint list --project limited")] == [endpoint["id"]]
    openstack.text(f"endpoint remove project {endpoint['id']} limited")
    openstack.text("project delete limited")
    openstack.text(f"endpoint delete {endpoint['id']}")
    openstack.text("service delete swift")
    openstack.text("region delete Two")


def test_endpoint_groups(openstack: Client, tmp_path: Path) -> None:
    filters = tmp_path / "filters.json"
    filters.write_text(json.dumps({"interface": "public"}))
    made = openstack(f"endpoint group create --description d publics {filters}")
    assert (
        json.loads(made["filters"]) if isinstance(made["filters"], str) else made["filters"] == {"interface": "public"}
    )
    openstack.text(f"endpoint group set --name open --description e {made['id']}")
    assert openstack(f"endpoint group show {made['id']}")["name"] == "open"
    openstack("project create chosen")
    openstack.text(f"endpoint group add project {made['id']} chosen")
    assert [one["Name"] for one in openstack("endpoint group list --project chosen")] == ["open"]
    assert [one["Name"] for one in openstack(f"endpoint group list --endpointgroup {made['id']}")] == ["chosen"]
    openstack.text(f"endpoint group remove project {made['id']} chosen")
    openstack.text("project delete chosen")
    openstack.text(f"endpoint group delete {made['id']}")
    assert openstack("endpoint group list") == []


def test_domains(openstack: Client) -> None:
    assert openstack("domain create --description d branch")["enabled"] is True
    assert {"Default", "branch"} <= {one["Name"] for one in openstack("domain list")}
    openstack.text("domain set --name twig --disable branch")
    assert openstack("domain show twig")["enabled"] is False
    openstack.text("domain delete twig")


def test_projects(openstack: Client) -> None:
    made = openstack("project create --description first --tag a --property colour=blue p1")
    assert made["name"] == "p1"
    assert made["enabled"] is True
    assert {"id", "domain_id", "is_domain", "parent_id", "tags"} <= set(made)
    assert openstack("project create --parent p1 below")["parent_id"] == made["id"]
    assert {"p1", "below", "admin"} <= {one["Name"] for one in openstack("project list")}
    openstack.text("project delete below")
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
    fields = {"ID", "Name", "Project", "Domain", "Description", "Email"}
    assert openstack("user list --long")[0].keys() >= fields
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
    openstack("group create --description g staff")
    openstack.text("group set --name crew staff")
    assert openstack("group show crew")["description"] == "g"
    openstack.text("group add user crew anna")
    openstack.text("group contains user crew anna")
    assert [one["Name"] for one in openstack("group list --user anna")] == ["crew"]
    openstack.text("role add --project team --group crew member")
    user = as_user(openstack, "anna", "secret", "team")
    assert user("token issue")["user_id"] == made["id"]
    user.text("user password set --original-password secret --password second")
    user.refused("token issue")
    assert as_user(openstack, "anna", "second", "team")("token issue")["user_id"] == made["id"]
    openstack.text("role remove --project team --group crew member")
    openstack.text("group remove user crew anna")
    openstack.text("group delete crew")
    openstack.text("role remove --project team --user anna florist")
    assert openstack("role assignment list --user anna") == []
    openstack.text("role delete florist")
    openstack.text("user delete anna")
    openstack.text("project delete team")
    openstack.refused("user show anna")


def test_roles_that_imply_others(openstack: Client) -> None:
    openstack("role create boss")
    openstack("implied role create --implied-role reader boss")
    assert ("boss", "reader") in {
        (one["Prior Role Name"], one["Implied Role Name"]) for one in openstack("implied role list")
    }
    openstack.text("implied role delete --implied-role reader boss")
    openstack.text("role delete boss")


def test_credentials(openstack: Client) -> None:
    made = openstack("credential create --type totp admin JBSWY3DPEHPK3PXP")
    assert made["type"] == "totp"
    openstack.text(f"credential set --user admin --type totp --data GEZDGNBVGY3TQOJQ {made['id']}")
    assert openstack(f"credential show {made['id']}")["blob"] == "GEZDGNBVGY3TQOJQ"
    assert made["id"] in {one["ID"] for one in openstack("credential list")}
    openstack.text(f"credential delete {made['id']}")
    keys = openstack("ec2 credentials create")
    assert openstack(f"ec2 credentials show {keys['access']}")["secret"] == keys["secret"]
    assert keys["access"] in {one["Access"] for one in openstack("ec2 credentials list")}
    openstack.text(f"ec2 credentials delete {keys['access']}")


def test_application_credentials(openstack: Client) -> None:
    rules = json.dumps([{"service": "compute", "method": "GET", "path": "/v2.1/servers"}])
    made = openstack(f"application credential create --secret s --role reader --access-rules '{rules}' robot")
    assert (made["Name"], made["Secret"]) == ("robot", "s")
    assert [one["Name"] for one in openstack("application credential list")] == ["robot"]
    assert openstack("application credential show robot")["Name"] == "robot"
    openstack.text("application credential delete robot")
    rule = openstack("access rule list")[0]["ID"]
    assert (
        openstack(f"access rule show {rule}")["Path" if "Path" in openstack(f"access rule show {rule}") else "path"]
        == "/v2.1/servers"
    )
    openstack.text(f"access rule delete {rule}")


def test_trusts(openstack: Client) -> None:
    openstack("user create --password secret trustee")
    made = openstack("trust create --project admin --role reader --impersonate admin trustee")
    assert openstack(f"trust show {made['id']}")["is_impersonation"] is True
    assert [one["ID"] for one in openstack("trust list")] == [made["id"]]
    openstack.text(f"trust delete {made['id']}")
    openstack.text("user delete trustee")


def test_policies(openstack: Client, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text("{}")
    made = openstack(f"policy create --type application/json {file}")
    openstack.text(f"policy set --type text/plain {made['id']}")
    assert openstack(f"policy show {made['id']}")["type"] == "text/plain"
    assert made["id"] in {one["ID"] for one in openstack("policy list")}
    openstack.text(f"policy delete {made['id']}")


def test_limits(openstack: Client) -> None:
    registered = openstack("registered limit create --service glance --default-limit 5 --description d image_count")
    openstack.text(f"registered limit set --default-limit 7 {registered['id']}")
    assert openstack(f"registered limit show {registered['id']}")["default_limit"] == 7
    assert registered["id"] in {one["ID"] for one in openstack("registered limit list")}
    made = openstack("limit create --project admin --service glance --resource-limit 3 image_count")
    openstack.text(f"limit set --resource-limit 4 {made['id']}")
    assert openstack(f"limit show {made['id']}")["resource_limit"] == 4
    assert made["id"] in {one["ID"] for one in openstack("limit list")}
    openstack.text(f"limit delete {made['id']}")
    openstack.text(f"registered limit delete {registered['id']}")


def test_oauth1(openstack: Client) -> None:
    consumer = openstack("consumer create --description d")
    openstack.text(f"consumer set --description e {consumer['id']}")
    assert openstack(f"consumer show {consumer['id']}")["description"] == "e"
    assert consumer["id"] in {one["ID"] for one in openstack("consumer list")}
    keys = f"--consumer-key {consumer['id']} --consumer-secret {consumer['secret']}"
    request = openstack(f"request token create {keys} --project admin")
    pin = openstack(f"request token authorize --request-key {request['id']} --role reader")["oauth_verifier"]
    given = f"--request-key {request['id']} --request-secret {request['secret']} --verifier {pin}"
    assert openstack(f"access token create {keys} {given}")["id"]
    openstack.text(f"consumer delete {consumer['id']}")


def test_versions(openstack: Client) -> None:
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
    openstack(f"mapping create --rules {rules} others")
    # it is done, and then the client takes what it would show for its exit status
    openstack.refused("federation protocol set --identity-provider acme --mapping others openid")
    assert openstack("federation protocol show --identity-provider acme openid")["mapping"] == "others"
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
    openstack.text("mapping delete people others")
    openstack.text("identity provider delete acme")
