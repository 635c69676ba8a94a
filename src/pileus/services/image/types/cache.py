"""The cache: files of this machine that hold the data of images whose stores are elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

QUEUED, CACHED = "queued", "cached"


class CachedRow(msgspec.Struct):
    """An image on one machine: wanted there, or there."""

    image_id: str
    node: str
    status: str
    sha512: str
    size: int
    hits: int
    created_at: datetime
    last_accessed: datetime


def cached_view(row: CachedRow) -> dict[str, Any]:
    """Times are seconds since 1970."""
    return {
        "image_id": row.image_id,
        "hits": row.hits,
        "size": row.size,
        "last_modified": row.created_at.replace(tzinfo=UTC).timestamp(),
        "last_accessed": row.last_accessed.replace(tzinfo=UTC).timestamp() if row.hits else 0,
    }
