"""Every way to give a role: to users and groups, on the system, domains and projects, for itself or for what is below."""

from collections.abc import Iterator

import pytest

from tests.support.identity import Identity

TARGETS = ("system", "domains/default", "projects/{project}")
ACTORS = ("users/{user}", "groups/{group}")
PLAIN = [f"/{target}/{actor}/roles" for target in TARGETS for actor in ACTORS]
INHERITED = [f"/OS-INHERIT/{target}/{actor}/roles" for target in TARGETS[1:] for actor in ACTORS]


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    made = Identity()
    yield made
    made.app.db.close()


@pytest.fixture(scope="module")
def ids(identity: Identity) -> dict[str, str]:
    project = identity.make("/projects", {"project": {"name": "demo"}})
    return {
        "project": project["id"],
        "below": identity.make("/projects", {"project": {"name": "below", "parent_id": project["id"]}})["id"],
        "user": identity.user("dana")["id"],
        "group": identity.make("/groups", {"group": {"name": "team"}})["id"],
        "role": next(role["id"] for role in identity.call("GET", "/roles").json["roles"] if role["name"] == "reader"),
        "domain_role": identity.make("/roles", {"role": {"name": "local", "domain_id": "default"}})["id"],
    }


@pytest.mark.parametrize("form", [*PLAIN, *INHERITED])
def test_give_look_and_take(identity: Identity, ids: dict[str, str], form: str) -> None:
    end = "/inherited_to_projects" if "INHERIT" in form else ""
    many = form.format(**ids)
    one = f"{many}/{ids['role']}{end}"
    for method in ("GET", "HEAD", "DELETE"):
        assert identity.call(method, one).status_code == 404
    assert identity.call("PUT", one).status_code == 204
    assert identity.call("PUT", one).status_code == 204, "again changes nothing"
    for method in ("GET", "HEAD"):
        assert identity.call(method, one).status_code == 204
    if not (end and "projects/" in form):
        listed = identity.call("GET", many + end).json["roles"]
        assert [role["name"] for role in listed] == ["reader"]
    actor = "user" if "/users/" in form else "group"
    query = f"{actor}.id={ids[actor]}&role.id={ids['role']}"
    found = identity.call("GET", f"/role_assignments?{query}").json["role_assignments"]
    assert len(found) == 1
    assert ("OS-INHERIT:inherited_to" in found[0]["scope"]) == bool(end)
    assert identity.call("DELETE", one).status_code == 204
    assert identity.call("GET", one).status_code == 404
    assert identity.call("GET", f"/role_assignments?{query}").json["role_assignments"] == []


@pytest.mark.parametrize("form", [*PLAIN, *INHERITED])
def test_who_and_where_must_be_there(identity: Identity, ids: dict[str, str], form: str) -> None:
    end = "/inherited_to_projects" if "INHERIT" in form else ""
    for noun in ("user", "group", "project", "role"):
        path = f"{form.format(**(ids | {noun: 'nothing'}))}/{'nothing' if noun == 'role' else ids['role']}{end}"
        if "nothing" in path:
            for method in ("PUT", "GET", "DELETE"):
                assert identity.call(method, path).status_code == 404
    path = f"{form.format(**ids)}/{ids['role']}{end}"
    assert identity.call("PUT", path, token="project-member").status_code == 403


@pytest.mark.parametrize("actor", ACTORS)
def test_an_inherited_role_counts_below_alone(identity: Identity, ids: dict[str, str], actor: str) -> None:
    here = f"/OS-INHERIT/projects/{ids['project']}/{actor.format(**ids)}/roles/{ids['role']}/inherited_to_projects"
    assert identity.call("PUT", here).status_code == 204
    assert identity.call("PUT", f"/groups/{ids['group']}/users/{ids['user']}").status_code == 204
    found = identity.call("GET", f"/role_assignments?effective&user.id={ids['user']}").json["role_assignments"]
    assert [one["scope"]["project"]["id"] for one in found] == [ids["below"]]
    assert identity.call("DELETE", here).status_code == 204


def test_a_domains_role_is_not_for_the_system(identity: Identity, ids: dict[str, str]) -> None:
    for actor in ACTORS:
        path = f"/system/{actor.format(**ids)}/roles/{ids['domain_role']}"
        assert identity.call("PUT", path).status_code == 400
