"""Tables of the network service, nothing else."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pileus.core.db import Id, Json, Time, metadata

Name = sa.String(255)
Address = sa.String(64)


def _standard() -> list[sa.Column[Any]]:
    """What every noun has, at the end of its table."""
    return [
        sa.Column("description", sa.String(1024), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("updated_at", Time, nullable=False),
        sa.Column("revision_number", sa.Integer, nullable=False),
    ]


def _reference(name: str, column: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Id, sa.ForeignKey(column), nullable=nullable, index=True)


address_scopes = sa.Table(
    "network_address_scope",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    sa.Column("name", Name, nullable=False),
    sa.Column("ip_version", sa.Integer, nullable=False),
    *_standard(),
)

subnetpools = sa.Table(
    "network_subnetpool",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    sa.Column("name", Name, nullable=False),
    sa.Column("ip_version", sa.Integer, nullable=False),
    sa.Column("prefixes", Json, nullable=False),
    sa.Column("default_prefixlen", sa.Integer, nullable=False),
    sa.Column("min_prefixlen", sa.Integer, nullable=False),
    sa.Column("max_prefixlen", sa.Integer, nullable=False),
    sa.Column("default_quota", sa.Integer),
    sa.Column("is_default", sa.Boolean, nullable=False),
    _reference("address_scope_id", "network_address_scope.id", nullable=True),
    *_standard(),
)

networks = sa.Table(
    "network_network",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    sa.Column("name", Name, nullable=False),
    sa.Column("admin_state_up", sa.Boolean, nullable=False),
    sa.Column("external", sa.Boolean, nullable=False),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("mtu", sa.Integer, nullable=False),
    sa.Column("port_security_enabled", sa.Boolean, nullable=False),
    sa.Column("dns_domain", Name, nullable=False),
    sa.Column("availability_zone_hints", Json, nullable=False),
    # geneve, flat, vlan or local; the physical network is "" where there is none, so that the constraint holds
    sa.Column("network_type", sa.String(32), nullable=False),
    sa.Column("physical_network", sa.String(64), nullable=False),
    sa.Column("segmentation_id", sa.Integer),
    *_standard(),
    sa.UniqueConstraint("network_type", "physical_network", "segmentation_id"),
)

subnets = sa.Table(
    "network_subnet",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    _reference("network_id", "network_network.id"),
    sa.Column("name", Name, nullable=False),
    sa.Column("ip_version", sa.Integer, nullable=False),
    sa.Column("cidr", Address, nullable=False),
    sa.Column("gateway_ip", Address),
    sa.Column("enable_dhcp", sa.Boolean, nullable=False),
    sa.Column("ipv6_ra_mode", sa.String(32)),
    sa.Column("ipv6_address_mode", sa.String(32)),
    sa.Column("allocation_pools", Json, nullable=False),  # [{"start": address, "end": address}], sorted
    sa.Column("dns_nameservers", Json, nullable=False),  # [address], in the order they were given
    sa.Column("host_routes", Json, nullable=False),  # [{"destination": cidr, "nexthop": address}]
    sa.Column("service_types", Json, nullable=False),
    sa.Column("dns_publish_fixed_ip", sa.Boolean, nullable=False),
    _reference("subnetpool_id", "network_subnetpool.id", nullable=True),
    *_standard(),
)

ports = sa.Table(
    "network_port",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    _reference("network_id", "network_network.id"),
    sa.Column("name", Name, nullable=False),
    sa.Column("mac_address", sa.String(17), nullable=False),
    sa.Column("admin_state_up", sa.Boolean, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("device_id", Name, nullable=False, index=True),
    sa.Column("device_owner", Name, nullable=False, index=True),
    sa.Column("port_security_enabled", sa.Boolean, nullable=False),
    sa.Column("binding_host", Name, nullable=False, index=True),
    sa.Column("binding_profile", Json, nullable=False),
    sa.Column("vnic_type", sa.String(64), nullable=False),
    sa.Column("allowed_address_pairs", Json, nullable=False),  # [{"ip_address": address or cidr, "mac_address": mac}]
    sa.Column("extra_dhcp_opts", Json, nullable=False),  # [{"opt_name", "opt_value", "ip_version"}]
    sa.Column("dns_name", Name, nullable=False),
    sa.Column("dns_domain", Name, nullable=False),
    *_standard(),
    sa.UniqueConstraint("network_id", "mac_address"),
)

fixed_ips = sa.Table(
    "network_fixed_ip",
    metadata,
    sa.Column("subnet_id", Id, sa.ForeignKey("network_subnet.id"), primary_key=True),
    sa.Column("packed", sa.String(32), primary_key=True),  # 32 hex digits: sorts as addresses do
    sa.Column("ip_address", Address, nullable=False, index=True),
    _reference("port_id", "network_port.id"),
)

address_groups = sa.Table(
    "network_address_group",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    sa.Column("name", Name, nullable=False),
    sa.Column("addresses", Json, nullable=False),  # [cidr]
    *_standard(),
)

security_groups = sa.Table(
    "network_security_group",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    sa.Column("name", Name, nullable=False),
    sa.Column("stateful", sa.Boolean, nullable=False),
    *_standard(),
)

default_security_groups = sa.Table(
    "network_default_security_group",
    metadata,
    sa.Column("project_id", Id, primary_key=True),
    _reference("security_group_id", "network_security_group.id"),
)

security_group_rules = sa.Table(
    "network_security_group_rule",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    _reference("security_group_id", "network_security_group.id"),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("ethertype", sa.String(8), nullable=False),
    sa.Column("protocol", sa.String(40)),  # as it was given: a name or a number; None is any
    sa.Column("port_range_min", sa.Integer),  # the ICMP type where the protocol is ICMP
    sa.Column("port_range_max", sa.Integer),  # the ICMP code
    sa.Column("remote_ip_prefix", Address),
    _reference("remote_group_id", "network_security_group.id", nullable=True),
    _reference("remote_address_group_id", "network_address_group.id", nullable=True),
    *_standard(),
)

port_security_groups = sa.Table(
    "network_port_security_group",
    metadata,
    sa.Column("port_id", Id, sa.ForeignKey("network_port.id"), primary_key=True),
    sa.Column("security_group_id", Id, sa.ForeignKey("network_security_group.id"), primary_key=True, index=True),
)

routers = sa.Table(
    "network_router",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    sa.Column("name", Name, nullable=False),
    sa.Column("admin_state_up", sa.Boolean, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("enable_snat", sa.Boolean, nullable=False),
    # of device_owner network:router_gateway; its fixed IPs are the gateway's. The router's interfaces are the ports
    # with device_owner network:router_interface and the router's id as device_id.
    _reference("gateway_port_id", "network_port.id", nullable=True),
    sa.Column("routes", Json, nullable=False),  # [{"destination": cidr, "nexthop": address}]
    sa.Column("availability_zone_hints", Json, nullable=False),
    *_standard(),
)

floating_ips = sa.Table(
    "network_floating_ip",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    _reference("floating_network_id", "network_network.id"),
    sa.Column("floating_ip_address", Address, nullable=False),
    # of device_owner network:floatingip: it holds the address on the external network
    _reference("floating_port_id", "network_port.id"),
    _reference("port_id", "network_port.id", nullable=True),
    sa.Column("fixed_ip_address", Address),
    _reference("router_id", "network_router.id", nullable=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("dns_name", Name, nullable=False),
    sa.Column("dns_domain", Name, nullable=False),
    *_standard(),
    sa.UniqueConstraint("floating_network_id", "port_id", "fixed_ip_address"),
)

rbac_policies = sa.Table(
    "network_rbac_policy",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    sa.Column("object_type", sa.String(32), nullable=False),
    sa.Column("object_id", Id, nullable=False),
    sa.Column("target_project", Id, nullable=False),  # "*": every project
    sa.Column("action", sa.String(32), nullable=False),  # access_as_shared or access_as_external
    sa.UniqueConstraint("object_id", "target_project", "action"),
)

quotas = sa.Table(
    "network_quota",
    metadata,
    sa.Column("project_id", Id, primary_key=True),
    sa.Column("resource", sa.String(64), primary_key=True),
    sa.Column("limit", sa.Integer, nullable=False),  # -1: none
)

tags = sa.Table(
    "network_tag",
    metadata,
    sa.Column("resource_id", Id, primary_key=True),
    sa.Column("tag", Name, primary_key=True, index=True),
)

chassis = sa.Table(
    "network_chassis",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("host", Name, nullable=False, unique=True),
    sa.Column("address", Address, nullable=False),
    sa.Column("version", Name, nullable=False),
    sa.Column("started_at", Time, nullable=False),
    sa.Column("seen_at", Time, nullable=False),
    sa.Column("mtu", sa.Integer),  # of its underlay; none where the host has no tunnels
)
