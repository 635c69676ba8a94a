"""Rows of keypairs."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.compute.tables.keypairs import keypairs


class KeypairRow(msgspec.Struct):
    number: int
    user_id: str
    name: str
    type: str
    public_key: str
    fingerprint: str
    created_at: datetime


def keypair(tx: Tx, user_id: str, name: str) -> KeypairRow | None:
    where = (keypairs.c.user_id == user_id) & (keypairs.c.name == name)
    return tx.row(KeypairRow, sa.select(keypairs).where(where))


def of_user(tx: Tx, user_id: str, limit: int, after: str | None = None) -> list[KeypairRow]:
    """By name, from after the name `after`."""
    statement = sa.select(keypairs).where(keypairs.c.user_id == user_id).order_by(keypairs.c.name).limit(limit)
    return tx.rows(KeypairRow, statement.where(keypairs.c.name > after) if after is not None else statement)


def count(tx: Tx, user_id: str) -> int:
    return int(tx.scalar(sa.select(sa.func.count()).where(keypairs.c.user_id == user_id)))


def insert(tx: Tx, user_id: str, name: str, kind: str, public_key: str, fingerprint: str) -> None:
    """Raises Conflict if the user has a keypair of that name."""
    tx.insert(
        keypairs,
        {
            "user_id": user_id,
            "name": name,
            "type": kind,
            "public_key": public_key,
            "fingerprint": fingerprint,
            "created_at": tx.now,
        },
        conflict="Key pair '{name}' already exists.",
    )


def delete(tx: Tx, number: int) -> None:
    tx.delete(keypairs, keypairs.c.number == number)
