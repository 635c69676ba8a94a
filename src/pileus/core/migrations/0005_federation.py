"""Identity providers, mappings, protocols, service providers, and the users who come by them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_table(
        "identity_mapping",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("schema_version", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_mapping")),
    )
    op.create_table(
        "identity_service_provider",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("auth_url", sa.Text(), nullable=False),
        sa.Column("sp_url", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("relay_state_prefix", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_service_provider")),
    )
    op.create_table(
        "identity_signing_key",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_signing_key")),
    )
    op.create_table(
        "identity_used_assertion",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_used_assertion")),
    )
    op.create_index(
        op.f("ix_identity_used_assertion_expires_at"), "identity_used_assertion", ["expires_at"], unique=False
    )
    op.create_table(
        "identity_provider",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("authorization_ttl", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["identity_project.id"], name=op.f("fk_identity_provider_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_provider")),
    )
    op.create_table(
        "identity_expiring_membership",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("identity_provider_id", sa.String(length=64), nullable=False),
        sa.Column("verified_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["identity_group.id"],
            name=op.f("fk_identity_expiring_membership_group_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["identity_provider_id"],
            ["identity_provider.id"],
            name=op.f("fk_identity_expiring_membership_identity_provider_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["identity_user.id"], name=op.f("fk_identity_expiring_membership_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "user_id", "group_id", "identity_provider_id", name=op.f("pk_identity_expiring_membership")
        ),
    )
    op.create_index(
        op.f("ix_identity_expiring_membership_expires_at"), "identity_expiring_membership", ["expires_at"], unique=False
    )
    op.create_table(
        "identity_protocol",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("identity_provider_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("mapping_id", sa.String(length=64), nullable=False),
        sa.Column("remote_id_attribute", sa.String(length=64), nullable=True),
        sa.Column("sign_on", sa.Text(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["identity_provider_id"],
            ["identity_provider.id"],
            name=op.f("fk_identity_protocol_identity_provider_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["mapping_id"], ["identity_mapping.id"], name=op.f("fk_identity_protocol_mapping_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_protocol")),
        sa.UniqueConstraint(
            "identity_provider_id", "name", name=op.f("uq_identity_protocol_identity_provider_id_name")
        ),
    )
    op.create_table(
        "identity_remote_id",
        sa.Column("remote_id", sa.String(length=255), nullable=False),
        sa.Column("identity_provider_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_provider_id"],
            ["identity_provider.id"],
            name=op.f("fk_identity_remote_id_identity_provider_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("remote_id", name=op.f("pk_identity_remote_id")),
    )
    op.create_table(
        "identity_federated_user",
        sa.Column("protocol_id", sa.String(length=64), nullable=False),
        sa.Column("unique_id", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["protocol_id"],
            ["identity_protocol.id"],
            name=op.f("fk_identity_federated_user_protocol_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["identity_user.id"], name=op.f("fk_identity_federated_user_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("protocol_id", "unique_id", name=op.f("pk_identity_federated_user")),
    )
    op.create_index(op.f("ix_identity_federated_user_user_id"), "identity_federated_user", ["user_id"], unique=False)
