"""Statements on quotas."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.network.tables import quotas


def limits(tx: Tx, project_id: str) -> dict[str, int]:
    """The limits that differ from the defaults."""
    statement = sa.select(quotas.c.resource, quotas.c.limit).where(quotas.c.project_id == project_id)
    return {str(resource): int(limit) for resource, limit in tx.execute(statement)}


_LIMIT = sa.select(quotas.c.limit).where(
    quotas.c.project_id == sa.bindparam("project"), quotas.c.resource == sa.bindparam("noun")
)


def limit(tx: Tx, project_id: str, resource: str) -> int | None:
    found: int | None = tx.execute(_LIMIT, {"project": project_id, "noun": resource}).scalar()
    return found


def set_limit(tx: Tx, project_id: str, resource: str, value: int) -> None:
    tx.upsert(quotas, {"project_id": project_id, "resource": resource}, {"limit": value})


def forget(tx: Tx, project_id: str) -> int:
    return tx.delete(quotas, quotas.c.project_id == project_id)


def projects(tx: Tx) -> list[str]:
    return tx.scalars(sa.select(quotas.c.project_id).distinct().order_by(quotas.c.project_id))
