"""Which roles somebody has somewhere, and the granting of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.services.identity.rules import resources
from pileus.services.identity.store import assignments as store
from pileus.services.identity.store import projects as project_store
from pileus.services.identity.store import rows
from pileus.services.identity.store.kept import kept
from pileus.services.identity.types.projects import DomainRow, ProjectRow
from pileus.services.identity.types.roles import Assignment, RoleRow
from pileus.services.identity.types.users import GroupRow, UserRow

ADMIN = "admin"
"""The role of the cloud's administrators, in whatever scope it is held."""


def expanded(role_ids: Iterable[str], implications: Mapping[str, Sequence[str]]) -> set[str]:
    """The roles and all that they imply, directly or not; circles do no harm."""
    found: set[str] = set()
    waiting = list(role_ids)
    while waiting:
        role_id = waiting.pop()
        if role_id not in found:
            found.add(role_id)
            waiting.extend(implications.get(role_id, ()))
    return found


def with_implied(tx: Tx, role_ids: Iterable[str]) -> set[str]:
    return expanded(role_ids, kept(tx, "implications", store.implications))


def _effective(tx: Tx, held: set[str]) -> list[RoleRow]:
    every = with_implied(tx, held) if held else set()
    return [role for role in kept(tx, "global roles", _global_roles) if role.id in every]


def _global_roles(tx: Tx) -> list[RoleRow]:
    return rows.where(tx, RoleRow, domain_id=None)


def effective_on_project(
    tx: Tx, user_id: str, lineage: Sequence[ProjectRow], group_ids: Sequence[str] = ()
) -> list[RoleRow]:
    """By name: own, of groups, inherited and implied. A domain's own roles count only by what they imply.

    `group_ids` are groups that the user is in by a token only.
    """
    return _effective(tx, store.roles_on_project(tx, user_id, group_ids, [row.id for row in lineage]))


def effective_on_domain(tx: Tx, user_id: str, domain_id: str, group_ids: Sequence[str] = ()) -> list[RoleRow]:
    return _effective(tx, store.roles_on(tx, user_id, group_ids, "domain", domain_id))


def effective_on_system(tx: Tx, user_id: str, group_ids: Sequence[str] = ()) -> list[RoleRow]:
    return _effective(tx, store.roles_on(tx, user_id, group_ids, "system", "all"))


def projects_of(tx: Tx, user_id: str, group_ids: Sequence[str] = ()) -> list[ProjectRow]:
    """The projects on which the user has a role, however it came there."""
    direct: set[str] = set()
    below: set[str] = set()
    for held in store.listing(tx, store.by_actor(user_id, group_ids, tx.now)):
        if held.inherited:
            below.add(held.target_id)
        elif held.target_type == "project":
            direct.add(held.target_id)
    found = {row.id: row for row in store.projects_by_id(tx, direct)}
    for target_id in below:
        found.update({row.id: row for row in project_store.descendants(tx, target_id)})
    return sorted((row for row in found.values() if not row.is_domain), key=lambda row: (row.name, row.id))


def domains_of(tx: Tx, user_id: str, group_ids: Sequence[str] = ()) -> list[DomainRow]:
    """The domains on which the user has a role."""
    actor = store.by_actor(user_id, group_ids, tx.now)
    held = store.listing(tx, actor, *store.matching(target_type="domain", inherited=False))
    return store.domains_by_id(tx, {assignment.target_id for assignment in held})


def must_not_outrank(tx: Tx, caller: Caller, actor: UserRow | GroupRow) -> None:
    """Raises Forbidden where somebody who is no administrator would change who is one.

    Who manages a domain manages its users, but a password, or a place in a group, of an administrator is the whole cloud.
    """
    if caller.is_admin:
        return
    kind = "user" if isinstance(actor, UserRow) else "group"
    if kind == "user":
        theirs = [store.by_actor(actor.id, [], tx.now)]
    else:
        theirs = store.matching(actor_type=kind, actor_id=actor.id)
    admin = [role.id for role in rows.where(tx, RoleRow, name=ADMIN, domain_id=None)]
    if admin and store.listing(tx, *theirs, store.of_roles(admin)):
        raise Forbidden(f"The {kind} {actor.name} has the role {ADMIN}: only one who has it may change this.")


