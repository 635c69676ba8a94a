"""Images of use come into more stores: each location that waits is filled from one that is filled.

A copy that is killed begins again: the row waits on, and what it left is swept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from pileus.core.config import Settings
from pileus.core.db import Database, new_id
from pileus.core.errors import Gone, Problem
from pileus.services.image import placing, receive, rules, send, store, stores
from pileus.services.image.files import Incoming
from pileus.services.image.stores import StoreFailed, Stores
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.locations import ACTIVE, LocationRow

log = structlog.get_logger("pileus.image")


def run(db: Database, settings: Settings) -> None:
    """Fill all that wait, one after the other. May be killed anywhere, and run again."""
    places = stores.of(settings)
    while True:
        with db.read() as tx:
            waiting = store.open_copies(tx)
            images = {each.image_id: store.known_image(tx, each.image_id) for each in waiting}
        if not waiting:
            return
        for location in waiting:
            _copy(db, places, images[location.image_id], location)


def _copy(db: Database, places: Stores, image: ImageRow, location: LocationRow) -> None:
    assert image.sha512 is not None
    try:
        with local_file(places, image) as source:
            placing.put(db, places, location, image.sha512, source)
    except Gone:
        return
    except (StoreFailed, Problem) as error:
        with db.write() as tx:
            rules.give_copy_up(tx, location, str(error))
        return
    with db.write() as tx:
        rules.finish_copy(tx, location)
    log.info("an image was copied", image=image.id, store=location.store)


@contextmanager
def local_file(places: Stores, image: ImageRow) -> Iterator[Path]:
    """A file of this machine with the image's data: an object of a store of files, or one that is fetched for this.

    Raises StoreFailed, NotFound, TooLarge (no room).
    """
    if image.sha512 is not None:
        own = places.built_in.local(image.sha512)
        if own is not None:
            yield own
            return
    for location in image.locations:
        if location.status == ACTIVE and location.store in places:
            path = places[location.store].local(location.address)
            if path is not None:
                yield path
                return
    incoming = Incoming(places.built_in.files, new_id())
    try:
        asyncio.run(_fetch(places, image, incoming))
        yield incoming.path
    finally:
        incoming.release()


async def _fetch(places: Stores, image: ImageRow, incoming: Incoming) -> None:
    opened = await send.opened(places, image)
    await receive.pump(opened.read(0, opened.size), incoming, lambda: None)
    found = await asyncio.to_thread(incoming.finish)
    if found.sha512 != image.sha512:
        raise StoreFailed(
            f"what the stores hold of image {image.id} is not what was put there: its SHA-512 is {found.sha512}"
        )
