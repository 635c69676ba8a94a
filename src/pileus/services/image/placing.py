"""Bytes that are whole, checked and on this machine go into the stores that are wanted for their image.

The row that names an object is there before the object; what a killed process leaves in a store without a row, `sweep`
removes. Blocks; no transaction is open while bytes flow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.errors import Gone, Problem, ServiceUnavailable, TooLarge
from pileus.services.image import rules
from pileus.services.image.stores import StoreFailed, Stores
from pileus.services.image.types.images import Arrival, ImageRow
from pileus.services.image.types.locations import REQUIRED, LocationRow

log = structlog.get_logger("pileus.image")


def publish(db: Database, stores: Stores, caller: Caller, image: ImageRow, upload: str, arrival: Arrival) -> None:
    """Make the image active: with all stores that it must be in, or with the first that takes it; `copies` does the rest.

    Raises Gone (deleted meanwhile), TooLarge, ServiceUnavailable (no store took it, or one that must).
    """
    with db.read() as tx:
        wanted = rules.locations_to_fill(tx, image.id)
    wanted.sort(key=lambda location: stores.place_of(location.store))
    together = any(location.status == REQUIRED for location in wanted)
    placed: list[int] = []
    failure: Problem | None = None
    for location in wanted:
        try:
            put(db, stores, location, arrival.received.sha512, arrival.path)
            placed.append(location.number)
        except (ServiceUnavailable, TooLarge) as problem:
            failure = problem
        if failure if together else placed:
            break
    if failure and (together or not placed):
        raise failure
    written(db, lambda tx: rules.finish_upload(tx, caller, image.id, upload, arrival, placed))


def put(db: Database, stores: Stores, location: LocationRow, sha512: str, source: Path) -> None:
    """Fill a location. Where its store fails, that is written down, and raised as ServiceUnavailable or TooLarge.

    Raises Gone where nobody wants the location any more.
    """
    try:
        store = stores[location.store]
        address = store.address(sha512)
        written(db, lambda tx: rules.name_object(tx, location, address))
        store.put(address, source)
    except (KeyError, StoreFailed, TooLarge) as error:
        reason = "it is not configured any more" if isinstance(error, KeyError) else str(error)
        log.error("an image could not be stored", image=location.image_id, store=location.store, reason=reason)
        with db.write() as tx:
            rules.give_location_up(tx, location, reason)
        if isinstance(error, TooLarge):
            raise
        raise ServiceUnavailable(f"Store {location.store} did not take the data: {reason}.") from error


def written(db: Database, change: Callable[[Tx], bool]) -> None:
    with db.write() as tx:
        if not change(tx):
            raise Gone("The image was deleted while its data arrived; nothing of it was kept.")
