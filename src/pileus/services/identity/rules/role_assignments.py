"""The list of role assignments, as they were made or as they work out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.services.identity.store import assignments as store
from pileus.services.identity.store import projects as project_store
from pileus.services.identity.store import rows
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.identity.types.roles import Assignment, RoleRow


class Filters(msgspec.Struct, kw_only=True):
    """What of the list is wanted; None means any."""

    user_id: str | None = None
    group_id: str | None = None
    role_id: str | None = None
    target_type: Literal["project", "domain", "system"] | None = None
    target_id: str | None = None
    inherited: bool | None = None
    effective: bool = False
    subtree: bool = False


class Effective(msgspec.Struct, frozen=True):
    """An assignment as it works out, and where it comes from."""

    assignment: Assignment
    given: Assignment
    """What somebody granted."""
    prior_role_id: str | None = None
    """The role that implied this one."""


def read(query: Mapping[str, str]) -> Filters:
    """From a query string. Raises BadRequest for filters that contradict each other."""
    one = query.get
    if one("user.id") and one("group.id"):
        raise BadRequest("Filter by user.id or group.id, not both.")
    scopes = [name for name in ("scope.project.id", "scope.domain.id", "scope.system") if one(name)]
    if len(scopes) > 1:
        raise BadRequest(f"Filter by one scope, not by {' and '.join(scopes)}.")
    inherited_to = one("scope.OS-INHERIT:inherited_to")
    if inherited_to not in (None, "", "projects"):
        raise BadRequest(f"scope.OS-INHERIT:inherited_to is 'projects', got '{str(inherited_to)[:64]}'.")
    found = Filters(
        user_id=one("user.id"),
        group_id=one("group.id"),
        role_id=one("role.id"),
        inherited=True if inherited_to else None,
        effective=is_set(query, "effective"),
        subtree=is_set(query, "include_subtree"),
    )
    if scopes:
        found.target_type = scopes[0].split(".")[1]  # type: ignore[assignment]
        found.target_id = "all" if found.target_type == "system" else query[scopes[0]]
    if found.effective and (found.group_id or found.inherited):
        raise BadRequest("Effective assignments have no groups and no inheritance left to filter by.")
    if found.subtree and found.target_type != "project":
        raise BadRequest("include_subtree needs scope.project.id.")
    return found


def is_set(query: Mapping[str, str], name: str) -> bool:
    """`?name` and `?name=1` set it, `?name=0` and `?name=false` do not."""
    return name in query and query[name].lower() not in ("0", "false")


def listing(tx: Tx, wanted: Filters) -> list[Effective]:
    places = _places(tx, wanted)
    if not wanted.effective:
        given = store.listing(tx, *store.matching(role_id=wanted.role_id, inherited=wanted.inherited))
        return [Effective(one, one) for one in given if _fits(one, wanted, places)]
    found: dict[Assignment, Effective] = {}
    for one in effective(tx, store.listing(tx)):
        if _fits(one.assignment, wanted, places) and wanted.role_id in (None, one.assignment.role_id):
            found.setdefault(one.assignment, one)
    return list(found.values())


def _places(tx: Tx, wanted: Filters) -> set[str] | None:
    if wanted.target_id is None:
        return None
    below = project_store.descendants(tx, wanted.target_id) if wanted.subtree else []
    return {wanted.target_id, *(row.id for row in below)}


def _fits(one: Assignment, wanted: Filters, places: set[str] | None) -> bool:
    actor = wanted.user_id or wanted.group_id
    kind = "user" if wanted.user_id else "group"
    return (actor is None or (one.actor_type == kind and one.actor_id == actor)) and (
        places is None or (one.target_type == wanted.target_type and one.target_id in places)
    )


def effective(tx: Tx, given: Iterable[Assignment]) -> list[Effective]:
    """Groups as their users, inheritance as the projects that inherit, roles with all that they imply."""
    implications = store.implications(tx)
    own_to_domain = {role.id for role in rows.where(tx, RoleRow, store.of_domains(True))}
    members = store.members(tx)
    children = _children(rows.where(tx, ProjectRow, is_domain=False))
    found = []
    for one in given:
        users = [one.actor_id] if one.actor_type == "user" else members.get(one.actor_id, [])
        targets = _below(one.target_id, children) if one.inherited else [one.target_id]
        kind = "project" if one.inherited else one.target_type
        for role_id, prior in _with_implied(one.role_id, implications):
            if role_id in own_to_domain:
                continue
            for user_id in users:
                for target_id in targets:
                    worked_out = Assignment("user", user_id, kind, target_id, role_id)
                    found.append(Effective(worked_out, one, prior))
    return found


def _children(projects: Iterable[ProjectRow]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in projects:
        found.setdefault(row.parent_id or "", []).append(row.id)
    return found


def _below(target_id: str, children: Mapping[str, list[str]]) -> list[str]:
    found: list[str] = []
    waiting = list(children.get(target_id, ()))
    while waiting:
        project_id = waiting.pop(0)
        found.append(project_id)
        waiting.extend(children.get(project_id, ()))
    return found


def _with_implied(role_id: str, implications: Mapping[str, list[str]]) -> list[tuple[str, str | None]]:
    """Each role once, with the one that brought it."""
    found: dict[str, str | None] = {role_id: None}
    waiting = [role_id]
    while waiting:
        prior = waiting.pop(0)
        for implied in implications.get(prior, ()):
            if implied not in found:
                found[implied] = prior
                waiting.append(implied)
    return list(found.items())
