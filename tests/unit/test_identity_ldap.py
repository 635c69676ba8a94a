"""Users and groups in a directory: a real slapd, read and written through the API."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from pileus.services.identity.reconcile import reconcilers
from pileus.services.identity.store import rows
from pileus.services.identity.types.users import UserRow
from tests.support import slapd as directory
from tests.support.identity import Identity
from tests.support.slapd import PEOPLE, SUFFIX, TEAMS, Slapd

pytestmark = pytest.mark.skipif(not directory.available(), reason="needs slapd (Debian) and python-ldap")
WRITABLE = {f"{noun}_allow_{change}": True for noun in ("user", "group") for change in ("create", "update", "delete")}


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with Slapd() as started:
        started.person("ann", "ann's secret", mail="ann@example.org", description="first")
        started.person("bob", "bob's secret")
        started.person("*", "star's secret")
        started.team("crew", f"uid=ann,{PEOPLE}", f"uid=bob,{PEOPLE}")
        yield started


class Office(Identity):
    """A cloud with a domain whose users are in a directory."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.domain_id: str = self.make("/domains", {"domain": {"name": "office"}})["id"]
        self.configure(options)

    def configure(self, options: dict[str, Any], status: int = 201) -> None:
        config = {"identity": {"driver": "ldap"}, "ldap": options}
        answer = self.call("PUT", f"/domains/{self.domain_id}/config", {"config": config})
        assert answer.status_code == status, answer.text

    def users(self, query: str = "") -> dict[str, dict[str, Any]]:
        answer = self.call("GET", f"/users?domain_id={self.domain_id}{query}")
        assert answer.status_code == 200, answer.text
        return {user["name"]: user for user in answer.json["users"]}

    def groups(self, query: str = "") -> dict[str, dict[str, Any]]:
        answer = self.call("GET", f"/groups?domain_id={self.domain_id}{query}")
        assert answer.status_code == 200, answer.text
        return {group["name"]: group for group in answer.json["groups"]}

    def sign_on(self, name: str, password: str, scope: Any = None) -> Any:
        user = {"name": name, "domain": {"id": self.domain_id}, "password": password}
        return self.log_in({"methods": ["password"], "password": {"user": user}}, scope)

    def new_user(self, name: str, **fields: Any) -> dict[str, Any]:
        return self.make("/users", {"user": {"name": name, "domain_id": self.domain_id, **fields}})

    def grant(self, actor: str, role: str = "member") -> None:
        """`actor`: users/ID or groups/ID; on the first project."""
        role_id = self.call("GET", f"/roles?name={role}").json["roles"][0]["id"]
        answer = self.call("PUT", f"/projects/{self.project_id}/{actor}/roles/{role_id}")
        assert answer.status_code == 204, answer.text

    def status(self, token: str) -> int:
        """Of the token: 200 as long as it is good."""
        return int(self.call("GET", "/auth/tokens", x_subject_token=token).status_code)

    def visit(self) -> None:
        """What is done now and then without anybody asking."""
        for reconciler in reconcilers(self.app.db, self.app.settings):
            if reconciler.name == "identity-directories":
                reconciler.run()


@pytest.fixture
def office(slapd: Slapd) -> Office:
    return Office(slapd.options())


@pytest.fixture
def writable(slapd: Slapd) -> Office:
    return Office(slapd.options(**WRITABLE))


# -- reading


def test_users_are_listed_and_shown(office: Office) -> None:
    found = office.users()
    assert {"ann", "bob", "*"} <= set(found)
    ann = found["ann"]
    assert (ann["email"], ann["description"], ann["enabled"]) == ("ann@example.org", "first", True)
    assert ann["domain_id"] == office.domain_id
    assert ann["password_expires_at"] is None
    assert len(ann["id"]) == 64
    assert office.call("GET", f"/users/{ann['id']}").json["user"] == ann
    assert set(office.users("&name=ann")) == {"ann"}
    assert set(office.users("&name__startswith=a")) == {"ann"}
    assert set(office.users("&enabled=false")) == set()


def test_ids_stay_the_same_in_another_cloud(slapd: Slapd, office: Office) -> None:
    """With the same domain: they are made from what the directory and the domain's id say."""
    first = office.users()["ann"]["id"]
    office.configure(slapd.options(page_size=1), status=200)
    assert office.users()["ann"]["id"] == first


