"""Limits that administrators have set, and what projects use."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.compute.tables.quotas import quota_defaults, quotas
from pileus.services.compute.tables.servers import servers

_DEFAULTS = sa.select(quota_defaults.c.name, quota_defaults.c.value)
_WITH_USER = sa.union_all(
    sa.select(sa.null().label("user_id"), quota_defaults.c.name, quota_defaults.c.value),
    sa.select(quotas.c.user_id, quotas.c.name, quotas.c.value).where(
        quotas.c.project_id == sa.bindparam("project"),
        (quotas.c.user_id == "") | (quotas.c.user_id == sa.bindparam("user")),
    ),
)


def defaults(tx: Tx) -> dict[str, int]:
    return dict(tx.execute(_DEFAULTS).all())


def set_default(tx: Tx, name: str, value: int) -> None:
    tx.upsert(quota_defaults, {"name": name}, {"value": value})


def limits(tx: Tx, project_id: str, user_id: str = "") -> dict[str, int]:
    where = (quotas.c.project_id == project_id) & (quotas.c.user_id == user_id)
    return {row.name: row.value for row in tx.execute(sa.select(quotas.c.name, quotas.c.value).where(where))}


def limits_with_user(tx: Tx, project_id: str, user_id: str) -> tuple[dict[str, int], dict[str, int]]:
    """Those of the project, or set for all that have none of their own, and those of the user inside it."""
    usual: dict[str, int] = {}
    of_project: dict[str, int] = {}
    of_user: dict[str, int] = {}
    for owner, name, value in tx.execute(_WITH_USER, {"project": project_id, "user": user_id}):
        (usual if owner is None else of_user if owner else of_project)[name] = value
    return usual | of_project, of_user


def set_limit(tx: Tx, project_id: str, user_id: str, name: str, value: int) -> None:
    tx.upsert(quotas, {"project_id": project_id, "user_id": user_id, "name": name}, {"value": value})


def forget(tx: Tx, project_id: str, user_id: str | None) -> None:
    """Of one user, or of the project and all of its users."""
    where = quotas.c.project_id == project_id
    tx.delete(quotas, where & (quotas.c.user_id == user_id) if user_id else where)


def hold(tx: Tx, owner: str) -> None:
    """A project, or a user for what users own: until commit nobody else gets past this, so that two can't both take what
    is left for one."""
    tx.hold(f"quota:compute:{owner}")


_INSTANCES = (
    sa.select(sa.func.count())
    .select_from(servers)
    .where(servers.c.project_id == sa.bindparam("project"), servers.c.deleted_at.is_(None))
)


_INSTANCES_OF_USER = _INSTANCES.where(servers.c.user_id == sa.bindparam("user"))


def instances(tx: Tx, project_id: str, user_id: str | None = None) -> int:
    """How many servers there are, deleted ones aside."""
    statement = _INSTANCES if user_id is None else _INSTANCES_OF_USER
    return int(tx.execute(statement, {"project": project_id, "user": user_id}).scalar_one())
