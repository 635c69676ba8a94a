"""Image locations: what was one file for each image may be objects in several stores."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_table(
        "image_location",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("image_id", sa.String(length=64), nullable=False),
        sa.Column("store", sa.String(length=64), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image_image.id"], name=op.f("fk_image_location_image_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_image_location")),
    )
    op.create_index(op.f("ix_image_location_image_id"), "image_location", ["image_id"], unique=False)
    op.create_index("ix_image_location_store", "image_location", ["store", "status"], unique=False)
    op.add_column("image_image", sa.Column("imported", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("image_image", sa.Column("hash_algo", sa.String(length=64), nullable=True))
    op.add_column("image_image", sa.Column("hash_value", sa.String(length=128), nullable=True))
    op.create_index(op.f("ix_image_image_hash_value"), "image_image", ["hash_value"], unique=False)
    op.execute(
        "INSERT INTO image_location (image_id, store, address, status, message, metadata, created_at)"
        " SELECT id, 'file', sha512, 'active', '', '{}', created_at FROM image_image WHERE sha512 IS NOT NULL"
    )
