"""Statements on chassis."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from pileus.core.db import Tx, among
from pileus.services.network.tables import chassis
from pileus.services.network.types.rows import ChassisRow


def seen(tx: Tx, host: str, address: str, version: str) -> bool:
    values = {"address": address, "version": version, "seen_at": tx.now}
    return tx.update(chassis, chassis.c.host == host, values) > 0


_NOTE_ALIVE = chassis.update().where(among(chassis.c.host)).values(seen_at=sa.bindparam("at"))


def note_alive(tx: Tx, hosts: Sequence[str]) -> None:
    tx.execute(_NOTE_ALIVE, {"ids": hosts, "at": tx.now})


def insert(tx: Tx, row: ChassisRow) -> None:
    tx.insert_new(chassis, row)


def set_mtu(tx: Tx, host: str, mtu: int | None) -> None:
    tx.update(chassis, chassis.c.host == host, {"mtu": mtu})


def underlays(tx: Tx) -> list[tuple[str, int]]:
    """Address and MTU of each host that has tunnels."""
    found = sa.select(chassis.c.address, chassis.c.mtu).where(chassis.c.mtu.is_not(None))
    return [(address, mtu) for address, mtu in tx.execute(found)]


def delete(tx: Tx, host: str) -> None:
    tx.delete(chassis, chassis.c.host == host)


def any_there(tx: Tx) -> bool:
    return tx.scalar(sa.select(chassis.c.id).limit(1)) is not None
