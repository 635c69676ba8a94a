"""Small facts about the cloud itself, by name: what was done once and must not be done again."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core.db import Id, Tx, metadata

notes = sa.Table(
    "core_note",
    metadata,
    sa.Column("name", Id, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)


def read(tx: Tx, name: str) -> str | None:
    found: str | None = tx.scalar(sa.select(notes.c.text).where(notes.c.name == name))
    return found


def write(tx: Tx, name: str, text: str) -> None:
    tx.upsert(notes, {"name": name}, {"text": text})


def remove(tx: Tx, name: str) -> None:
    tx.delete(notes, notes.c.name == name)


def once(tx: Tx, name: str) -> bool:
    """True the first time that this transaction's work commits; False ever after."""
    if read(tx, name) is not None:
        return False
    write(tx, name, tx.now.isoformat())
    return True
