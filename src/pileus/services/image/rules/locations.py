"""Where an image's data is to be, is on its way to, and is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pileus.core.db import Tx
from pileus.services.image import store
from pileus.services.image.types.locations import ACTIVE, FAILED, REQUIRED, UNFINISHED, WAITING, LocationRow


def want_stores(tx: Tx, image_id: str, stores: Iterable[str], together: bool = False) -> None:
    """An image without data is going to have it in these stores: in all of them or in none, where they are wanted `together`."""
    store.delete_all_locations(tx, image_id)
    for name in stores:
        store.insert_location(tx, image_id, name, "", REQUIRED if together else WAITING)


def locations_to_fill(tx: Tx, image_id: str) -> list[LocationRow]:
    return [location for location in store.locations_of(tx, [image_id]) if location.status in UNFINISHED]


def name_object(tx: Tx, location: LocationRow, address: str) -> bool:
    """Which object is going to be there: from now on it is needed. False where the location is not wanted any more."""
    return store.place_location(tx, location.number, address)


def give_location_up(tx: Tx, location: LocationRow, reason: str) -> None:
    store.set_location_status(tx, location.number, FAILED, reason)
    tx.wake("image-files")


def fill_locations(tx: Tx, image_id: str, placed: Sequence[int]) -> bool:
    """These are of use now. Whether no other is still to be filled."""
    for number in placed:
        store.set_location_status(tx, number, ACTIVE)
    finished = not locations_to_fill(tx, image_id)
    if not finished:
        tx.wake("image-copies")
    return finished