def test_pages_of_the_directory_and_of_the_api(slapd: Slapd) -> None:
    with Slapd(sizelimit="2") as small:
        for number in range(7):
            small.person(f"u{number}")
        nobody = {"user": None, "password": None}
        office = Office(small.options(**nobody))
        refused = office.call("GET", f"/users?domain_id={office.domain_id}")
        assert refused.status_code == 503
        assert "ldap.page_size" in refused.json["error"]["message"]
        office.configure(small.options(**nobody, page_size=2), status=200)
        assert sorted(office.users()) == [f"u{number}" for number in range(7)]
    first = Office(slapd.options())
    page = first.call("GET", f"/users?domain_id={first.domain_id}&limit=1").json
    assert [user["name"] for user in page["users"]] == ["*"]
    assert page["truncated"]
    following = first.call("GET", page["links"]["next"].partition("/identity/v3")[2]).json
    assert [user["name"] for user in following["users"]] == ["ann"]


def test_list_limit(office: Office) -> None:
    answer = office.call("PATCH", f"/domains/{office.domain_id}/config", {"config": {"identity": {"list_limit": 1}}})
    assert answer.status_code == 200
    found = office.call("GET", f"/users?domain_id={office.domain_id}").json
    assert (len(found["users"]), found["truncated"]) == (1, True)


def test_groups_and_their_members(office: Office) -> None:
    crew = office.groups()["crew"]
    path = f"/groups/{crew['id']}"
    assert office.call("GET", path).json["group"]["description"] == ""
    members = {user["name"]: user["id"] for user in office.call("GET", f"{path}/users").json["users"]}
    assert set(members) == {"ann", "bob"}
    assert office.call("HEAD", f"{path}/users/{members['ann']}").status_code == 204
    star = office.users()["*"]["id"]
    assert office.call("HEAD", f"{path}/users/{star}").status_code == 404
    groups = office.call("GET", f"/users/{members['bob']}/groups").json["groups"]
    assert [group["name"] for group in groups] == ["crew"]


def test_what_changes_there_is_seen_here(slapd: Slapd, office: Office) -> None:
    dn = slapd.person("cid", mail="cid@example.org")
    team = slapd.team("movers", dn)
    cid, movers = office.users()["cid"], office.groups()["movers"]
    assert office.call("HEAD", f"/groups/{movers['id']}/users/{cid['id']}").status_code == 204
    slapd.change(dn, mail="other@example.org")
    slapd.change(team, member=[f"uid=ann,{PEOPLE}"], description="they move")
    assert office.call("GET", f"/users/{cid['id']}").json["user"]["email"] == "other@example.org"
    assert office.call("GET", f"/groups/{movers['id']}").json["group"]["description"] == "they move"
    assert office.call("HEAD", f"/groups/{movers['id']}/users/{cid['id']}").status_code == 404
    slapd.delete(dn)
    slapd.delete(team)
    assert office.call("GET", f"/users/{cid['id']}").status_code == 404
    assert office.call("GET", f"/groups/{movers['id']}").status_code == 404
    assert "cid" not in office.users()
    assert "movers" not in office.groups()
    assert "cid" not in {user["name"] for user in office.call("GET", "/users").json["users"]}


def test_a_name_goes_over_to_another(slapd: Slapd) -> None:
    office = Office(slapd.options(user_name_attribute="cn"))
    first, second = slapd.person("p1"), slapd.person("p2")
    slapd.change(first, cn="Pat")
    pat = office.users()["Pat"]["id"]
    slapd.change(first, cn="Old Pat")
    slapd.change(second, cn="Pat")
    assert office.users("&name=Pat")["Pat"]["id"] != pat
    slapd.change(second, cn="Pit")
    assert office.users("&name=Pat") == {}
    assert office.users()["Old Pat"]["id"] == pat
    slapd.delete(first)
    slapd.delete(second)


def test_names_go_round(slapd: Slapd) -> None:
    office = Office(slapd.options(user_name_attribute="cn"))
    first, second = slapd.person("r1"), slapd.person("r2")
    before = office.users()
    slapd.change(first, cn="r2")
    slapd.change(second, cn="r1")
    after = office.users()
    assert (after["r2"]["id"], after["r1"]["id"]) == (before["r1"]["id"], before["r2"]["id"])
    slapd.delete(first)
    slapd.delete(second)


