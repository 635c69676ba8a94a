"""The keys of sealed secrets, and where sealed secrets are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.identity.tables import (
    credentials,
    domain_secrets,
    oauth1_access_tokens,
    oauth1_consumers,
    oauth1_request_tokens,
    protocols,
    seal_keys,
    signing_keys,
)

PLACES = (
    credentials.c.blob,
    domain_secrets.c.secret,
    oauth1_consumers.c.secret,
    oauth1_request_tokens.c.secret,
    oauth1_access_tokens.c.secret,
    protocols.c.secret,
    signing_keys.c.private_key,
)
BATCH = 500
"""Secrets of one place to seal anew in one transaction."""


class Key(msgspec.Struct, frozen=True):
    id: int
    key: str
    """Itself sealed with the file's key."""
    created_at: datetime


class Kept(msgspec.Struct, frozen=True):
    """A secret where it is kept."""

    column: sa.Column[str]
    row_id: str
    text: str


def keys(tx: Tx) -> list[Key]:
    """Newest first."""
    return tx.rows(Key, sa.select(seal_keys).order_by(seal_keys.c.id.desc()))


def add_key(tx: Tx, key: Key) -> None:
    """Unless there is one of its number."""
    tx.insert_new(seal_keys, key)


def replace_key(tx: Tx, key_id: int, text: str) -> None:
    tx.update(seal_keys, seal_keys.c.id == key_id, {"key": text})


def drop_keys_before(tx: Tx, key_id: int) -> None:
    tx.delete(seal_keys, seal_keys.c.id < key_id)


def not_beginning_with(tx: Tx, prefix: str) -> Iterator[Kept]:
    """Secrets that are sealed with another key, or not at all: up to BATCH of each place."""
    for column in PLACES:
        statement = sa.select(column.table.c.id, column).where(~column.startswith(prefix, autoescape=True)).limit(BATCH)
        for row_id, text in tx.execute(statement).all():
            yield Kept(column, row_id, text)


def replace(tx: Tx, kept: Kept, text: str) -> None:
    """Unless it was changed in the meantime."""
    where = (kept.column.table.c.id == kept.row_id) & (kept.column == kept.text)
    tx.update(kept.column.table, where, {kept.column.name: text})
