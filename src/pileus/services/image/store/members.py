"""Members of shared images."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.image.tables import members as table
from pileus.services.image.types.members import MemberRow


def member(tx: Tx, image_id: str, member_id: str) -> MemberRow | None:
    return tx.row(MemberRow, sa.select(table).where(table.c.image_id == image_id, table.c.member_id == member_id))


def members(tx: Tx, image_id: str) -> list[MemberRow]:
    return tx.rows(
        MemberRow, sa.select(table).where(table.c.image_id == image_id).order_by(table.c.created_at, table.c.member_id)
    )


def insert_member(tx: Tx, row: MemberRow) -> None:
    """Raises Conflict where it is a member already."""
    tx.insert(table, row, conflict="Project {member_id} is a member of image {image_id} already.")


def update_member(tx: Tx, row: MemberRow) -> None:
    mine = (table.c.image_id == row.image_id) & (table.c.member_id == row.member_id)
    tx.update(table, mine, {"status": row.status, "updated_at": row.updated_at})


def delete_member(tx: Tx, row: MemberRow) -> None:
    tx.delete(table, (table.c.image_id == row.image_id) & (table.c.member_id == row.member_id))
