"""Images of another region's image service, fetched with the caller's token."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.core.errors import BadRequest
from pileus.services.identity.rules.catalog import catalog
from pileus.services.image import fetch
from pileus.services.image.types.tasks import ImportMethod

_MAX_DOCUMENT = 1 << 20
_TAKEN = ("hw_", "trait:", "os_distro", "os_secure_boot", "os_type")
"""How the names of properties begin that say what the data is, and so go with it."""


class RemoteImage(msgspec.Struct):
    """What is known of it before its data comes."""

    url: str
    disk_format: str
    container_format: str
    sha512: str | None
    properties: dict[str, str]


def endpoint(db: Database, caller: Caller, wish: ImportMethod) -> str:
    """The image service of a region, as the caller's catalog has it. Raises BadRequest."""
    interface = wish.glance_service_interface or "public"
    with db.read() as tx:
        services = catalog(tx, caller.user_id, caller.project_id)
    for service in services:
        if service["type"] == "image":
            for each in service["endpoints"]:
                if each["interface"] == interface and each["region_id"] == wish.glance_region:
                    return str(each["url"]).rstrip("/").removesuffix("/v2")
    raise BadRequest(f"The catalog has no {interface} endpoint of an image service in region {wish.glance_region}.")


async def look(url: str, image_id: str, token: str, allowed: fetch.Networks) -> RemoteImage:
    """Raises BadRequest where it is not there, not active, or not what an image service says."""
    where, document = f"{url}/v2/images/{image_id}", b""
    async for chunk in fetch.stream(where, allowed, headers=_headers(token)):
        document += chunk
        if len(document) > _MAX_DOCUMENT:
            raise BadRequest(f"{where} answered with more than {_MAX_DOCUMENT} bytes.")
    try:
        found: dict[str, Any] = msgspec.json.decode(document, type=dict[str, Any])
        properties = {name: value for name, value in found.items() if name.startswith(_TAKEN)}
        hashed = found.get("os_hash_value") if found.get("os_hash_algo") == "sha512" else None
        formats = {name: found.get(name) for name in ("disk_format", "container_format")}
        wanted = {"url": where, "sha512": hashed, "properties": properties, **formats}
        remote = msgspec.convert(wanted, RemoteImage)
    except msgspec.DecodeError as error:
        raise BadRequest(f"{where} did not answer as an image service does: {error}.") from None
    if found.get("status") != "active":
        raise BadRequest(f"The image at {where} is {str(found.get('status'))[:16]}; it must be active.")
    return remote


def data(remote: RemoteImage, token: str, allowed: fetch.Networks) -> AsyncGenerator[bytes, None]:
    return fetch.stream(f"{remote.url}/file", allowed, headers=_headers(token))


def _headers(token: str) -> list[tuple[str, str]]:
    return [("X-Auth-Token", token)]
