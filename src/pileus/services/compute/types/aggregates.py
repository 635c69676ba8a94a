"""Bodies and replies of aggregates."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from pileus.core.body import UNSET, Body, Reply, Unset, length, since
from pileus.services.compute.types.fields import Name

Zone = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^(?!\s)[^:\x00-\x1f\x7f]*(?<!\s)$")]
Key = Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_:. -]{1,255}$")]


class AggregateCreate(Body):
    __wrap__ = "aggregate"
    name: Name
    availability_zone: Zone | None = None


class AggregateUpdate(Body):
    __wrap__ = "aggregate"
    name: Name | Unset = UNSET
    availability_zone: Zone | Unset | None = UNSET


class AggregateHost(Body):
    host: Annotated[str, length(1, 255)]


class AggregateMetadata(Body):
    metadata: dict[Key, Annotated[str, length(0, 255)] | None]


class Aggregate(Reply):
    __wrap__ = "aggregate"
    id: int
    name: str
    availability_zone: str | None
    created_at: datetime
    updated_at: datetime | None
    uuid: Annotated[str, since("2.41")]
    deleted: bool = False
    deleted_at: None = None
    hosts: list[str] | Unset = UNSET
    metadata: dict[str, str] | Unset = UNSET


class Aggregates(Reply):
    aggregates: list[Aggregate]