def test_a_row_that_no_directory_has_keeps_its_name(slapd: Slapd, office: Office) -> None:
    """Such as a user for whom an identity provider vouches, in the same domain."""
    row = UserRow("vouched", "tom", office.domain_id, True, None, None, None, None, {}, {})
    with office.app.db.write() as tx:
        rows.insert(tx, row)
    dn = slapd.person("tom", "secret")
    team = slapd.team("toms", dn)
    assert office.users()["tom"]["id"] == "vouched"
    assert office.sign_on("tom", "secret").status_code == 401
    assert office.call("GET", f"/groups/{office.groups()['toms']['id']}/users").json["users"] == []
    slapd.delete(dn)
    slapd.delete(team)


def test_who_can_not_be_told_apart_is_left_out(slapd: Slapd) -> None:
    office = Office(slapd.options(user_name_attribute="sn"))
    one, two = slapd.person("n1", "secret", sn="Same"), slapd.person("n2", "secret", sn="Same")
    assert [user for user in office.users() if user == "Same"] == ["Same"]
    assert office.sign_on("Same", "secret").status_code == 401
    slapd.delete(one)
    slapd.delete(two)


# -- signing on


def test_sign_on_and_what_a_token_can_do(office: Office) -> None:
    assert office.sign_on("ann", "ann's secret").status_code == 201
    ann = office.users()["ann"]["id"]
    office.grant(f"users/{ann}")
    scope = office.scope("admin")
    answer = office.sign_on("ann", "ann's secret", scope)
    assert answer.json["token"]["user"]["id"] == ann
    assert {role["name"] for role in answer.json["token"]["roles"]} == {"member", "reader"}
    token = answer.headers["x-subject-token"]
    assert office.status(token) == 200
    by_id = {"methods": ["password"], "password": {"user": {"id": ann, "password": "ann's secret"}}}
    assert office.log_in(by_id).status_code == 201
    credential = office.make(
        f"/users/{ann}/application_credentials", {"application_credential": {"name": "robot"}}, token=token
    )
    robot = {
        "methods": ["application_credential"],
        "application_credential": {key: credential[key] for key in ("id", "secret")},
    }
    assert office.log_in(robot).status_code == 201
    trust = {
        "trustor_user_id": ann,
        "trustee_user_id": office.user_id,
        "project_id": office.project_id,
        "impersonation": False,
    }
    assert office.make("/OS-TRUST/trusts", {"trust": {**trust, "roles": [{"name": "member"}]}}, token=token)["id"]


def test_roles_come_through_groups_of_the_directory(slapd: Slapd, office: Office) -> None:
    office.grant(f"groups/{office.groups()['crew']['id']}")
    assert office.sign_on("bob", "bob's secret", office.scope("admin")).status_code == 201
    team = f"cn=crew,{TEAMS}"
    slapd.change(team, member=[f"uid=ann,{PEOPLE}"])
    assert office.sign_on("bob", "bob's secret", office.scope("admin")).status_code == 401
    slapd.change(team, member=[f"uid=ann,{PEOPLE}", f"uid=bob,{PEOPLE}"])


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ann", "wrong"),
        ("ann", ""),
        ("nobody", "ann's secret"),
        ("nobody", ""),
        ("a*", "ann's secret"),
        ("*", "ann's secret"),
        ("ann)(uid=*", "ann's secret"),
        ("*)(|(uid=ann", "ann's secret"),
        ("\\61nn", "ann's secret"),
        ("ann\\", "ann's secret"),
        ("ann,ou=people", "ann's secret"),
        ("ann)(cn=ann))(&(uid=ann", "ann's secret"),
    ],
)
def test_nobody_signs_on_by_what_is_no_name(office: Office, name: str, password: str) -> None:
    answer = office.sign_on(name, password)
    assert answer.status_code == 401
    assert "requires authentication" in answer.json["error"]["message"]


def test_a_name_of_special_characters_is_a_name(office: Office) -> None:
    assert office.sign_on("*", "star's secret").json["token"]["user"]["name"] == "*"
    assert set(office.users("&name=*")) == {"*"}
    assert office.users("&name=a*") == {}


