"""The rules of a mapping, and what comes out of them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pileus.core.body import length

Template = Annotated[str, length(1, 1024)]
"""Text in which {0} stands for the values of the rule's first match."""
Attribute = Annotated[str, length(1, 255)]
Patterns = Annotated[list[Annotated[str, length(0, 512)]], length(0, 1000)]


class Strict(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    pass


class LocalDomain(Strict):
    id: Template | None = None
    name: Template | None = None


class LocalUser(Strict):
    id: Template | None = None
    name: Template | None = None
    email: Template | None = None
    type: Literal["ephemeral", "local"] = "ephemeral"
    domain: LocalDomain | None = None


class LocalGroup(Strict):
    id: Template | None = None
    name: Template | None = None
    domain: LocalDomain | None = None


class LocalRole(Strict):
    name: Template


class LocalProject(Strict):
    name: Template
    roles: Annotated[list[LocalRole], length(0, 100)]
    domain: LocalDomain | None = None


class Local(Strict):
    user: LocalUser | None = None
    group: LocalGroup | None = None
    groups: Template | None = None
    group_ids: Template | None = None
    domain: LocalDomain | None = None
    projects: Annotated[list[LocalProject], length(0, 100)] | None = None


class Remote(Strict):
    """A condition (any_one_of, not_any_of), or a match whose values the local part can take."""

    type: Attribute
    any_one_of: Patterns | None = None
    not_any_of: Patterns | None = None
    whitelist: Patterns | None = None
    blacklist: Patterns | None = None
    regex: bool = False


class Rule(Strict):
    local: Annotated[list[Local], length(0, 100)]
    remote: Annotated[list[Remote], length(1, 100)]


class MappedUser(msgspec.Struct, frozen=True, kw_only=True):
    unique_id: str
    name: str
    given_id: str | None = None
    email: str | None = None
    is_local: bool = False
    domain: MappedDomain | None = None


class MappedDomain(msgspec.Struct, frozen=True):
    """One of the two is set."""

    id: str | None = None
    name: str | None = None


class MappedGroup(msgspec.Struct, frozen=True):
    """By its id, or by its name and domain (None: the identity provider's)."""

    id: str | None = None
    name: str = ""
    domain: MappedDomain | None = None


class MappedProject(msgspec.Struct, frozen=True):
    name: str
    roles: tuple[str, ...]
    domain: MappedDomain | None = None


class Mapped(msgspec.Struct, frozen=True):
    """Who somebody is here, and what they get."""

    user: MappedUser
    groups: tuple[MappedGroup, ...] = ()
    projects: tuple[MappedProject, ...] = ()
