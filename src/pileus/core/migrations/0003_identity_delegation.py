"""OAuth 1, sealed secrets, and EC2 credentials found by their access key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_table(
        "identity_oauth1_consumer",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_oauth1_consumer")),
    )
    op.create_table(
        "identity_oauth1_nonce",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_identity_oauth1_nonce")),
    )
    op.create_index(op.f("ix_identity_oauth1_nonce_used_at"), "identity_oauth1_nonce", ["used_at"], unique=False)
    op.create_table(
        "identity_seal_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_seal_key")),
    )
    op.create_table(
        "identity_oauth1_access_token",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("consumer_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("authorizing_user_id", sa.String(length=64), nullable=False),
        sa.Column("role_ids", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorizing_user_id"],
            ["identity_user.id"],
            name=op.f("fk_identity_oauth1_access_token_authorizing_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["consumer_id"],
            ["identity_oauth1_consumer.id"],
            name=op.f("fk_identity_oauth1_access_token_consumer_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["identity_project.id"],
            name=op.f("fk_identity_oauth1_access_token_project_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_oauth1_access_token")),
    )
    op.create_index(
        op.f("ix_identity_oauth1_access_token_authorizing_user_id"),
        "identity_oauth1_access_token",
        ["authorizing_user_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_identity_oauth1_access_token_expires_at"), "identity_oauth1_access_token", ["expires_at"], unique=False
    )
    op.create_table(
        "identity_oauth1_request_token",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("consumer_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("authorizing_user_id", sa.String(length=64), nullable=True),
        sa.Column("verifier", sa.String(length=64), nullable=True),
        sa.Column("role_ids", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["authorizing_user_id"],
            ["identity_user.id"],
            name=op.f("fk_identity_oauth1_request_token_authorizing_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["consumer_id"],
            ["identity_oauth1_consumer.id"],
            name=op.f("fk_identity_oauth1_request_token_consumer_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["identity_project.id"],
            name=op.f("fk_identity_oauth1_request_token_project_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_oauth1_request_token")),
    )
    op.create_index(
        op.f("ix_identity_oauth1_request_token_expires_at"),
        "identity_oauth1_request_token",
        ["expires_at"],
        unique=False,
    )
    op.add_column("identity_credential", sa.Column("access_hash", sa.String(length=64), nullable=True))
    op.create_index("uq_identity_credential_access_hash", "identity_credential", ["access_hash"], unique=True)
    op.execute("UPDATE identity_credential SET access_hash = id WHERE type = 'ec2'")