class Grant(msgspec.Struct):
    """One possible assignment with all that it ties together; `role` is None for the list of them."""

    role: RoleRow | None
    user: UserRow | None
    group: GroupRow | None
    project: ProjectRow | None
    domain: DomainRow | None
    inherited: bool

    def assignment(self, role_id: str) -> Assignment:
        target = self.project or self.domain
        return Assignment(
            "user" if self.user else "group",
            (self.user or self.group).id,  # type: ignore[union-attr]
            "project" if self.project else "domain" if self.domain else "system",
            target.id if target else "all",
            role_id,
            self.inherited,
        )


def grant(tx: Tx, parameters: Mapping[str, str], inherited: bool = False) -> Grant:
    """From the ids of a path. Raises NotFound for any of them."""
    one = parameters.get
    return Grant(
        resources.find(tx, RoleRow, parameters["role_id"]) if one("role_id") else None,
        resources.find(tx, UserRow, parameters["user_id"]) if one("user_id") else None,
        resources.find(tx, GroupRow, parameters["group_id"]) if one("group_id") else None,
        resources.find(tx, ProjectRow, parameters["project_id"]) if one("project_id") else None,
        found_domain(tx, parameters["domain_id"]) if one("domain_id") else None,
        inherited,
    )


def found_domain(tx: Tx, domain_id: str) -> DomainRow:
    """Raises NotFound, also for a project that is no domain."""
    found = project_store.domain(tx, domain_id)
    if found is None:
        raise NotFound(f"Could not find domain: {domain_id[:64]}.")
    return found


def must_have(tx: Tx, grant: Grant) -> None:
    """Raises NotFound where the role was not given."""
    assert grant.role is not None
    wanted = grant.assignment(grant.role.id)
    exactly = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    if not store.listing(tx, *store.matching(**exactly)):
        raise _not_given(wanted)


def _not_given(wanted: Assignment) -> NotFound:
    return NotFound(
        f"Could not find role assignment: {wanted.actor_type} {wanted.actor_id} does not have role "
        f"{wanted.role_id} on {wanted.target_type} {wanted.target_id}."
    )


def held(tx: Tx, grant: Grant) -> list[RoleRow]:
    """The roles that are granted as the grant says."""
    asked = grant.assignment("")
    exactly = {name: getattr(asked, name) for name in asked.__struct_fields__ if name != "role_id"}
    return store.roles_by_id(tx, (found.role_id for found in store.listing(tx, *store.matching(**exactly))))


def give(tx: Tx, caller: Caller, grant: Grant) -> None:
    """Raises Forbidden for a role of another domain on a project, BadRequest for a domain's role on the system."""
    role = grant.role
    assert role is not None
    if role.domain_id is not None and not (grant.project or grant.domain):
        raise BadRequest(f"Role {role.name} belongs to domain {role.domain_id} and can't be given on the system.")
    if role.domain_id is not None and grant.project and role.domain_id != grant.project.domain_id:
        raise Forbidden(
            f"Role {role.name} belongs to domain {role.domain_id}; project {grant.project.name} is in another."
        )
    assignment = grant.assignment(role.id)
    store.add(tx, assignment)
    _record(tx, caller, "create", assignment)


def take(tx: Tx, caller: Caller, grant: Grant) -> None:
    """Raises NotFound where it was not granted."""
    assert grant.role is not None
    assignment = grant.assignment(grant.role.id)
    if not store.remove(tx, assignment):
        raise _not_given(assignment)
    _record(tx, caller, "delete", assignment)


def _record(tx: Tx, caller: Caller, action: str, assignment: Assignment) -> None:
    facts = {name: getattr(assignment, name) for name in assignment.__struct_fields__}
    events.record(tx, caller, "identity", action, "role_assignment", assignment.target_id, **facts)
