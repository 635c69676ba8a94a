"""Locations whose data is not ours: URLs that an image is given.

Two ways lead here. POST /images/{id}/locations reads the data, to know or to check its hash (`hashing`). The older one,
PATCH of an image's locations, believes what it is told. Neither is possible without a store of type http.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden
from pileus.services.image import store
from pileus.services.image.rules import quotas
from pileus.services.image.rules.imports import insert_task
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.locations import (
    ACTIVE,
    MAX_LOCATIONS,
    LocationCreate,
    LocationRow,
    Validation,
    given_location,
)
from pileus.services.image.types.patch import Change

HASHED_BY = "sha512"
"""What data is hashed with where nobody says otherwise."""


def add_location(tx: Tx, caller: Caller, image: ImageRow, web: str, wish: LocationCreate, size: int) -> None:
    """A queued image has its data at a URL. With a hash to check it waits for that; else it is of use at once.

    Raises Conflict, TooLarge for more than the owner's limits.
    """
    quotas.check(tx, image.owner, {"image_size_total": size})
    validation = wish.validation_data
    values: dict[str, Any] = {
        "size": size,
        "checksum": None,
        "sha512": None,
        "hash_algo": HASHED_BY,
        "hash_value": None,
    }
    if validation is not None:
        validation.check()
        if validation.checksum is not None:
            raise BadRequest("validation_data.checksum is for PATCH; here give os_hash_algo and os_hash_value alone.")
        values |= {"hash_algo": validation.os_hash_algo, "hash_value": validation.os_hash_value.lower()}
    status = "active" if validation is None else "importing"
    if not store.leave_queue(tx, image.id, {**values, "status": status}):
        raise Conflict(f"Image {image.id} takes no location: it is {image.status}, and must be queued.")
    store.delete_all_locations(tx, image.id)
    store.insert_location(tx, image.id, web, wish.url, ACTIVE, wish.metadata)
    insert_task(tx, caller, "location_import", image, {"image_id": image.id, "loc_url": wish.url})
    tx.wake("image-hashes")


def wants_hash(image: ImageRow) -> bool:
    """Whether its data is to be read because of its hashes."""
    return image.hash_algo is not None and image.checksum is None and image.sha512 is None


def finish_hash(tx: Tx, image: ImageRow, found: Mapping[str, str], size: int) -> None:
    """The data was read: `found` are its hashes by their names. An image that waits for it is of use, or queued again."""
    assert image.hash_algo is not None
    hashed = {"checksum": found["md5"], "sha512": found["sha512"], "size": size, "virtual_size": size}
    if image.disk_format != "raw":
        hashed["virtual_size"] = None
    if image.hash_value is None:
        store.update(tx, image.id, {**hashed, "hash_value": found[image.hash_algo]})
    elif image.hash_value == found[image.hash_algo]:
        store.update(tx, image.id, {**hashed, "status": "active"})
    else:
        fail_hash(tx, image, f"Its {image.hash_algo} is {found[image.hash_algo]}, not {image.hash_value}.")
        return
    store.end_tasks(tx, image.id, "success", "")


def fail_hash(tx: Tx, image: ImageRow, reason: str) -> None:
    """An image that waits for its hash is queued again; its location stays to be seen until it gets another."""
    values: dict[str, Any] = {"hash_algo": None, "hash_value": None}
    if image.status == "importing":
        values |= {"status": "queued", "size": None}
    store.update(tx, image.id, values)
    store.end_tasks(tx, image.id, "failure", reason)


def change_locations(tx: Tx, caller: Caller, image: ImageRow, web: str | None, changes: list[Change]) -> None:
    """Raises Forbidden (no store for it, policy, the last), BadRequest, Conflict (other hashes)."""
    for change in changes:
        if web is None:
            raise Forbidden("Locations can't be set: this cloud has no image store of type http.")
        known = [location for location in store.locations_of(tx, [image.id]) if location.status == ACTIVE]
        if change.op == "remove":
            _remove(tx, caller, image, known, change.position)
        elif change.op == "add" and change.position is not None:
            _add(tx, caller, store.known_image(tx, image.id), web, known, change.value)
        elif change.position is None:
            _replace(tx, caller, image, web, known, change.value)
        else:
            raise BadRequest(
                "A location can be added or removed; to change its metadata, replace /locations as a whole."
            )
    if changes:
        store.update(tx, image.id, {"updated_at": tx.now})
        events.record(tx, caller, "image", "update", "image", image.id, changed=["locations"])


def _may(caller: Caller, image: ImageRow, rule: str) -> None:
    target = {"project_id": image.owner, "owner": image.owner, "visibility": image.visibility, "member_id": None}
    if not caller.allows(rule, target):
        raise Forbidden(f"The locations of image {image.id} can't be changed by you (rule {rule}).")


def _remove(tx: Tx, caller: Caller, image: ImageRow, known: list[LocationRow], position: str | None) -> None:
    _may(caller, image, "delete_image_location")
    if position is None or not position.isdigit() or int(position) >= len(known):
        raise BadRequest(f"Image {image.id} has no location {str(position)[:16]}; they are counted from 0.")
    if len(known) == 1:
        raise Forbidden(f"This is the only location of image {image.id}; delete the image instead.")
    store.delete_location(tx, known[int(position)])
    tx.wake("image-files")


def _add(tx: Tx, caller: Caller, image: ImageRow, web: str, known: list[LocationRow], value: Any) -> None:
    _may(caller, image, "set_image_location")
    wish = given_location(value)
    if image.status not in ("queued", "active"):
        raise Conflict(f"Image {image.id} takes no location: it is {image.status}.")
    if image.status == "queued":
        store.delete_all_locations(tx, image.id)
        known = []
    if len(known) >= MAX_LOCATIONS:
        raise BadRequest(f"An image can have at most {MAX_LOCATIONS} locations.")
    if any(location.address == wish.url for location in known):
        raise BadRequest(f"Image {image.id} has the location {wish.url} already.")
    if wish.validation_data is not None:
        _believe(tx, image, wish.validation_data)
    if image.status == "queued" and not store.leave_queue(tx, image.id, {"status": "active"}):
        raise Conflict(f"Image {image.id} is being changed.")
    store.insert_location(tx, image.id, web, wish.url, ACTIVE, wish.metadata)
    tx.wake("image-hashes")


def _believe(tx: Tx, image: ImageRow, said: Validation) -> None:
    """Take over the hashes of an image without any; those of another must be the same. Raises Conflict."""
    new = {"checksum": said.checksum, "hash_algo": said.os_hash_algo, "hash_value": said.os_hash_value.lower()}
    algorithm = image.hash_algo or (HASHED_BY if image.sha512 else None)
    old = {"checksum": image.checksum, "hash_algo": algorithm, "hash_value": image.hash_value or image.sha512}
    if image.status == "queued":
        said.check()
        store.update(tx, image.id, new)
    elif old != new:
        raise Conflict(f"The hashes given with the location are not those of image {image.id}.")


def _replace(tx: Tx, caller: Caller, image: ImageRow, web: str, known: list[LocationRow], value: Any) -> None:
    """Of an image without locations: set them; else their metadata may change, and nothing more."""
    _may(caller, image, "set_image_location")
    if not isinstance(value, list):
        raise BadRequest("locations must be a list.")
    if image.status == "queued":
        for each in value:
            known = [location for location in store.locations_of(tx, [image.id]) if location.status == ACTIVE]
            _add(tx, caller, store.known_image(tx, image.id), web, known, each)
        return
    if len(value) != len(known):
        raise BadRequest(f"Image {image.id} has {len(known)} locations: replacing changes their metadata only.")
    for location, each in zip(known, value, strict=True):
        url = each.get("url") if isinstance(each, dict) else None
        if location.store == web and url != location.address:
            raise BadRequest(f"Location {location.address} can't become another; add one and remove this one.")
        store.set_location_metadata(tx, location, given_metadata(each))


def given_metadata(value: Any) -> dict[str, Any]:
    found = value.get("metadata", {}) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise BadRequest("A location must be an object with a url and metadata, which is an object too.")
    return msgspec.to_builtins(found)  # type: ignore[no-any-return]
