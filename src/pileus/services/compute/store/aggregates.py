"""Rows of aggregates and of their hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.compute.tables.aggregates import aggregate_hosts, aggregates

ZONE = "availability_zone"


class AggregateRow(msgspec.Struct):
    id: int
    uuid: str
    name: str
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime | None

    @property
    def zone(self) -> str | None:
        return self.metadata.get(ZONE)


def aggregate(tx: Tx, aggregate_id: int) -> AggregateRow | None:
    return tx.row(AggregateRow, sa.select(aggregates).where(aggregates.c.id == aggregate_id))


def aggregate_of_uuid(tx: Tx, uuid: str) -> AggregateRow | None:
    return tx.row(AggregateRow, sa.select(aggregates).where(aggregates.c.uuid == uuid))


_ALL = sa.select(aggregates).order_by(aggregates.c.id)


def find(tx: Tx) -> list[AggregateRow]:
    return tx.rows(AggregateRow, _ALL, {})


def insert(tx: Tx, values: Mapping[str, Any], conflict: str) -> None:
    tx.insert(aggregates, values, conflict=conflict)


def update(tx: Tx, aggregate_id: int, values: Mapping[str, Any], conflict: str | None = None) -> None:
    tx.update(aggregates, aggregates.c.id == aggregate_id, {**values, "updated_at": tx.now}, conflict=conflict)


def delete(tx: Tx, aggregate_id: int) -> None:
    tx.delete(aggregates, aggregates.c.id == aggregate_id)


def hosts_of(tx: Tx, aggregate_id: int) -> list[str]:
    where = aggregate_hosts.c.aggregate_id == aggregate_id
    return tx.scalars(sa.select(aggregate_hosts.c.host).where(where).order_by(aggregate_hosts.c.host))


def hosts_by_aggregate(tx: Tx, among: Collection[str] | None = None) -> Mapping[int, list[str]]:
    """aggregate -> its hosts (of those in `among`)."""
    statement = sa.select(aggregate_hosts).order_by(aggregate_hosts.c.aggregate_id, aggregate_hosts.c.host)
    if among is not None:
        statement = statement.where(aggregate_hosts.c.host.in_(among))
    found: dict[int, list[str]] = defaultdict(list)
    for aggregate_id, host in tx.execute(statement):
        found[aggregate_id].append(host)
    return found


def add_host(tx: Tx, aggregate_id: int, host: str, conflict: str) -> None:
    tx.insert(aggregate_hosts, {"aggregate_id": aggregate_id, "host": host}, conflict=conflict)


def remove_host(tx: Tx, aggregate_id: int, host: str) -> int:
    return tx.delete(
        aggregate_hosts, (aggregate_hosts.c.aggregate_id == aggregate_id) & (aggregate_hosts.c.host == host)
    )


def forget_host(tx: Tx, host: str) -> None:
    tx.delete(aggregate_hosts, aggregate_hosts.c.host == host)
