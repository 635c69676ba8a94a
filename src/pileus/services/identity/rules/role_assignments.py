"""The list of role assignments, as they were made or as they work out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.services.identity.rules import assignments
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
        given = store.listing(tx, *_exactly(wanted, places))
        return [Effective(one, one) for one in given]
    found: dict[Assignment, Effective] = {}
    for one in effective(tx, store.listing(tx, *_sources(tx, wanted, places)), wanted.user_id):
        if _fits(one.assignment, wanted, places):
            found.setdefault(one.assignment, one)
    return list(found.values())


def _places(tx: Tx, wanted: Filters) -> list[str] | None:
    if wanted.target_id is None:
        return None
    below = project_store.descendants(tx, wanted.target_id) if wanted.subtree else []
    return [wanted.target_id, *(row.id for row in below)]


def _exactly(wanted: Filters, places: Sequence[str] | None) -> list[store.Condition]:
    """Of the assignments that are asked for as they were made."""
    found = store.matching(
        actor_type="user" if wanted.user_id else "group" if wanted.group_id else None,
        actor_id=wanted.user_id or wanted.group_id,
        target_type=wanted.target_type,
        role_id=wanted.role_id,
        inherited=wanted.inherited,
    )
    return found if places is None else [*found, store.on(places)]


def _sources(tx: Tx, wanted: Filters, places: Sequence[str] | None) -> list[store.Condition]:
    """Of the assignments from which something that is asked for can come."""
    found: list[store.Condition] = []
    if wanted.user_id is not None:
        found.append(store.by_actor(wanted.user_id, [], tx.now))
    if wanted.role_id is not None:
        priors = assignments.expanded([wanted.role_id], _reversed(store.implications(tx)))
        found.append(store.of_roles(sorted(priors)))
    if places is not None and wanted.target_type == "project":
        above = [row.id for row in project_store.lineage(tx, places[0])]
        found.append(store.reaching(places, above))
    elif places is not None:
        found += [*store.matching(target_type=wanted.target_type, inherited=False), store.on(places)]
    return found


def _reversed(implications: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for prior, implied in implications.items():
        for role_id in implied:
            found.setdefault(role_id, []).append(prior)
    return found


def _fits(one: Assignment, wanted: Filters, places: Sequence[str] | None) -> bool:
    return (
        wanted.user_id in (None, one.actor_id)
        and wanted.role_id in (None, one.role_id)
        and (places is None or (one.target_type == wanted.target_type and one.target_id in places))
    )


def effective(tx: Tx, given: Sequence[Assignment], user_id: str | None = None) -> list[Effective]:
    """Groups as their users, inheritance as the projects that inherit, roles with all that they imply.

    With `user_id` all groups among `given` are that user's, and no other members are worked out.
    """
    implications = store.implications(tx)
    own_to_domain = {role.id for role in rows.where(tx, RoleRow, store.of_domains(True))}
    members = store.members(tx) if user_id is None else {}
    children = _children(rows.where(tx, ProjectRow, is_domain=False)) if any(one.inherited for one in given) else {}
    found = []
    for one in given:
        group = [user_id] if user_id is not None else members.get(one.actor_id, [])
        users = [one.actor_id] if one.actor_type == "user" else group
        targets = _below(one.target_id, children) if one.inherited else [one.target_id]
        kind = "project" if one.inherited else one.target_type
        for role_id, prior in _with_implied(one.role_id, implications):
            if role_id in own_to_domain:
                continue
            for actor_id in users:
                for target_id in targets:
                    worked_out = Assignment("user", actor_id, kind, target_id, role_id)
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
