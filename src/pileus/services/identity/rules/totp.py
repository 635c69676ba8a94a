"""One-time passwords by time (RFC 6238), from credentials of type totp."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import UTC

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from pileus.core.db import Tx
from pileus.services.identity.store import credentials
from pileus.services.identity.types.users import UserRow

STEP = 30
"""Seconds."""


def codes(blob: str, at: float) -> list[str]:
    """The six digits of this step and of the one before; none for a secret that is not base32."""
    try:
        key = base64.b32decode(blob.strip().upper() + "=" * (-len(blob.strip()) % 8))
        clock = TOTP(key, 6, SHA1(), STEP, enforce_key_length=False)
        return [clock.generate(int(at)).decode(), clock.generate(int(at) - STEP).decode()]
    except (binascii.Error, ValueError):
        return []


def is_right(tx: Tx, user: UserRow, passcode: str) -> bool:
    at = tx.now.replace(tzinfo=UTC).timestamp()
    return any(
        hmac.compare_digest(code.encode(), passcode.encode())
        for credential in credentials.of_user(tx, user.id, "totp")
        for code in codes(credential.blob, at)
    )
