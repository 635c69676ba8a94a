"""Imports of data."""

import asyncio
from typing import Any

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.core.http import Response
from pileus.services.image import fetch, importing, plugins, receive
from pileus.services.image.files import ImageFiles
from pileus.services.image.rules import images, imports
from pileus.services.image.service import api
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.tasks import ImageImport, TaskCreate, TaskRow, full_task_view


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
    files, plan = await asyncio.to_thread(ImageFiles, settings.state_dir / "images"), plugins.plan(settings, caller)
    if body.method.name == "glance-direct":
        hold = await asyncio.to_thread(importing.begin_staged, db, files, caller, image, body)
        importing.in_background(image, importing.staged(db, caller, image, hold, plan))
        return Response(status=202)
    uri = body.method.uri or ""
    allowed = fetch.networks(settings.import_networks)
    await fetch.check(uri, allowed)
    incoming = await receive.begin(
        db, files, None, lambda tx, upload: imports.begin_import(tx, caller, image, body, upload)
    )
    importing.in_background(image, importing.from_web(db, caller, image, incoming, fetch.stream(uri, allowed), plan))
    return Response(status=202)


@api.post("/tasks", policy="tasks_api_access", success=201)
async def create_task(db: Database, settings: Settings, caller: Caller, body: TaskCreate) -> dict[str, Any]:
    """An image from the web, in one step."""
    uri = body.input.import_from
    allowed = fetch.networks(settings.import_networks)
    await fetch.check(uri, allowed)
    files, plan = await asyncio.to_thread(ImageFiles, settings.state_dir / "images"), plugins.plan(settings, caller)
    made: list[tuple[ImageRow, TaskRow]] = []
    incoming = await receive.begin(
        db, files, None, lambda tx, upload: made.append(imports.begin_task(tx, caller, body, upload))
    )
    image, task = made[0]
    importing.in_background(image, importing.from_web(db, caller, image, incoming, fetch.stream(uri, allowed), plan))
    return full_task_view(task)