def test_a_token_does_not_ask_the_directory(slapd: Slapd, office: Office) -> None:
    token = office.sign_on("ann", "ann's secret").headers["x-subject-token"]
    slapd.stop()
    try:
        assert office.status(token) == 200
        refused = office.sign_on("ann", "ann's secret")
        assert refused.status_code == 503
        message = refused.json["error"]["message"]
        assert office.domain_id in message
        assert slapd.url in message
        assert "does not answer" in message
        assert refused.headers["retry-after"] == "5"
        assert office.call("GET", f"/users?domain_id={office.domain_id}").status_code == 503
        assert office.call("GET", "/users?domain_id=default").status_code == 200
        assert office.token_of("admin", "correct horse")
    finally:
        slapd.start()


def test_a_token_ends_soon_after_its_user(slapd: Slapd, office: Office) -> None:
    dn = slapd.person("eva", "eva's secret")
    token = office.sign_on("eva", "eva's secret").headers["x-subject-token"]
    office.visit()
    assert office.status(token) == 200
    slapd.delete(dn)
    office.visit()
    assert office.status(token) == 404


def test_another_driver_ends_the_tokens_of_the_first(office: Office) -> None:
    token = office.sign_on("ann", "ann's secret").headers["x-subject-token"]
    assert office.call("DELETE", f"/domains/{office.domain_id}/config").status_code == 204
    assert office.status(token) == 404
    assert office.sign_on("ann", "ann's secret").status_code == 401


def test_users_in_rows_are_not_locked_out_by_a_directory(slapd: Slapd, office: Office) -> None:
    config = {"identity": {"driver": "ldap"}, "ldap": slapd.options()}
    refused = office.call("PUT", "/domains/default/config", {"config": config})
    assert refused.status_code == 409
    assert "users or groups of its own" in refused.json["error"]["message"]
    assert office.token_of("admin", "correct horse")


def test_a_domain_goes_without_its_directory(office: Office) -> None:
    office.users()
    office.configure({"url": "ldap://127.0.0.1:1", "user_tree_dn": PEOPLE}, status=200)
    assert office.call("PATCH", f"/domains/{office.domain_id}", {"domain": {"enabled": False}}).status_code == 200
    assert office.call("DELETE", f"/domains/{office.domain_id}").status_code == 204


# -- enabled


def test_enabled_by_an_attribute(slapd: Slapd) -> None:
    office = Office(slapd.options(user_enabled_attribute="employeeType", **WRITABLE))
    off, on = slapd.person("off", "s", employeeType="FALSE"), slapd.person("on", "s", employeeType="TRUE")
    found = office.users()
    assert (found["off"]["enabled"], found["on"]["enabled"], found["ann"]["enabled"]) == (False, True, True)
    assert set(office.users("&enabled=false")) == {"off"}
    assert office.sign_on("off", "s").status_code == 401
    assert office.sign_on("on", "s").status_code == 201
    changed = office.call("PATCH", f"/users/{found['on']['id']}", {"user": {"enabled": False}})
    assert changed.json["user"]["enabled"] is False
    assert (slapd.read(on) or {})["employeeType"] == ["FALSE"]
    slapd.delete(off)
    slapd.delete(on)


def test_enabled_inverted_and_by_default(slapd: Slapd) -> None:
    office = Office(
        slapd.options(user_enabled_attribute="employeeType", user_enabled_invert=True, user_enabled_default=False)
    )
    locked = slapd.person("locked", employeeType="TRUE")
    found = office.users()
    assert (found["locked"]["enabled"], found["ann"]["enabled"]) == (False, True)
    slapd.delete(locked)


def test_enabled_by_a_bit(slapd: Slapd) -> None:
    bits = {"user_enabled_attribute": "employeeNumber", "user_enabled_mask": 2, "user_enabled_default": 512}
    office = Office(slapd.options(**bits, **WRITABLE))
    off, on = slapd.person("off", employeeNumber="514"), slapd.person("on", employeeNumber="512")
    found = office.users()
    assert (found["off"]["enabled"], found["on"]["enabled"], found["ann"]["enabled"]) == (False, True, True)
    office.call("PATCH", f"/users/{found['on']['id']}", {"user": {"enabled": False}})
    assert (slapd.read(on) or {})["employeeNumber"] == ["514"]
    office.call("PATCH", f"/users/{found['on']['id']}", {"user": {"enabled": True}})
    assert (slapd.read(on) or {})["employeeNumber"] == ["512"]
    slapd.delete(off)
    slapd.delete(on)


