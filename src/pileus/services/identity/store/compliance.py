"""What is remembered of log-ins: failures in a row, one-time codes that were used, passwords that a user had before."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.identity.store import rows
from pileus.services.identity.tables import failed_logins, old_passwords, used_codes, users

_f = failed_logins.c


class Failures(msgspec.Struct):
    user_id: str
    failures: int
    last_at: datetime


_FAILURES = sa.select(failed_logins).where(_f.user_id == sa.bindparam("user_id"))


def failures(tx: Tx, user_id: str) -> Failures | None:
    return rows.once(tx, (Failures, user_id), lambda: tx.row(Failures, _FAILURES, {"user_id": user_id}))


def add_failure(tx: Tx, user_id: str, most: int, forgotten_before: datetime) -> None:
    """One more in a row, in one statement, so that failures at the same moment all count.

    While the user is locked out (`most` failures) nothing moves; a lock-out that ended before `forgotten_before` starts anew.
    """
    tx.insert_new(failed_logins, Failures(user_id, 0, tx.now))
    is_full = _f.failures >= most
    is_over = is_full & (_f.last_at <= forgotten_before)
    tx.update(
        failed_logins,
        _f.user_id == user_id,
        {
            "failures": sa.case((is_over, 1), (is_full, _f.failures), else_=_f.failures + 1),
            "last_at": sa.case((is_full & ~is_over, _f.last_at), else_=sa.literal(tx.now)),
        },
    )


def forget_failures(tx: Tx, user_id: str) -> None:
    tx.delete(failed_logins, _f.user_id == user_id)


def use_code(tx: Tx, credential_id: str, step: int) -> bool:
    """False where a code of this step, or of a later one, was used before."""
    c = used_codes.c
    earlier = (c.credential_id == credential_id) & (c.step < step)
    values = {"credential_id": credential_id, "step": step}
    return tx.update(used_codes, earlier, {"step": step}) > 0 or tx.insert_new(used_codes, values)


def old_password_hashes(tx: Tx, user_id: str, count: int) -> list[str]:
    """Newest first."""
    c = old_passwords.c
    statement = sa.select(c.password_hash).where(c.user_id == user_id).order_by(c.id.desc())
    return list(tx.scalars(statement.limit(count)))


def remember_password(tx: Tx, user_id: str, password_hash: str, count: int) -> None:
    """Keep the newest `count`."""
    c = old_passwords.c
    tx.insert(old_passwords, {"user_id": user_id, "password_hash": password_hash})
    kept = sa.select(c.id).where(c.user_id == user_id).order_by(c.id.desc()).limit(count)
    tx.delete(old_passwords, (c.user_id == user_id) & c.id.not_in(kept))


def note_activity(tx: Tx, user_id: str) -> None:
    """Nothing that a token means depends on it: the identity revision stays."""
    tx.update(users, users.c.id == user_id, {"last_active_at": tx.now})


def idle_since(before: datetime) -> sa.ColumnElement[bool]:
    """A condition on users."""
    return users.c.last_active_at < before
