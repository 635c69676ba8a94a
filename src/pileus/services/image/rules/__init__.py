"""Decisions of the image service. Other services use `visible_image` and `boot_image`."""

from pileus.services.image.rules.data import abandon_import, abandon_upload, begin_upload, finish_staging, finish_upload
from pileus.services.image.rules.images import (
    boot_image,
    delete_image,
    find_images,
    target_of,
    update_image,
    visible_image,
)
from pileus.services.image.rules.locations import (
    finish_copy,
    give_copy_up,
    give_location_up,
    locations_to_fill,
    name_object,
)
from pileus.services.image.types.images import ImageRow

__all__ = [
    "ImageRow",
    "abandon_import",
    "abandon_upload",
    "begin_upload",
    "boot_image",
    "delete_image",
    "find_images",
    "finish_copy",
    "finish_staging",
    "finish_upload",
    "give_copy_up",
    "give_location_up",
    "locations_to_fill",
    "name_object",
    "target_of",
    "update_image",
    "visible_image",
]
