"""Bytes on their way out of an image. One piece is read while the one before is sent; the reader is never the event loop."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

import structlog

from pileus.core.errors import NotFound, RangeNotSatisfiable
from pileus.core.http import Stream
from pileus.services.image.stores import StoreFailed, Stores
from pileus.services.image.stores.base import Opened
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.locations import ACTIVE

log = structlog.get_logger("pileus.image")
_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")


async def download(stores: Stores, image: ImageRow, wanted: str | None) -> Stream:
    """The data of an image that has some, or the range of it that the Range header `wanted` names.

    Raises RangeNotSatisfiable, NotFound (no store has it).
    """
    found = await opened(stores, image)
    span = byte_range(wanted, found.size)
    if span is None:
        headers = {"Accept-Ranges": "bytes"} | ({"Content-MD5": image.checksum} if image.checksum else {})
        return _stream(found, 0, found.size, 200, headers)
    first, last = span
    headers = {"Content-Range": f"bytes {first}-{last}/{found.size}", "Accept-Ranges": "bytes"}
    return _stream(found, first, last + 1, 206, headers)


def _stream(found: Opened, start: int, end: int, status: int, headers: dict[str, str]) -> Stream:
    return Stream(found.read(start, end), end - start, status, headers, file=found.part(start, end))


async def opened(stores: Stores, image: ImageRow) -> Opened:
    """The data in this machine's own directory, be it there as a store or as a cache; else at the first location that answers."""
    own = stores.built_in
    if image.sha512 is not None and await asyncio.to_thread(own.local, image.sha512) is not None:
        with suppress(StoreFailed):
            return await own.open(image.sha512)
    known = [location for location in image.locations if location.status == ACTIVE and location.store in stores]
    for location in sorted(known, key=lambda each: (stores.place_of(each.store), each.number)):
        try:
            return await stores[location.store].open(location.address)
        except StoreFailed as error:
            log.error("an image can't be read", image=image.id, store=location.store, reason=str(error))
    raise NotFound(f"The data of image {image.id} is missing from the store: no place that is known for it has it.")


def byte_range(wanted: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte of a Range header (RFC 9110, one range); None for all. Raises RangeNotSatisfiable."""
    if wanted is None:
        return None
    found = _RANGE.match(wanted.strip())
    if found is None or found[0] == "bytes=-":
        raise _unsatisfiable(wanted, size)
    if not found[1]:
        first, last = max(size - int(found[2]), 0), size - 1
    else:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
    if first > last:
        raise _unsatisfiable(wanted, size)
    return first, last


def _unsatisfiable(wanted: str, size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(
        f"The range '{wanted[:64]}' is not within the image's {size} bytes; one range bytes=FIRST-LAST is possible.",
        headers={"Content-Range": f"bytes */{size}"},
    )
