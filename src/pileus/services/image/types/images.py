"""Images: row, what may be in one, how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from pileus.core.body import seconds
from pileus.services.image.types.locations import ACTIVE, FAILED, REQUIRED, WAITING, LocationRow

CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop")
AMAZON = ("ami", "ari", "aki")
BARE = (None, "bare", *AMAZON)
"""Containers that are none: the data is the disk itself."""
VISIBILITIES = ("community", "private", "public", "shared")
READ_ONLY = frozenset(
    [
        "checksum",
        "created_at",
        "direct_url",
        "file",
        "os_hash_algo",
        "os_hash_value",
        "schema",
        "self",
        "size",
        "status",
        "stores",
        "updated_at",
        "virtual_size",
    ]
)
"""What only the service writes."""
SETTABLE = frozenset(
    [
        "name",
        "disk_format",
        "container_format",
        "min_disk",
        "min_ram",
        "protected",
        "os_hidden",
        "tags",
        "visibility",
        "owner",
    ]
)
RESERVED_PREFIX = "os_glance_"
"""Properties that are the service's own."""


class ImageRow(msgspec.Struct, gc=False):
    """An image. `properties`, `tags` and `locations` are rows of their own tables."""

    id: str
    name: str | None
    status: str
    visibility: str
    owner: str | None
    disk_format: str | None
    container_format: str | None
    size: int | None
    virtual_size: int | None
    checksum: str | None
    sha512: str | None
    protected: bool
    os_hidden: bool
    min_disk: int
    min_ram: int
    created_at: datetime
    updated_at: datetime
    imported: bool = False
    """Whether it was told, once, to which stores its data is to be brought."""
    hash_algo: str | None = None
    hash_value: str | None = None
    upload: str | None = None
    staged: dict[str, Any] | None = None
    """A Received."""
    signed_digest: str | None = None
    properties: dict[str, str] = {}
    tags: list[str] = []
    locations: list[LocationRow] = []


class Received(msgspec.Struct):
    """What is known of data that has arrived."""

    size: int
    checksum: str
    """MD5, hexadecimal."""
    sha512: str
    virtual_size: int | None = None
    signed_digest: str | None = None
    """METHOD:HEX of what a signature was found right for."""


class Arrival(msgspec.Struct):
    """Data that is whole and on this machine, and what the image will be with it."""

    path: Path
    received: Received
    disk_format: str | None
    container_format: str | None
    properties: dict[str, str] = {}
    """What is added to the image's own."""

    @classmethod
    def of(cls, image: ImageRow, path: Path, received: Received) -> Arrival:
        return cls(path, received, image.disk_format, image.container_format)


class Plan(msgspec.Struct, frozen=True):
    """What the operator wants of an import."""

    disk_format: str | None = None
    """That it has afterwards; None: as it comes."""
    properties: dict[str, str] = {}
    """Put on the image."""


def image_view(image: ImageRow, in_order: Callable[[Iterable[str]], list[str]]) -> dict[str, Any]:
    """The image as the API shows it: its properties lie beside its attributes. `in_order` brings stores into their order."""
    path = f"/v2/images/{image.id}"
    shown: dict[str, Any] = {
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "visibility": image.visibility,
        "owner": image.owner,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "size": image.size,
        "virtual_size": image.virtual_size,
        "checksum": image.checksum,
        "os_hash_algo": image.hash_algo or ("sha512" if image.sha512 else None),
        "os_hash_value": image.hash_value or image.sha512,
        "protected": image.protected,
        "os_hidden": image.os_hidden,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "created_at": seconds(image.created_at),
        "updated_at": seconds(image.updated_at),
        "tags": image.tags,
        "self": path,
        "file": f"{path}/file",
        "schema": "/v2/schemas/image",
    }
    if image.imported or image.locations:
        shown |= _where(image, in_order)
    for name, value in image.properties.items():
        shown.setdefault(name, value)
    return shown


def _where(image: ImageRow, in_order: Callable[[Iterable[str]], list[str]]) -> dict[str, str]:
    """The names of the stores that its data is in, and that an import still brings it to or could not."""

    def stores(*statuses: str) -> str:
        names = {each.store for each in image.locations if each.status in statuses}
        return ",".join(in_order(names) if len(names) > 1 else names)

    found = {"stores": stores(ACTIVE)} if image.locations else {}
    if image.imported:
        found["os_glance_importing_to_stores"] = stores(WAITING, REQUIRED)
        found["os_glance_failed_import"] = stores(FAILED)
    return found
