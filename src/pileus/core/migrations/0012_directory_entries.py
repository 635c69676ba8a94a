"""Directory entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_table(
        "identity_directory_entry",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("local_id", sa.String(length=255), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["identity_project.id"],
            name=op.f("fk_identity_directory_entry_domain_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_directory_entry")),
    )
    op.create_index(
        "ix_identity_directory_entry_domain", "identity_directory_entry", ["domain_id", "kind"], unique=False
    )
    op.create_index(op.f("ix_identity_directory_entry_gone"), "identity_directory_entry", ["gone"], unique=False)
    op.create_table(
        "identity_domain_secret",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("group", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["identity_project.id"], name=op.f("fk_identity_domain_secret_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_domain_secret")),
        sa.UniqueConstraint("domain_id", "group", "name", name=op.f("uq_identity_domain_secret_domain_id_group_name")),
    )
