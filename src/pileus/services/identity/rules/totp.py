"""One-time passwords by time (RFC 6238), from credentials of type totp."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import UTC

import msgspec
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from pileus.core.config import Settings
from pileus.core.db import Tx
from pileus.services.identity.rules import sealing
from pileus.services.identity.store import credentials
from pileus.services.identity.types.users import UserRow

STEP = 30
"""Seconds."""


class Code(msgspec.Struct, frozen=True):
    """A one-time password that was right, for one time."""

    credential_id: str
    step: int
    """Since 1970."""


def codes(blob: str, at: float) -> list[str]:
    """The six digits of this step and of the one before; none for a secret that is not base32."""
    try:
        key = base64.b32decode(blob.strip().upper() + "=" * (-len(blob.strip()) % 8))
        clock = TOTP(key, 6, SHA1(), STEP, enforce_key_length=False)
        return [clock.generate(int(at)).decode(), clock.generate(int(at) - STEP).decode()]
    except (binascii.Error, ValueError):
        return []


def matching(tx: Tx, settings: Settings, user: UserRow | None, passcode: str) -> Code | None:
    """The code that the passcode is; whether it was used before is for `store.compliance.use_code` to say."""
    at = tx.now.replace(tzinfo=UTC).timestamp()
    for credential in credentials.of_user(tx, user.id if user else "", "totp"):
        for ago, code in enumerate(codes(sealing.unseal(tx, settings, credential.blob), at)):
            if hmac.compare_digest(code.encode(), passcode.encode()):
                return Code(credential.id, int(at) // STEP - ago)
    return None
