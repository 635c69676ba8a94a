"""Bodies and replies of networks."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from pileus.core.body import UNSET, Body, Unset, rename
from pileus.services.network.types.common import Name, Shown, Update, Wish

Mtu = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Segmentation = Annotated[int, msgspec.Meta(ge=0, le=16777215)]


class NetworkCreate(Wish, kw_only=True):
    __defaults__ = {"shared": False, "router_external": False, "is_default": False, "mtu": 0}
    name: Name = ""
    admin_state_up: bool = True
    shared: bool | Unset = UNSET
    router_external: bool | Unset = rename(name="router:external", default=UNSET)
    is_default: bool | Unset = UNSET
    mtu: Mtu | Unset = UNSET
    port_security_enabled: bool | Unset = UNSET
    dns_domain: Name | Unset = UNSET
    availability_zone_hints: list[str] | Unset = UNSET
    provider_network_type: Annotated[str, msgspec.Meta(max_length=32)] | Unset = rename(
        name="provider:network_type", default=UNSET
    )
    provider_physical_network: Annotated[str, msgspec.Meta(max_length=64)] | Unset | None = rename(
        name="provider:physical_network", default=UNSET
    )
    provider_segmentation_id: Segmentation | Unset | None = rename(name="provider:segmentation_id", default=UNSET)


class NetworkUpdate(Update, kw_only=True):
    __wrap__ = "network"
    name: Name | Unset = UNSET
    admin_state_up: bool | Unset = UNSET
    shared: bool | Unset = UNSET
    router_external: bool | Unset = rename(name="router:external", default=UNSET)
    is_default: bool | Unset = UNSET
    mtu: Mtu | Unset = UNSET
    port_security_enabled: bool | Unset = UNSET
    dns_domain: Name | Unset = UNSET


class NetworkBody(Body):
    network: NetworkCreate | Unset = UNSET
    networks: list[NetworkCreate] | Unset = UNSET


class Network(Shown, kw_only=True):
    __wrap__: ClassVar[str | None] = "network"
    name: str
    admin_state_up: bool
    status: str
    subnets: list[str]
    shared: bool
    router_external: bool = rename(name="router:external")
    is_default: bool
    mtu: int
    port_security_enabled: bool
    dns_domain: str
    availability_zones: list[str]
    availability_zone_hints: list[str]
    ipv4_address_scope: str | None
    ipv6_address_scope: str | None
    provider_network_type: str = rename(name="provider:network_type")
    provider_physical_network: str | None = rename(name="provider:physical_network")
    provider_segmentation_id: int | None = rename(name="provider:segmentation_id")
    tags: list[str]
