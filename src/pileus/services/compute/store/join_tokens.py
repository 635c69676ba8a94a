"""Rows of join tokens."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.compute.tables.join_tokens import join_tokens


class JoinTokenRow(msgspec.Struct):
    secret_hash: str
    expires_at: datetime
    uses_left: int


def insert(tx: Tx, row: JoinTokenRow) -> None:
    """Tokens that have expired go with it."""
    tx.delete(join_tokens, join_tokens.c.expires_at <= tx.now)
    tx.insert(join_tokens, row)


def valid(tx: Tx, secret_hash: str) -> JoinTokenRow | None:
    """Also where it is used up; None where there is no such token, or it has expired."""
    mine = (join_tokens.c.secret_hash == secret_hash) & (join_tokens.c.expires_at > tx.now)
    return tx.row(JoinTokenRow, sa.select(join_tokens).where(mine))


def use(tx: Tx, secret_hash: str) -> bool:
    """Count one use; False where none is left."""
    left = (join_tokens.c.secret_hash == secret_hash) & (join_tokens.c.uses_left > 0)
    return tx.update(join_tokens, left, {"uses_left": join_tokens.c.uses_left - 1}) > 0
