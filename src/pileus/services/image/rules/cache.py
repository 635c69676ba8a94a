"""Which images this machine keeps a file of, although their stores are elsewhere.

The rows decide: a file that none names is removed by the sweep, unless a server needs it.
"""

from __future__ import annotations

import socket
from typing import Literal

from pileus.core.config import Settings
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.services.image import store
from pileus.services.image.types.cache import CACHED, QUEUED, CachedRow
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.locations import ACTIVE

GIB = 1 << 30


def this_node() -> str:
    return socket.gethostname()


def queue(tx: Tx, image: ImageRow) -> None:
    """It is to be fetched. Raises BadRequest."""
    if image.status != "active" or image.sha512 is None:
        raise BadRequest(f"Image {image.id} can't be cached: it must be active, with data whose SHA-512 is known.")
    if store.queue_image(tx, this_node(), image.id, image.sha512, image.size or 0):
        tx.wake("image-cache")


def used(tx: Tx, image: ImageRow) -> None:
    """Somebody downloads an image that is not on this machine by itself: the next one finds it here."""
    if store.cached_image(tx, this_node(), image.id) is not None:
        store.count_hit(tx, this_node(), image.id)
    elif image.status == "active" and image.sha512 is not None:
        queue(tx, image)


def forget(tx: Tx, image_id: str) -> None:
    store.forget_cached(tx, this_node(), image_id)
    tx.wake("image-files")


def clear(tx: Tx, target: Literal["", "cache", "queue"]) -> None:
    """All that is cached, all that is queued, or both."""
    store.forget_all_cached(tx, this_node(), {"": None, "cache": CACHED, "queue": QUEUED}[target])
    tx.wake("image-files")


def prune(tx: Tx, settings: Settings, room_for: int = 0) -> list[CachedRow]:
    """Forget what was not used for the longest time until the rest, and `room_for` bytes more, are within the bound."""
    rows = [row for row in store.cached_images(tx, this_node()) if row.status == CACHED and _takes_room(tx, row)]
    left = sum(row.size for row in rows) + room_for
    gone = []
    for row in rows:
        if left <= settings.image_cache_gb * GIB:
            break
        store.forget_cached(tx, row.node, row.image_id)
        gone.append(row)
        left -= row.size
    if gone:
        tx.wake("image-files")
    return gone


def _takes_room(tx: Tx, row: CachedRow) -> bool:
    """Not where the file is there anyway, as it is a store's."""
    locations = store.locations_of(tx, [row.image_id])
    return not any(each.status == ACTIVE and each.address == row.sha512 for each in locations)
