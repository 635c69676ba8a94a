"""Effective roles against a model so simple that it can be seen to be right."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core.db import Database, Tx
from pileus.services.identity.rules import assignments as rules
from pileus.services.identity.rules import role_assignments
from pileus.services.identity.store import assignments as store
from pileus.services.identity.store import projects, rows, users
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.identity.types.roles import Assignment, RoleRow
from pileus.services.identity.types.users import GroupRow, UserRow
from tests.support.postgres import DATABASES, new_url

PARENTS = {"p1": "d1", "p2": "p1", "p3": "p2", "q1": "d2", "q2": "q1"}
DOMAINS = ("d1", "d2")
ROLES = {"a": None, "b": None, "c": None, "own": "d1"}
USERS, GROUPS = ("u1", "u2"), ("g1", "g2")

targets = st.one_of(
    st.tuples(st.just("project"), st.sampled_from(sorted(PARENTS)), st.booleans()),
    st.tuples(st.just("domain"), st.sampled_from(DOMAINS), st.booleans()),
    st.just(("system", "all", False)),
)
actors = st.one_of(
    st.tuples(st.just("user"), st.sampled_from(USERS)), st.tuples(st.just("group"), st.sampled_from(GROUPS))
)
given_roles = st.builds(
    lambda actor, target, role: Assignment(*actor, target[0], target[1], role, target[2]),
    actors,
    targets,
    st.sampled_from(sorted(ROLES)),
)
Pairs = set[tuple[str, str]]


@pytest.fixture(scope="module", params=DATABASES)
def db(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Database]:
    found = Database(new_url(request.param, tmp_path_factory.mktemp("identity")))
    found.create_tables()
    with found.write() as tx:
        for domain in DOMAINS:
            rows.insert(tx, ProjectRow(domain, domain, None, None, True, True, "", {}, {}))
        for project, parent in PARENTS.items():
            domain = "d1" if project.startswith("p") else "d2"
            rows.insert(tx, ProjectRow(project, project, domain, parent, False, True, "", {}, {}))
        for role, role_domain in ROLES.items():
            rows.insert(tx, RoleRow(role, role, role_domain, None, {}, {}))
        for user in USERS:
            rows.insert(tx, UserRow(user, user, "d1", True, None, None, None, None, {}, {}))
        for group in GROUPS:
            rows.insert(tx, GroupRow(group, group, "d1", "", {}))
    yield found
    found.close()


def above(project: str) -> Iterator[str]:
    while project in PARENTS:
        project = PARENTS[project]
        yield project


def model(made: list[Assignment], members: Pairs, implied: Pairs, user: str, kind: str, target: str) -> set[str]:
    """The roles of a user somewhere, by looking at everything."""
    held = set()
    for one in made:
        mine = one.actor_id == user or (one.actor_id, user) in members
        direct = not one.inherited and (one.target_type, one.target_id) == (kind, target)
        from_above = one.inherited and kind == "project" and one.target_id in above(target)
        if mine and (direct or from_above):
            held.add(one.role_id)
    for _ in ROLES:
        held |= {after for before, after in implied if before in held}
    return {role for role in held if ROLES[role] is None}


def found(tx: Tx, user: str, kind: str, target: str) -> set[str]:
    if kind == "system":
        return {role.id for role in rules.effective_on_system(tx, user)}
    if kind == "domain":
        return {role.id for role in rules.effective_on_domain(tx, user, target)}
    return {role.id for role in rules.effective_on_project(tx, user, projects.lineage(tx, target))}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(given_roles, max_size=6),
    st.sets(st.tuples(st.sampled_from(GROUPS), st.sampled_from(USERS)), max_size=3),
    st.sets(st.tuples(st.sampled_from(sorted(ROLES)), st.sampled_from(sorted(ROLES))), max_size=4),
)
def test_effective_roles(db: Database, made: list[Assignment], members: Pairs, implied: Pairs) -> None:
    places = [("project", project) for project in PARENTS] + [("domain", domain) for domain in DOMAINS]
    places.append(("system", "all"))
    with undone(db) as tx:
        for one in made:
            store.add(tx, one)
        for group, user in members:
            users.add_member(tx, group, user)
        for before, after in implied:
            store.imply(tx, before, after)
        worked_out = {
            (one.assignment.actor_id, one.assignment.target_type, one.assignment.target_id, one.assignment.role_id)
            for one in role_assignments.effective(tx, store.listing(tx))
        }
        for user, (kind, target) in itertools.product(USERS, places):
            expected = model(made, members, implied, user, kind, target)
            assert found(tx, user, kind, target) == expected
            assert {role for who, k, t, role in worked_out if (who, k, t) == (user, kind, target)} == expected
        for user in USERS:
            usable = {target for kind, target in places if kind == "project" and _any(made, members, user, target)}
            assert {row.id for row in rules.projects_of(tx, user)} == usable


@settings(max_examples=40, deadline=None)
@given(
    st.lists(given_roles, max_size=6),
    st.sets(st.tuples(st.sampled_from(GROUPS), st.sampled_from(USERS)), max_size=3),
    st.sets(st.tuples(st.sampled_from(["a", "b", "own"]), st.sampled_from(sorted(ROLES))), max_size=4),
)
def test_a_filtered_list_is_a_part_of_the_whole(
    db: Database, made: list[Assignment], members: Pairs, implied: Pairs
) -> None:
    with undone(db) as tx:
        for one in made:
            store.add(tx, one)
        for group, user in members:
            users.add_member(tx, group, user)
        for before, after in implied:
            store.imply(tx, before, after)
        every = _listed(tx)
        for user in USERS:
            assert _listed(tx, user_id=user) == {one for one in every if one[0] == user}
        for role in ROLES:
            assert _listed(tx, role_id=role) == {one for one in every if one[3] == role}
        for kind, target in [*itertools.product(["project"], PARENTS), *itertools.product(["domain"], DOMAINS)]:
            here = {one for one in every if (one[1], one[2]) == (kind, target)}
            assert _listed(tx, target_type=kind, target_id=target) == here
            assert _listed(tx, target_type=kind, target_id=target, user_id="u1") == {
                one for one in here if one[0] == "u1"
            }
        for project in PARENTS:
            below = {project, *(each for each in PARENTS if project in above(each))}
            tree = {one for one in every if one[1] == "project" and one[2] in below}
            assert _listed(tx, target_type="project", target_id=project, subtree=True) == tree


def _listed(tx: Tx, **wanted: Any) -> set[tuple[str, str, str, str]]:
    found = role_assignments.listing(tx, role_assignments.Filters(effective=True, **wanted))
    every = (one.assignment for one in found)
    return {(one.actor_id, one.target_type, one.target_id, one.role_id) for one in every}


class _Undo(Exception):
    pass


@contextmanager
def undone(db: Database) -> Iterator[Tx]:
    """A transaction that is taken back at its end."""
    with suppress(_Undo), db.write() as tx:
        yield tx
        raise _Undo


def _any(made: list[Assignment], members: Pairs, user: str, project: str) -> bool:
    return any(
        (one.actor_id == user or (one.actor_id, user) in members)
        and (one.target_id in above(project) if one.inherited else one.target_id == project)
        for one in made
    )
