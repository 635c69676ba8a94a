"""What password rules, lock-outs and one-time codes are compared with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_table(
        "identity_failed_login",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_identity_failed_login")),
    )
    op.create_table(
        "identity_old_password",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["identity_user.id"], name=op.f("fk_identity_old_password_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_old_password")),
    )
    op.create_index(op.f("ix_identity_old_password_user_id"), "identity_old_password", ["user_id"], unique=False)
    op.create_table(
        "identity_used_code",
        sa.Column("credential_id", sa.String(length=64), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["identity_credential.id"],
            name=op.f("fk_identity_used_code_credential_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_identity_used_code")),
    )
    op.add_column("identity_user", sa.Column("password_chosen_at", sa.DateTime(), nullable=True))
    op.add_column("identity_user", sa.Column("last_active_at", sa.DateTime(), nullable=True))
