"""Statements on routers and floating IPs."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from pileus.core.db import Tx, matches
from pileus.services.network.tables import fixed_ips, floating_ips, ports, routers
from pileus.services.network.types.rows import FloatingIpRow, PortRow, RouterRow

INTERFACE = "network:router_interface"


def seen_by(project_id: str | None) -> sa.ColumnElement[bool]:
    return routers.c.project_id == project_id


def floating_ips_seen_by(project_id: str | None) -> sa.ColumnElement[bool]:
    return floating_ips.c.project_id == project_id


def interfaces(tx: Tx, router_id: str) -> list[PortRow]:
    mine = (ports.c.device_id == router_id) & (ports.c.device_owner == INTERFACE)
    return tx.rows(PortRow, sa.select(ports).where(mine).order_by(ports.c.created_at, ports.c.id))


def gateways(tx: Tx, port_ids: Sequence[str]) -> dict[str, PortRow]:
    if not port_ids:
        return {}
    return {row.id: row for row in tx.rows(PortRow, sa.select(ports).where(matches(ports.c.id, port_ids)))}


def router_between(tx: Tx, subnet_id: str, external_network_id: str) -> RouterRow | None:
    """A router with an interface on a subnet and its gateway on an external network."""
    gateway = ports.alias()
    statement = (
        sa.select(routers)
        .join(gateway, gateway.c.id == routers.c.gateway_port_id)
        .join(ports, (ports.c.device_id == routers.c.id) & (ports.c.device_owner == INTERFACE))
        .join(fixed_ips, fixed_ips.c.port_id == ports.c.id)
        .where(fixed_ips.c.subnet_id == subnet_id, gateway.c.network_id == external_network_id)
        .order_by(routers.c.created_at)
        .limit(1)
    )
    return tx.row(RouterRow, statement)


def floating_ips_on(tx: Tx, network_id: str) -> list[FloatingIpRow]:
    """Those of an external network."""
    return tx.rows(FloatingIpRow, sa.select(floating_ips).where(floating_ips.c.floating_network_id == network_id))


def floating_ips_by(tx: Tx, router_id: str) -> list[FloatingIpRow]:
    return tx.rows(FloatingIpRow, sa.select(floating_ips).where(floating_ips.c.router_id == router_id))


def floating_ips_to_subnet(tx: Tx, router_id: str, subnet_id: str) -> list[FloatingIpRow]:
    """Those that lead through a router to an address of a subnet."""
    statement = (
        sa.select(floating_ips)
        .join(
            fixed_ips,
            (fixed_ips.c.port_id == floating_ips.c.port_id)
            & (fixed_ips.c.ip_address == floating_ips.c.fixed_ip_address),
        )
        .where(floating_ips.c.router_id == router_id, fixed_ips.c.subnet_id == subnet_id)
    )
    return tx.rows(FloatingIpRow, statement)


def floating_ip_to(tx: Tx, network_id: str, port_id: str, fixed_ip_address: str) -> FloatingIpRow | None:
    mine = (
        (floating_ips.c.floating_network_id == network_id)
        & (floating_ips.c.port_id == port_id)
        & (floating_ips.c.fixed_ip_address == fixed_ip_address)
    )
    return tx.row(FloatingIpRow, sa.select(floating_ips).where(mine))
