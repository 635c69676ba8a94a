"""Images: who sees them, how they come, change and go."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge
from pileus.core.paging import Page
from pileus.services.image import signatures, store
from pileus.services.image.protections import protections
from pileus.services.image.rules import attributes, quotas
from pileus.services.image.types.images import BARE, SETTABLE, ImageRow
from pileus.services.image.types.listing import ImageFilter
from pileus.services.image.types.locations import ACTIVE
from pileus.services.image.types.patch import Change

BOOTABLE = ("qcow2", "raw", "iso", "ami")
"""Disk formats that a host can run."""
UUID = re.compile(r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$")


def visible_image(tx: Tx, caller: Caller, image_id: str) -> ImageRow:
    """With the properties that the caller may read. Raises NotFound where there is no such image for this caller."""
    return _readable(caller, _visible(tx, caller, image_id))


def _visible(
    tx: Tx, caller: Caller, image_id: str, find: Callable[[Tx, str], ImageRow | None] = store.image
) -> ImageRow:
    image = find(tx, image_id)
    if image is None or not _sees(tx, caller, image):
        raise NotFound(f"No image found with ID {image_id[:64]}.")
    return image


def _readable(caller: Caller, image: ImageRow) -> ImageRow:
    image.properties = protections.readable(caller, image.properties)
    return image


def _sees(tx: Tx, caller: Caller, image: ImageRow) -> bool:
    if caller.is_admin or image.visibility in ("public", "community"):
        return True
    if caller.project_id is None:
        return False
    if image.owner == caller.project_id:
        return True
    return image.visibility == "shared" and store.member(tx, image.id, caller.project_id) is not None


def find_images(tx: Tx, caller: Caller, wanted: ImageFilter, page: Page) -> list[ImageRow]:
    """What the caller sees."""
    return readable_images(tx, caller, [image_id for image_id, _ in find_editions(tx, caller, wanted, page)])


def find_editions(tx: Tx, caller: Caller, wanted: ImageFilter, page: Page) -> list[tuple[str, int]]:
    """(id, edition) of what the caller sees; no image has, to a caller, a property that it may not read."""
    if not all(protections.allows("read", caller, name) for name in wanted.properties):
        return []
    return store.list_images(tx, caller.project_id, caller.is_admin, wanted, page)


def readable_images(tx: Tx, caller: Caller, ids: Sequence[str]) -> list[ImageRow]:
    """Images that the caller was found to see, with what the API shows the caller of them."""
    found = whole_images(tx, ids)
    if protections.are_there:
        for image in found:
            _readable(caller, image)
    return found


def whole_images(tx: Tx, ids: Sequence[str]) -> list[ImageRow]:
    """With what the API shows of them, whoever asks."""
    return store.shown_images(tx, ids)


def boot_image(tx: Tx, caller: Caller, image_id: str) -> ImageRow:
    """An image that a server can be made of. Raises NotFound, BadRequest with the reason why it can't."""
    image = _visible(tx, caller, image_id, store.image_to_boot)
    if image.status != "active":
        raise BadRequest(f"Image {image.id} is {image.status}; it must be active.")
    if image.sha512 is None:
        raise BadRequest(
            f"Image {image.id} can't be booted: nobody knows the SHA-512 of its data. "
            f"Give its location by POST /images/{image.id}/locations, which reads it."
        )
    if image.disk_format not in BOOTABLE or image.container_format not in BARE:
        raise BadRequest(
            f"Image {image.id} can't be booted: its disk format is {image.disk_format} in {image.container_format}; "
            f"it must be one of {', '.join(BOOTABLE)} in bare."
        )
    signatures.verify_kept(image.properties, image.signed_digest, tx.now)
    return image


def target_of(image: ImageRow, caller: Caller) -> Mapping[str, Any]:
    """What policy rules compare with the caller."""
    return {
        "project_id": image.owner,
        "owner": image.owner,
        "visibility": image.visibility,
        "member_id": caller.project_id if image.visibility == "shared" else None,
    }


def wished_target(body: dict[str, Any], caller: Caller) -> Mapping[str, Any]:
    owner = body.get("owner", caller.project_id)
    return {"project_id": owner, "owner": owner}


def create_image(tx: Tx, caller: Caller, wish: Mapping[str, Any]) -> ImageRow:
    """A queued image of the given attributes; what is not an attribute is a property.

    Raises BadRequest, Forbidden (read-only, reserved, visibility), Conflict (id), TooLarge (properties, tags, images).
    """
    values: dict[str, Any] = {
        "name": None,
        "visibility": "shared",
        "owner": caller.project_id,
        "disk_format": None,
        "container_format": None,
        "protected": False,
        "os_hidden": False,
        "min_disk": 0,
        "min_ram": 0,
        "tags": [],
    }
    properties: dict[str, str] = {}
    for name, value in wish.items():
        if name in SETTABLE:
            values[name] = attributes.attribute(name, value)
        elif name != "id":
            protections.enforce("create", caller, name)
            properties[attributes.property_name(name)] = attributes.text(name, value, 65535)
    attributes.check_properties(properties)
    attributes.check_formats(values["disk_format"], values["container_format"])
    image = ImageRow(
        id=_wished_id(wish),
        status="queued",
        size=None,
        virtual_size=None,
        checksum=None,
        sha512=None,
        created_at=tx.now.replace(microsecond=0),
        updated_at=tx.now,
        properties=properties,
        **values,
    )
    attributes.check_visibility(caller, image.visibility, dict(target_of(image, caller)))
    quotas.check(tx, image.owner, {"image_count_total": 1})
    store.insert(tx, image)
    events.record(tx, caller, "image", "create", "image", image.id, name=image.name)
    return _readable(caller, image)


