"""Every SQL statement of the image service."""

from pileus.services.image.store.images import (
    abandon_upload,
    activate,
    begin_upload,
    contents,
    delete,
    image,
    insert,
    known_image,
    list_images,
    set_properties,
    set_tags,
    stage,
    turn,
    update,
    uploads,
)
from pileus.services.image.store.members import delete_member, insert_member, member, members, update_member

__all__ = [
    "abandon_upload",
    "activate",
    "begin_upload",
    "contents",
    "delete",
    "delete_member",
    "image",
    "insert",
    "insert_member",
    "known_image",
    "list_images",
    "member",
    "members",
    "set_properties",
    "set_tags",
    "stage",
    "turn",
    "update",
    "update_member",
    "uploads",
]
