"""Ports that every network has are found among those of many guests."""

from __future__ import annotations

from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.create_index("ix_network_port_device_owner", "network_port", ["device_owner"], unique=False)
