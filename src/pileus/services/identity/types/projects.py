"""Domains and projects."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import UNSET

from pileus.core.body import Body, OpenBody, Unset, length, pattern
from pileus.services.identity import tables
from pileus.services.identity.types.base import Extra, Id, Immutable, Row, ShortName

Tag = Annotated[str, length(1, 255), pattern(r"[^/,\x00]+")]
Tags = Annotated[list[Tag], length(0, 80)]


class ProjectRow(Row):
    __table__ = tables.projects
    __noun__ = "project"
    __collection__ = "projects"
    __filters__: ClassVar[tuple[str, ...]] = ("name", "domain_id", "parent_id", "enabled", "is_domain")

    name: str
    domain_id: str | None
    parent_id: str | None
    is_domain: bool
    enabled: bool
    description: str
    options: dict[str, Any]
    extra: Extra


class DomainRow(ProjectRow):
    """The same row as a domain shows it."""

    __noun__ = "domain"
    __collection__ = "domains"
    __hidden__ = frozenset({"domain_id", "parent_id", "is_domain"})
    __filters__ = ("name", "enabled")


class ProjectCreate(OpenBody):
    __wrap__ = "project"

    name: ShortName
    domain_id: Id | None = None
    parent_id: Id | None = None
    is_domain: bool = False
    enabled: bool = True
    description: str | None = None
    tags: Tags = []
    options: Immutable = Immutable()


class ProjectUpdate(OpenBody):
    __wrap__ = "project"

    name: ShortName | Unset = UNSET
    domain_id: Id | Unset | None = UNSET
    parent_id: Id | Unset | None = UNSET
    is_domain: bool | Unset = UNSET
    enabled: bool | Unset = UNSET
    description: str | Unset | None = UNSET
    tags: Tags | Unset = UNSET
    options: Immutable | Unset = UNSET


class DomainCreate(OpenBody):
    __wrap__ = "domain"

    name: ShortName
    enabled: bool = True
    description: str | None = None
    explicit_domain_id: Annotated[str, pattern(r"[0-9a-f]{32}")] | None = None
    tags: Tags = []
    options: Immutable = Immutable()


class DomainUpdate(OpenBody):
    __wrap__ = "domain"

    name: ShortName | Unset = UNSET
    enabled: bool | Unset = UNSET
    description: str | Unset | None = UNSET
    tags: Tags | Unset = UNSET
    options: Immutable | Unset = UNSET


class TagList(Body):
    """PUT /projects/{project_id}/tags."""

    tags: Tags
