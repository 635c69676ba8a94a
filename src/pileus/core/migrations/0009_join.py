"""Hosts that join with certificates, and what their underlays carry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_table(
        "compute_join_token",
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_compute_join_token")),
    )
    op.add_column("compute_host_spec", sa.Column("key_hash", sa.String(length=64), nullable=True))
    op.add_column("network_chassis", sa.Column("mtu", sa.Integer(), nullable=True))
