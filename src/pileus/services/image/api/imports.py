"""Imports of data."""

import asyncio
from typing import Any

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.core.errors import BadRequest, Forbidden
from pileus.core.http import Request
from pileus.services.image import fetch, importing, receive, stores
from pileus.services.image.protections import protections
from pileus.services.image.rules import images, imports
from pileus.services.image.service import api
from pileus.services.image.types.images import ImageRow, Plan
from pileus.services.image.types.tasks import ImageImport, TaskCreate, TaskRow, full_task_view


@api.post(
    "/images/{image_id}/import",
    policy="upload_image",
    load=images.visible_image,
    target=images.target_of,
    success=202,
)
async def import_image(
    db: Database, settings: Settings, caller: Caller, request: Request, image: ImageRow, body: ImageImport
) -> None:
    """Make an image of what was staged, or of what is found on the web or in another cloud; or bring it to more stores."""
    imports.check_import(image, body)
    places, plan = await asyncio.to_thread(stores.of, settings), _plan(settings, caller)
    targets, allowed = _targets(places, request, body), fetch.networks(settings.import_networks)
    if body.method.name == "copy-image":
        return await asyncio.to_thread(_begin_copies, db, caller, image, body, targets)
    if body.method.name == "glance-direct":
        hold = await asyncio.to_thread(importing.begin_staged, db, places, caller, image, body, targets)
        return importing.in_background(image, importing.staged(db, places, caller, image, hold, plan))
    if body.method.uri is not None:
        await fetch.check(body.method.uri, allowed)
    incoming = await receive.begin(
        db, places, None, lambda tx, upload: imports.begin_import(tx, caller, image, body, targets, upload)
    )
    if body.method.name == "web-download":
        chunks = fetch.stream(body.method.uri or "", allowed)
        return importing.in_background(image, importing.from_web(db, places, caller, image, incoming, chunks, plan))
    source = importing.Elsewhere(body.method, request.headers.get("x-auth-token", ""), allowed)
    return importing.in_background(image, importing.from_cloud(db, places, caller, image, incoming, source, plan))


@api.post("/tasks", policy="tasks_api_access", success=201)
async def create_task(db: Database, settings: Settings, caller: Caller, body: TaskCreate) -> dict[str, Any]:
    """An image from the web, in one step."""
    uri = body.input.import_from
    allowed = fetch.networks(settings.import_networks)
    await fetch.check(uri, allowed)
    places, plan = await asyncio.to_thread(stores.of, settings), _plan(settings, caller)
    made: list[tuple[ImageRow, TaskRow]] = []
    incoming = await receive.begin(
        db, places, None, lambda tx, upload: made.append(imports.begin_task(tx, caller, body, upload, places.default))
    )
    image, task = made[0]
    chunks = fetch.stream(uri, allowed)
    importing.in_background(image, importing.from_web(db, places, caller, image, incoming, chunks, plan))
    return full_task_view(task)


def _begin_copies(db: Database, caller: Caller, image: ImageRow, wish: ImageImport, targets: imports.Targets) -> None:
    if not caller.allows("copy_image", images.target_of(image, caller)):
        raise Forbidden("Copying images between stores is not allowed to you (rule copy_image).")
    with db.write() as tx:
        imports.begin_copies(tx, caller, image, wish, targets)


def _targets(places: stores.Stores, request: Request, wish: ImageImport) -> imports.Targets:
    """Where the data is to go. Raises BadRequest for a store that can't be written to."""
    if wish.all_stores and wish.stores:
        raise BadRequest("Give either all_stores or stores, not both.")
    named = wish.stores or [request.headers.get("x-image-meta-store", places.default)]
    found = places.writable if wish.all_stores else places.wanted(named)
    return imports.Targets(found, wish.all_stores_must_succeed)


def _plan(settings: Settings, caller: Caller) -> Plan:
    return Plan(settings.image_format, protections.injected(caller))
