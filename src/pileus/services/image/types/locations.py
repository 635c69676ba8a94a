"""Locations: where an image's data lies, or is on its way to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

WAITING, REQUIRED, PLACED, ACTIVE, FAILED = "waiting", "required", "placed", "active", "failed"
"""What a location can be: to be filled; to be filled together with others; filled, while others of its kind are not; of use;
given up, which is kept for the reader until the next attempt."""
UNFINISHED = (WAITING, REQUIRED, PLACED)


class LocationRow(msgspec.Struct):
    """`address` is the object's name in its store, or the URL of data that is not ours."""

    number: int
    image_id: str
    store: str
    address: str
    status: str
    message: str
    metadata: dict[str, Any]
    created_at: datetime
