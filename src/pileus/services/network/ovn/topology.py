"""The network as the rows say it, without what does not matter to OVN."""

from __future__ import annotations

from typing import Any

import msgspec

ROUTER_OWNERS = ("network:router_interface", "network:router_gateway")
METADATA_OWNER = "network:distributed"
HOST_OWNERS = (METADATA_OWNER, "network:dhcp")
"""Ports that every host has."""


class Subnet(msgspec.Struct):
    id: str
    network_id: str
    ip_version: int
    cidr: str
    gateway_ip: str | None
    enable_dhcp: bool
    ipv6_ra_mode: str | None
    ipv6_address_mode: str | None
    dns_nameservers: list[str]
    host_routes: list[dict[str, str]]


class Port(msgspec.Struct):
    id: str
    network_id: str
    mac_address: str
    admin_state_up: bool
    device_id: str
    device_owner: str
    port_security_enabled: bool
    binding_host: str
    allowed_address_pairs: list[dict[str, str]]
    extra_dhcp_opts: list[dict[str, Any]]
    dns_name: str
    fixed_ips: list[tuple[str, str]] = []
    """(subnet id, address)"""
    security_groups: list[str] = []

    def addresses(self) -> list[str]:
        return [address for _, address in self.fixed_ips]

    def is_guest(self) -> bool:
        """Not the cloud's own: what it sends is not trusted."""
        return not self.device_owner.startswith("network:")


class Network(msgspec.Struct):
    id: str
    admin_state_up: bool
    mtu: int
    dns_domain: str
    physical_network: str
    segmentation_id: int | None
    subnets: list[Subnet] = []
    ports: list[Port] = []

    def metadata_port(self) -> Port | None:
        """Where each host serves metadata, and who DHCP answers come from."""
        found = (port for port in self.ports if port.device_owner == METADATA_OWNER)
        return min(found, key=lambda port: port.id, default=None)


class FloatingIp(msgspec.Struct):
    id: str
    floating_ip_address: str
    fixed_ip_address: str
    router_id: str


class Router(msgspec.Struct):
    id: str
    admin_state_up: bool
    enable_snat: bool
    gateway_port_id: str | None
    routes: list[dict[str, str]]
    ports: list[Port] = []
    """Interfaces and gateway."""
    floating_ips: list[FloatingIp] = []


class Rule(msgspec.Struct):
    id: str
    security_group_id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    remote_address_group_id: str | None


class SecurityGroup(msgspec.Struct):
    id: str
    stateful: bool
    rules: list[Rule] = []


class AddressGroup(msgspec.Struct):
    id: str
    addresses: list[str]


class Chassis(msgspec.Struct, frozen=True):
    """A host that OVN knows."""

    name: str
    hostname: str
    physical_networks: frozenset[str] = frozenset()
    """Those that it has a bridge for."""


class Topology(msgspec.Struct):
    networks: list[Network] = []
    routers: list[Router] = []
    security_groups: list[SecurityGroup] = []
    address_groups: list[AddressGroup] = []
    chassis: list[Chassis] = []

    def subnets(self) -> dict[str, Subnet]:
        return {subnet.id: subnet for network in self.networks for subnet in network.subnets}
