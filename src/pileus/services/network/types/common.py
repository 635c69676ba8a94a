"""What all bodies and replies share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Protocol

import msgspec

from pileus.core.body import UNSET, Body, Reply, Unset, length, seconds

Name = Annotated[str, length(0, 255)]
Description = Annotated[str, length(0, 1024)]
Tag = Annotated[str, length(1, 255)]
Tags = Annotated[list[Tag], msgspec.Meta(max_length=50)]
Uuid = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$")]


class Given(Body, kw_only=True):
    """A field that is given the default of `__defaults__` is as if it were not given: no rule asks for more."""

    __defaults__: ClassVar[dict[str, Any]] = {}
    description: Description | Unset | None = UNSET

    def __post_init__(self) -> None:
        for field, default in self.__defaults__.items():
            value = getattr(self, field)
            if type(value) is type(default) and value == default:
                setattr(self, field, UNSET)


class Wish(Given, kw_only=True):
    """The body of a creation."""

    project_id: Name | Unset = UNSET
    tenant_id: Name | Unset = UNSET
    tags: Tags | Unset = UNSET


class Update(Given, kw_only=True):
    """The body of a change."""


class Shown(Reply, kw_only=True):
    """What every noun tells of itself."""

    id: str
    project_id: str
    tenant_id: str
    description: str
    created_at: str | None
    updated_at: str | None
    revision_number: int


class Standard(Protocol):
    id: str
    project_id: str
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


def standard(row: Standard) -> dict[str, Any]:
    return {
        "id": row.id,
        "project_id": row.project_id,
        "tenant_id": row.project_id,
        "description": row.description,
        "created_at": seconds(row.created_at),
        "updated_at": seconds(row.updated_at),
        "revision_number": row.revision_number,
    }


def given(body: msgspec.Struct, *names: str) -> dict[str, Any]:
    """The fields of a body that were given, of `names`."""
    return {name: value for name in names if (value := getattr(body, name)) is not UNSET}
