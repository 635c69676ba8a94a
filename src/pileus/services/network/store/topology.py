"""The whole network as OVN needs to know it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.network import tables as t
from pileus.services.network.ovn.topology import (
    ROUTER_OWNERS,
    AddressGroup,
    Chassis,
    FloatingIp,
    Network,
    Port,
    Router,
    Rule,
    SecurityGroup,
    Subnet,
    Topology,
)

S = TypeVar("S", bound=msgspec.Struct)


def read(tx: Tx, chassis: Sequence[Chassis]) -> Topology:
    """The whole topology, in ten statements whatever its size."""
    networks = {row.id: row for row in _all(tx, Network, t.networks)}
    routers = {row.id: row for row in _all(tx, Router, t.routers)}
    groups = {row.id: row for row in _all(tx, SecurityGroup, t.security_groups)}
    for subnet in _all(tx, Subnet, t.subnets):
        networks[subnet.network_id].subnets.append(subnet)
    for port in _ports(tx):
        networks[port.network_id].ports.append(port)
        if port.device_owner in ROUTER_OWNERS and port.device_id in routers:
            routers[port.device_id].ports.append(port)
    bound = t.floating_ips.c.router_id.is_not(None) & t.floating_ips.c.fixed_ip_address.is_not(None)
    for floating in _all(tx, FloatingIp, t.floating_ips, bound):
        routers[floating.router_id].floating_ips.append(floating)
    for rule in _all(tx, Rule, t.security_group_rules):
        groups[rule.security_group_id].rules.append(rule)
    address_groups = _all(tx, AddressGroup, t.address_groups)
    return Topology([*networks.values()], [*routers.values()], [*groups.values()], address_groups, [*chassis])


def _ports(tx: Tx) -> list[Port]:
    fixed = t.fixed_ips.c
    addresses = defaultdict(list)
    for port_id, subnet_id, address in tx.execute(
        sa.select(fixed.port_id, fixed.subnet_id, fixed.ip_address).order_by(fixed.packed)
    ):
        addresses[port_id].append((subnet_id, address))
    member = t.port_security_groups.c
    groups = defaultdict(list)
    for port_id, group_id in tx.execute(sa.select(member.port_id, member.security_group_id)):
        groups[port_id].append(group_id)
    ports = _all(tx, Port, t.ports)
    for port in ports:
        port.fixed_ips = addresses.get(port.id, [])
        port.security_groups = groups.get(port.id, [])
    return ports


def _all(tx: Tx, kind: type[S], table: sa.Table, where: sa.ColumnElement[bool] | None = None) -> list[S]:
    """Rows of a table with the columns that the struct names, in an order that stays."""
    columns = [table.c[name] for name in kind.__struct_fields__ if name in table.c]
    statement = sa.select(*columns).order_by(table.c.id)
    return tx.rows(kind, statement if where is None else statement.where(where))
