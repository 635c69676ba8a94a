"""Rows of hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, among
from pileus.services.compute.tables.hosts import hosts


class HostRow(msgspec.Struct):
    """The fields are the table's columns, in their order."""

    number: int
    id: str
    service_id: str
    name: str
    created_at: datetime
    hypervisor_type: str
    hypervisor_version: int
    accelerator: str
    accelerator_reason: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    address: str
    agent_url: str
    cpu_info: dict[str, Any]
    version: str
    last_seen: datetime
    used: dict[str, int]
    problems: list[str]
    disabled: bool
    disabled_reason: str | None
    forced_down: bool


_OF_NAME = sa.select(hosts).where(hosts.c.name == sa.bindparam("wanted"))


def host_of_name(tx: Tx, name: str) -> HostRow | None:
    return tx.row(HostRow, _OF_NAME, {"wanted": name})


def host_of_id(tx: Tx, host_id: str) -> HostRow | None:
    """By the hypervisor's id."""
    return tx.row(HostRow, sa.select(hosts).where(hosts.c.id == host_id))


def host_of_number(tx: Tx, number: int) -> HostRow | None:
    return tx.row(HostRow, sa.select(hosts).where(hosts.c.number == number))


def host_of_service(tx: Tx, service_id: str) -> HostRow | None:
    return tx.row(HostRow, sa.select(hosts).where(hosts.c.service_id == service_id))


def find(tx: Tx) -> list[HostRow]:
    """In the order of their registration."""
    return tx.rows(HostRow, sa.select(hosts).order_by(hosts.c.number))


_OF_IDS = sa.select(hosts).where(among(hosts.c.id)).order_by(hosts.c.number)


def of_ids(tx: Tx, ids: Sequence[str]) -> list[HostRow]:
    """In the order of their registration."""
    return tx.rows(HostRow, _OF_IDS, {"ids": ids})


def insert(tx: Tx, values: Mapping[str, Any]) -> None:
    """`values` by column name; `number` is given by the database."""
    tx.insert(hosts, values)


def update(tx: Tx, name: str, values: Mapping[str, Any]) -> None:
    tx.update(hosts, hosts.c.name == name, values)


_NOTE_ALIVE = hosts.update().where(among(hosts.c.name)).values(last_seen=sa.bindparam("at"))


def note_alive(tx: Tx, names: Sequence[str]) -> None:
    tx.execute(_NOTE_ALIVE, {"ids": names, "at": tx.now})


def delete(tx: Tx, name: str) -> None:
    tx.delete(hosts, hosts.c.name == name)
