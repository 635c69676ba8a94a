"""Hashes of passwords and other secrets: argon2id. Slow by intent, so never inside a transaction."""

from __future__ import annotations

import os
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_turns = threading.BoundedSemaphore(os.cpu_count() or 1)
"""More at once than there are processors would only take memory."""


def hashed(secret: str) -> str:
    with _turns:
        return _hasher.hash(secret)


def verify(known: str | None, secret: str) -> bool:
    """Whether `secret` is the one that was hashed. Takes as long where there is none to compare with."""
    with _turns:
        try:
            return _hasher.verify(known or _nobodys(), secret) and known is not None
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobodys() -> str:
    return _hasher.hash(os.urandom(16))
