"""Tasks: the record of imports."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core import paging
from pileus.core.db import Tx
from pileus.services.image.tables import tasks as table
from pileus.services.image.types.tasks import TaskRow

TASK_SORT_KEYS = ("id", "type", "status", "created_at", "updated_at")


def task(tx: Tx, task_id: str) -> TaskRow | None:
    return tx.row(TaskRow, sa.select(table).where(table.c.id == task_id))


def list_tasks(tx: Tx, kind: str | None, status: str | None, page: paging.Page) -> list[TaskRow]:
    statement = sa.select(table)
    if kind is not None:
        statement = statement.where(table.c.type == kind)
    if status is not None:
        statement = statement.where(table.c.status == status)
    columns = {key: table.c[key] for key in TASK_SORT_KEYS}
    return tx.rows(TaskRow, paging.paged(tx, statement, page, columns, table.c.id, page.sorts))


def tasks_of_image(tx: Tx, image_id: str) -> list[TaskRow]:
    """Oldest first."""
    mine = sa.select(table).where(table.c.image_id == image_id)
    return tx.rows(TaskRow, mine.order_by(table.c.created_at, table.c.id))


def insert_task(tx: Tx, row: TaskRow) -> None:
    tx.insert(table, row)


def note_task(tx: Tx, image_id: str, message: str) -> None:
    mine = (table.c.image_id == image_id) & (table.c.status == "processing")
    tx.update(table, mine, {"message": message, "updated_at": tx.now})


def end_tasks(tx: Tx, image_id: str, status: str, message: str) -> None:
    """Of an image, at most one is under way."""
    mine = (table.c.image_id == image_id) & (table.c.status == "processing")
    result = {"image_id": image_id} if status == "success" else None
    tx.update(table, mine, {"status": status, "message": message, "result": result, "updated_at": tx.now})


def delete_task(tx: Tx, task_id: str) -> None:
    tx.delete(table, table.c.id == task_id)
