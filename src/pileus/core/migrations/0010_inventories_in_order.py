"""The inventories of a class are found in the order of their providers: a sample of hosts stops at its last."""

from __future__ import annotations

from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.drop_index("ix_placement_inventory_resource_class", table_name="placement_inventory")
    op.create_index(
        "ix_placement_inventory_class_provider", "placement_inventory", ["resource_class", "provider_id"], unique=False
    )
