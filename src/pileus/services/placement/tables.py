"""Tables of placement."""

import sqlalchemy as sa

from pileus.core.db import Id, Time, metadata

providers = sa.Table(
    "placement_provider",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("parent_id", Id, sa.ForeignKey("placement_provider.id"), index=True),
    sa.Column("root_id", Id, nullable=False, index=True),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time, nullable=False),
)

inventories = sa.Table(
    "placement_inventory",
    metadata,
    sa.Column("provider_id", Id, sa.ForeignKey("placement_provider.id"), primary_key=True),
    sa.Column("resource_class", sa.String(255), primary_key=True),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("reserved", sa.Integer, nullable=False),
    sa.Column("min_unit", sa.Integer, nullable=False),
    sa.Column("max_unit", sa.Integer, nullable=False),
    sa.Column("step_size", sa.Integer, nullable=False),
    sa.Column("allocation_ratio", sa.Float(53), nullable=False),
    sa.Column("used", sa.BigInteger, nullable=False),
    sa.Index("ix_placement_inventory_class_provider", "resource_class", "provider_id"),
)
"""`used` is the sum of the allocations; only a claim and a release write it."""

consumers = sa.Table(
    "placement_consumer",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", sa.String(255), nullable=False, index=True),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("type", sa.String(255)),
    sa.Column("generation", sa.Integer, nullable=False),
)

allocations = sa.Table(
    "placement_allocation",
    metadata,
    sa.Column("consumer_id", Id, sa.ForeignKey("placement_consumer.id"), primary_key=True),
    sa.Column("provider_id", Id, primary_key=True),
    sa.Column("resource_class", sa.String(255), primary_key=True),
    sa.Column("amount", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(
        ["provider_id", "resource_class"], ["placement_inventory.provider_id", "placement_inventory.resource_class"]
    ),
    sa.Index("ix_placement_allocation_provider_id", "provider_id"),
)

provider_traits = sa.Table(
    "placement_provider_trait",
    metadata,
    sa.Column("provider_id", Id, sa.ForeignKey("placement_provider.id"), primary_key=True),
    sa.Column("trait", sa.String(255), primary_key=True),
    sa.Index("ix_placement_provider_trait_trait", "trait"),
)

provider_aggregates = sa.Table(
    "placement_provider_aggregate",
    metadata,
    sa.Column("provider_id", Id, sa.ForeignKey("placement_provider.id"), primary_key=True),
    sa.Column("aggregate_id", Id, primary_key=True),
)

custom_traits = sa.Table("placement_custom_trait", metadata, sa.Column("name", sa.String(255), primary_key=True))
"""The standard ones come from os-traits."""

custom_classes = sa.Table("placement_custom_class", metadata, sa.Column("name", sa.String(255), primary_key=True))
"""The standard ones come from os-resource-classes."""
