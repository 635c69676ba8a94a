"""Images as the API shows them: one at a time from its rows, many from JSON that is kept.

Where a list is long, nearly all of its time goes into reading, composing and writing each image anew, though few of them
have changed since. So the JSON of an image is kept in memory, for its edition: which images are on a page, and in which
edition, the database says each time.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from pileus.core.body import encode
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.version import FIRST
from pileus.services.image.protections import protections
from pileus.services.image.rules import images as rules
from pileus.services.image.stores import Stores
from pileus.services.image.types.images import ImageRow, image_view

Edition = tuple[str, int]
"""An image's id and edition."""


def view(places: Stores, caller: Caller, image: ImageRow) -> dict[str, Any]:
    """With its locations for those who may know them, where images can be given any."""
    shown = image_view(image, places.in_order)
    if places.web is not None and caller.allows("get_image_location", rules.target_of(image, caller)):
        shown["locations"] = places.locations(image)
    return shown


def views(tx: Tx, places: Stores, caller: Caller, found: Sequence[Edition]) -> list[Any]:
    """Kept only where all who see an image see the same of it."""
    if protections.are_there or places.web is not None:
        images = rules.readable_images(tx, caller, [image_id for image_id, _ in found])
        return [view(places, caller, image) for image in images]
    kept = _kept(tuple(places))
    known: dict[Edition, bytes | None] = {edition: kept.get(edition) for edition in found}
    missing = {edition[0]: edition for edition, json in known.items() if json is None}
    if missing:
        images = rules.whole_images(tx, list(missing))
        new = {missing[image.id]: encode(image_view(image, places.in_order), FIRST) for image in images}
        kept.keep(new)
        known |= new
    return [msgspec.Raw(json) for json in known.values() if json is not None]


class Kept:
    """JSON of at most `limit` bytes. When that is full all is forgotten: so nothing is noted when one is asked for."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size, self._writer = limit, 0, threading.Lock()
        self._json: dict[Edition, bytes] = {}
        self.get = self._json.get

    def keep(self, new: Mapping[Edition, bytes]) -> None:
        size = sum(map(len, new.values()))
        with self._writer:
            if self._size + size > self._limit:
                self._json.clear()
                self._size = 0
            if size <= self._limit:
                self._json.update(new)
                self._size += size


@cache
def _kept(stores: tuple[str, ...]) -> Kept:
    """One for each order of stores, which is the same as long as a process runs."""
    return Kept(8 << 20)
