"""Imports of data."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

import structlog

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.core.errors import Problem
from pileus.core.http import Response
from pileus.services.image import fetch, receive
from pileus.services.image.files import ImageFiles, Incoming
from pileus.services.image.rules import images, imports
from pileus.services.image.service import api
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.tasks import ImageImport, TaskCreate, TaskRow, full_task_view

log = structlog.get_logger("pileus.image")
_running: set[asyncio.Task[None]] = set()


@api.post(
    "/images/{image_id}/import",
    policy="upload_image",
    load=images.visible_image,
    target=images.target_of,
    success=202,
)
async def import_image(
    db: Database, settings: Settings, caller: Caller, image: ImageRow, body: ImageImport
) -> Response:
    """Make an image of what was staged, or of what is found on the web."""
    imports.check_import(image, body)
    files = await asyncio.to_thread(ImageFiles, settings.state_dir / "images")
    if body.method.name == "glance-direct":
        await asyncio.to_thread(_import_staged, db, files, caller, image, body)
        return Response(status=202)
    uri = body.method.uri or ""
    allowed = fetch.networks(settings.import_networks)
    await fetch.check(uri, allowed)
    incoming = await receive.begin(
        db, files, None, lambda tx, upload: imports.begin_import(tx, caller, image, body, upload)
    )
    _in_background(_download(db, caller, image, incoming, fetch.stream(uri, allowed)))
    return Response(status=202)


def _import_staged(db: Database, files: ImageFiles, caller: Caller, image: ImageRow, wish: ImageImport) -> None:
    receive.publish_staged(db, files, caller, image, lambda tx: imports.record_import(tx, caller, image, wish))


@api.post("/tasks", policy="tasks_api_access", success=201)
async def create_task(db: Database, settings: Settings, caller: Caller, body: TaskCreate) -> dict[str, Any]:
    """An image from the web, in one step."""
    uri = body.input.import_from
    allowed = fetch.networks(settings.import_networks)
    await fetch.check(uri, allowed)
    files = await asyncio.to_thread(ImageFiles, settings.state_dir / "images")
    made: list[tuple[ImageRow, TaskRow]] = []
    incoming = await receive.begin(
        db, files, None, lambda tx, upload: made.append(imports.begin_task(tx, caller, body, upload))
    )
    image, task = made[0]
    _in_background(_download(db, caller, image, incoming, fetch.stream(uri, allowed)))
    return full_task_view(task)


async def _download(
    db: Database, caller: Caller, image: ImageRow, incoming: Incoming, chunks: AsyncGenerator[bytes, None]
) -> None:
    try:
        async with aclosing(chunks):
            await receive.carry(db, caller, image, incoming, chunks, None, receive.publish)
    except Problem as problem:
        log.info("an import failed", image=image.id, reason=problem.message)
    except Exception:
        log.exception("an import failed", image=image.id)


def _in_background(work: Coroutine[Any, Any, None]) -> None:
    running = asyncio.get_running_loop().create_task(work)
    _running.add(running)
    running.add_done_callback(_running.discard)