def _wished_id(wish: Mapping[str, Any]) -> str:
    wished = wish.get("id")
    if wished is None:
        return new_id()
    if not isinstance(wished, str) or not UUID.match(wished):
        raise BadRequest(f"id must be a UUID, got '{str(wished)[:64]}'.")
    return wished.lower()


def update_image(tx: Tx, caller: Caller, image: ImageRow, changes: list[Change]) -> ImageRow:
    """The image with all changes made, in their order, or none of them.

    Raises Forbidden (read-only, reserved, visibility), Conflict (property not there), BadRequest, TooLarge.
    """
    values: dict[str, Any] = {}
    before = store.known_image(tx, image.id).properties
    properties = dict(before)
    for change in changes:
        if change.name == "locations":
            continue
        if change.name in SETTABLE:
            values[change.name] = _attribute_change(caller, image, change)
        else:
            _property_change(caller, properties, change)
    attributes.check_properties(properties)
    disk, container = (values.get(key, getattr(image, key)) for key in ("disk_format", "container_format"))
    attributes.check_formats(disk, container)
    tags = values.pop("tags", None)
    store.update(tx, image.id, {**values, "updated_at": tx.now})
    if tags is not None and tags != image.tags:
        store.set_tags(tx, image.id, tags)
    if properties != before:
        store.set_properties(tx, image.id, properties)
    events.record(tx, caller, "image", "update", "image", image.id, changed=sorted({c.name for c in changes}))
    return _readable(caller, store.known_image(tx, image.id))


def _attribute_change(caller: Caller, image: ImageRow, change: Change) -> Any:
    if change.op == "remove":
        raise Forbidden(f"Attribute '{change.name}' can't be removed.")
    value = attributes.attribute(change.name, change.value)
    if change.name in ("disk_format", "container_format") and image.status != "queued":
        if value != getattr(image, change.name):
            raise Forbidden(
                f"Attribute '{change.name}' can be changed only while the image is queued; it is {image.status}."
            )
    elif change.name == "owner" and value != image.owner and not caller.is_admin:
        raise Forbidden("Only an administrator may give an image another owner.")
    elif change.name == "visibility" and value != image.visibility:
        attributes.check_visibility(caller, value, dict(target_of(image, caller)))
    return value


def _property_change(caller: Caller, properties: dict[str, str], change: Change) -> None:
    name = attributes.property_name(change.name)
    if name in properties:
        protections.enforce("read", caller, name)
        protections.enforce("delete" if change.op == "remove" else "update", caller, name)
    elif change.op != "add":
        raise Conflict(f"The image has no property '{name}' to {change.op}.")
    else:
        protections.enforce("create", caller, name)
    if change.op == "remove":
        del properties[name]
    else:
        properties[name] = attributes.text(name, change.value, 65535)


def delete_image(tx: Tx, caller: Caller, image: ImageRow) -> None:
    """Raises Forbidden (protected). Its file goes with the last image of that content."""
    if image.protected:
        raise Forbidden(f"Image {image.id} is protected and can't be deleted. Unset 'protected' first.")
    store.delete(tx, image.id)
    events.record(tx, caller, "image", "delete", "image", image.id, name=image.name)
    tx.wake("image-files")


def deactivate(tx: Tx, caller: Caller, image: ImageRow) -> None:
    """Nobody but administrators gets its data until it is active again. Raises Forbidden (status)."""
    _turn(tx, caller, image, "active", "deactivated", "deactivate")


def reactivate(tx: Tx, caller: Caller, image: ImageRow) -> None:
    """Raises Forbidden (status)."""
    _turn(tx, caller, image, "deactivated", "active", "reactivate")


def _turn(tx: Tx, caller: Caller, image: ImageRow, before: str, after: str, action: str) -> None:
    if image.status == after:
        return
    if image.status != before or not store.turn(tx, image.id, before, after):
        raise Forbidden(f"Image {image.id} can't be turned from {image.status} to {after}; it must be {before}.")
    events.record(tx, caller, "image", action, "image", image.id)


def readable(caller: Caller, image: ImageRow) -> bool:
    """Whether the image has data. Raises Forbidden where it may not be read now."""
    if image.status == "deactivated" and not caller.is_admin:
        raise Forbidden(f"Image {image.id} is deactivated; its data can't be downloaded.")
    of_use = any(location.status == ACTIVE for location in image.locations)
    return image.status in ("active", "deactivated") and of_use


def add_tag(tx: Tx, caller: Caller, image: ImageRow, tag: str) -> None:
    """Raises BadRequest, TooLarge (too many)."""
    attributes.text("a tag", tag, 255)
    if tag in image.tags:
        return
    if len(image.tags) >= attributes.MAX_TAGS:
        raise TooLarge(f"An image can have at most {attributes.MAX_TAGS} tags; this one has {len(image.tags)}.")
    store.set_tags(tx, image.id, sorted([*image.tags, tag]))
    store.update(tx, image.id, {"updated_at": tx.now})
    events.record(tx, caller, "image", "update", "image", image.id, changed=["tags"])


def remove_tag(tx: Tx, caller: Caller, image: ImageRow, tag: str) -> None:
    """Raises NotFound."""
    if tag not in image.tags:
        raise NotFound(f"Image {image.id} has no tag '{tag[:255]}'.")
    store.set_tags(tx, image.id, [other for other in image.tags if other != tag])
    store.update(tx, image.id, {"updated_at": tx.now})
    events.record(tx, caller, "image", "update", "image", image.id, changed=["tags"])
