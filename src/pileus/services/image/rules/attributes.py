"""What an image's attributes and properties may be."""

from __future__ import annotations

from typing import Any

from pileus.core.context import Caller
from pileus.core.errors import BadRequest, Forbidden, TooLarge
from pileus.services.image.types.images import (
    AMAZON,
    CONTAINER_FORMATS,
    DISK_FORMATS,
    READ_ONLY,
    RESERVED_PREFIX,
    VISIBILITIES,
)

MAX_PROPERTIES = 128
MAX_TAGS = 128
_MAX_NUMBER = 2**31 - 1


def attribute(name: str, value: Any) -> Any:
    """The value as it is kept. Raises BadRequest naming attribute and value."""
    if name in ("name", "owner"):
        return None if value is None else text(name, value, 255)
    if name == "disk_format":
        return _format(name, value, DISK_FORMATS)
    if name == "container_format":
        return _format(name, value, CONTAINER_FORMATS)
    if name in ("min_disk", "min_ram"):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_NUMBER:
            raise BadRequest(f"{name} must be a whole number from 0 to {_MAX_NUMBER}, got {str(value)[:64]}.")
        return value
    if name in ("protected", "os_hidden"):
        if not isinstance(value, bool):
            raise BadRequest(f"{name} must be true or false, got {str(value)[:64]}.")
        return value
    if name == "visibility":
        if value not in VISIBILITIES:
            raise BadRequest(f"visibility must be one of {', '.join(VISIBILITIES)}, got '{str(value)[:64]}'.")
        return value
    return taglist(value)


def text(name: str, value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a string, got {str(value)[:64]}.")
    if len(value) > longest or "\x00" in value:
        raise BadRequest(f"{name} must have at most {longest} characters and no NUL; it has {len(value)}.")
    return value


def _format(name: str, value: Any, allowed: tuple[str, ...]) -> str | None:
    if value is not None and value not in allowed:
        raise BadRequest(f"{name} must be one of {', '.join(allowed)}, got '{str(value)[:64]}'.")
    return None if value is None else str(value)


def taglist(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise BadRequest(f"tags must be a list of strings, got {str(value)[:64]}.")
    found = sorted({text("a tag", tag, 255) for tag in value})
    if len(found) > MAX_TAGS:
        raise TooLarge(f"An image can have at most {MAX_TAGS} tags, this would have {len(found)}.")
    return found


def property_name(name: str) -> str:
    """Raises Forbidden for names that the service keeps to itself, BadRequest for ones that can't be."""
    if name in READ_ONLY:
        raise Forbidden(f"Attribute '{name}' is read-only.")
    if name.startswith(RESERVED_PREFIX) or name in ("id", "locations", "deleted", "deleted_at", "is_public"):
        raise Forbidden(f"Attribute '{name[:64]}' is reserved.")
    if not name:
        raise BadRequest("A property needs a name.")
    return text("a property's name", name, 255)


def check_properties(found: dict[str, str]) -> None:
    if len(found) > MAX_PROPERTIES:
        raise TooLarge(f"An image can have at most {MAX_PROPERTIES} properties, this would have {len(found)}.")


def check_formats(disk: str | None, container: str | None) -> None:
    """Amazon's formats come in pairs."""
    if disk and container and disk != container and (disk in AMAZON or container in AMAZON):
        raise BadRequest(f"disk_format {disk} and container_format {container} don't go together: they must be equal.")


def check_visibility(caller: Caller, visibility: str, target: dict[str, Any]) -> None:
    """Raises Forbidden unless the caller may give an image this visibility."""
    rule = {"public": "publicize_image", "community": "communitize_image"}.get(visibility)
    if rule is not None and not caller.allows(rule, target):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed: you may not make this image {visibility}.")
