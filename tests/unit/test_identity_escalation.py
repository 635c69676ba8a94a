"""Nobody gets more than they were given: by roles that imply roles, by what was lent, or from within a domain."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from falcon.testing import Result

from pileus.core.db import now
from tests.support.identity import Identity

Body = dict[str, Any]


@pytest.fixture
def identity() -> Iterator[Identity]:
    found = Identity()
    yield found
    found.app.pool.shutdown()
    found.app.db.close()


def roles(identity: Identity) -> dict[str, str]:
    return {role["name"]: role["id"] for role in identity.call("GET", "/roles").json["roles"]}


def held(answer: Result) -> set[str]:
    assert answer.status_code in (200, 201), answer.text
    return {role["name"] for role in answer.json["token"]["roles"]}


def with_password(name: str) -> Body:
    user = {"name": name, "domain": {"id": "default"}, "password": "secret"}
    return {"methods": ["password"], "password": {"user": user}}


def of_trust(identity: Identity, name: str, trust_id: str) -> Result:
    return identity.log_in(with_password(name), {"OS-TRUST:trust": {"id": trust_id}})


def in_hours(hours: float) -> str:
    return f"{now() + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


# -- roles


def test_roles_that_imply_each_other_bring_each_other_and_no_more(identity: Identity) -> None:
    one = identity.make("/roles", {"role": {"name": "one"}})["id"]
    two = identity.make("/roles", {"role": {"name": "two"}})["id"]
    for prior, implied in ((one, two), (two, one), (two, roles(identity)["reader"])):
        assert identity.call("PUT", f"/roles/{prior}/implies/{implied}").status_code == 201
    identity.user("ann", "one")
    assert held(identity.log_in(with_password("ann"), identity.scope("admin"))) == {"one", "two", "reader"}


def test_nothing_brings_admin(identity: Identity) -> None:
    known = roles(identity)
    own = identity.make("/roles", {"role": {"name": "own", "domain_id": "default"}})["id"]
    for prior in (known["member"], known["reader"], own):
        assert identity.call("PUT", f"/roles/{prior}/implies/{known['admin']}").status_code == 403
    same = {"role": {"name": "admin", "domain_id": "default"}}
    namesake = identity.make("/roles", same)["id"]
    ann = identity.user("ann", "reader")["id"]
    path = f"/projects/{identity.project_id}/users/{ann}/roles/{namesake}"
    assert identity.call("PUT", path).status_code == 204
    assert held(identity.log_in(with_password("ann"), identity.scope("admin"))) == {"reader"}, (
        "a domain's admin is none"
    )


def test_implications_are_the_administrators(identity: Identity) -> None:
    known = roles(identity)
    for persona in ("domain-manager", "project-manager", "project-member"):
        answer = identity.call("PUT", f"/roles/{known['reader']}/implies/{known['manager']}", token=persona)
        assert answer.status_code == 403


# -- trusts


def lent(identity: Identity, token: str, trustor: str, trustee: str, **more: Any) -> Result:
    wish = {
        "trustor_user_id": trustor,
        "trustee_user_id": trustee,
        "project_id": identity.project_id,
        "roles": [{"name": "reader"}],
        "impersonation": True,
        **more,
    }
    return identity.call("POST", "/OS-TRUST/trusts", {"trust": wish}, token=token)


def test_what_was_lent_on_ends_with_what_it_was_lent_from(identity: Identity) -> None:
    ann, bob, cid = (identity.user(name, "member" if name == "ann" else "")["id"] for name in ("ann", "bob", "cid"))
    soon = in_hours(1)
    first = lent(identity, identity.token_of("ann"), ann, bob, allow_redelegation=True, expires_at=soon)
    token = of_trust(identity, "bob", first.json["trust"]["id"]).headers["x-subject-token"]
    later = lent(identity, token, ann, cid, expires_at=in_hours(9))
    assert later.status_code == 403
    assert "at the latest" in later.text
    second = lent(identity, token, ann, cid)
    assert second.json["trust"]["expires_at"] == first.json["trust"]["expires_at"]
    assert held(of_trust(identity, "cid", second.json["trust"]["id"])) == {"reader"}
    deleted = identity.call("DELETE", f"/OS-TRUST/trusts/{first.json['trust']['id']}", token=identity.token_of("ann"))
    assert deleted.status_code == 204
    assert of_trust(identity, "cid", second.json["trust"]["id"]).status_code == 401


def test_what_was_lent_does_not_grow_when_it_is_lent_on(identity: Identity) -> None:
    ann, bob, cid = (identity.user(name, "manager" if name == "ann" else "")["id"] for name in ("ann", "bob", "cid"))
    of_ann = identity.token_of("ann")
    wider = {"roles": [{"name": "manager"}]}
    fixed = lent(identity, of_ann, ann, bob)
    token = of_trust(identity, "bob", fixed.json["trust"]["id"]).headers["x-subject-token"]
    assert lent(identity, token, ann, cid).status_code == 403, "not to be lent on"
    once = lent(identity, of_ann, ann, bob, allow_redelegation=True, redelegation_count=1)
    token = of_trust(identity, "bob", once.json["trust"]["id"]).headers["x-subject-token"]
    assert lent(identity, token, ann, cid, **wider).status_code == 403, "a role that was not lent"
    assert lent(identity, token, ann, cid, allow_redelegation=True, redelegation_count=2).status_code == 403
    second = lent(identity, token, ann, cid, allow_redelegation=True)
    assert second.json["trust"]["redelegation_count"] == 0
    as_bob = lent(identity, of_ann, ann, bob, impersonation=False, allow_redelegation=True)
    token = of_trust(identity, "bob", as_bob.json["trust"]["id"]).headers["x-subject-token"]
    assert lent(identity, token, bob, cid, impersonation=True).status_code == 403


def test_a_lent_token_makes_nothing_that_outlives_it(identity: Identity) -> None:
    ann, bob = identity.user("ann", "member")["id"], identity.user("bob")["id"]
    trust = lent(identity, identity.token_of("ann"), ann, bob)
    token = of_trust(identity, "bob", trust.json["trust"]["id"]).headers["x-subject-token"]
    wish = {"application_credential": {"name": "mine now"}}
    assert identity.call("POST", f"/users/{ann}/application_credentials", wish, token=token).status_code == 403
    again = {"methods": ["token"], "token": {"id": token}}
    for scope in (identity.scope("admin"), None, {"system": {"all": True}}, {"domain": {"id": "default"}}):
        assert identity.log_in(again, scope).status_code == 403
    both = {"methods": ["token", "password"], "token": {"id": token}, **with_password("ann")}
    both["methods"] = ["token", "password"]
    assert identity.log_in(both, identity.scope("admin")).status_code == 403


# -- application credentials


def program(identity: Identity, name: str, **more: Any) -> str:
    """A token of an application credential of that user."""
    token = identity.token_of(name)
    user_id = identity.call("GET", "/auth/tokens", token=token, x_subject_token=token).json["token"]["user"]["id"]
    wish = {"application_credential": {"name": "program", **more}}
    made = identity.make(f"/users/{user_id}/application_credentials", wish, token=token)
    proof = {"id": made["id"], "secret": made["secret"]}
    answer = identity.log_in({"methods": ["application_credential"], "application_credential": proof})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["x-subject-token"])


def test_a_program_makes_no_other_program(identity: Identity) -> None:
    ann = identity.user("ann", "member")["id"]
    path = f"/users/{ann}/application_credentials"
    restricted = program(identity, "ann")
    assert identity.call("POST", path, {"application_credential": {"name": "x"}}, token=restricted).status_code == 403
    known = identity.call("GET", path, token=restricted).json["application_credentials"][0]["id"]
    assert identity.call("DELETE", f"{path}/{known}", token=restricted).status_code == 403
    trust = {"trust": {"trustor_user_id": ann, "trustee_user_id": ann, "impersonation": True, "roles": []}}
    assert identity.call("POST", "/OS-TRUST/trusts", trust, token=restricted).status_code == 403


def test_an_unrestricted_program_passes_on_no_more_than_it_has(identity: Identity) -> None:
    ann = identity.user("ann", "member")["id"]
    token = program(identity, "ann", unrestricted=True, roles=[{"name": "reader"}])
    path = f"/users/{ann}/application_credentials"
    wider = {"application_credential": {"name": "x", "roles": [{"name": "member"}]}}
    assert identity.call("POST", path, wider, token=token).status_code == 400
    same = identity.make(path, {"application_credential": {"name": "y"}}, token=token)
    assert [role["name"] for role in same["roles"]] == ["reader"]


# -- EC2 credentials


def test_ec2_keys_stay_where_and_what_they_were(identity: Identity) -> None:
    """CVE-2020-12689, 12690, 12691 and their like."""
    ann = identity.user("ann", "member")["id"]
    token = identity.token_of("ann")
    other = identity.make("/projects", {"project": {"name": "other"}})["id"]
    blob = '{"access": "a", "secret": "s"}'
    wish = {"credential": {"type": "ec2", "blob": blob, "project_id": identity.project_id, "user_id": ann}}
    made = identity.make("/credentials", wish, token=token)["id"]
    lifted = '{"access": "a", "secret": "s", "app_cred_id": "x"}'
    for change in ({"project_id": other}, {"user_id": identity.user_id}, {"type": "cert"}, {"blob": lifted}):
        answer = identity.call("PATCH", f"/credentials/{made}", {"credential": change}, token=token)
        assert answer.status_code in (400, 403), f"{change}: {answer.text}"
    for_another = {"credential": {**wish["credential"], "user_id": identity.user_id}}
    assert identity.call("POST", "/credentials", for_another, token=token).status_code == 403
    restricted = program(identity, "ann")
    assert identity.call("POST", "/credentials", wish, token=restricted).status_code == 403
    tenant = {"tenant_id": identity.project_id}
    assert identity.call("POST", f"/users/{ann}/credentials/OS-EC2", tenant, token=restricted).status_code == 403


# -- the catalog's filters


@pytest.mark.parametrize("persona", ["domain-manager", "project-manager", "project-member", "system-reader"])
def test_endpoint_filters_are_the_administrators(identity: Identity, persona: str) -> None:
    endpoint = identity.call("GET", "/endpoints").json["endpoints"][0]["id"]
    group = {"endpoint_group": {"name": "g", "filters": {"interface": "public"}}}
    made = identity.make("/OS-EP-FILTER/endpoint_groups", group)["id"]
    of_project = f"projects/{identity.project_id}"
    for method, path, body in (
        ("PUT", f"/OS-EP-FILTER/{of_project}/endpoints/{endpoint}", None),
        ("PUT", f"/OS-EP-FILTER/endpoint_groups/{made}/{of_project}", None),
        ("PATCH", f"/OS-EP-FILTER/endpoint_groups/{made}", {"endpoint_group": {"name": "x"}}),
        ("POST", "/OS-EP-FILTER/endpoint_groups", group),
        ("DELETE", f"/OS-EP-FILTER/endpoint_groups/{made}", None),
    ):
        assert identity.call(method, path, body, token=persona).status_code == 403, f"{method} {path}"


def test_an_endpoint_in_a_filter_is_no_role(identity: Identity) -> None:
    identity.user("ann")
    endpoint = identity.call("GET", "/endpoints").json["endpoints"][0]["id"]
    path = f"/OS-EP-FILTER/projects/{identity.project_id}/endpoints/{endpoint}"
    assert identity.call("PUT", path).status_code == 204
    assert identity.log_in(with_password("ann"), identity.scope("admin")).status_code == 401


# -- domains


class Domain:
    """A domain of its own with a manager, a user and a project."""

    def __init__(self, identity: Identity, name: str) -> None:
        self.id = identity.make("/domains", {"domain": {"name": name}})["id"]
        self.manager = f"domain-manager@{self.id}"
        self.user = identity.make("/users", {"user": {"name": "u", "domain_id": self.id}})["id"]
        self.group = identity.make("/groups", {"group": {"name": "g", "domain_id": self.id}})["id"]
        self.project = identity.make("/projects", {"project": {"name": "p", "domain_id": self.id}})["id"]


def test_a_domains_manager_reaches_no_other_domain(identity: Identity) -> None:
    here, there = Domain(identity, "here"), Domain(identity, "there")
    known = roles(identity)
    reader = known["reader"]
    user: Body = {"user": {"name": "x", "domain_id": there.id}}
    project: Body = {"project": {"name": "x", "domain_id": there.id}}
    attempts: list[tuple[str, str, Body | None]] = [
        ("POST", "/users", user),
        ("POST", "/groups", {"group": {"name": "x", "domain_id": there.id}}),
        ("POST", "/projects", project),
        ("POST", "/projects", {"project": {"name": "x", "parent_id": there.project}}),
        ("POST", "/projects", {"project": {"name": "x", "is_domain": True}}),
        ("POST", "/domains", {"domain": {"name": "x"}}),
        ("PATCH", f"/domains/{there.id}", {"domain": {"enabled": False}}),
        ("GET", f"/users/{there.user}", None),
        ("PATCH", f"/users/{there.user}", {"user": {"password": "mine now"}}),
        ("DELETE", f"/users/{there.user}", None),
        ("PATCH", f"/projects/{there.project}", {"project": {"enabled": False}}),
        ("DELETE", f"/projects/{there.project}", None),
        ("PUT", f"/projects/{there.project}/tags/x", None),
        ("PUT", f"/groups/{there.group}/users/{here.user}", None),
        ("PUT", f"/groups/{here.group}/users/{there.user}", None),
        ("GET", f"/groups/{there.group}/users", None),
        ("PUT", f"/projects/{there.project}/users/{here.user}/roles/{reader}", None),
        ("PUT", f"/projects/{here.project}/users/{there.user}/roles/{reader}", None),
        ("PUT", f"/domains/{there.id}/users/{here.user}/roles/{reader}", None),
        ("PUT", f"/OS-INHERIT/domains/{there.id}/users/{here.user}/roles/{reader}/inherited_to_projects", None),
        ("PUT", f"/system/users/{here.user}/roles/{reader}", None),
        ("PUT", f"/projects/{here.project}/users/{here.user}/roles/{known['admin']}", None),
        ("PUT", f"/projects/{here.project}/users/{here.user}/roles/{known['service']}", None),
        ("GET", f"/role_assignments?scope.project.id={there.project}&include_subtree", None),
    ]
    for method, path, body in attempts:
        answer = identity.call(method, path, body, token=here.manager)
        assert answer.status_code in (403, 404), f"{method} {path}: {answer.status_code} {answer.text}"
    moved = identity.call("PATCH", f"/users/{here.user}", {"user": {"domain_id": there.id}}, token=here.manager)
    assert moved.status_code == 403
    for path in ("/users", "/groups", "/projects"):
        found = identity.call("GET", f"{path}?domain_id={there.id}", token=here.manager).json[path[1:]]
        assert all(row["domain_id"] == here.id for row in found)
    assert (
        identity.call("PATCH", f"/users/{here.user}", {"user": {"password": "x"}}, token=here.manager).status_code
        == 200
    )


def test_a_domains_manager_does_not_become_an_administrator_who_lives_there(identity: Identity) -> None:
    manager = "domain-manager@default"
    ann = identity.user("ann")["id"]
    group = identity.make("/groups", {"group": {"name": "operators", "domain_id": "default"}})["id"]
    admin = roles(identity)["admin"]
    assert identity.call("PUT", f"/system/groups/{group}/roles/{admin}").status_code == 204
    bob = identity.user("bob")["id"]
    assert identity.call("PUT", f"/groups/{group}/users/{bob}").status_code == 204
    for user_id in (identity.user_id, bob):
        change = identity.call("PATCH", f"/users/{user_id}", {"user": {"password": "mine now"}}, token=manager)
        assert change.status_code == 403
        assert "has the role admin" in change.text
        assert identity.call("DELETE", f"/users/{user_id}", token=manager).status_code == 403
    assert identity.call("PUT", f"/groups/{group}/users/{ann}", token=manager).status_code == 403
    assert identity.call("DELETE", f"/groups/{group}/users/{bob}", token=manager).status_code == 403
    assert identity.call("DELETE", f"/groups/{group}", token=manager).status_code == 403
    assert identity.call("PATCH", f"/users/{ann}", {"user": {"password": "x"}}, token=manager).status_code == 200
