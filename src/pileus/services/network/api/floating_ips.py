"""Floating IPs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.network import tables
from pileus.services.network.api import frame
from pileus.services.network.rules import access
from pileus.services.network.rules import floating_ips as rules
from pileus.services.network.service import api
from pileus.services.network.store import common
from pileus.services.network.store.nouns import FLOATING_IPS
from pileus.services.network.types.common import standard
from pileus.services.network.types.routers import FloatingIp, FloatingIpBody, FloatingIpCreate, FloatingIpUpdate
from pileus.services.network.types.rows import FloatingIpRow, PortRow

_PORT_DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")


def view(tx: Tx, caller: Caller, rows: Sequence[FloatingIpRow]) -> list[FloatingIp]:
    tags = common.tags_of(tx, [row.id for row in rows])
    ports = common.rows_by_id(tx, tables.ports, PortRow, {row.port_id for row in rows if row.port_id})
    return [
        FloatingIp(
            **standard(row),
            floating_network_id=row.floating_network_id,
            floating_ip_address=row.floating_ip_address,
            port_id=row.port_id,
            fixed_ip_address=row.fixed_ip_address,
            router_id=row.router_id,
            status=row.status,
            dns_name=row.dns_name,
            dns_domain=row.dns_domain,
            port_details={name: getattr(ports[row.port_id], name) for name in _PORT_DETAILS} if row.port_id else None,
            tags=tags[row.id],
        )
        for row in rows
    ]


def target(tx: Tx, caller: Caller, wish: FloatingIpCreate) -> Mapping[str, Any]:
    return {"project_id": access.owner(caller, wish.project_id, wish.tenant_id)}


FLOATING_IP = frame.Noun("floatingip", "floatingips", FLOATING_IPS, view, target)
CREATE = frame.attribute_rules("create_floatingip", FloatingIpCreate, "floatingip")
PATH = "/floatingips/{floatingip_id}"


@api.get("/floatingips", policy="get_floatingip")
def list_floating_ips(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    return frame.listing(FLOATING_IP, tx, caller, request)


@api.post(
    "/floatingips",
    policy="create_floatingip",
    target=frame.creation_target(FLOATING_IP),
    policies=CREATE,
    success=201,
)
def create_floating_ips(tx: Tx, caller: Caller, request: Request, body: FloatingIpBody) -> dict[str, Any]:
    return frame.creating(
        FLOATING_IP, tx, caller, request, body, lambda wish: rules.create_floating_ip(tx, caller, wish)
    )


@api.get(PATH, policy="get_floatingip", load=rules.visible_floating_ip)
def show_floating_ip(tx: Tx, caller: Caller, request: Request, floating: FloatingIpRow) -> dict[str, Any]:
    return frame.showing(FLOATING_IP, tx, caller, request, floating)


@api.put(PATH, policy="update_floatingip", load=rules.visible_floating_ip)
def update_floating_ip(
    tx: Tx, caller: Caller, request: Request, floating: FloatingIpRow, body: FloatingIpUpdate
) -> dict[str, Any]:
    return frame.updating(
        FLOATING_IP, tx, caller, request, floating, lambda: rules.update_floating_ip(tx, caller, floating, body)
    )


@api.delete(PATH, policy="delete_floatingip", load=rules.visible_floating_ip)
def delete_floating_ip(tx: Tx, caller: Caller, request: Request, floating: FloatingIpRow) -> None:
    frame.deleting(FLOATING_IP, tx, caller, request, floating, lambda: rules.delete_floating_ip(tx, floating))
