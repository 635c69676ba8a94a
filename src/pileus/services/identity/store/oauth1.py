"""Tokens of OAuth 1."""

from __future__ import annotations

from datetime import timedelta

from pileus.core.db import Tx
from pileus.services.identity.store import rows
from pileus.services.identity.tables import oauth1_access_tokens, oauth1_nonces, oauth1_request_tokens
from pileus.services.identity.types.oauth1 import AccessTokenRow, RequestTokenRow


def take_request_token(tx: Tx, token: RequestTokenRow) -> bool:
    """False where another was faster."""
    return bool(tx.delete(oauth1_request_tokens, oauth1_request_tokens.c.id == token.id))


def access_tokens_of(tx: Tx, user_id: str) -> list[AccessTokenRow]:
    return rows.where(tx, AccessTokenRow, oauth1_access_tokens.c.expires_at > tx.now, authorizing_user_id=user_id)


def use_nonce(tx: Tx, digest: str) -> bool:
    """False where it was used before."""
    return tx.insert_new(oauth1_nonces, {"digest": digest, "used_at": tx.now})


def forget(tx: Tx, nonces_after: timedelta) -> None:
    """What has ended, and nonces of requests that are refused for their age anyway."""
    tx.delete(oauth1_nonces, oauth1_nonces.c.used_at < tx.now - nonces_after)
    tx.delete(oauth1_request_tokens, oauth1_request_tokens.c.expires_at <= tx.now)
    tx.delete(oauth1_access_tokens, oauth1_access_tokens.c.expires_at <= tx.now)
