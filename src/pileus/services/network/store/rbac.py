"""Statements on RBAC policies."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.network.tables import (
    port_security_groups,
    ports,
    rbac_policies,
)
from pileus.services.network.types.rows import RbacPolicyRow


def seen_by(project_id: str | None) -> sa.ColumnElement[bool]:
    return rbac_policies.c.project_id == project_id


def of_object(tx: Tx, object_id: str) -> list[RbacPolicyRow]:
    return tx.rows(RbacPolicyRow, sa.select(rbac_policies).where(rbac_policies.c.object_id == object_id))


def insert(tx: Tx, row: RbacPolicyRow) -> bool:
    return tx.insert_new(rbac_policies, row)


def set_target(tx: Tx, policy_id: str, target_project: str, conflict: str) -> None:
    tx.update(rbac_policies, rbac_policies.c.id == policy_id, {"target_project": target_project}, conflict)


def delete(tx: Tx, policy_id: str) -> None:
    tx.delete(rbac_policies, rbac_policies.c.id == policy_id)


def projects_on_network(tx: Tx, network_id: str) -> set[str]:
    """Projects with ports on a network."""
    mine = (ports.c.network_id == network_id) & (ports.c.project_id != "")
    return set(tx.scalars(sa.select(ports.c.project_id).where(mine).distinct()))


def projects_with_group(tx: Tx, group_id: str) -> set[str]:
    """Projects whose ports have a security group."""
    statement = (
        sa.select(ports.c.project_id)
        .join(port_security_groups, port_security_groups.c.port_id == ports.c.id)
        .where(port_security_groups.c.security_group_id == group_id)
        .distinct()
    )
    return set(tx.scalars(statement))
