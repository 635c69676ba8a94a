"""The bytes of an image, in and out."""

import asyncio

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.core.errors import BadRequest, UnsupportedMediaType
from pileus.core.http import Request, Response, Stream
from pileus.services.image import receive, send, stores
from pileus.services.image.rules import cache
from pileus.services.image.rules import images as rules
from pileus.services.image.service import api
from pileus.services.image.types.images import ImageRow

OCTETS = "application/octet-stream"


@api.put(
    "/images/{image_id}/file",
    policy="upload_image",
    load=rules.visible_image,
    target=rules.target_of,
    success=204,
    max_body=0,
)
async def upload_image(db: Database, settings: Settings, caller: Caller, request: Request, image: ImageRow) -> None:
    """Give a queued image its data; it is active afterwards."""
    length = _announced(request)
    places = await asyncio.to_thread(stores.of, settings)
    [target] = places.wanted([request.headers.get("x-image-meta-store", places.default)])
    await receive.upload(db, places, caller, image, request.stream, length, target)


@api.put(
    "/images/{image_id}/stage",
    policy="upload_image",
    load=rules.visible_image,
    target=rules.target_of,
    success=204,
    max_body=0,
)
async def stage_image(db: Database, settings: Settings, caller: Caller, request: Request, image: ImageRow) -> None:
    """Bring data for a later import."""
    length = _announced(request)
    places = await asyncio.to_thread(stores.of, settings)
    await receive.stage(db, places, caller, image, request.stream, length)


@api.get("/images/{image_id}/file", policy="download_image", load=rules.visible_image, target=rules.target_of)
async def download_image(
    db: Database, settings: Settings, caller: Caller, request: Request, image: ImageRow
) -> Stream | Response:
    """The image's data, all of it or a range; 204 where it has none."""
    if not rules.readable(caller, image):
        return Response(status=204)
    places = await asyncio.to_thread(stores.of, settings)
    if not places.is_here(image):
        await asyncio.to_thread(_used, db, image)
    return await send.download(places, image, request.headers.get("range"))


def _used(db: Database, image: ImageRow) -> None:
    with db.write() as tx:
        cache.used(tx, image)


def _announced(request: Request) -> int | None:
    """How many bytes the request says will come. Raises UnsupportedMediaType, BadRequest."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != OCTETS:
        raise UnsupportedMediaType(f"The Content-Type must be {OCTETS}, got '{kind[:128]}'.")
    found = [int(text) for name in ("content-length", "x-openstack-image-size") if (text := _number(request, name))]
    if len(set(found)) > 1:
        raise BadRequest(f"The upload has {found[0]} bytes, but x-openstack-image-size says {found[1]}.")
    return found[0] if found else None


def _number(request: Request, name: str) -> str | None:
    text = request.headers.get(name)
    if text is not None and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f"{name} must be a whole number of bytes, got '{text[:64]}'.")
    return text
