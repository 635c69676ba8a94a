"""Hashes of passwords and other secrets: argon2id. Slow by intent, so never inside a transaction.

A secret that Pileus made itself has more random bits than anybody can try: a quick hash keeps it as well.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher(time_cost=5, memory_cost=7 * 1024, parallelism=1)
_hashers = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="password")
"""More at once than there are processors would only take memory, and each thread that has hashed keeps 7 MB for the next."""
_QUICK = "sha256:"


def hashed(secret: str) -> str:
    return _hashers.submit(_hasher.hash, secret).result()


def hashed_random(secret: str) -> str:
    """Of a secret with at least 128 random bits; no secret that a person chose."""
    return _QUICK + hashlib.sha256(secret.encode()).hexdigest()


def is_random(known: str | None, secret: str) -> bool:
    """Whether `secret` is the one that was hashed, as one that Pileus made. A no may mean that it is of another kind."""
    return known is not None and known.startswith(_QUICK) and hmac.compare_digest(known, hashed_random(secret))


def verify(known: str | None, secret: str) -> bool:
    """Whether `secret` is the one that was hashed. A no takes as long where there is none to compare with."""
    if is_random(known, secret):
        return True
    if known is not None and known.startswith(_QUICK):
        known = None
    return _hashers.submit(_is_of, known or _nobodys(), secret).result() and known is not None


def _is_of(known: str, secret: str) -> bool:
    try:
        return _hasher.verify(known, secret)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return _hasher.hash(os.urandom(16))
