"""Keys of tokens, revocations, and the rows that a token is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, among
from pileus.services.identity.store import rows
from pileus.services.identity.tables import revoked_tokens, token_keys


class Key(msgspec.Struct):
    id: int
    key: str
    created_at: datetime


class Revoked(msgspec.Struct):
    audit_id: str
    revoked_at: datetime
    expires_at: datetime


def keys(tx: Tx) -> list[Key]:
    """Newest first."""
    return tx.rows(Key, sa.select(token_keys).order_by(token_keys.c.id.desc()))


def add_key(tx: Tx, key_id: int, key: str) -> None:
    rows.touch(tx)
    tx.insert(token_keys, Key(key_id, key, tx.now))


def drop_keys_before(tx: Tx, key_id: int) -> None:
    if tx.delete(token_keys, token_keys.c.id < key_id):
        rows.touch(tx)


def revoke(tx: Tx, audit_id: str, expires_at: datetime) -> None:
    rows.touch(tx)
    tx.upsert(revoked_tokens, {"audit_id": audit_id}, {"revoked_at": tx.now, "expires_at": expires_at})


_REVOKED = sa.select(revoked_tokens.c.audit_id).where(among(revoked_tokens.c.audit_id))


def is_any_revoked(tx: Tx, audit_ids: Sequence[str]) -> bool:
    return bool(audit_ids) and tx.execute(_REVOKED, {"ids": list(audit_ids)}).first() is not None


def revocations(tx: Tx, since: datetime | None) -> list[Revoked]:
    statement = sa.select(revoked_tokens).order_by(revoked_tokens.c.revoked_at)
    return tx.rows(Revoked, statement.where(revoked_tokens.c.revoked_at >= since) if since else statement)


def forget_revocations(tx: Tx, kept: timedelta) -> int:
    """Drop those of tokens that ended longer than `kept` ago."""
    return tx.delete(revoked_tokens, revoked_tokens.c.expires_at < tx.now - kept)