def test_enabled_by_a_group(slapd: Slapd) -> None:
    group = f"cn=enabled,{SUFFIX}"
    slapd.add(group, objectClass=["groupOfNames"], cn="enabled", member=[f"UID=Ann, {PEOPLE}"])
    office = Office(slapd.options(user_enabled_emulation=True, user_enabled_emulation_dn=group, **WRITABLE))
    found = office.users()
    assert (found["ann"]["enabled"], found["bob"]["enabled"]) == (True, False)
    assert office.sign_on("bob", "bob's secret").status_code == 401
    assert office.call("PATCH", f"/users/{found['bob']['id']}", {"user": {"enabled": True}}).status_code == 200
    assert office.sign_on("bob", "bob's secret").status_code == 201
    for name in ("ann", "bob"):
        office.call("PATCH", f"/users/{found[name]['id']}", {"user": {"enabled": False}})
    assert not any(user["enabled"] for user in office.users().values())
    slapd.delete(group)


def test_who_is_a_user_here(slapd: Slapd) -> None:
    office = Office(slapd.options(user_filter="uid=a*", group_filter="(cn=nothing)"))
    assert set(office.users()) == {"ann"}
    assert office.groups() == {}
    assert office.sign_on("bob", "bob's secret").status_code == 401


def test_trees_within_trees(slapd: Slapd) -> None:
    office = Office(slapd.options(user_tree_dn=SUFFIX, group_tree_dn=SUFFIX))
    assert office.users() == {}
    office.configure(slapd.options(user_tree_dn=SUFFIX, group_tree_dn=SUFFIX, query_scope="sub"), status=200)
    assert {"ann", "bob"} <= set(office.users())


def test_further_attributes_and_members_by_id(slapd: Slapd) -> None:
    dn = f"cn=posix,{TEAMS}"
    slapd.add(dn, objectClass=["posixGroup"], cn="posix", gidNumber="100", memberUid=["bob"])
    mapping = {"user_additional_attribute_mapping": ["sn:surname", "mail:contact"]}
    posix = {"group_objectclass": "posixGroup", "group_member_attribute": "memberUid", "group_members_are_ids": True}
    office = Office(slapd.options(**mapping, **posix, **WRITABLE))
    assert (office.users()["ann"]["surname"], office.users()["ann"]["contact"]) == ("ann", "ann@example.org")
    group = office.groups()["posix"]["id"]
    assert [one["name"] for one in office.call("GET", f"/groups/{group}/users").json["users"]] == ["bob"]
    assert office.call("PUT", f"/groups/{group}/users/{office.users()['ann']['id']}").status_code == 204
    assert sorted((slapd.read(dn) or {})["memberUid"]) == ["ann", "bob"]
    slapd.delete(dn)


# -- writing


def test_what_is_not_allowed_is_refused(slapd: Slapd, office: Office) -> None:
    ann, crew = office.users()["ann"]["id"], office.groups()["crew"]["id"]
    for method, path, body in (
        ("POST", "/users", {"user": {"name": "new", "domain_id": office.domain_id}}),
        ("PATCH", f"/users/{ann}", {"user": {"email": "x@example.org"}}),
        ("PATCH", f"/users/{ann}", {"user": {"password": "new"}}),
        ("DELETE", f"/users/{ann}", None),
        ("POST", "/groups", {"group": {"name": "new", "domain_id": office.domain_id}}),
        ("PATCH", f"/groups/{crew}", {"group": {"description": "x"}}),
        ("DELETE", f"/groups/{crew}", None),
        ("PUT", f"/groups/{crew}/users/{ann}", None),
        ("DELETE", f"/groups/{crew}/users/{ann}", None),
    ):
        answer = office.call(method, path, body)
        assert answer.status_code == 403, f"{method} {path}: {answer.text}"
        assert "_allow_" in answer.json["error"]["message"]
    change = {"user": {"original_password": "ann's secret", "password": "other"}}
    assert office.call("POST", f"/users/{ann}/password", change, token=None).status_code == 403
    assert "ann" in office.users()


