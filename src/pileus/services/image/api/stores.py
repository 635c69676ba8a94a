"""Stores that an image is in."""

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.services.image.rules import images, locations
from pileus.services.image.service import api
from pileus.services.image.types.images import ImageRow


@api.delete(
    "/stores/{store_id}/{image_id}",
    policy="delete_image_location",
    load=images.visible_image,
    target=images.target_of,
)
def leave_store(tx: Tx, caller: Caller, image: ImageRow, store_id: str) -> None:
    """Remove an image's data from one of its stores."""
    locations.leave_store(tx, caller, image, store_id)
