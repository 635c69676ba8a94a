"""Rows of server groups, and where their members are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, matches
from pileus.services.compute.tables.server_groups import server_groups
from pileus.services.compute.tables.servers import servers


class ServerGroupRow(msgspec.Struct):
    id: str
    project_id: str
    user_id: str
    name: str
    policy: str
    max_server_per_host: int | None
    created_at: datetime


def group(tx: Tx, group_id: str) -> ServerGroupRow | None:
    return tx.row(ServerGroupRow, sa.select(server_groups).where(server_groups.c.id == group_id))


def find(tx: Tx, project_id: str | None, limit: int, offset: int) -> list[ServerGroupRow]:
    statement = sa.select(server_groups).order_by(server_groups.c.created_at, server_groups.c.id)
    if project_id is not None:
        statement = statement.where(server_groups.c.project_id == project_id)
    return tx.rows(ServerGroupRow, statement.limit(limit).offset(offset))


def insert(tx: Tx, row: ServerGroupRow) -> None:
    tx.insert(server_groups, row)


def delete(tx: Tx, group_id: str) -> None:
    tx.update(servers, servers.c.group_id == group_id, {"group_id": None})
    tx.delete(server_groups, server_groups.c.id == group_id)


def count(tx: Tx, project_id: str, user_id: str | None = None) -> int:
    statement = sa.select(sa.func.count()).where(server_groups.c.project_id == project_id)
    if user_id is not None:
        statement = statement.where(server_groups.c.user_id == user_id)
    return int(tx.scalar(statement))


class Member(msgspec.Struct):
    id: str
    group_id: str
    host: str | None
    user_id: str


def members(tx: Tx, ids: Sequence[str]) -> Mapping[str, list[Member]]:
    """By group, the servers that are there."""
    found: dict[str, list[Member]] = defaultdict(list)
    if not ids:
        return found
    statement = (
        sa.select(servers.c.id, servers.c.group_id, servers.c.host, servers.c.user_id)
        .where(matches(servers.c.group_id, ids), servers.c.deleted_at.is_(None))
        .order_by(servers.c.number)
    )
    for one in tx.rows(Member, statement):
        found[one.group_id].append(one)
    return found


def hosts_of_servers(tx: Tx, ids: Sequence[str]) -> Mapping[str, str | None]:
    """server id -> host, of those of the servers that are there."""
    where = servers.c.id.in_(ids) & servers.c.deleted_at.is_(None)
    return {row.id: row.host for row in tx.execute(sa.select(servers.c.id, servers.c.host).where(where))}
