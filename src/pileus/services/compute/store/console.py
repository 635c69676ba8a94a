"""Rows of console tokens."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.compute.tables.console import console_tokens


class ConsoleTokenRow(msgspec.Struct):
    token_hash: str
    server_id: str
    host: str
    console_type: str
    expires_at: datetime


def insert_token(tx: Tx, row: ConsoleTokenRow) -> None:
    tx.insert(console_tokens, row)


def valid_token(tx: Tx, token_hash: str) -> ConsoleTokenRow | None:
    """None where there is no such token, or it has expired."""
    mine = (console_tokens.c.token_hash == token_hash) & (console_tokens.c.expires_at > tx.now)
    return tx.row(ConsoleTokenRow, sa.select(console_tokens).where(mine))


def forget_expired(tx: Tx) -> int:
    return tx.delete(console_tokens, console_tokens.c.expires_at <= tx.now)
