"""Regions, services and endpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET

from pileus.core.body import OpenBody, Unset, length, pattern
from pileus.services.identity import tables
from pileus.services.identity.types.base import Extra, Id, Row

RegionId = Annotated[str, length(0, 255), pattern("[^/]*")]
"""Part of a path, where a slash would end it: nobody could change or remove such a region."""
Url = Annotated[str, length(1, 225), pattern(r"[a-zA-Z0-9+.-]+:[^\s\x00]+")]
Interface = Literal["public", "internal", "admin"]


class RegionRow(Row):
    __table__ = tables.regions
    __noun__ = "region"
    __collection__ = "regions"
    __filters__ = ("parent_region_id",)

    description: str
    parent_region_id: str | None
    extra: Extra


class RegionCreate(OpenBody):
    __wrap__ = "region"

    id: RegionId | None = None
    description: str | None = None
    parent_region_id: RegionId | None = None


class RegionUpdate(OpenBody):
    __wrap__ = "region"

    description: str | Unset | None = UNSET
    parent_region_id: RegionId | Unset | None = UNSET


class ServiceRow(Row):
    __table__ = tables.services
    __noun__ = "service"
    __collection__ = "services"
    __filters__ = ("type", "name")

    type: str
    name: str | None
    description: str | None
    enabled: bool
    extra: Extra


class ServiceCreate(OpenBody):
    __wrap__ = "service"

    type: Annotated[str, length(1, 255)]
    name: Annotated[str, length(0, 255)] | None = None
    description: str | None = None
    enabled: bool = True


class ServiceUpdate(OpenBody):
    __wrap__ = "service"

    type: Annotated[str, length(1, 255)] | Unset = UNSET
    name: Annotated[str, length(0, 255)] | Unset | None = UNSET
    description: str | Unset | None = UNSET
    enabled: bool | Unset = UNSET


class EndpointRow(Row):
    __table__ = tables.endpoints
    __noun__ = "endpoint"
    __collection__ = "endpoints"
    __filters__ = ("interface", "service_id", "region_id", "enabled")

    interface: str
    region_id: str | None
    service_id: str
    url: str
    enabled: bool
    extra: Extra


class EndpointCreate(OpenBody):
    __wrap__ = "endpoint"

    interface: Interface
    service_id: Id
    url: Url
    region_id: RegionId | None = None
    region: RegionId | None = None
    enabled: bool = True


class EndpointUpdate(OpenBody):
    __wrap__ = "endpoint"

    interface: Interface | Unset = UNSET
    service_id: Id | Unset = UNSET
    url: Url | Unset = UNSET
    region_id: RegionId | Unset | None = UNSET
    region: RegionId | Unset | None = UNSET
    enabled: bool | Unset = UNSET
