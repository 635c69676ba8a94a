"""Networks and floating IPs, for clients that ask compute for them: until 2.35."""

from __future__ import annotations

from typing import Any

from pileus.core.body import Body
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.services.compute.rules import network_proxy as rules
from pileus.services.compute.service import api
from pileus.services.network.rules import NetworkRow, floating_ips, listing
from pileus.services.network.types.rows import FloatingIpRow

LAST = "2.35"
UNKNOWN = [
    "bridge",
    "bridge_interface",
    "broadcast",
    "cidr",
    "cidr_v6",
    "created_at",
    "deleted",
    "deleted_at",
    "dhcp_server",
    "dhcp_start",
    "dns1",
    "dns2",
    "enable_dhcp",
    "gateway",
    "gateway_v6",
    "host",
    "injected",
    "mtu",
    "multi_host",
    "netmask",
    "netmask_v6",
    "priority",
    "rxtx_base",
    "share_address",
    "updated_at",
    "vlan",
    "vpn_private_address",
    "vpn_public_address",
    "vpn_public_port",
]
"""Attributes of the networks that compute once had of its own."""
ADDRESSES = "os_compute_api:os-floating-ips"


class PoolWish(Body):
    pool: str | None = None


def network(row: NetworkRow) -> dict[str, Any]:
    return dict.fromkeys(UNKNOWN) | {"id": row.id, "label": row.name, "project_id": row.project_id}


def tenant_network(row: NetworkRow) -> dict[str, Any]:
    return {"id": row.id, "label": row.name, "cidr": None}


@api.get("/os-networks", until=LAST, policy="os_compute_api:os-networks:list")
def list_networks(tx: Tx, caller: Caller) -> dict[str, Any]:
    return {"networks": [network(row) for row in listing.list_networks(tx, caller)]}


@api.get("/os-networks/{network_id}", until=LAST, policy="os_compute_api:os-networks:show")
def show_network(tx: Tx, caller: Caller, network_id: str) -> dict[str, Any]:
    return {"network": network(rules.network(tx, caller, network_id))}


@api.get("/os-tenant-networks", until=LAST, policy="os_compute_api:os-tenant-networks:list")
def list_tenant_networks(tx: Tx, caller: Caller) -> dict[str, Any]:
    return {"networks": [tenant_network(row) for row in listing.list_networks(tx, caller)]}


@api.get("/os-tenant-networks/{network_id}", until=LAST, policy="os_compute_api:os-tenant-networks:show")
def show_tenant_network(tx: Tx, caller: Caller, network_id: str) -> dict[str, Any]:
    return {"network": tenant_network(rules.network(tx, caller, network_id))}


@api.get("/os-floating-ip-pools", until=LAST, policy="os_compute_api:os-floating-ip-pools")
def list_pools(tx: Tx, caller: Caller) -> dict[str, Any]:
    return {"floating_ip_pools": [{"name": row.name} for row in rules.external_networks(tx, caller)]}


def floating_ip(tx: Tx, caller: Caller, row: FloatingIpRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "ip": row.floating_ip_address,
        "pool": rules.network(tx, caller, row.floating_network_id).name,
        "fixed_ip": row.fixed_ip_address,
        "instance_id": rules.server_of(tx, row),
    }


@api.get("/os-floating-ips", until=LAST, policy=f"{ADDRESSES}:list")
def list_floating_ips(tx: Tx, caller: Caller) -> dict[str, Any]:
    rows = listing.list_floating_ips(tx, caller, caller.project_id)
    return {"floating_ips": [floating_ip(tx, caller, row) for row in rows]}


@api.post("/os-floating-ips", until=LAST, policy=f"{ADDRESSES}:create")
def create_floating_ip(tx: Tx, caller: Caller, body: PoolWish | None) -> dict[str, Any]:
    row = rules.create_floating_ip(tx, caller, body.pool if body else None)
    return {"floating_ip": floating_ip(tx, caller, row)}


@api.get("/os-floating-ips/{address_id}", until=LAST, policy=f"{ADDRESSES}:show")
def show_floating_ip(tx: Tx, caller: Caller, address_id: str) -> dict[str, Any]:
    return {"floating_ip": floating_ip(tx, caller, floating_ips.visible_floating_ip(tx, caller, address_id))}


@api.delete("/os-floating-ips/{address_id}", until=LAST, policy=f"{ADDRESSES}:delete", success=202)
def delete_floating_ip(tx: Tx, caller: Caller, address_id: str) -> None:
    floating_ips.delete_floating_ip(tx, floating_ips.visible_floating_ip(tx, caller, address_id))
