"""What is cached where."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.image.tables import cached as table
from pileus.services.image.types.cache import CACHED, QUEUED, CachedRow


def cached_images(tx: Tx, node: str) -> list[CachedRow]:
    """The one that was not used for the longest time comes first."""
    mine = sa.select(table).where(table.c.node == node)
    return tx.rows(CachedRow, mine.order_by(table.c.last_accessed, table.c.image_id))


def cached_image(tx: Tx, node: str, image_id: str) -> CachedRow | None:
    return tx.row(CachedRow, sa.select(table).where(_one(node, image_id)))


def nodes_of(tx: Tx, image_id: str) -> list[str]:
    mine = (table.c.image_id == image_id) & (table.c.status == CACHED)
    return tx.scalars(sa.select(table.c.node).where(mine).order_by(table.c.node))


def queue_image(tx: Tx, node: str, image_id: str, sha512: str, size: int) -> bool:
    """False where it is queued or cached already."""
    row = CachedRow(image_id, node, QUEUED, sha512, size, 0, tx.now, tx.now)
    return tx.insert_new(table, row)


def set_cached(tx: Tx, node: str, image_id: str, status: str) -> bool:
    return tx.update(table, _one(node, image_id), {"status": status}) == 1


def count_hit(tx: Tx, node: str, image_id: str) -> None:
    tx.update(table, _one(node, image_id), {"hits": table.c.hits + 1, "last_accessed": tx.now})


def forget_cached(tx: Tx, node: str, image_id: str) -> None:
    tx.delete(table, _one(node, image_id))


def forget_all_cached(tx: Tx, node: str, status: str | None) -> None:
    mine = table.c.node == node
    tx.delete(table, mine if status is None else mine & (table.c.status == status))


def cached_contents(tx: Tx, node: str) -> set[str]:
    """The names of the files that are, or are going to be, there."""
    return set(tx.scalars(sa.select(table.c.sha512).where(table.c.node == node)))


def _one(node: str, image_id: str) -> sa.ColumnElement[bool]:
    return (table.c.node == node) & (table.c.image_id == image_id)
