"""Where an image's data is to be, is on its way to, and is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.services.image import store
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.locations import ACTIVE, FAILED, PLACED, REQUIRED, UNFINISHED, WAITING, LocationRow


def want_stores(tx: Tx, image_id: str, stores: Iterable[str], together: bool = False) -> None:
    """An image without data is going to have it in these stores: in all of them or in none, where they are wanted `together`."""
    store.delete_all_locations(tx, image_id)
    for name in stores:
        store.insert_location(tx, image_id, name, "", REQUIRED if together else WAITING)


def locations_to_fill(tx: Tx, image_id: str) -> list[LocationRow]:
    return [location for location in store.locations_of(tx, [image_id]) if location.status in UNFINISHED]


def name_object(tx: Tx, location: LocationRow, address: str) -> bool:
    """Which object is going to be there: from now on it is needed. False where the location is not wanted any more."""
    return store.place_location(tx, location, address)


def give_location_up(tx: Tx, location: LocationRow, reason: str) -> None:
    store.set_location_status(tx, location.image_id, location.number, FAILED, reason)
    tx.wake("image-files")


def fill_locations(tx: Tx, image_id: str, placed: Sequence[int]) -> None:
    """These are of use now."""
    for number in placed:
        store.set_location_status(tx, image_id, number, ACTIVE)
    _settle(tx, image_id)


def want_copies(tx: Tx, image: ImageRow, stores: Iterable[str], together: bool) -> None:
    """An image of use is to be in these stores too. Raises Conflict (not of use, under way, not hashed), BadRequest (there)."""
    if not store.touch(tx, image.id, "active") or image.sha512 is None:
        raise Conflict(f"Image {image.id} is {image.status}; it must be active, with data whose SHA-512 is known.")
    found = store.locations_of(tx, [image.id])
    if any(location.status in UNFINISHED for location in found):
        raise Conflict(f"Image {image.id} is being copied; wait until that has ended.")
    store.delete_locations(tx, image.id, [FAILED])
    there = {location.store for location in found if location.status == ACTIVE}
    for name in stores:
        if name in there:
            raise BadRequest(f"Image {image.id} is in store '{name}' already.")
        store.insert_location(tx, image.id, name, "", REQUIRED if together else WAITING)
    _settle(tx, image.id)


def finish_copy(tx: Tx, location: LocationRow) -> None:
    """It is filled. Of use at once, or with the last of those that are wanted together."""
    status = PLACED if location.status == REQUIRED else ACTIVE
    store.set_location_status(tx, location.image_id, location.number, status)
    _settle(tx, location.image_id)


def give_copy_up(tx: Tx, location: LocationRow, reason: str) -> None:
    """It could not be filled; then neither are those that are wanted together with it."""
    give_location_up(tx, location, reason)
    if location.status == REQUIRED:
        store.delete_locations(tx, location.image_id, UNFINISHED)
    _settle(tx, location.image_id)


def _settle(tx: Tx, image_id: str) -> None:
    """Where nothing is left to be filled, that is the end of the import."""
    found = store.locations_of(tx, [image_id])
    if any(location.status in (WAITING, REQUIRED) for location in found):
        tx.wake("image-copies")
        return
    store.turn_locations(tx, image_id, PLACED, ACTIVE)
    failed = [f"{location.store}: {location.message}" for location in found if location.status == FAILED]
    store.end_tasks(tx, image_id, "failure" if failed else "success", "; ".join(failed))


def leave_store(tx: Tx, caller: Caller, image: ImageRow, name: str) -> None:
    """The data goes from one store. Raises Forbidden (protected, the last), NotFound, Conflict (being copied)."""
    if image.protected:
        raise Forbidden(f"Image {image.id} is protected. Unset 'protected' first.")
    if not store.touch(tx, image.id, image.status):
        raise Conflict(f"Image {image.id} is being changed.")
    found = store.locations_of(tx, [image.id])
    mine = [location for location in found if location.store == name and location.status == ACTIVE]
    if not mine:
        raise NotFound(f"Image {image.id} has no data in store '{name[:64]}'.")
    if any(location.status in UNFINISHED for location in found):
        raise Conflict(f"Image {image.id} is being copied; wait until that has ended.")
    if all(location.store == name for location in found if location.status == ACTIVE):
        raise Forbidden(
            f"Store '{name}' is the only one that has the data of image {image.id}; delete the image instead."
        )
    for location in mine:
        store.delete_location(tx, location)
    events.record(tx, caller, "image", "leave_store", "image", image.id, store=name)
    tx.wake("image-files")
