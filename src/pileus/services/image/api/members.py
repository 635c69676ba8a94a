"""Members of shared images."""

from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.services.image.rules import images, members
from pileus.services.image.service import api
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.members import MemberCreate, MemberRow, MemberUpdate, member_view


@api.get("/images/{image_id}/members", policy="get_members", load=images.visible_image, target=images.target_of)
def list_members(tx: Tx, caller: Caller, image: ImageRow) -> dict[str, Any]:
    """All members for the owner; for a member, itself."""
    found = members.members(tx, caller, image)
    return {"members": [member_view(member) for member in found], "schema": "/v2/schemas/members"}


@api.post("/images/{image_id}/members", policy="add_member", load=images.visible_image, target=images.target_of)
def add_member(tx: Tx, caller: Caller, image: ImageRow, body: MemberCreate) -> dict[str, Any]:
    """Offer an image to a project."""
    return member_view(members.add_member(tx, caller, image, body.member))


@api.get(
    "/images/{image_id}/members/{member_id}",
    policy="get_member",
    load=members.visible_member,
    target=members.target_of_member,
)
def show_member(member: MemberRow) -> dict[str, Any]:
    """One membership."""
    return member_view(member)


@api.put(
    "/images/{image_id}/members/{member_id}",
    policy="modify_member",
    load=members.visible_member,
    target=members.target_of_member,
)
def update_member(tx: Tx, caller: Caller, member: MemberRow, body: MemberUpdate) -> dict[str, Any]:
    """Accept or reject what was offered."""
    return member_view(members.set_member_status(tx, caller, member, body.status))


@api.delete(
    "/images/{image_id}/members/{member_id}",
    policy="delete_member",
    load=members.visible_member,
    target=members.target_of_member,
)
def remove_member(tx: Tx, caller: Caller, member: MemberRow) -> None:
    """Take the offer back."""
    members.remove_member(tx, caller, member)
