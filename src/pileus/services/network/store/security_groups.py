"""Statements on security groups, their rules and address groups."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from pileus.core.db import Tx, matches
from pileus.services.network.store.common import shared_to
from pileus.services.network.tables import (
    address_groups,
    default_security_groups,
    port_security_groups,
    security_group_rules,
    security_groups,
)
from pileus.services.network.types.rows import SecurityGroupRow, SecurityGroupRuleRow


def seen_by(project_id: str | None) -> sa.ColumnElement[bool]:
    return (security_groups.c.project_id == project_id) | security_groups.c.id.in_(shared_to(project_id))


def rules_seen_by(project_id: str | None) -> sa.ColumnElement[bool]:
    """Rules of the project, and those in its groups whoever made them."""
    owned = sa.select(security_groups.c.id).where(security_groups.c.project_id == project_id)
    return (security_group_rules.c.project_id == project_id) | security_group_rules.c.security_group_id.in_(owned)


def address_groups_seen_by(project_id: str | None) -> sa.ColumnElement[bool]:
    return (address_groups.c.project_id == project_id) | address_groups.c.id.in_(shared_to(project_id))


def named(tx: Tx, project_id: str, name: str) -> list[SecurityGroupRow]:
    """Of a project's groups, and those shared with it, the ones with this id or name; an id comes before names."""
    mine = (security_groups.c.id == name) | (security_groups.c.name == name)
    found = tx.rows(SecurityGroupRow, sa.select(security_groups).where(seen_by(project_id), mine))
    return [group for group in found if group.id == name] or found


_DEFAULT_GROUP = sa.select(default_security_groups.c.security_group_id).where(
    default_security_groups.c.project_id == sa.bindparam("project")
)


def default_group_id(tx: Tx, project_id: str) -> str | None:
    found: str | None = tx.execute(_DEFAULT_GROUP, {"project": project_id}).scalar()
    return found


def default_group_ids(tx: Tx, ids: Sequence[str]) -> set[str]:
    """Which of the groups are some project's default."""
    if not ids:
        return set()
    mine = matches(default_security_groups.c.security_group_id, ids)
    return set(tx.scalars(sa.select(default_security_groups.c.security_group_id).where(mine)))


def name_default(tx: Tx, project_id: str, group_id: str) -> bool:
    """False where the project has a default group already."""
    return tx.insert_new(default_security_groups, {"project_id": project_id, "security_group_id": group_id})


def forget_default(tx: Tx, group_id: str) -> None:
    tx.delete(default_security_groups, default_security_groups.c.security_group_id == group_id)


def rules_of(tx: Tx, group_ids: Sequence[str]) -> dict[str, list[SecurityGroupRuleRow]]:
    found: dict[str, list[SecurityGroupRuleRow]] = {group_id: [] for group_id in group_ids}
    if group_ids:
        statement = sa.select(security_group_rules).where(matches(security_group_rules.c.security_group_id, group_ids))
        for row in tx.rows(
            SecurityGroupRuleRow,
            statement.order_by(
                *(security_group_rules.c[name] for name in ("created_at", "direction", "ethertype", "id"))
            ),
        ):
            found[row.security_group_id].append(row)
    return found


def delete_rules(tx: Tx, group_id: str) -> None:
    """A group's own rules, and those of others that name it as their remote."""
    mine = (security_group_rules.c.security_group_id == group_id) | (security_group_rules.c.remote_group_id == group_id)
    tx.delete(security_group_rules, mine)


def ports_of(tx: Tx, group_id: str) -> list[str]:
    mine = port_security_groups.c.security_group_id == group_id
    return tx.scalars(sa.select(port_security_groups.c.port_id).where(mine))


def existing(tx: Tx, ids: Sequence[str], project_id: str | None, everything: bool) -> dict[str, SecurityGroupRow]:
    """Those of `ids` that a project sees."""
    if not ids:
        return {}
    statement = sa.select(security_groups).where(matches(security_groups.c.id, ids))
    if not everything:
        statement = statement.where(seen_by(project_id))
    return {row.id: row for row in tx.rows(SecurityGroupRow, statement)}


def rule_of_address_group(tx: Tx, address_group_id: str) -> str | None:
    mine = security_group_rules.c.remote_address_group_id == address_group_id
    found: str | None = tx.scalar(sa.select(security_group_rules.c.id).where(mine).limit(1))
    return found
