"""Members: an image is offered to projects, each of which accepts or rejects it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import Forbidden, NotFound, TooLarge
from pileus.services.image import store
from pileus.services.image.rules.images import visible_image
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.members import MemberRow

MAX_MEMBERS = 128


def members(tx: Tx, caller: Caller, image: ImageRow) -> list[MemberRow]:
    """All members for the owner, its own membership for a member."""
    _must_be_shared(image)
    if caller.is_admin or image.owner == caller.project_id:
        return store.members(tx, image.id)
    own = store.member(tx, image.id, caller.project_id or "")
    return [own] if own else []


def visible_member(tx: Tx, caller: Caller, image_id: str, member_id: str) -> MemberRow:
    """Raises NotFound, for others' memberships too."""
    image = visible_image(tx, caller, image_id)
    found = store.member(tx, image_id, member_id)
    own = caller.is_admin or caller.project_id in (image.owner, member_id)
    if image.visibility != "shared" or found is None or not own:
        raise NotFound(f"Image {image_id} has no member {member_id[:64]}.")
    return found


def target_of_member(tx: Tx, member: MemberRow) -> Mapping[str, Any]:
    """What policy rules compare with the caller."""
    return {"project_id": store.known_image(tx, member.image_id).owner, "member_id": member.member_id}


def add_member(tx: Tx, caller: Caller, image: ImageRow, member_id: str) -> MemberRow:
    """Raises Forbidden (not shared), Conflict (member already), TooLarge."""
    _must_be_shared(image)
    count = len(store.members(tx, image.id))
    if count >= MAX_MEMBERS:
        raise TooLarge(f"An image can have at most {MAX_MEMBERS} members; this one has {count}.")
    member = MemberRow(image.id, member_id, "pending", tx.now, tx.now)
    store.insert_member(tx, member)
    events.record(tx, caller, "image", "add_member", "image", image.id, member=member_id)
    return member


def set_member_status(tx: Tx, caller: Caller, member: MemberRow, status: str) -> MemberRow:
    """Only the member itself may (or an administrator): the policy sees to it."""
    member.status, member.updated_at = status, tx.now
    store.update_member(tx, member)
    events.record(tx, caller, "image", "set_member", "image", member.image_id, member=member.member_id, status=status)
    return member


def remove_member(tx: Tx, caller: Caller, member: MemberRow) -> None:
    store.delete_member(tx, member)
    events.record(tx, caller, "image", "remove_member", "image", member.image_id, member=member.member_id)


def _must_be_shared(image: ImageRow) -> None:
    if image.visibility != "shared":
        raise Forbidden(f"Only shared images have members; image {image.id} is {image.visibility}.")
