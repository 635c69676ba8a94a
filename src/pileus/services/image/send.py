"""Bytes on their way out of an image. One piece is read while the one before is sent; the reader is never the event loop."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from concurrent.futures import Future
from io import FileIO

from pileus.core.errors import NotFound, RangeNotSatisfiable
from pileus.core.http import Stream
from pileus.services.image.files import ImageFiles, pool
from pileus.services.image.types.images import ImageRow

PIECE = 1 << 20
_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")


def download(files: ImageFiles, image: ImageRow, wanted: str | None) -> Stream:
    """The data of an image that has some, or the range of it that the Range header `wanted` names.

    Raises RangeNotSatisfiable, NotFound (the file is missing).
    """
    assert image.sha512 is not None
    try:
        file = FileIO(files.content(image.sha512))
    except FileNotFoundError:
        raise NotFound(f"The data of image {image.id} is missing from the store.") from None
    size = os.fstat(file.fileno()).st_size
    span = byte_range(wanted, size)
    if span is None:
        headers = {"Content-MD5": image.checksum or "", "Accept-Ranges": "bytes"}
        return Stream(_pieces(file, 0, size), size, headers=headers)
    first, last = span
    headers = {"Content-Range": f"bytes {first}-{last}/{size}", "Accept-Ranges": "bytes"}
    return Stream(_pieces(file, first, last + 1), last + 1 - first, status=206, headers=headers)


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


async def _pieces(file: FileIO, start: int, end: int) -> AsyncIterator[bytes]:
    def read(at: int) -> Future[bytes]:
        return pool.submit(os.pread, file.fileno(), min(PIECE, end - at), at)

    ahead = read(start)
    try:
        while start < end:
            piece = await asyncio.wrap_future(ahead)
            if not piece:
                raise OSError(f"{file.name!r} ended at {start}, not at {end}")
            start += len(piece)
            ahead = read(start)
            yield piece
    finally:
        ahead.add_done_callback(lambda _: file.close())
