"""The query of GET /images: which images, in which order."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from pileus.core import paging
from pileus.core.body import parse_time
from pileus.core.errors import BadRequest
from pileus.services.image.types.images import VISIBILITIES

DEFAULT_LIMIT = 25
SORT_KEYS = (
    "name",
    "status",
    "container_format",
    "disk_format",
    "size",
    "id",
    "created_at",
    "updated_at",
    "min_disk",
    "min_ram",
)
TEXTS = ("id", "name", "status", "disk_format", "container_format", "owner", "checksum", "os_hash_value")
NUMBERS = ("size", "min_disk", "min_ram", "virtual_size")
MEMBER_STATUSES = ("pending", "accepted", "rejected", "all")
_TIME_OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")


class ImageFilter(msgspec.Struct, kw_only=True):
    """All conditions must hold."""

    texts: dict[str, list[str]] = {}
    """Attribute -> the values that it may have."""
    numbers: dict[str, int] = {}
    size_min: int | None = None
    size_max: int | None = None
    times: list[tuple[str, str, datetime]] = []
    """(attribute, operator, time)."""
    tags: list[str] = []
    """Each must be on the image."""
    properties: dict[str, str] = {}
    protected: bool | None = None
    os_hidden: bool = False
    visibility: str | None = None
    member_status: str = "accepted"


class ImageQuery(msgspec.Struct):
    filter: ImageFilter
    page: paging.Page


def parse(pairs: Sequence[tuple[str, str]]) -> ImageQuery:
    """Raises BadRequest, naming the parameter and its value."""
    found = ImageFilter()
    limit, marker = DEFAULT_LIMIT, None
    sort: list[str] = []
    keys: list[str] = []
    directions: list[str] = []
    for name, value in pairs:
        if name == "limit":
            limit = paging.limit_of(value)
        elif name == "marker":
            marker = value
        elif name == "sort":
            sort.append(value)
        elif name == "sort_key":
            keys.append(value)
        elif name == "sort_dir":
            directions.append(value)
        else:
            _add(found, name, value)
    if sort and (keys or directions):
        raise BadRequest("Give either sort or sort_key and sort_dir, not both.")
    for item in ",".join(sort).split(",") if sort else ():
        key, _, direction = item.partition(":")
        keys.append(key.strip())
        directions.append(direction.strip() or "desc")
    if len(directions) > 1 and len(directions) != len(keys):
        raise BadRequest(f"There are {len(directions)} sort directions for {len(keys)} sort keys.")
    if directions and not keys:
        keys = ["created_at"]
    sorts = paging.sorts_of(keys, directions, SORT_KEYS, default="desc")
    return ImageQuery(found, paging.Page(limit=limit, marker=marker, sorts=sorts))


def _add(found: ImageFilter, name: str, value: str) -> None:
    if name in TEXTS:
        found.texts[name] = _values(name, value)
    elif name in NUMBERS:
        found.numbers[name] = _number(name, value)
    elif name == "size_min":
        found.size_min = _number(name, value)
    elif name == "size_max":
        found.size_max = _number(name, value)
    elif name in ("created_at", "updated_at"):
        found.times.append((name, *_time(name, value)))
    elif name == "tag":
        found.tags.append(value)
    elif name == "protected":
        found.protected = boolean(name, value)
    elif name == "os_hidden":
        found.os_hidden = boolean(name, value)
    elif name == "visibility":
        found.visibility = _one_of(name, value, (*VISIBILITIES, "all"))
    elif name == "member_status":
        found.member_status = _one_of(name, value, MEMBER_STATUSES)
    else:
        found.properties[name] = value


def _values(name: str, value: str) -> list[str]:
    """`in:a,"b,c"` is a list; anything else is itself."""
    if value.startswith("eq:"):
        return [value[3:]]
    if not value.startswith("in:"):
        return [value]
    try:
        (row,) = csv.reader([value[3:]], strict=True)
    except (csv.Error, ValueError) as error:
        raise BadRequest(f"{name}: the list '{value[:255]}' can't be read: {error}.") from None
    return row


def _number(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise BadRequest(f"{name} must be a whole number of 0 or more, got '{value[:64]}'.")
    return int(value)


def _time(name: str, value: str) -> tuple[str, datetime]:
    operator, colon, rest = value.partition(":")
    if not colon or operator not in _TIME_OPERATORS:
        operator, rest = "eq", value
    try:
        return operator, parse_time(rest)
    except ValueError:
        raise BadRequest(f"{name} must be [gt|gte|lt|lte|eq|neq:]ISO 8601 time, got '{value[:64]}'.") from None


def boolean(name: str, value: str) -> bool:
    if value.lower() in ("true", "1"):
        return True
    if value.lower() in ("false", "0"):
        return False
    raise BadRequest(f"{name} must be true or false, got '{value[:64]}'.")


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise BadRequest(f"{name} must be one of {', '.join(allowed)}, got '{value[:64]}'.")
    return value


def next_query(pairs: Sequence[tuple[str, str]], marker: str) -> list[tuple[str, str]]:
    """The same query from after `marker`."""
    return [*((name, value) for name, value in pairs if name != "marker"), ("marker", marker)]


def listing(collection: str, items: list[Any], path: str, query: str, following: str | None) -> dict[str, Any]:
    """A page of a list as the image API shows it; `query` and `following` are query strings."""
    shown: dict[str, Any] = {
        collection: items,
        "first": path + (f"?{query}" if query else ""),
        "schema": f"/v2/schemas/{collection}",
    }
    if following is not None:
        shown["next"] = f"{path}?{following}"
    return shown
