"""Editions of images."""

from __future__ import annotations

from pileus.core.db import Tx
from pileus.services.image.tables import images, new_edition


def renew(tx: Tx, image_id: str) -> None:
    """Something beside its row changes: what was made of the image is of an edition that is no more.

    Before the change, so that all who change an image wait for each other at its row.
    """
    tx.change(images, image_id, {"edition": new_edition()})
