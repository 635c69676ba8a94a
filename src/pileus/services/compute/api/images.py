"""Images, for clients that ask compute for them: until 2.35, their metadata until 2.38."""

from __future__ import annotations

from typing import Any

from pileus.core.body import Body, seconds
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.http import Request
from pileus.core.paging import limit_of
from pileus.services.compute.rules import images as rules
from pileus.services.compute.service import api
from pileus.services.compute.types.fields import links, next_links
from pileus.services.compute.types.servers import Metadata
from pileus.services.image.rules import ImageRow, visible_image

ONE = "/images/{image_id}"
LAST = "2.35"
LAST_METADATA = "2.38"


class ImageMetadata(Body):
    metadata: Metadata


class ImageMetadataItem(Body):
    meta: Metadata


def brief(request: Request, row: ImageRow) -> dict[str, Any]:
    alternate = {
        "rel": "alternate",
        "type": "application/vnd.openstack.image",
        "href": f"{request.base_url}/image/v2/images/{row.id}",
    }
    return {"id": row.id, "name": row.name, "links": [*links(request, f"/images/{row.id}"), alternate]}


def full(request: Request, row: ImageRow) -> dict[str, Any]:
    status = rules.status(row)
    found = brief(request, row) | {
        "status": status,
        "progress": rules.PROGRESS.get(status, 0),
        "minDisk": row.min_disk,
        "minRam": row.min_ram,
        "metadata": row.properties,
        "created": seconds(row.created_at),
        "updated": seconds(row.updated_at),
        "OS-EXT-IMG-SIZE:size": row.size,
    }
    server_id = row.properties.get(rules.SERVER)
    if server_id:
        found["server"] = {"id": server_id, "links": links(request, f"/servers/{server_id}")}
    return found


def _page(tx: Tx, caller: Caller, request: Request) -> tuple[list[ImageRow], dict[str, Any]]:
    """The images, and the link to the next page where there may be one."""
    wanted = dict(request.query)
    limit = limit_of(wanted.get("limit"))
    rows = rules.find(tx, caller, wanted, limit, wanted.get("marker"))
    more = "limit" in wanted and rows and len(rows) == limit
    return rows, {"images_links": next_links(request, rows[-1].id)} if more else {}


@api.get("/images", until=LAST)
def list_images(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    rows, more = _page(tx, caller, request)
    return {"images": [brief(request, row) for row in rows], **more}


@api.get("/images/detail", until=LAST)
def list_images_in_detail(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    rows, more = _page(tx, caller, request)
    return {"images": [full(request, row) for row in rows], **more}


@api.get(ONE, until=LAST)
def show_image(tx: Tx, caller: Caller, request: Request, image_id: str) -> dict[str, Any]:
    return {"image": full(request, visible_image(tx, caller, image_id))}


@api.delete(ONE, until=LAST)
def delete_image(tx: Tx, caller: Caller, image_id: str) -> None:
    rules.delete(tx, caller, visible_image(tx, caller, image_id))


@api.get(ONE + "/metadata", until=LAST_METADATA)
def list_image_metadata(tx: Tx, caller: Caller, image_id: str) -> dict[str, Any]:
    return {"metadata": visible_image(tx, caller, image_id).properties}


@api.post(ONE + "/metadata", until=LAST_METADATA)
def add_image_metadata(tx: Tx, caller: Caller, image_id: str, body: ImageMetadata) -> dict[str, Any]:
    row = rules.set_metadata(tx, caller, visible_image(tx, caller, image_id), body.metadata, only=False)
    return {"metadata": row.properties}


@api.put(ONE + "/metadata", until=LAST_METADATA)
def replace_image_metadata(tx: Tx, caller: Caller, image_id: str, body: ImageMetadata) -> dict[str, Any]:
    row = rules.set_metadata(tx, caller, visible_image(tx, caller, image_id), body.metadata, only=True)
    return {"metadata": row.properties}


@api.get(ONE + "/metadata/{key}", until=LAST_METADATA)
def show_image_metadata_item(tx: Tx, caller: Caller, image_id: str, key: str) -> dict[str, Any]:
    return {"meta": {key: rules.metadata_item(visible_image(tx, caller, image_id), key)}}


@api.put(ONE + "/metadata/{key}", until=LAST_METADATA)
def set_image_metadata_item(tx: Tx, caller: Caller, image_id: str, key: str, body: ImageMetadataItem) -> dict[str, Any]:
    if {*body.meta} != {key}:
        raise BadRequest(f"meta must have the one key of the path, '{key[:255]}'.")
    rules.set_metadata(tx, caller, visible_image(tx, caller, image_id), body.meta, only=False)
    return {"meta": body.meta}


@api.delete(ONE + "/metadata/{key}", until=LAST_METADATA)
def remove_image_metadata_item(tx: Tx, caller: Caller, image_id: str, key: str) -> None:
    rules.remove_metadata(tx, caller, visible_image(tx, caller, image_id), key)
