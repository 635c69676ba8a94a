"""Where images' data lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from pileus.core.db import Tx, among
from pileus.services.image.store.editions import renew
from pileus.services.image.tables import images
from pileus.services.image.tables import locations as table
from pileus.services.image.types.locations import FAILED, REQUIRED, WAITING, LocationRow

_LOCATIONS = sa.select(table).where(among(table.c.image_id)).order_by(table.c.number)


def locations_of(tx: Tx, image_ids: Sequence[str]) -> list[LocationRow]:
    """In their order."""
    return tx.rows(LocationRow, _LOCATIONS, {"ids": image_ids})


def insert_location(
    tx: Tx, image_id: str, store: str, address: str, status: str, metadata: Mapping[str, Any] | None = None
) -> None:
    renew(tx, image_id)
    row = {"image_id": image_id, "store": store, "address": address, "status": status}
    tx.insert(table, {**row, "message": "", "metadata": dict(metadata or {}), "created_at": tx.now})


def set_location_status(tx: Tx, image_id: str, number: int, status: str, message: str = "") -> bool:
    """False where it is gone."""
    renew(tx, image_id)
    return tx.update(table, table.c.number == number, {"status": status, "message": message}) == 1


def place_location(tx: Tx, location: LocationRow, address: str) -> bool:
    """Say which object is going to be there. False where the location is gone."""
    renew(tx, location.image_id)
    return tx.update(table, table.c.number == location.number, {"address": address}) == 1


def turn_locations(tx: Tx, image_id: str, before: str, after: str) -> None:
    renew(tx, image_id)
    tx.update(table, (table.c.image_id == image_id) & (table.c.status == before), {"status": after})


def set_location_metadata(tx: Tx, location: LocationRow, metadata: Mapping[str, Any]) -> None:
    renew(tx, location.image_id)
    tx.update(table, table.c.number == location.number, {"metadata": dict(metadata)})


def delete_location(tx: Tx, location: LocationRow) -> None:
    renew(tx, location.image_id)
    tx.delete(table, table.c.number == location.number)


def delete_locations(tx: Tx, image_id: str, statuses: Sequence[str]) -> None:
    renew(tx, image_id)
    tx.delete(table, (table.c.image_id == image_id) & table.c.status.in_(statuses))


def delete_all_locations(tx: Tx, image_id: str) -> None:
    renew(tx, image_id)
    tx.delete(table, table.c.image_id == image_id)


def needed_objects(tx: Tx, store: str) -> set[str]:
    """The names of all objects that images have in a store, or are going to have."""
    mine = (table.c.store == store) & (table.c.status != FAILED)
    return set(tx.scalars(sa.select(table.c.address).where(mine).distinct()))


def open_copies(tx: Tx) -> list[LocationRow]:
    """Locations of images of use that are still to be filled, oldest first."""
    of_use = images.c.status.in_(("active", "deactivated")) & (images.c.id == table.c.image_id)
    wanted = table.c.status.in_((WAITING, REQUIRED)) & sa.exists().where(of_use)
    return tx.rows(LocationRow, sa.select(table).where(wanted).order_by(table.c.number))
