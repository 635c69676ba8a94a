"""Editions of images."""

from __future__ import annotations

from pileus.core.db import Tx
from pileus.services.image.tables import images, new_edition


def renew(tx: Tx, image_id: str) -> None:
    """Something beside its row has changed: what was made of the image is of an edition that is no more."""
    tx.change(images, image_id, {"edition": new_edition()})
