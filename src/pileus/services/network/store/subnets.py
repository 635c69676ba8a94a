"""Statements on subnets."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from pileus.core.db import Tx, among
from pileus.services.network.store import networks as network_store
from pileus.services.network.tables import networks, subnets
from pileus.services.network.types.rows import SubnetRow


def seen_by(project_id: str | None) -> sa.ColumnElement[bool]:
    """Subnets of the project and those of networks that it sees."""
    of_networks = sa.select(networks.c.id).where(network_store.seen_by(project_id))
    return (subnets.c.project_id == project_id) | subnets.c.network_id.in_(of_networks)


_OF_NETWORKS = sa.select(subnets).where(among(subnets.c.network_id)).order_by(subnets.c.created_at, subnets.c.id)


def of_networks(tx: Tx, ids: Sequence[str]) -> list[SubnetRow]:
    if not ids:
        return []
    return tx.rows(SubnetRow, _OF_NETWORKS, {"ids": ids})


def of_pool(tx: Tx, subnetpool_id: str) -> list[SubnetRow]:
    return tx.rows(SubnetRow, sa.select(subnets).where(subnets.c.subnetpool_id == subnetpool_id))


def exists(tx: Tx, subnet_id: str) -> bool:
    return tx.scalar(sa.select(subnets.c.id).where(subnets.c.id == subnet_id[:64])) is not None
