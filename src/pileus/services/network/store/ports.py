"""Statements on ports."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from pileus.core.db import Tx, among
from pileus.services.network.tables import (
    fixed_ips,
    floating_ips,
    networks,
    port_security_groups,
    ports,
    security_groups,
    subnets,
)
from pileus.services.network.types.rows import FloatingIpRow, PortRow, SecurityGroupRow


def seen_by(project_id: str | None) -> sa.ColumnElement[bool]:
    """Ports of the project and those on its networks."""
    owned = sa.select(networks.c.id).where(networks.c.project_id == project_id)
    return (ports.c.project_id == project_id) | ports.c.network_id.in_(owned)


def of_network(tx: Tx, network_id: str) -> list[PortRow]:
    return tx.rows(PortRow, sa.select(ports).where(ports.c.network_id == network_id))


def hosts_of_network(tx: Tx, network_id: str) -> list[str]:
    """Where guests have ports on it."""
    mine = (ports.c.network_id == network_id) & (ports.c.binding_host != "")
    return tx.scalars(sa.select(ports.c.binding_host).where(mine).distinct())


def hosts_of_group(tx: Tx, group_id: str) -> list[str]:
    """Where guests have ports with the security group."""
    statement = (
        sa.select(ports.c.binding_host)
        .join(port_security_groups, port_security_groups.c.port_id == ports.c.id)
        .where(port_security_groups.c.security_group_id == group_id, ports.c.binding_host != "")
    )
    return tx.scalars(statement.distinct())


_OF_DEVICES = sa.select(ports).where(among(ports.c.device_id)).order_by(ports.c.created_at, ports.c.id)


def of_devices(tx: Tx, device_ids: Sequence[str]) -> list[PortRow]:
    if not device_ids:
        return []
    return tx.rows(PortRow, _OF_DEVICES, {"ids": device_ids})


_ADDRESSED = (
    sa.select(ports, fixed_ips.c.subnet_id, fixed_ips.c.ip_address)
    .outerjoin(fixed_ips, fixed_ips.c.port_id == ports.c.id)
    .where(among(ports.c.device_id))
    .order_by(ports.c.created_at, ports.c.id, fixed_ips.c.packed)
)
_WIDTH = len(ports.c)


def addressed_of_devices(tx: Tx, device_ids: Sequence[str]) -> list[tuple[PortRow, list[tuple[str, str]]]]:
    """Ports with (subnet id, address) of each of their fixed IPs, IPv4 first."""
    found: dict[str, tuple[PortRow, list[tuple[str, str]]]] = {}
    for row in tx.tuples(_ADDRESSED, {"ids": device_ids}) if device_ids else ():
        if row[0] not in found:
            found[row[0]] = (PortRow(*row[:_WIDTH]), [])
        subnet_id, address = row[_WIDTH:]
        if subnet_id is not None:
            found[row[0]][1].append((subnet_id, address))
    return list(found.values())


def on_subnet(tx: Tx, subnet_id: str, owner: str) -> list[PortRow]:
    """Ports of a device owner that have an address of a subnet."""
    statement = (
        sa.select(ports)
        .join(fixed_ips, fixed_ips.c.port_id == ports.c.id)
        .where(fixed_ips.c.subnet_id == subnet_id, ports.c.device_owner == owner)
    )
    return tx.rows(PortRow, statement)


def metadata_port(tx: Tx, network_id: str) -> PortRow | None:
    mine = (ports.c.network_id == network_id) & (ports.c.device_owner == "network:distributed")
    return tx.row(PortRow, sa.select(ports).where(mine).limit(1))


_METADATA = (
    sa.select(ports.c.network_id, ports.c.id, ports.c.mac_address, fixed_ips.c.ip_address, subnets.c.cidr)
    .outerjoin(fixed_ips, fixed_ips.c.port_id == ports.c.id)
    .outerjoin(subnets, subnets.c.id == fixed_ips.c.subnet_id)
    .where(among(ports.c.network_id), ports.c.device_owner == "network:distributed")
    .order_by(ports.c.id, fixed_ips.c.packed)
)


def metadata_ports(tx: Tx, network_ids: Collection[str]) -> dict[tuple[str, str, str], list[tuple[str, str]]]:
    """(network id, port id, MAC) -> (address, CIDR of its subnet) of each of its addresses."""
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for network_id, port_id, mac, address, cidr in tx.tuples(_METADATA, {"ids": network_ids}) if network_ids else ():
        held = found.setdefault((network_id, port_id, mac), [])
        if address is not None:
            held.append((address, cidr))
    return found


_GROUP_IDS = (
    sa.select(port_security_groups)
    .where(among(port_security_groups.c.port_id))
    .order_by(port_security_groups.c.security_group_id)
)


_GROUPS = (
    sa.select(port_security_groups.c.port_id, security_groups)
    .join(security_groups, security_groups.c.id == port_security_groups.c.security_group_id)
    .where(among(port_security_groups.c.port_id))
    .order_by(security_groups.c.id)
)


def groups(tx: Tx, port_ids: Sequence[str]) -> dict[str, list[SecurityGroupRow]]:
    """Each port's security groups."""
    found: dict[str, list[SecurityGroupRow]] = {port_id: [] for port_id in port_ids}
    for port_id, *group in tx.tuples(_GROUPS, {"ids": port_ids}) if port_ids else ():
        found[port_id].append(SecurityGroupRow(*group))
    return found


def group_ids(tx: Tx, port_ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {port_id: [] for port_id in port_ids}
    if port_ids:
        for port_id, group_id in tx.execute(_GROUP_IDS, {"ids": port_ids}):
            found[port_id].append(group_id)
    return found


def set_groups(tx: Tx, port_id: str, groups: Sequence[str]) -> None:
    tx.delete(port_security_groups, port_security_groups.c.port_id == port_id)
    add_groups(tx, port_id, groups)


def add_groups(tx: Tx, port_id: str, groups: Sequence[str]) -> None:
    """To a port that has none of them."""
    tx.insert_all(
        port_security_groups, [{"port_id": port_id, "security_group_id": group} for group in dict.fromkeys(groups)]
    )


_FLOATING_IPS = (
    sa.select(floating_ips).where(among(floating_ips.c.port_id)).order_by(floating_ips.c.created_at, floating_ips.c.id)
)


def floating_ips_of(tx: Tx, port_ids: Sequence[str]) -> list[FloatingIpRow]:
    if not port_ids:
        return []
    return tx.rows(FloatingIpRow, _FLOATING_IPS, {"ids": port_ids})


def floating_ip_at(tx: Tx, project_id: str, address: str) -> FloatingIpRow | None:
    mine = (floating_ips.c.project_id == project_id) & (floating_ips.c.floating_ip_address == address)
    return tx.row(FloatingIpRow, sa.select(floating_ips).where(mine).order_by(floating_ips.c.created_at).limit(1))


def free_floating_ips(tx: Tx, port_id: str) -> list[str]:
    """Take a port's floating IPs from it; their ids."""
    mine = floating_ips.c.port_id == port_id
    found = tx.scalars(sa.select(floating_ips.c.id).where(mine))
    values = {
        "port_id": None,
        "fixed_ip_address": None,
        "router_id": None,
        "status": "DOWN",
        "updated_at": tx.now,
        "revision_number": floating_ips.c.revision_number + 1,
    }
    if found:
        tx.update(floating_ips, mine, values)
    return found
