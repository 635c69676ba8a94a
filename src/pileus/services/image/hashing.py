"""Reads data that lies elsewhere, to know its size and its hashes. Rows say what is to be read; nothing else is remembered."""

from __future__ import annotations

import asyncio
import hashlib

import structlog

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.errors import NotFound
from pileus.services.image import files, send, store, stores
from pileus.services.image.inspect import WHOLE_HEAD, BadImage, Source, check
from pileus.services.image.rules import foreign
from pileus.services.image.stores import StoreFailed, Stores
from pileus.services.image.stores.base import Opened
from pileus.services.image.types.images import ImageRow

log = structlog.get_logger("pileus.image")
_AT_ONCE = 16
_LOOK = 1.0
"""Seconds after which the rows are looked at again: what was deleted is not read on."""


def run(db: Database, settings: Settings) -> None:
    """Read all there is to read. May be killed anywhere, and run again."""
    asyncio.run(_run(db, stores.of(settings)))


async def _run(db: Database, places: Stores) -> None:
    reading: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            wanted = {image.id: image for image in await asyncio.to_thread(_wanted, db)}
            for image_id, task in reading.items():
                if image_id not in wanted:
                    task.cancel()
            for image_id, image in wanted.items():
                if image_id not in reading and sum(not task.done() for task in reading.values()) < _AT_ONCE:
                    reading[image_id] = asyncio.create_task(_read(db, places, image))
            busy = [task for task in reading.values() if not task.done()]
            if not busy:
                return
            await asyncio.wait(busy, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in reading.values():
            task.cancel()


def _wanted(db: Database) -> list[ImageRow]:
    with db.read() as tx:
        return store.unread_images(tx)


async def _read(db: Database, places: Stores, image: ImageRow) -> None:
    try:
        opened = await send.opened(places, image)
        found = await _hashes(image, opened) if foreign.wants_hash(image) else None
    except (NotFound, StoreFailed, BadImage) as error:
        log.error("an image's data can't be read", image=image.id, reason=str(error))
        await asyncio.to_thread(_failed, db, image, str(error))
        return
    await asyncio.to_thread(_finished, db, image, found, opened.size)


async def _hashes(image: ImageRow, opened: Opened) -> dict[str, str]:
    """Raises BadImage: with a known SHA-512 it could be booted, so it must be what it is said to be."""
    head = b""
    names = {"md5", "sha512", image.hash_algo or foreign.HASHED_BY}
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
    async for block in files.blocks(opened.read(0, opened.size)):
        if len(head) < WHOLE_HEAD:
            head += bytes(block[: WHOLE_HEAD - len(head)])
        updates = [files.pool.submit(each.update, block) for each in hashes.values()]
        await asyncio.gather(*map(asyncio.wrap_future, updates))
    source = Source(lambda offset, length: head[offset : offset + length], len(head), len(head) == opened.size)
    check(image.disk_format, image.container_format, source)
    return {name: each.hexdigest() for name, each in hashes.items()}


def _failed(db: Database, image: ImageRow, reason: str) -> None:
    if foreign.wants_hash(image):
        with db.write() as tx:
            foreign.fail_hash(tx, image, reason)


def _finished(db: Database, image: ImageRow, found: dict[str, str] | None, size: int) -> None:
    with db.write() as tx:
        if found is None:
            store.update(tx, image.id, {"size": size})
        else:
            foreign.finish_hash(tx, image, found, size)
