"""Locations: where images have their data when it is not brought here."""

import asyncio
from typing import Any

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.core.errors import BadRequest
from pileus.core.http import Response
from pileus.services.image import fetch, stores
from pileus.services.image.rules import foreign, images
from pileus.services.image.service import api
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.locations import LocationCreate


@api.get(
    "/images/{image_id}/locations",
    policy="fetch_image_location",
    load=images.visible_image,
    target=images.target_of,
)
def list_locations(settings: Settings, image: ImageRow) -> list[dict[str, Any]]:
    """Where an image has its data, for other services."""
    return stores.of(settings).locations(image)


@api.post(
    "/images/{image_id}/locations",
    policy="add_image_location",
    load=images.visible_image,
    target=images.target_of,
    success=202,
)
async def add_location(
    db: Database, settings: Settings, caller: Caller, image: ImageRow, body: LocationCreate
) -> Response:
    """Give a queued image data that lies on a web server; its hash is checked, or found out."""
    web = stores.of(settings).web
    if web is None:
        raise BadRequest("There is no image store of type http, to which such a location would belong.")
    allowed = fetch.networks(settings.import_networks)
    await fetch.check(body.url, allowed)
    size = await fetch.size(body.url, allowed)

    def add() -> None:
        with db.write() as tx:
            foreign.add_location(tx, caller, image, web, body, size)

    await asyncio.to_thread(add)
    return Response(status=202)
