"""Aggregates of hosts; one with `availability_zone` in its metadata is a zone."""

import sqlalchemy as sa

from pileus.core.db import Id, Json, Time, metadata

aggregates = sa.Table(
    "compute_aggregate",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", Id, nullable=False, unique=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time),
)

aggregate_hosts = sa.Table(
    "compute_aggregate_host",
    metadata,
    sa.Column("aggregate_id", sa.Integer, sa.ForeignKey("compute_aggregate.id"), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True),
)