def test_what_the_directory_does_not_have_is_kept_here(office: Office) -> None:
    ann = office.users()["ann"]["id"]
    wish = {"default_project_id": office.project_id, "options": {"lock_password": True}, "colour": "blue"}
    shown = office.call("PATCH", f"/users/{ann}", {"user": wish}).json["user"]
    assert (shown["colour"], shown["options"]) == ("blue", {"lock_password": True})
    again = office.call("GET", f"/users/{ann}").json["user"]
    assert (again["colour"], again["default_project_id"], again["email"]) == (
        "blue",
        office.project_id,
        "ann@example.org",
    )


def test_users_are_made_changed_and_deleted(slapd: Slapd, writable: Office) -> None:
    made = writable.new_user("dan", password="dan's secret", email="dan@example.org", colour="red")
    dn = f"uid=dan,{PEOPLE}"
    there = slapd.read(dn)
    assert there is not None
    assert (there["mail"], there["sn"], there["cn"]) == (["dan@example.org"], ["dan"], ["dan"])
    assert there["userPassword"][0].startswith("{SSHA}")
    assert "colour" not in there
    assert (made["email"], made["colour"], made["domain_id"]) == ("dan@example.org", "red", writable.domain_id)
    assert writable.sign_on("dan", "dan's secret").status_code == 201
    path = f"/users/{made['id']}"
    token = writable.sign_on("dan", "dan's secret").headers["x-subject-token"]
    changed = writable.call("PATCH", path, {"user": {"password": "second", "email": None, "description": "digs"}})
    assert changed.json["user"]["description"] == "digs"
    assert "mail" not in (slapd.read(dn) or {})
    assert writable.status(token) == 404
    assert writable.sign_on("dan", "dan's secret").status_code == 401
    change = {"user": {"original_password": "second", "password": "third"}}
    assert writable.call("POST", f"{path}/password", change, token=None).status_code == 204
    assert writable.call("POST", f"{path}/password", change, token=None).status_code == 401
    assert writable.sign_on("dan", "third").status_code == 201
    assert writable.call("PATCH", path, {"user": {"name": "don"}}).status_code == 403
    assert writable.call("PATCH", path, {"user": {"enabled": False}}).status_code == 403
    again = writable.call("POST", "/users", {"user": {"name": "dan", "domain_id": writable.domain_id}})
    assert again.status_code == 409
    assert writable.call("DELETE", path).status_code == 204
    assert slapd.read(dn) is None
    assert writable.call("GET", path).status_code == 404


def test_who_is_made_anew_inherits_nothing(slapd: Slapd, writable: Office) -> None:
    first = writable.new_user("ivy", password="one")
    writable.grant(f"users/{first['id']}")
    slapd.delete(f"uid=ivy,{PEOPLE}")
    writable.users()
    second = writable.new_user("ivy", password="two")
    assert second["id"] == first["id"]
    assert writable.sign_on("ivy", "two").status_code == 201
    assert writable.sign_on("ivy", "two", writable.scope("admin")).status_code == 401
    assert writable.call("DELETE", f"/users/{second['id']}").status_code == 204


def test_what_is_gone_can_be_deleted_without_permission(slapd: Slapd, office: Office) -> None:
    dn = slapd.person("gus", "secret")
    gus = office.users()["gus"]["id"]
    office.grant(f"users/{gus}")
    slapd.delete(dn)
    assert office.call("GET", f"/users/{gus}").status_code == 404
    assert len(office.call("GET", f"/role_assignments?user.id={gus}").json["role_assignments"]) == 1
    assert office.call("DELETE", f"/users/{gus}").status_code == 204
    assert office.call("GET", f"/role_assignments?user.id={gus}").json["role_assignments"] == []


def test_names_are_values_and_nothing_else(slapd: Slapd, writable: Office) -> None:
    for name in ("x,ou=teams", "a+b=c", 'quo"ted', "back\\slash", " spaces ", "(&)", "#hash", "ünï"):
        made = writable.new_user(name, password="secret")
        assert made["name"] == name
        assert writable.sign_on(name, "secret").status_code == 201, name
        assert writable.call("GET", f"/users/{made['id']}").json["user"]["name"] == name
        assert writable.call("DELETE", f"/users/{made['id']}").status_code == 204
    assert slapd.read(f"uid=x,ou=teams,{PEOPLE}") is None


