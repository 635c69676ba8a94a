"""Locations: where an image's data lies, or is on its way to."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any

import msgspec

from pileus.core.body import Body, convert, length
from pileus.core.errors import BadRequest
from pileus.core.version import FIRST

WAITING, REQUIRED, PLACED, ACTIVE, FAILED = "waiting", "required", "placed", "active", "failed"
"""What a location can be: to be filled; to be filled together with others; filled, while others of its kind are not; of use;
given up, which is kept for the reader until the next attempt."""
UNFINISHED = (WAITING, REQUIRED, PLACED)


class LocationRow(msgspec.Struct, gc=False):
    """`address` is the object's name in its store, or the URL of data that is not ours."""

    number: int
    image_id: str
    store: str
    address: str
    status: str
    message: str
    metadata: dict[str, Any]
    created_at: datetime


MAX_LOCATIONS = 10
_HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


class Validation(Body):
    """What the data at a location must hash to."""

    os_hash_algo: str = ""
    os_hash_value: str = ""
    checksum: str | None = None

    def check(self) -> None:
        """Raises BadRequest for what is no hash."""
        if self.os_hash_algo not in _HASHES:
            raise BadRequest(f"os_hash_algo is '{self.os_hash_algo[:64]}'; possible are {', '.join(_HASHES)}.")
        digits = hashlib.new(self.os_hash_algo, usedforsecurity=False).digest_size * 2
        if not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", self.os_hash_value):
            raise BadRequest(f"os_hash_value must have {digits} hexadecimal digits for {self.os_hash_algo}.")
        if self.checksum is not None and not re.fullmatch(r"[0-9a-fA-F]{32}", self.checksum):
            raise BadRequest("checksum must have 32 hexadecimal digits: it is an MD5.")


class LocationCreate(Body):
    """POST /images/{image_id}/locations."""

    url: Annotated[str, length(1, 2048)]
    metadata: dict[str, Any] = {}
    validation_data: Validation | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url is '{self.url[:64]}'; a location must start with http:// or https://")
        if self.validation_data == Validation():
            self.validation_data = None


def given_location(value: Any) -> LocationCreate:
    """A location in a JSON patch. Raises BadRequest."""
    found: LocationCreate = convert(value, LocationCreate, FIRST, "image", "location")
    return found


def location_view(location: LocationRow, url: str) -> dict[str, Any]:
    return {"url": url, "metadata": location.metadata}
