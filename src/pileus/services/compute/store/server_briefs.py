"""The few columns of servers that hosts, usage and quotas look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.services.compute.tables.servers import servers


class ServerBrief(msgspec.Struct):
    number: int
    id: str
    project_id: str
    name: str
    host: str | None
    flavor: dict[str, Any]
    vm_state: str
    task_state: str | None
    created_at: datetime
    launched_at: datetime | None
    deleted_at: datetime | None

    @property
    def instance_name(self) -> str:
        return f"instance-{self.number:08x}"


_BRIEF = sa.select(*[servers.c[name] for name in ServerBrief.__struct_fields__])


def by_host(tx: Tx, hosts: Sequence[str]) -> Mapping[str, list[ServerBrief]]:
    found: dict[str, list[ServerBrief]] = defaultdict(list)
    where = servers.c.host.in_(hosts) & servers.c.deleted_at.is_(None)
    for one in tx.rows(ServerBrief, _BRIEF.where(where).order_by(servers.c.number)):
        found[one.host or ""].append(one)
    return found


def alive_between(
    tx: Tx, start: datetime, end: datetime, project_id: str | None, limit: int | None = None, marker: str | None = None
) -> list[ServerBrief]:
    """Servers that there were at any time of the period, by project and age."""
    statement = _BRIEF.where(
        servers.c.created_at < end, sa.or_(servers.c.deleted_at.is_(None), servers.c.deleted_at > start)
    ).order_by(servers.c.project_id, servers.c.number)
    if project_id is not None:
        statement = statement.where(servers.c.project_id == project_id)
    if marker is not None:
        last = tx.row(ServerBrief, _BRIEF.where(servers.c.id == marker))
        if last is None:
            raise BadRequest(f"marker [{marker[:64]}] not found")
        later = (servers.c.project_id == last.project_id) & (servers.c.number > last.number)
        statement = statement.where((servers.c.project_id > last.project_id) | later)
    return tx.rows(ServerBrief, statement.limit(limit) if limit is not None else statement)
