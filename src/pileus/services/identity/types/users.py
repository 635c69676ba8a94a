"""Users and groups."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from pileus.core.body import Body, OpenBody, Unset, length
from pileus.services.identity import tables
from pileus.services.identity.types.base import Extra, Id, Name, Row, ShortName

Password = Annotated[str, length(1, 4096)]


class UserRow(Row):
    __table__ = tables.users
    __noun__ = "user"
    __collection__ = "users"
    __hidden__ = frozenset(
        {"password_hash", "tokens_valid_after", "default_project_id", "password_chosen_at", "last_active_at"}
    )
    __filters__ = ("name", "domain_id", "enabled")

    name: str
    domain_id: str
    enabled: bool
    default_project_id: str | None
    password_hash: str | None
    password_expires_at: datetime | None
    tokens_valid_after: datetime | None
    options: dict[str, Any]
    extra: Extra
    password_chosen_at: datetime | None = None
    """When the user chose the password; None: somebody else set it."""
    last_active_at: datetime | None = None
    """The last log-in, give or take a day."""


Factors = Annotated[list[Annotated[str, length(1, 64)]], length(1, 8)]


class UserOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Null takes an option away."""

    ignore_change_password_upon_first_use: bool | Unset | None = UNSET
    ignore_password_expiry: bool | Unset | None = UNSET
    ignore_lockout_failure_attempts: bool | Unset | None = UNSET
    ignore_user_inactivity: bool | Unset | None = UNSET
    lock_password: bool | Unset | None = UNSET
    multi_factor_auth_enabled: bool | Unset | None = UNSET
    multi_factor_auth_rules: Annotated[list[Factors], length(0, 64)] | Unset | None = UNSET


class FederatedProtocol(msgspec.Struct, forbid_unknown_fields=True):
    protocol_id: Id
    unique_id: Annotated[str, length(1, 255)]


class Federated(msgspec.Struct, forbid_unknown_fields=True):
    """By which names an identity provider's protocols know a user."""

    idp_id: Id
    protocols: Annotated[list[FederatedProtocol], length(1, 100)]


FederatedList = Annotated[list[Federated], length(0, 100)]


class UserCreate(OpenBody):
    __wrap__ = "user"

    name: Name
    domain_id: Id | None = None
    enabled: bool = True
    default_project_id: Id | None = None
    password: Password | None = None
    options: UserOptions = UserOptions()
    federated: FederatedList | None = None


class UserUpdate(OpenBody):
    __wrap__ = "user"

    name: Name | Unset = UNSET
    domain_id: Id | Unset = UNSET
    enabled: bool | Unset = UNSET
    default_project_id: Id | Unset | None = UNSET
    password: Password | Unset | None = UNSET
    options: UserOptions | Unset = UNSET
    federated: FederatedList | Unset | None = UNSET


class PasswordChange(Body):
    __wrap__ = "user"

    original_password: Password
    password: Password


class GroupRow(Row):
    __table__ = tables.groups
    __noun__ = "group"
    __collection__ = "groups"
    __filters__ = ("name", "domain_id")

    name: str
    domain_id: str
    description: str
    extra: Extra


class GroupCreate(OpenBody):
    __wrap__ = "group"

    name: ShortName
    domain_id: Id | None = None
    description: str | None = None


class GroupUpdate(OpenBody):
    __wrap__ = "group"

    name: ShortName | Unset = UNSET
    domain_id: Id | Unset = UNSET
    description: str | Unset | None = UNSET
