"""What the operator asks of passwords and users: strength, age, history, lock-out, no sleeping accounts.

A user's options exempt from each but strength and history. All of it is for passwords that Pileus keeps itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest
from pileus.services.identity import passwords
from pileus.services.identity.rules import resources
from pileus.services.identity.store import compliance as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.users import UserRow

DAY = timedelta(days=1)


# -- passwords


def must_be_strong(settings: Settings, password: str) -> None:
    """Raises BadRequest."""
    if re.match(settings.password_regex, password):
        return
    wanted = settings.password_regex_description or f"it must match {settings.password_regex}"
    raise BadRequest(f"The password does not meet what this cloud asks of passwords: {wanted}")


def set_by_other(tx: Tx, settings: Settings, options: Mapping[str, Any], password_hash: str) -> dict[str, Any]:
    """A user's columns after somebody else set the password."""
    must_change = settings.change_password_upon_first_use and not options.get("ignore_change_password_upon_first_use")
    return {
        "password_hash": password_hash,
        "password_chosen_at": None,
        "password_expires_at": tx.now if must_change else _end(tx, settings, options),
        "tokens_valid_after": tx.now,
    }


def chosen(tx: Tx, settings: Settings, options: Mapping[str, Any], password_hash: str) -> dict[str, Any]:
    """A user's columns after the user chose a new password."""
    return {
        "password_hash": password_hash,
        "password_chosen_at": tx.now,
        "password_expires_at": _end(tx, settings, options),
        "tokens_valid_after": tx.now,
    }


def _end(tx: Tx, settings: Settings, options: Mapping[str, Any]) -> Any:
    lasts = settings.password_expires_days and not options.get("ignore_password_expiry")
    return tx.now + settings.password_expires_days * DAY if lasts else None


def is_expired(tx: Tx, user: UserRow) -> bool:
    ends = user.password_expires_at
    return ends is not None and ends <= tx.now and not user.options.get("ignore_password_expiry")


def must_be_old_enough(tx: Tx, settings: Settings, user: UserRow) -> None:
    """Raises BadRequest for a password that the user chose too short a time ago and that still works."""
    if user.password_chosen_at is None or is_expired(tx, user):
        return
    again = user.password_chosen_at + settings.minimum_password_age * DAY
    if again > tx.now:
        raise BadRequest(
            f"This password was chosen at {user.password_chosen_at:%Y-%m-%d %H:%M} UTC; it can be changed from {again:%Y-%m-%d %H:%M} UTC on "
            f"(minimum_password_age is {settings.minimum_password_age} days). An administrator can set another one before."
        )


def must_be_new(settings: Settings, password: str, before: list[str]) -> None:
    """`before` are hashes. Raises BadRequest. Takes a while: call it outside of any transaction."""
    if any(passwords.verify(known, password) for known in before):
        raise BadRequest(
            f"The new password must differ from the last {max(settings.unique_last_password_count, 1)} of this user."
        )


def remember(tx: Tx, settings: Settings, user: UserRow) -> None:
    """Keep the password that is about to be replaced."""
    if settings.unique_last_password_count > 1 and user.password_hash is not None:
        store.remember_password(tx, user.id, user.password_hash, settings.unique_last_password_count - 1)


# -- lock-out


def is_locked(tx: Tx, settings: Settings, user: UserRow | None) -> bool:
    """Asks the database the same thing for a user that is not there."""
    if not settings.lockout_failure_attempts:
        return False
    found = store.failures(tx, user.id if user else "")
    if found is None or user is None or user.options.get("ignore_lockout_failure_attempts"):
        return False
    is_recent = found.last_at > tx.now - timedelta(seconds=settings.lockout_duration)
    return is_recent and found.failures >= settings.lockout_failure_attempts


def failed(db: Database, settings: Settings, user: UserRow | None) -> None:
    """Count a wrong secret. For a user that is not there the same is written elsewhere: it must take as long."""
    if settings.lockout_failure_attempts:
        with db.write() as tx:
            ended = tx.now - timedelta(seconds=settings.lockout_duration)
            store.add_failure(tx, user.id if user else "", settings.lockout_failure_attempts, ended)


# -- users that are not used


def is_idle(tx: Tx, settings: Settings, user: UserRow) -> bool:
    days = settings.disable_user_account_days_inactive
    if not days or user.last_active_at is None or user.options.get("ignore_user_inactivity"):
        return False
    return user.last_active_at < tx.now - days * DAY


def disable_idle(tx: Tx, settings: Settings) -> None:
    """So that everybody sees what log-in would find: a user who did not come for too long is disabled."""
    days = settings.disable_user_account_days_inactive
    if not days:
        return
    for user in rows.where(tx, UserRow, store.idle_since(tx.now - days * DAY), enabled=True):
        if is_idle(tx, settings, user):
            resources.change(tx, system_caller(), user, {"enabled": False})
