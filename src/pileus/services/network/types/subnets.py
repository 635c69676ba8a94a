"""Bodies and replies of subnets."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pileus.core.body import UNSET, Body, Unset, rename
from pileus.services.network.types.common import Name, Shown, Update, Uuid, Wish
from pileus.services.network.types.rows import Pool, RouteEntry

AddressMode = Literal["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]
Address = Annotated[str, msgspec.Meta(max_length=64)]
DnsServers = Annotated[list[Address], msgspec.Meta(max_length=5)]
HostRoutes = Annotated[list[RouteEntry], msgspec.Meta(max_length=20)]


class SubnetCreate(Wish, kw_only=True):
    network_id: Uuid
    ip_version: Literal[4, 6]
    name: Name = ""
    cidr: Address | Unset | None = UNSET
    gateway_ip: Address | Unset | None = UNSET
    enable_dhcp: bool = True
    ipv6_ra_mode: AddressMode | Unset | None = UNSET
    ipv6_address_mode: AddressMode | Unset | None = UNSET
    allocation_pools: list[Pool] | Unset = UNSET
    dns_nameservers: DnsServers | Unset | None = UNSET
    host_routes: HostRoutes | Unset | None = UNSET
    service_types: list[str] | Unset = UNSET
    dns_publish_fixed_ip: bool = False
    subnetpool_id: str | Unset | None = UNSET
    use_default_subnetpool: bool = False
    prefixlen: Annotated[int, msgspec.Meta(ge=0, le=128)] | Unset | None = UNSET


class SubnetUpdate(Update, kw_only=True):
    __wrap__ = "subnet"
    name: Name | Unset = UNSET
    gateway_ip: Address | Unset | None = UNSET
    enable_dhcp: bool | Unset = UNSET
    allocation_pools: list[Pool] | Unset = UNSET
    dns_nameservers: DnsServers | Unset | None = UNSET
    host_routes: HostRoutes | Unset | None = UNSET
    service_types: list[str] | Unset = UNSET
    dns_publish_fixed_ip: bool | Unset = UNSET


class SubnetBody(Body):
    subnet: SubnetCreate | Unset = UNSET
    subnets: list[SubnetCreate] | Unset = UNSET


class Subnet(Shown, kw_only=True):
    __wrap__ = "subnet"
    network_id: str
    name: str
    ip_version: int
    cidr: str
    gateway_ip: str | None
    enable_dhcp: bool
    ipv6_ra_mode: str | None
    ipv6_address_mode: str | None
    allocation_pools: list[Pool]
    dns_nameservers: list[str]
    host_routes: list[RouteEntry]
    service_types: list[str]
    dns_publish_fixed_ip: bool
    subnetpool_id: str | None
    router_external: bool = rename(name="router:external")
    tags: list[str]
