"""Imports under way: bytes that were staged, or that come from the web, go through the plug-ins and become an image's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

import msgspec
import structlog

from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.core.errors import BadRequest, Conflict, Gone, Problem
from pileus.services.image import fetch, plugins, receive, remote, rules
from pileus.services.image.files import Incoming
from pileus.services.image.placing import publish
from pileus.services.image.rules import imports
from pileus.services.image.stores import Stores
from pileus.services.image.types.images import Arrival, ImageRow, Plan, Received
from pileus.services.image.types.tasks import ImageImport, ImportMethod

log = structlog.get_logger("pileus.image")
_running: set[asyncio.Task[None]] = set()


def begin_staged(
    db: Database, stores: Stores, caller: Caller, image: ImageRow, wish: ImageImport, targets: imports.Targets
) -> Incoming:
    """The hold on what was staged. Raises Conflict where nothing is, or its import is under way."""
    assert image.upload is not None
    try:
        hold = Incoming(stores.built_in.files, image.upload)
    except FileExistsError:
        raise Conflict(f"The import of image {image.id} is under way already.") from None
    try:
        with db.write() as tx:
            imports.begin_import_of_staged(tx, caller, image, wish, targets)
    except BaseException:
        hold.release()
        raise
    return hold


async def staged(db: Database, stores: Stores, caller: Caller, image: ImageRow, hold: Incoming, plan: Plan) -> None:
    """From what was staged to an active image.

    Bytes that can be no image are not kept, and the image is queued; whatever else goes wrong, they wait for another import.
    """
    assert image.staged is not None
    file, received = hold.files.staged(hold.upload), Received(**image.staged)

    def end(error: BaseException | None) -> None:
        hold.release()
        if error is not None and not isinstance(error, BadRequest | Gone):
            receive.give_up(db, caller, image, hold, rules.abandon_import, error)
            return
        file.unlink(missing_ok=True)
        if error is not None:
            receive.give_up(db, caller, image, hold, rules.abandon_upload, error)

    try:
        await _complete(db, stores, caller, image, hold, plan, Arrival.of(image, file, received))
    except BaseException as error:
        await asyncio.shield(asyncio.to_thread(end, error))
        raise
    await asyncio.shield(asyncio.to_thread(end, None))


async def from_web(
    db: Database,
    stores: Stores,
    caller: Caller,
    image: ImageRow,
    incoming: Incoming,
    chunks: AsyncGenerator[bytes, None],
    plan: Plan,
) -> None:
    """As `staged`, of bytes that are still to come."""
    async with aclosing(chunks), receive.taking_back(db, caller, image, incoming):
        received = await receive.receive(image, incoming, chunks, None)
        await _complete(db, stores, caller, image, incoming, plan, Arrival.of(image, incoming.path, received))


class Elsewhere(msgspec.Struct):
    """An image of another region's image service, and the token to ask for it: which is not kept."""

    method: ImportMethod
    token: str
    allowed: fetch.Networks


async def from_cloud(
    db: Database,
    stores: Stores,
    caller: Caller,
    image: ImageRow,
    incoming: Incoming,
    source: Elsewhere,
    plan: Plan,
) -> None:
    """As `from_web`, with formats and properties of the image that is there."""
    async with receive.taking_back(db, caller, image, incoming):
        url = await asyncio.to_thread(remote.endpoint, db, caller, source.method)
        found = await remote.look(url, source.method.glance_image_id or "", source.token, source.allowed)
        image = msgspec.structs.replace(image, disk_format=found.disk_format, container_format=found.container_format)
        async with aclosing(remote.data(found, source.token, source.allowed)) as chunks:
            received = await receive.receive(image, incoming, chunks, None)
        if found.sha512 not in (None, received.sha512):
            raise BadRequest(f"What came has the SHA-512 {received.sha512}, not {found.sha512} as was told.")
        plan = msgspec.structs.replace(plan, properties=found.properties | plan.properties)
        await _complete(db, stores, caller, image, incoming, plan, Arrival.of(image, incoming.path, received))


async def _complete(
    db: Database,
    stores: Stores,
    caller: Caller,
    image: ImageRow,
    incoming: Incoming,
    plan: Plan,
    arrival: Arrival,
) -> None:
    def tell(message: str) -> None:
        with db.write() as tx:
            imports.tell(tx, image.id, message)

    arrival = await plugins.run(incoming, plan, arrival, tell)
    await asyncio.to_thread(publish, db, stores, caller, image, incoming.upload, arrival)


def in_background(image: ImageRow, work: Coroutine[Any, Any, None]) -> None:
    """Nobody waits for it: what becomes of it is told by the image and its task."""
    running = asyncio.get_running_loop().create_task(_logged(image, work))
    _running.add(running)
    running.add_done_callback(_running.discard)


async def _logged(image: ImageRow, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Problem as problem:
        log.info("an import failed", image=image.id, reason=problem.message)
    except Exception:
        log.exception("an import failed", image=image.id)
