"""Who checks a quota of compute holds its project by a lock of the database itself: no row is written for it."""

from __future__ import annotations

from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.drop_table("compute_quota_lock")
