"""The rows of all nouns: a struct's fields are its table's columns, in their order."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

import msgspec


class Pool(TypedDict):
    """Both ends belong to it."""

    start: str
    end: str


class RouteEntry(TypedDict):
    destination: str
    nexthop: str


class AddressPair(TypedDict):
    ip_address: str
    mac_address: str


class DhcpOption(TypedDict):
    opt_name: str
    opt_value: str
    ip_version: int


class NetworkRow(msgspec.Struct):
    id: str
    project_id: str
    name: str
    admin_state_up: bool
    external: bool
    is_default: bool
    mtu: int
    port_security_enabled: bool
    dns_domain: str
    availability_zone_hints: list[str]
    network_type: str
    physical_network: str
    segmentation_id: int | None
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


class SubnetRow(msgspec.Struct):
    id: str
    project_id: str
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
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


class PortRow(msgspec.Struct):
    id: str
    project_id: str
    network_id: str
    name: str
    mac_address: str
    admin_state_up: bool
    status: str
    device_id: str
    device_owner: str
    port_security_enabled: bool
    binding_host: str
    binding_profile: dict[str, Any]
    vnic_type: str
    allowed_address_pairs: list[AddressPair]
    extra_dhcp_opts: list[DhcpOption]
    dns_name: str
    dns_domain: str
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


class FixedIpRow(msgspec.Struct):
    subnet_id: str
    packed: str
    ip_address: str
    port_id: str


class SecurityGroupRow(msgspec.Struct):
    id: str
    project_id: str
    name: str
    stateful: bool
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


class SecurityGroupRuleRow(msgspec.Struct):
    id: str
    project_id: str
    security_group_id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    remote_address_group_id: str | None
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


class AddressGroupRow(msgspec.Struct):
    id: str
    project_id: str
    name: str
    addresses: list[str]
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


class AddressScopeRow(msgspec.Struct):
    id: str
    project_id: str
    name: str
    ip_version: int
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


class SubnetpoolRow(msgspec.Struct):
    id: str
    project_id: str
    name: str
    ip_version: int
    prefixes: list[str]
    default_prefixlen: int
    min_prefixlen: int
    max_prefixlen: int
    default_quota: int | None
    is_default: bool
    address_scope_id: str | None
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


class RouterRow(msgspec.Struct):
    id: str
    project_id: str
    name: str
    admin_state_up: bool
    status: str
    enable_snat: bool
    gateway_port_id: str | None
    routes: list[RouteEntry]
    availability_zone_hints: list[str]
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


class FloatingIpRow(msgspec.Struct):
    id: str
    project_id: str
    floating_network_id: str
    floating_ip_address: str
    floating_port_id: str
    port_id: str | None
    fixed_ip_address: str | None
    router_id: str | None
    status: str
    dns_name: str
    dns_domain: str
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


class RbacPolicyRow(msgspec.Struct):
    id: str
    project_id: str
    object_type: str
    object_id: str
    target_project: str
    action: str


class ChassisRow(msgspec.Struct):
    id: str
    host: str
    address: str
    version: str
    started_at: datetime
    seen_at: datetime
    mtu: int | None
