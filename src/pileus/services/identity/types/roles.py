"""Roles and their assignments."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET

from pileus.core.body import OpenBody, Query, Unset
from pileus.services.identity import tables
from pileus.services.identity.types.base import Extra, Id, Immutable, Name, Row


class RoleRow(Row):
    __table__ = tables.roles
    __noun__ = "role"
    __collection__ = "roles"
    __filters__ = ("name", "domain_id")

    name: str
    domain_id: str | None
    description: str | None
    options: dict[str, Any]
    extra: Extra


class RoleCreate(OpenBody):
    __wrap__ = "role"

    name: Name
    domain_id: Id | None = None
    description: str | None = None
    options: Immutable = Immutable()


class RoleUpdate(OpenBody):
    __wrap__ = "role"

    name: Name | Unset = UNSET
    domain_id: Id | Unset | None = UNSET
    description: str | Unset | None = UNSET
    options: Immutable | Unset = UNSET


class RoleQuery(Query):
    domain_id: str | Unset = UNSET


class Assignment(msgspec.Struct, frozen=True):
    """Who has which role where. An inherited one counts below its target, not on it."""

    actor_type: Literal["user", "group"]
    actor_id: str
    target_type: Literal["project", "domain", "system"]
    target_id: str
    role_id: str
    inherited: bool = False