def test_an_id_of_its_own(slapd: Slapd) -> None:
    office = Office(slapd.options(user_id_attribute="uid", user_name_attribute="cn", **WRITABLE))
    made = office.new_user("Kim", password="secret")
    renamed = office.call("PATCH", f"/users/{made['id']}", {"user": {"name": "Kim B."}})
    assert renamed.json["user"]["name"] == "Kim B."
    assert office.sign_on("Kim B.", "secret").json["token"]["user"]["id"] == made["id"]
    assert office.call("DELETE", f"/users/{made['id']}").status_code == 204


def test_an_id_that_only_the_directory_gives(slapd: Slapd) -> None:
    """An attribute that is shown only to who asks for it, and that nobody can write."""
    office = Office(slapd.options(user_id_attribute="entryUUID", group_id_attribute="entryUUID", **WRITABLE))
    ann = office.users()["ann"]
    assert office.sign_on("ann", "ann's secret").json["token"]["user"]["id"] == ann["id"]
    members = office.call("GET", f"/groups/{office.groups()['crew']['id']}/users").json["users"]
    assert {user["name"] for user in members} == {"ann", "bob"}
    refused = office.call("POST", "/users", {"user": {"name": "new", "domain_id": office.domain_id}})
    assert (refused.status_code, "ldap.user_id_attribute" in refused.json["error"]["message"]) == (400, True)


def test_binary_ids_are_searched_for_byte_by_byte() -> None:
    from pileus.services.identity.drivers.ldap_tree import Found, equals

    found = Found("cn=x", {"objectGUID": [b"\x00(*)\xff"]})
    assert found.text("objectguid") == "00282a29ff"
    assert equals("objectGUID", "00282a29ff") == r"(objectGUID=\00\28\2a\29\ff)"
    assert equals("objectGUID", "*)(uid=*") == "(!(objectClass=*))"


def test_groups_are_made_changed_and_deleted(slapd: Slapd, writable: Office) -> None:
    group = writable.make("/groups", {"group": {"name": "new", "domain_id": writable.domain_id, "description": "d"}})
    dn = f"cn=new,{TEAMS}"
    assert (slapd.read(dn) or {})["description"] == ["d"]
    path, ann = f"/groups/{group['id']}", writable.users()["ann"]["id"]
    assert writable.call("GET", f"{path}/users").json["users"] == []
    for _ in range(2):
        assert writable.call("PUT", f"{path}/users/{ann}").status_code == 204
    assert f"uid=ann,{PEOPLE}" in (slapd.read(dn) or {})["member"]
    assert writable.call("HEAD", f"{path}/users/{ann}").status_code == 204
    assert writable.call("DELETE", f"{path}/users/{ann}").status_code == 204
    assert writable.call("DELETE", f"{path}/users/{ann}").status_code == 404
    assert writable.call("PATCH", path, {"group": {"description": "other"}}).json["group"]["description"] == "other"
    assert (slapd.read(dn) or {})["description"] == ["other"]
    stranger = writable.make("/users", {"user": {"name": "stranger"}})["id"]
    assert writable.call("PUT", f"{path}/users/{stranger}").status_code == 400
    assert writable.call("DELETE", path).status_code == 204
    assert slapd.read(dn) is None
    assert writable.call("GET", path).status_code == 404


def test_the_last_member_can_leave(slapd: Slapd, writable: Office) -> None:
    dn = slapd.team("pair", f"uid=ann,{PEOPLE}")
    group, ann = writable.groups()["pair"]["id"], writable.users()["ann"]["id"]
    assert writable.call("GET", f"/groups/{group}/users").json["users"][0]["name"] == "ann"
    assert writable.call("DELETE", f"/groups/{group}/users/{ann}").status_code == 204
    assert writable.call("GET", f"/groups/{group}/users").json["users"] == []
    slapd.delete(dn)


def test_users_of_a_directory_in_a_group_of_rows(office: Office) -> None:
    group = office.make("/groups", {"group": {"name": "everybody"}})["id"]
    ann = office.users()["ann"]["id"]
    assert office.call("PUT", f"/groups/{group}/users/{ann}").status_code == 204
    assert [one["name"] for one in office.call("GET", f"/groups/{group}/users").json["users"]] == ["ann"]
    groups = office.call("GET", f"/users/{ann}/groups").json["groups"]
    assert {one["name"] for one in groups} == {"crew", "everybody"}
    assert office.sign_on("ann", "ann's secret").status_code == 201
    assert {one["name"] for one in office.call("GET", f"/users/{ann}/groups").json["groups"]} == {"crew", "everybody"}


