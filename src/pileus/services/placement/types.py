"""Bodies of placement. Replies are plain dictionaries: their keys are ids and resource classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from pileus.core.body import UNSET, Body, Query, Unset, length, since
from pileus.core.version import Version
from pileus.services.placement.rules.providers import MAX_UNIT, Inventory

Uuid = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$")]
Positive = Annotated[int, msgspec.Meta(ge=1, le=MAX_UNIT)]
ClassName = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9_]+$", max_length=255)]
ProviderName = Annotated[str, length(1, 200)]
Generation = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class ProviderCreate(Body):
    name: ProviderName
    uuid: Uuid | Unset = UNSET
    parent_provider_uuid: Annotated[Uuid | None, since("1.14")] = None


class ProviderUpdate(Body):
    name: ProviderName
    parent_provider_uuid: Annotated[Uuid | Unset | None, since("1.14")] = UNSET


class ProvidersQuery(Query, forbid_unknown_fields=True):
    name: str | None = None
    uuid: str | None = None
    member_of: Annotated[list[str], since("1.3")] = []
    resources: Annotated[str | None, since("1.4")] = None
    in_tree: Annotated[str | None, since("1.14")] = None
    required: Annotated[list[str], since("1.18")] = []


class InventoryBody(Body):
    total: Positive
    reserved: Annotated[int, msgspec.Meta(ge=0, le=MAX_UNIT)] = 0
    min_unit: Positive = 1
    max_unit: Positive = MAX_UNIT
    step_size: Positive = 1
    allocation_ratio: Annotated[float, msgspec.Meta(ge=0, le=3.40282e38)] = 1.0

    @property
    def inventory(self) -> Inventory:
        return Inventory(**{name: getattr(self, name) for name in Inventory.__struct_fields__})


class InventoryUpdate(InventoryBody, kw_only=True):
    resource_provider_generation: Generation


class InventoryCreate(InventoryBody, kw_only=True):
    resource_class: ClassName
    resource_provider_generation: Generation | Unset = UNSET


class InventoriesUpdate(Body):
    resource_provider_generation: Generation
    inventories: dict[ClassName, InventoryBody]


class TraitsUpdate(Body):
    resource_provider_generation: Generation
    traits: list[Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9_]+$", min_length=1, max_length=255)]]


class AggregatesUpdate(Body):
    """From 1.19 on; before, the body is the list alone."""

    resource_provider_generation: Generation
    aggregates: list[Uuid]


class NewClass(Body):
    name: ClassName


class TraitsQuery(Query, forbid_unknown_fields=True):
    name: str | None = None
    associated: str | None = None


class UsagesQuery(Query, forbid_unknown_fields=True):
    project_id: Annotated[str, length(1, 255)]
    user_id: Annotated[str, length(1, 255)] | None = None
    consumer_type: Annotated[str | None, since("1.38")] = None


Resources = Annotated[dict[ClassName, Positive], msgspec.Meta(min_length=1)]


class ProviderRef(Body):
    uuid: Uuid


class ListedAllocation(Body):
    """One entry of `allocations` as it was until 1.11."""

    resource_provider: ProviderRef
    resources: Resources


class Allocation(Body):
    """What one provider gives; the key above it is the provider's id. A generation that is given is not looked at."""

    resources: Resources
    generation: int | Unset = UNSET


class Consumer(Body):
    """What one consumer gets. Which of the fields must be there goes by version, see `REQUIRED`."""

    allocations: list[ListedAllocation] | dict[Uuid, Allocation]
    project_id: Annotated[str, since("1.8"), length(1, 255)] | Unset = UNSET
    user_id: Annotated[str, since("1.8"), length(1, 255)] | Unset = UNSET
    consumer_generation: Annotated[Generation | Unset | None, since("1.28")] = UNSET
    mappings: Annotated[dict[str, list[Uuid]], since("1.34")] | Unset = UNSET
    consumer_type: Annotated[ClassName, since("1.38")] | Unset = UNSET


REQUIRED: Mapping[str, Version] = {
    "project_id": Version(1, 8),
    "user_id": Version(1, 8),
    "consumer_generation": Version(1, 28),
    "consumer_type": Version(1, 38),
}
"""Field of a consumer -> the version from which it must be given."""
Consumers = Annotated[dict[Uuid, Consumer], msgspec.Meta(min_length=1)]


class Reshape(Body):
    inventories: Annotated[dict[Uuid, InventoriesUpdate], msgspec.Meta(min_length=1)]
    allocations: dict[Uuid, Consumer]


Reply = dict[str, Any]
