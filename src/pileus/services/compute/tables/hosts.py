"""Hosts: what their agents said they are, and what the administrator wants of them."""

import sqlalchemy as sa

from pileus.core.db import Id, Json, Time, metadata

hosts = sa.Table(
    "compute_host",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", Id, nullable=False, unique=True),
    sa.Column("service_id", Id, nullable=False, unique=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("created_at", Time, nullable=False),
    # written by register and heartbeat
    sa.Column("hypervisor_type", sa.String(64), nullable=False),
    sa.Column("hypervisor_version", sa.Integer, nullable=False),
    sa.Column("accelerator", sa.String(16), nullable=False),
    sa.Column("accelerator_reason", sa.Text, nullable=False),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False),
    sa.Column("disk_gb", sa.Integer, nullable=False),
    sa.Column("address", sa.String(255), nullable=False),
    sa.Column("agent_url", sa.String(1024), nullable=False),
    sa.Column("cpu_info", Json, nullable=False),
    sa.Column("version", sa.String(64), nullable=False),
    sa.Column("last_seen", Time, nullable=False),
    sa.Column("used", Json, nullable=False),
    sa.Column("problems", Json, nullable=False),
    # written by administrators
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.String(255)),
    sa.Column("forced_down", sa.Boolean, nullable=False),
)
"""`id` is the placement provider's and the hypervisor's, `service_id` the compute service's."""