# -- connections


def test_tls(slapd: Slapd) -> None:
    good = {"tls_cacertfile": str(slapd.ca)}
    for options in ({"url": slapd.tls_url, **good}, {"use_tls": True, **good}):
        office = Office(slapd.options(**options))
        assert office.sign_on("ann", "ann's secret").status_code == 201
    for options in ({"url": slapd.tls_url}, {"use_tls": True}):
        answer = Office(slapd.options(**options)).sign_on("ann", "ann's secret")
        assert answer.status_code == 503
        assert "certificate" in answer.json["error"]["message"]
    assert (
        Office(slapd.options(url=slapd.tls_url, tls_req_cert="never")).sign_on("ann", "ann's secret").status_code == 201
    )
    missing = Office(slapd.options(url=slapd.tls_url, tls_cacertfile="/nowhere.pem")).sign_on("ann", "x")
    assert (missing.status_code, "/nowhere.pem" in missing.json["error"]["message"]) == (503, True)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"url": "https://example.org"}, "ldap:// or ldaps://"),
        ({"url": ""}, "ldap:// or ldaps://"),
        ({"password": "wrong"}, "refuses ldap.user"),
        ({"user_tree_dn": ""}, "ldap.user_tree_dn"),
        ({"user_tree_dn": f"ou=nowhere,{SUFFIX}"}, "ldap.user_tree_dn"),
        ({"user_tree_dn": "nowhere"}, "ldap.user_tree_dn"),
        ({"user_filter": "(((", "page_size": 10}, "ldap.user_filter"),
    ],
)
def test_wrong_options_say_so(slapd: Slapd, options: dict[str, Any], hint: str) -> None:
    office = Office(slapd.options(**options))
    for answer in (office.call("GET", f"/users?domain_id={office.domain_id}"), office.sign_on("ann", "ann's secret")):
        assert answer.status_code == 503
        assert hint in answer.json["error"]["message"]
        assert slapd.options()["password"] not in answer.text


def test_attributes_can_not_carry_a_filter(slapd: Slapd, office: Office) -> None:
    for name in ("user_name_attribute", "user_objectclass", "user_additional_attribute_mapping"):
        value: Any = "uid=*)(x" if "mapping" not in name else ["uid=*)(x:y"]
        answer = office.call("PATCH", f"/domains/{office.domain_id}/config", {"config": {"ldap": {name: value}}})
        assert answer.status_code == 400


def test_a_driver_that_is_not_here(office: Office) -> None:
    config = {"config": {"identity": {"driver": "magic"}}}
    assert office.call("PATCH", f"/domains/{office.domain_id}/config", config).status_code == 200
    answer = office.sign_on("ann", "ann's secret")
    assert (answer.status_code, "'magic'" in answer.json["error"]["message"]) == (503, True)


def test_a_connection_that_was_closed_is_replaced(slapd: Slapd, writable: Office) -> None:
    assert writable.users()
    slapd.stop()
    slapd.start()
    assert "ann" in writable.users()
    made = writable.new_user("zoe")
    slapd.stop()
    slapd.start()
    assert writable.call("DELETE", f"/users/{made['id']}").status_code == 204


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections, and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"ldap://127.0.0.1:{listening.getsockname()[1]}"


def test_others_do_not_wait_for_a_silent_directory(slapd: Slapd) -> None:
    with silent_server() as url:
        office = Office(slapd.options(url=url, connection_timeout=2))
        office.app.pool = ThreadPoolExecutor(16)
        asyncio.run(_others_do_not_wait(office))


async def _others_do_not_wait(office: Office) -> None:
    """More at the silent directory than a process has threads; then somebody of another domain."""
    user = {"name": "ann", "domain": {"id": office.domain_id}, "password": "ann's secret"}
    auth = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    transport = httpx.ASGITransport(app=office.app.asgi)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud/identity/v3") as client:
        waiting = [asyncio.create_task(client.post("/auth/tokens", json=auth)) for _ in range(24)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        others = await client.get("/users?domain_id=default", headers={"x-auth-token": office.admin})
        assert others.status_code == 200
        assert not all(task.done() for task in waiting), "the directory was to be silent for longer"
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {503}
