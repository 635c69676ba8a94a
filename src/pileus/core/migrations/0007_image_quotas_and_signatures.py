"""Image quotas and signatures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_table(
        "image_quota_lock",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_quota_lock")),
    )
    op.add_column("image_image", sa.Column("signed_digest", sa.String(length=160), nullable=True))
