"""What a project has taken of its limits, at most."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_table(
        "core_use",
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("at_most", sa.Text(), nullable=False),
        sa.Column("counted_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_core_use")),
    )
