"""Who has which role where, and which roles bring which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from pileus.core.db import Tx, matches
from pileus.services.identity.store import rows
from pileus.services.identity.tables import (
    assignments,
    expiring_memberships,
    implied_roles,
    memberships,
    projects,
    roles,
)
from pileus.services.identity.types.projects import DomainRow, ProjectRow
from pileus.services.identity.types.roles import Assignment, RoleRow

_c = assignments.c
Condition = sa.ColumnElement[bool]


def of_domains(own: bool) -> Condition:
    """A condition on roles: those of domains, or those of the whole cloud."""
    return roles.c.domain_id.is_not(None) if own else roles.c.domain_id.is_(None)


def listing(tx: Tx, *conditions: Condition) -> list[Assignment]:
    order = (_c.target_type, _c.target_id, _c.actor_type, _c.actor_id, _c.role_id, _c.inherited)
    return tx.rows(Assignment, sa.select(assignments).where(*conditions).order_by(*order))


def matching(**wanted: str | bool | None) -> list[Condition]:
    """Conditions on assignments; None means any."""
    return [_c[name] == value for name, value in wanted.items() if value is not None]


def of_roles(role_ids: Sequence[str]) -> Condition:
    return matches(_c.role_id, role_ids)


def on(target_ids: Sequence[str]) -> Condition:
    return matches(_c.target_id, target_ids)


def reaching(project_ids: Sequence[str], above: Sequence[str]) -> Condition:
    """On the projects, or inherited by them from one another or from `above`: their parents and their domain."""
    there = _c.target_type.in_(("project", "domain")) & on([*project_ids, *above])  # the index has both columns
    return there & (_c.inherited | ((_c.target_type == "project") & on(project_ids)))


def add(tx: Tx, wanted: Assignment) -> None:
    rows.touch(tx)
    tx.upsert(assignments, {name: getattr(wanted, name) for name in wanted.__struct_fields__}, {})


def remove(tx: Tx, unwanted: Assignment) -> bool:
    rows.touch(tx)
    exactly = matching(**{name: getattr(unwanted, name) for name in unwanted.__struct_fields__})
    return bool(tx.delete(assignments, sa.and_(*exactly)))


def forget(tx: Tx, **of: str) -> None:
    """All of an actor (actor_type, actor_id) or of a target (target_type, target_id)."""
    tx.delete(assignments, sa.and_(*matching(**of)))


def by_actor(user_id: Any, group_ids: Any, now: Any) -> Condition:
    """Assignments to the user, to a group that the user is in, or to one of those given. Values, or parameters for them."""
    mine = sa.select(memberships.c.group_id).where(memberships.c.user_id == user_id)
    mine_for_now = sa.select(expiring_memberships.c.group_id).where(
        expiring_memberships.c.user_id == user_id, expiring_memberships.c.expires_at > now
    )
    of_group = _c.actor_id.in_(mine) | _c.actor_id.in_(mine_for_now) | _c.actor_id.in_(group_ids)
    return sa.or_((_c.actor_type == "user") & (_c.actor_id == user_id), (_c.actor_type == "group") & of_group)


_BY_ACTOR = by_actor(sa.bindparam("user_id"), sa.bindparam("group_ids", expanding=True), sa.bindparam("now"))
_ROLES_ON_PROJECT = (
    sa.select(_c.role_id)
    .where(
        _BY_ACTOR,
        sa.or_(
            (_c.target_type == "project") & (_c.target_id == sa.bindparam("project_id")) & sa.not_(_c.inherited),
            (_c.target_type == "project") & _c.target_id.in_(sa.bindparam("above", expanding=True)) & _c.inherited,
            (_c.target_type == "domain") & (_c.target_id == sa.bindparam("domain_id")) & _c.inherited,
        ),
    )
    .distinct()
)


def roles_on_project(tx: Tx, user_id: str, group_ids: Sequence[str], lineage: Sequence[str]) -> set[str]:
    """Ids of the roles that count for a user on the first of a lineage: its own, and those inherited from above."""
    project_id, *above = lineage
    actor = {"user_id": user_id, "group_ids": group_ids, "now": tx.now}
    values = {**actor, "project_id": project_id, "above": above, "domain_id": lineage[-1]}
    return set(tx.execute(_ROLES_ON_PROJECT, values).scalars())


def roles_on(tx: Tx, user_id: str, group_ids: Sequence[str], target_type: str, target_id: str) -> set[str]:
    here = (_c.target_type == target_type) & (_c.target_id == target_id) & sa.not_(_c.inherited)
    actor = by_actor(user_id, group_ids, tx.now)
    return set(tx.scalars(sa.select(_c.role_id).where(actor, here).distinct()))


def implications(tx: Tx) -> dict[str, list[str]]:
    """Which roles a role brings directly, by its id."""
    found: dict[str, list[str]] = {}
    for prior, implied in tx.execute(sa.select(implied_roles).order_by(*implied_roles.c)):
        found.setdefault(prior, []).append(implied)
    return found


def imply(tx: Tx, prior_role_id: str, implied_role_id: str) -> None:
    rows.touch(tx)
    tx.upsert(implied_roles, {"prior_role_id": prior_role_id, "implied_role_id": implied_role_id}, {})


def imply_no_more(tx: Tx, prior_role_id: str, implied_role_id: str) -> bool:
    rows.touch(tx)
    pair = (implied_roles.c.prior_role_id == prior_role_id) & (implied_roles.c.implied_role_id == implied_role_id)
    return bool(tx.delete(implied_roles, pair))


def roles_by_id(tx: Tx, ids: Iterable[str]) -> list[RoleRow]:
    wanted = list(ids)
    return rows.where(tx, RoleRow, matches(roles.c.id, wanted)) if wanted else []


def projects_by_id(tx: Tx, ids: Iterable[str]) -> list[ProjectRow]:
    wanted = list(ids)
    return rows.where(tx, ProjectRow, matches(projects.c.id, wanted)) if wanted else []


def domains_by_id(tx: Tx, ids: Iterable[str]) -> list[DomainRow]:
    wanted = list(ids)
    return rows.where(tx, DomainRow, matches(projects.c.id, wanted), projects.c.is_domain) if wanted else []


def members(tx: Tx) -> dict[str, list[str]]:
    """User ids by group id."""
    lasting = sa.select(memberships.c.group_id, memberships.c.user_id)
    for_now = sa.select(expiring_memberships.c.group_id, expiring_memberships.c.user_id)
    every = lasting.union(for_now.where(expiring_memberships.c.expires_at > tx.now)).order_by("group_id", "user_id")
    found: dict[str, list[str]] = {}
    for group_id, user_id in tx.execute(every):
        found.setdefault(group_id, []).append(user_id)
    return found
