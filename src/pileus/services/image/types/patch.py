"""PATCH /images/{image_id}: JSON patch (RFC 6902) as the image API has it, one level deep."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from pileus.core import body as bodies
from pileus.core.errors import BadRequest, UnsupportedMediaType

MEDIA_TYPE = "application/openstack-images-v2.1-json-patch"
OLD_MEDIA_TYPE = "application/openstack-images-v2.0-json-patch"
_OPERATIONS = ("add", "replace", "remove")


class Change(msgspec.Struct):
    """One operation on one attribute or property."""

    op: Literal["add", "replace", "remove"]
    name: str
    value: Any = None
    position: str | None = None
    """Of the location that is meant: a number from 0, or '-' for a new one."""


def parse(media_type: str, raw: bytes) -> list[Change]:
    """The changes in a body. Raises UnsupportedMediaType, or BadRequest naming the operation that can't be read."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind not in (MEDIA_TYPE, OLD_MEDIA_TYPE, "application/json-patch+json"):
        raise UnsupportedMediaType(
            f"The Content-Type must be {MEDIA_TYPE}, got '{kind[:128]}'.", headers={"Accept-Patch": MEDIA_TYPE}
        )
    found = bodies.parse_json(raw)
    if not isinstance(found, list):
        raise BadRequest("The request body must be a list of operations.")
    read = _old_change if kind == OLD_MEDIA_TYPE else _change
    return [read(index, item) for index, item in enumerate(found)]


def _change(index: int, item: Any) -> Change:
    if not isinstance(item, dict) or not isinstance(item.get("path"), str):
        raise BadRequest(f"Operation {index} must be an object with 'op' and 'path'.")
    return _checked(index, item.get("op"), item["path"], item)


def _old_change(index: int, item: Any) -> Change:
    """{"replace": "/name", "value": ...}."""
    if not isinstance(item, dict):
        raise BadRequest(f"Operation {index} must be an object.")
    named = [op for op in _OPERATIONS if op in item]
    if len(named) != 1 or not isinstance(item[named[0]], str):
        raise BadRequest(f"Operation {index} must have one of 'add', 'replace', 'remove', with a path.")
    return _checked(index, named[0], item[named[0]], item)


def _checked(index: int, op: Any, path: str, item: dict[str, Any]) -> Change:
    if op not in _OPERATIONS:
        raise BadRequest(f"Operation {index}: op must be 'add', 'replace' or 'remove', got '{str(op)[:64]}'.")
    if op != "remove" and "value" not in item:
        raise BadRequest(f"Operation {index}: '{op}' needs a value.")
    if not path.startswith("/"):
        raise BadRequest(f"Operation {index}: the path must start with '/', got '{path[:64]}'.")
    parts = path[1:].split("/")
    if len(parts) > (2 if parts[0] == "locations" else 1):
        raise BadRequest(f"Operation {index}: the path '{path[:64]}' goes more than one level deep.")
    name = parts[0]
    if "~" in name.replace("~0", "").replace("~1", ""):
        raise BadRequest(f"Operation {index}: in the path '{path[:64]}' a '~' must be written as '~0', a '/' as '~1'.")
    return Change(
        op, name.replace("~1", "/").replace("~0", "~"), item.get("value"), parts[1] if len(parts) > 1 else None
    )
