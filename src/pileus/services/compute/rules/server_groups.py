"""Server groups: servers that want to be on one host, or on different ones."""

from __future__ import annotations

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import NotFound
from pileus.services.compute.rules import quota
from pileus.services.compute.store import server_groups as store
from pileus.services.compute.store.server_groups import Member, ServerGroupRow


def visible_group(tx: Tx, group_id: str) -> ServerGroupRow:
    row = store.group(tx, group_id)
    if row is None:
        raise NotFound(f"Instance group {group_id} could not be found.")
    return row


def create(tx: Tx, caller: Caller, name: str, policy: str, max_server_per_host: int | None) -> ServerGroupRow:
    quota.check(tx, caller, {"server_groups": 1})
    row = ServerGroupRow(new_id(), caller.project_id or "", caller.user_id, name, policy, max_server_per_host, tx.now)
    store.insert(tx, row)
    events.record(tx, caller, "compute", "create", "server_group", row.id, name=name, policy=policy)
    return row


def delete(tx: Tx, caller: Caller, row: ServerGroupRow) -> None:
    store.delete(tx, row.id)
    events.record(tx, caller, "compute", "delete", "server_group", row.id, name=row.name)


def members(tx: Tx, row: ServerGroupRow) -> list[Member]:
    return list(store.members(tx, [row.id]).get(row.id, ()))


def check_room(tx: Tx, caller: Caller, row: ServerGroupRow, more: int) -> None:
    """Whether so many more servers may join. Raises QuotaExceeded (server_group_members)."""
    quota.check_count(tx, caller.project_id, "server_group_members", len(members(tx, row)) + more)
