"""Flavors, and which projects may use those that are not public."""

import sqlalchemy as sa

from pileus.core.db import Id, Json, Time, metadata

flavors = sa.Table(
    "compute_flavor",
    metadata,
    sa.Column("id", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("ram", sa.Integer, nullable=False),
    sa.Column("disk", sa.Integer, nullable=False),
    sa.Column("ephemeral", sa.Integer, nullable=False),
    sa.Column("swap", sa.Integer, nullable=False),
    sa.Column("rxtx_factor", sa.Float(53), nullable=False),
    sa.Column("is_public", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("extra_specs", Json, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time),
)

flavor_access = sa.Table(
    "compute_flavor_access",
    metadata,
    sa.Column("flavor_id", sa.String(255), sa.ForeignKey("compute_flavor.id"), primary_key=True),
    sa.Column("project_id", Id, primary_key=True),
)
