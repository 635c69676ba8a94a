"""Policies that other services keep here, endpoint groups and unified limits."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from pileus.core.body import Body, OpenBody, Unset, length
from pileus.services.identity import tables
from pileus.services.identity.types.base import Extra, Id, Name, Row
from pileus.services.identity.types.catalog import Interface, RegionId

Amount = Annotated[int, msgspec.Meta(ge=-1, le=2147483647)]
"""-1: without end."""
Description = Annotated[str, length(0, 255)]


class PolicyRow(Row):
    __table__ = tables.policies
    __noun__ = "policy"
    __collection__ = "policies"
    __filters__ = ("type",)

    type: str
    blob: str
    extra: Extra


class PolicyCreate(OpenBody):
    __wrap__ = "policy"

    type: Annotated[str, length(1, 255)]
    blob: str


class PolicyUpdate(OpenBody):
    __wrap__ = "policy"

    type: Annotated[str, length(1, 255)] | Unset = UNSET
    blob: str | Unset = UNSET


class AssociationRow(Row):
    """A policy of an endpoint, of a service, or of a service in a region."""

    __table__ = tables.policy_associations
    __noun__ = "policy_association"
    __collection__ = "policies"

    policy_id: str
    endpoint_id: str | None
    service_id: str | None
    region_id: str | None


class EndpointFilters(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    service_id: Id | Unset = UNSET
    region_id: RegionId | Unset | None = UNSET
    interface: Interface | Unset = UNSET
    enabled: bool | Unset = UNSET


class EndpointGroupRow(Row):
    __table__ = tables.endpoint_groups
    __noun__ = "endpoint_group"
    __collection__ = "OS-EP-FILTER/endpoint_groups"
    __filters__ = ("name",)

    name: str
    description: str | None
    filters: dict[str, Any]


class EndpointGroupCreate(Body):
    __wrap__ = "endpoint_group"

    name: Name
    filters: EndpointFilters
    description: str | None = None


class EndpointGroupUpdate(Body):
    __wrap__ = "endpoint_group"

    name: Name | Unset = UNSET
    filters: EndpointFilters | Unset | None = UNSET
    """None, as the openstack client writes it: they stay."""
    description: str | Unset | None = UNSET


class RegisteredLimitRow(Row):
    __table__ = tables.registered_limits
    __noun__ = "registered_limit"
    __collection__ = "registered_limits"
    __filters__ = ("service_id", "region_id", "resource_name")

    service_id: str
    region_id: str | None
    resource_name: str
    default_limit: int
    description: str | None


class RegisteredLimitWish(Body):
    service_id: Id
    resource_name: Name
    default_limit: Amount
    region_id: RegionId | None = None
    description: Description | None = None


class RegisteredLimitsCreate(Body):
    registered_limits: Annotated[list[RegisteredLimitWish], length(1, 1000)]


class RegisteredLimitUpdate(Body):
    __wrap__ = "registered_limit"

    service_id: Id | Unset = UNSET
    region_id: RegionId | Unset | None = UNSET
    resource_name: Name | Unset = UNSET
    default_limit: Amount | Unset = UNSET
    description: Description | Unset | None = UNSET


class LimitRow(Row):
    __table__ = tables.limits
    __noun__ = "limit"
    __collection__ = "limits"
    __filters__ = ("service_id", "region_id", "resource_name", "project_id", "domain_id")

    project_id: str | None
    domain_id: str | None
    service_id: str
    region_id: str | None
    resource_name: str
    resource_limit: int
    description: str | None


class LimitWish(Body):
    service_id: Id
    resource_name: Name
    resource_limit: Amount
    project_id: Id | None = None
    domain_id: Id | None = None
    region_id: RegionId | None = None
    description: Description | None = None


class LimitsCreate(Body):
    limits: Annotated[list[LimitWish], length(1, 1000)]


class LimitUpdate(Body):
    __wrap__ = "limit"

    resource_limit: Amount | Unset = UNSET
    description: Description | Unset | None = UNSET
