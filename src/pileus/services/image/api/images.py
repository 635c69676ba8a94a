"""Images and their tags."""

from typing import Any
from urllib.parse import urlencode

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request, Response
from pileus.core.paging import Page
from pileus.services.image import stores
from pileus.services.image.api import shown
from pileus.services.image.rules import foreign
from pileus.services.image.rules import images as rules
from pileus.services.image.rules.imports import METHODS
from pileus.services.image.service import api
from pileus.services.image.types import listing, patch
from pileus.services.image.types.images import ImageRow


@api.get("/images", policy="get_images")
def list_images(tx: Tx, settings: Settings, caller: Caller, request: Request) -> dict[str, Any]:
    """Images that the caller sees, newest first."""
    wanted, places = listing.parse(request.query), stores.of(settings)
    page, limit = wanted.page, wanted.page.limit or 0
    one_more = Page(limit=limit + 1 if limit else 0, marker=page.marker, sorts=page.sorts)
    found = rules.find_editions(tx, caller, wanted.filter, one_more)
    following = urlencode(listing.next_query(request.query, found[limit - 1][0])) if len(found) > limit else None
    views = shown.views(tx, places, caller, found[:limit])
    return listing.listing("images", views, "/v2/images", urlencode(request.query), following)


@api.post("/images", policy="add_image", target=rules.wished_target, success=201)
def create_image(tx: Tx, settings: Settings, caller: Caller, request: Request, body: dict[str, Any]) -> Response:
    """A queued image, without data."""
    image, places = rules.create_image(tx, caller, body), stores.of(settings)
    headers = {
        "Location": f"{request.url}/images/{image.id}",
        "OpenStack-image-import-methods": ",".join(METHODS),
        "OpenStack-image-store-ids": ",".join(places.writable),
    }
    return Response(shown.view(places, caller, image), headers=headers)


@api.get("/images/{image_id}", policy="get_image", load=rules.visible_image, target=rules.target_of)
def show_image(settings: Settings, caller: Caller, image: ImageRow) -> dict[str, Any]:
    """One image."""
    return shown.view(stores.of(settings), caller, image)


@api.patch("/images/{image_id}", policy="modify_image", load=rules.visible_image, target=rules.target_of)
def update_image(
    tx: Tx, settings: Settings, caller: Caller, request: Request, image: ImageRow, body: bytes
) -> dict[str, Any]:
    """Change attributes and properties by JSON patch."""
    changes = patch.parse(request.headers.get("content-type", ""), body)
    places = stores.of(settings)
    foreign.change_locations(tx, caller, image, places.web, [each for each in changes if each.name == "locations"])
    return shown.view(places, caller, rules.update_image(tx, caller, image, changes))


@api.delete("/images/{image_id}", policy="delete_image", load=rules.visible_image, target=rules.target_of)
def delete_image(tx: Tx, caller: Caller, image: ImageRow) -> None:
    """Delete an image and, when it was the last of its content, the data."""
    rules.delete_image(tx, caller, image)


@api.post(
    "/images/{image_id}/actions/deactivate",
    policy="deactivate",
    load=rules.visible_image,
    target=rules.target_of,
    success=204,
)
def deactivate_image(tx: Tx, caller: Caller, image: ImageRow) -> None:
    """Keep its data from everybody but administrators."""
    rules.deactivate(tx, caller, image)


@api.post(
    "/images/{image_id}/actions/reactivate",
    policy="reactivate",
    load=rules.visible_image,
    target=rules.target_of,
    success=204,
)
def reactivate_image(tx: Tx, caller: Caller, image: ImageRow) -> None:
    """Give its data out again."""
    rules.reactivate(tx, caller, image)


@api.put(
    "/images/{image_id}/tags/{tag}",
    policy="modify_image",
    load=rules.visible_image,
    target=rules.target_of,
    success=204,
)
def add_tag(tx: Tx, caller: Caller, image: ImageRow, tag: str) -> None:
    """Put a tag on an image."""
    rules.add_tag(tx, caller, image, tag)


@api.delete("/images/{image_id}/tags/{tag}", policy="modify_image", load=rules.visible_image, target=rules.target_of)
def remove_tag(tx: Tx, caller: Caller, image: ImageRow, tag: str) -> None:
    """Take a tag off an image."""
    rules.remove_tag(tx, caller, image, tag)
