"""Bodies and replies of routers and floating IPs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pileus.core.body import UNSET, Body, Reply, Unset
from pileus.services.network.types.common import Given, Name, Shown, Update, Uuid, Wish
from pileus.services.network.types.ports import FixedIpWish
from pileus.services.network.types.rows import RouteEntry

Routes = Annotated[list[RouteEntry], msgspec.Meta(max_length=1000)]


class GatewayWish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    network_id: Uuid | Unset = UNSET
    enable_snat: bool | Unset = UNSET
    external_fixed_ips: list[FixedIpWish] | Unset | None = UNSET


class RouterCreate(Wish, kw_only=True):
    name: Name = ""
    admin_state_up: bool = True
    external_gateway_info: GatewayWish | Unset | None = UNSET
    availability_zone_hints: list[str] | Unset = UNSET


class RouterUpdate(Update, kw_only=True):
    __wrap__ = "router"
    name: Name | Unset = UNSET
    admin_state_up: bool | Unset = UNSET
    external_gateway_info: GatewayWish | Unset | None = UNSET
    routes: Routes | Unset | None = UNSET


class RouterBody(Body):
    router: RouterCreate | Unset = UNSET
    routers: list[RouterCreate] | Unset = UNSET


class RoutesBody(Body):
    __wrap__ = "router"
    routes: Routes


class Router(Shown, kw_only=True):
    __wrap__ = "router"
    name: str
    admin_state_up: bool
    status: str
    external_gateway_info: dict[str, Any] | None
    routes: list[RouteEntry]
    availability_zones: list[str]
    availability_zone_hints: list[str]
    tags: list[str]


class InterfaceBody(Body):
    """By the subnet, by the port, or by both where they belong together."""

    subnet_id: Uuid | Unset = UNSET
    port_id: Uuid | Unset = UNSET


class Interface(Reply, kw_only=True):
    id: str
    """The router's."""
    project_id: str
    tenant_id: str
    network_id: str
    port_id: str
    subnet_id: str
    subnet_ids: list[str]
    tags: list[str]


class FloatingIpCreate(Wish, kw_only=True):
    floating_network_id: Uuid
    floating_ip_address: Annotated[str, msgspec.Meta(max_length=64)] | Unset | None = UNSET
    subnet_id: Uuid | Unset | None = UNSET
    port_id: Uuid | Unset | None = UNSET
    fixed_ip_address: Annotated[str, msgspec.Meta(max_length=64)] | Unset | None = UNSET
    dns_name: Name | Unset = UNSET
    dns_domain: Name | Unset = UNSET


class FloatingIpUpdate(Given, kw_only=True):
    __wrap__ = "floatingip"
    port_id: Uuid | Unset | None = UNSET
    fixed_ip_address: Annotated[str, msgspec.Meta(max_length=64)] | Unset | None = UNSET


class FloatingIpBody(Body):
    floatingip: FloatingIpCreate | Unset = UNSET
    floatingips: list[FloatingIpCreate] | Unset = UNSET


class FloatingIp(Shown, kw_only=True):
    __wrap__ = "floatingip"
    floating_network_id: str
    floating_ip_address: str
    port_id: str | None
    fixed_ip_address: str | None
    router_id: str | None
    status: str
    dns_name: str
    dns_domain: str
    port_details: dict[str, Any] | None
    tags: list[str]
