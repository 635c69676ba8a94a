"""Images as compute showed them before clients asked the image service: until 2.35, their metadata until 2.38."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pileus.core.body import parse_time
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.core.paging import Page
from pileus.services.compute.rules import quota
from pileus.services.image import rules as image
from pileus.services.image.rules import ImageRow
from pileus.services.image.service import api as image_api
from pileus.services.image.types.listing import ImageFilter
from pileus.services.image.types.patch import Change

STATUSES = {
    "queued": "SAVING",
    "saving": "SAVING",
    "uploading": "SAVING",
    "importing": "SAVING",
    "active": "ACTIVE",
    "deactivated": "ACTIVE",
    "killed": "ERROR",
    "deleted": "DELETED",
    "pending_delete": "DELETED",
}
"""The image service's status -> compute's."""
PROGRESS = {"SAVING": 50, "ACTIVE": 100}
SERVER = "instance_uuid"
"""The property of an image that was made of a server."""
TYPE = "image_type"


def status(row: ImageRow) -> str:
    return STATUSES.get(row.status, "UNKNOWN")


def find(tx: Tx, caller: Caller, wanted: Mapping[str, str], limit: int, marker: str | None) -> list[ImageRow]:
    """By name, status, server, type, changes-since, minDisk, minRam; other words are not looked at."""
    filters = ImageFilter(
        texts={},
        numbers={
            column: _number(name, wanted[name])
            for name, column in (("minDisk", "min_disk"), ("minRam", "min_ram"))
            if name in wanted
        },
        properties={},
        times=[("updated_at", "gte", _time(wanted["changes-since"]))] if "changes-since" in wanted else [],
    )
    if "name" in wanted:
        filters.texts["name"] = [wanted["name"]]
    if "status" in wanted:
        filters.texts["status"] = [ours for ours, shown in STATUSES.items() if shown == wanted["status"].upper()]
        if not filters.texts["status"]:
            return []
    if "server" in wanted:
        filters.properties[SERVER] = wanted["server"].rstrip("/").rpartition("/")[2]
    if "type" in wanted:
        filters.properties[TYPE] = wanted["type"]
    return image.find_images(tx, caller, filters, Page(limit=limit, marker=marker))


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRequest(f"{name} must be a whole number of 0 or more, got '{text[:64]}'.")
    return int(text)


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise BadRequest(f"changes-since must be a time like 2026-11-20T22:56:17Z, got '{text[:64]}'.") from None


def delete(tx: Tx, caller: Caller, row: ImageRow) -> None:
    _enforce("delete_image", caller, row)
    image.delete_image(tx, caller, row)


def _enforce(rule: str, caller: Caller, row: ImageRow) -> None:
    """By the image service's policy: compute has none of its own for images."""
    assert image_api.policy is not None
    image_api.policy.enforce(rule, caller, image.target_of(row, caller))


def metadata_item(row: ImageRow, key: str) -> str:
    if key not in row.properties:
        raise NotFound(f"Image {row.id} has no metadata item '{key[:255]}'.")
    return row.properties[key]


def set_metadata(tx: Tx, caller: Caller, row: ImageRow, items: Mapping[str, str], only: bool) -> ImageRow:
    """Add and change items; with `only`, take the others away."""
    _enforce("modify_image", caller, row)
    quota.check_count(tx, caller.project_id, "metadata_items", len(items if only else {**row.properties, **items}))
    gone = [Change("remove", key) for key in row.properties if only and key not in items]
    return image.update_image(tx, caller, row, [*gone, *(Change("add", key, value) for key, value in items.items())])


def remove_metadata(tx: Tx, caller: Caller, row: ImageRow, key: str) -> None:
    _enforce("modify_image", caller, row)
    metadata_item(row, key)
    image.update_image(tx, caller, row, [Change("remove", key)])
