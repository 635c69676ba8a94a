"""What all nouns share: rows by id, changes with revision, tags, sharing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, among, matches, new_id
from pileus.services.network.tables import rbac_policies, tags

R = TypeVar("R", bound=msgspec.Struct)


def find(tx: Tx, table: sa.Table, kind: type[R], row_id: str) -> R | None:
    return tx.row(kind, _by_id(table), {"wanted": row_id})


def rows_by_id(tx: Tx, table: sa.Table, kind: type[R], ids: Iterable[str]) -> dict[str, R]:
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    return {row.id: row for row in tx.rows(kind, _by_ids(table), {"ids": wanted})}  # type: ignore[attr-defined]


@cache
def _by_id(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).where(table.c.id == sa.bindparam("wanted"))


@cache
def _by_ids(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).where(among(table.c.id))


def change(tx: Tx, table: sa.Table, row: R, values: Mapping[str, Any], conflict: str | None = None) -> R:
    """The row with new values, a later `updated_at` and the next revision."""
    new = {**values, "updated_at": tx.now, "revision_number": row.revision_number + 1}  # type: ignore[attr-defined]
    tx.change(table, row.id, new, conflict)  # type: ignore[attr-defined]
    return msgspec.structs.replace(row, **new)


def touch(tx: Tx, table: sa.Table, row_id: str) -> None:
    """The next revision for a row whose parts changed."""
    tx.update(table, table.c.id == row_id, {"updated_at": tx.now, "revision_number": table.c.revision_number + 1})


def remove(tx: Tx, table: sa.Table, row_id: str) -> None:
    """The row, its tags and what was shared of it."""
    tx.delete(tags, tags.c.resource_id == row_id)
    tx.delete(rbac_policies, rbac_policies.c.object_id == row_id)
    tx.delete(table, table.c.id == row_id)


def tags_of(tx: Tx, ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {row_id: [] for row_id in ids}
    if ids:
        statement = sa.select(tags).where(matches(tags.c.resource_id, ids)).order_by(tags.c.tag)
        for row_id, tag in tx.execute(statement):
            found[row_id].append(tag)
    return found


def set_tags(tx: Tx, row_id: str, wanted: Iterable[str]) -> None:
    tx.delete(tags, tags.c.resource_id == row_id)
    add_tags(tx, row_id, wanted)


def add_tags(tx: Tx, row_id: str, wanted: Iterable[str]) -> None:
    for tag in wanted:
        tx.insert_new(tags, {"resource_id": row_id, "tag": tag})


def delete_tag(tx: Tx, row_id: str, tag: str) -> bool:
    return tx.delete(tags, (tags.c.resource_id == row_id) & (tags.c.tag == tag)) > 0


def shared_to(project_id: str | sa.BindParameter[str] | None, action: str = "access_as_shared") -> sa.Select[Any]:
    """The ids of everything that is shared with a project or with all."""
    targets = ["*"] if project_id is None else ["*", project_id]
    return sa.select(rbac_policies.c.object_id).where(
        rbac_policies.c.action == action, rbac_policies.c.target_project.in_(targets)
    )


def shared_ids(tx: Tx, ids: Sequence[str], project_id: str | None) -> set[str]:
    """Which of `ids` are shared with a project or with all."""
    if not ids:
        return set()
    return set(tx.scalars(shared_to(project_id).where(matches(rbac_policies.c.object_id, ids))))


def count(tx: Tx, table: sa.Table, project_id: str) -> int:
    return int(tx.execute(_count(table), {"project": project_id}).scalar_one())


@cache
def _count(table: sa.Table) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(table).where(table.c.project_id == sa.bindparam("project"))


def find_seen(tx: Tx, table: sa.Table, kind: type[R], row_id: str, seen: sa.ColumnElement[bool] | None) -> R | None:
    """The row, if it is there and `seen` holds for it."""
    if seen is None:
        return find(tx, table, kind, row_id)
    return tx.row(kind, sa.select(table).where(table.c.id == row_id, seen))


def share(tx: Tx, row_id: str, object_type: str, owner: str, action: str, shared: bool) -> None:
    """Share a row with all projects, or no longer."""
    if shared:
        policy = {
            "id": new_id(),
            "project_id": owner,
            "object_type": object_type,
            "object_id": row_id,
            "target_project": "*",
            "action": action,
        }
        tx.insert_new(rbac_policies, policy)
    else:
        mine = (rbac_policies.c.object_id == row_id) & (rbac_policies.c.target_project == "*")
        tx.delete(rbac_policies, mine & (rbac_policies.c.action == action))
