"""What projects have of images."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.image.tables import images, locations, quota_locks
from pileus.services.image.types.locations import ACTIVE

_ARRIVING = ("saving", "uploading", "importing")
_COUNTS = sa.select(
    sa.func.count(),
    sa.func.count().filter(images.c.status.in_(_ARRIVING)),
    sa.func.coalesce(sa.func.sum(images.c.size).filter(images.c.staged.is_not(None)), 0),
).where(images.c.owner == sa.bindparam("owner"))
_SIZE = (
    sa.select(sa.func.coalesce(sa.func.sum(images.c.size), 0))
    .join(locations, (locations.c.image_id == images.c.id) & (locations.c.status == ACTIVE))
    .where(images.c.owner == sa.bindparam("owner"))
)
"""Each store that an image is in counts."""


def in_use(tx: Tx, project_id: str | None) -> dict[str, int]:
    """Resource -> number of images, or of bytes."""
    count, arriving, staged = tx.execute(_COUNTS, {"owner": project_id}).one()
    size = tx.execute(_SIZE, {"owner": project_id}).scalar()
    return {
        "image_count_total": count,
        "image_count_uploading": arriving,
        "image_size_total": int(size),
        "image_stage_total": int(staged),
    }


def hold(tx: Tx, project_id: str | None) -> None:
    """Until commit, nobody else gets past this for the same project."""
    tx.upsert(quota_locks, {"id": project_id or ""}, {"held": True})
