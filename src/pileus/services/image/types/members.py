"""Members: the projects that a shared image is offered to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from pileus.core.body import UNSET, Body, Unset, length, seconds


class MemberRow(msgspec.Struct):
    image_id: str
    member_id: str
    status: str
    created_at: datetime
    updated_at: datetime


class MemberCreate(Body):
    """POST /images/{image_id}/members."""

    member: Annotated[str, length(1, 255)]


class MemberUpdate(Body):
    """PUT /images/{image_id}/members/{member_id}; clients may say once more who it is."""

    status: Literal["pending", "accepted", "rejected"]
    member: str | Unset = UNSET


def member_view(member: MemberRow) -> dict[str, Any]:
    return {
        "image_id": member.image_id,
        "member_id": member.member_id,
        "status": member.status,
        "created_at": seconds(member.created_at),
        "updated_at": seconds(member.updated_at),
        "schema": "/v2/schemas/member",
    }
