"""Fetches what is queued for this machine's cache, and looks after what is there."""

from __future__ import annotations

import structlog

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.errors import Problem
from pileus.services.image import copies, store, stores
from pileus.services.image.rules import cache as rules
from pileus.services.image.stores import StoreFailed, Stores
from pileus.services.image.types.cache import CACHED, QUEUED, CachedRow
from pileus.services.image.types.images import ImageRow

log = structlog.get_logger("pileus.image")


def run(db: Database, settings: Settings) -> None:
    """Fetch all that is queued, one after the other. May be killed anywhere, and run again."""
    places = stores.of(settings)
    while True:
        with db.read() as tx:
            queued = [row for row in store.cached_images(tx, rules.this_node()) if row.status == QUEUED]
            images = {row.image_id: store.known_image(tx, row.image_id) for row in queued}
        if not queued:
            return
        for row in queued:
            _fetch(db, settings, places, row, images[row.image_id])


def _fetch(db: Database, settings: Settings, places: Stores, row: CachedRow, image: ImageRow) -> None:
    files = places.built_in.files
    try:
        if row.size > settings.image_cache_gb * rules.GIB:
            raise StoreFailed(f"it has {row.size} bytes, more than the whole cache may take")
        with db.write() as tx:
            rules.prune(tx, settings, room_for=row.size)
        with copies.local_file(places, image) as path:
            if path != files.content(row.sha512):
                places.built_in.put(row.sha512, path)
    except (StoreFailed, Problem) as error:
        log.error("an image can't be cached", image=row.image_id, reason=str(error))
        with db.write() as tx:
            rules.forget(tx, row.image_id)
        return
    with db.write() as tx:
        store.set_cached(tx, row.node, row.image_id, CACHED)


def clean(db: Database, settings: Settings) -> None:
    """What should be there and is not is fetched again."""
    places = stores.of(settings)
    with db.read() as tx:
        rows = store.cached_images(tx, rules.this_node())
    lost = [row for row in rows if row.status == CACHED and places.built_in.local(row.sha512) is None]
    with db.write() as tx:
        for row in lost:
            store.set_cached(tx, row.node, row.image_id, QUEUED)
        tx.wake("image-cache")
        tx.wake("image-files")
