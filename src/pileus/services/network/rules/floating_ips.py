"""Floating IPs: addresses of an external network that lead through a router to a port.

The status is DOWN until the reconciler has it in place, and while it leads nowhere.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.services.network import addresses, tables
from pileus.services.network.rules import access, networks, ports, quotas
from pileus.services.network.store import addresses as address_store
from pileus.services.network.store import common, nouns
from pileus.services.network.store import routers as store
from pileus.services.network.store import subnets as subnet_store
from pileus.services.network.types.ports import FixedIpWish, PortWish
from pileus.services.network.types.routers import FloatingIpCreate, FloatingIpUpdate
from pileus.services.network.types.rows import FixedIpRow, FloatingIpRow, NetworkRow, PortRow

OWNER = "network:floatingip"


def visible_floating_ip(tx: Tx, caller: Caller, floatingip_id: str) -> FloatingIpRow:
    return access.visible(tx, caller, nouns.FLOATING_IPS, floatingip_id, "FloatingIP")


def create_floating_ip(tx: Tx, caller: Caller, wish: FloatingIpCreate) -> FloatingIpRow:
    """Raises BadRequest for a network that is not external, Conflict (OverQuota, address in use, none left)."""
    project_id = access.owner(caller, wish.project_id, wish.tenant_id)
    quotas.check(tx, project_id, "floatingip")
    network = networks.visible_network(tx, caller, wish.floating_network_id)
    if not network.external:
        raise BadRequest(
            f"Bad floatingip request: network {network.id} is not a valid external network.", code="BadRequest"
        )
    floating_id = new_id()
    port = ports.create_port(
        tx,
        caller,
        PortWish(
            network_id=network.id,
            project_id="",
            device_id=floating_id,
            device_owner=OWNER,
            fixed_ips=[_address_wish(tx, network, wish)],
        ),
    )
    row = FloatingIpRow(
        id=floating_id,
        project_id=project_id,
        floating_network_id=network.id,
        floating_ip_address=address_store.of_ports(tx, [port.id])[port.id][0].ip_address,
        floating_port_id=port.id,
        port_id=None,
        fixed_ip_address=None,
        router_id=None,
        status="DOWN",
        dns_name=wish.dns_name or "",
        dns_domain=wish.dns_domain or "",
        description=wish.description or "",
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=1,
    )
    tx.insert(tables.floating_ips, row)
    if wish.port_id or wish.fixed_ip_address:
        return associate(tx, caller, row, wish.port_id or None, wish.fixed_ip_address or None)
    tx.wake("network")
    return row


def update_floating_ip(tx: Tx, caller: Caller, floating: FloatingIpRow, body: FloatingIpUpdate) -> FloatingIpRow:
    if body.description is not UNSET:
        floating = common.change(tx, tables.floating_ips, floating, {"description": body.description or ""})
    if body.port_id is UNSET and body.fixed_ip_address is UNSET:
        return floating
    port_id = floating.port_id if body.port_id is UNSET else body.port_id or None
    assert port_id is None or isinstance(port_id, str)
    return associate(tx, caller, floating, port_id, body.fixed_ip_address or None)


def associate(
    tx: Tx, caller: Caller, floating: FloatingIpRow, port_id: str | None, fixed_ip_address: str | None
) -> FloatingIpRow:
    """Lead to an address of a port; to none where `port_id` is None.

    Raises NotFound (PortNotFound; ExternalGatewayForFloatingIPNotFound where no router leads from the external network to
    the port), BadRequest where the port's address is not clear, Conflict where another one leads there.
    """
    _wake_host(tx, floating.port_id)
    if port_id is None:
        if fixed_ip_address:
            raise BadRequest(
                f"Bad floatingip request: fixed_ip_address {fixed_ip_address} needs a port_id.", code="BadRequest"
            )
        nowhere = {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
        return common.change(tx, tables.floating_ips, floating, nowhere)
    port = ports.visible_port(tx, caller, port_id)
    if port.project_id != floating.project_id and not access.sees_all(caller):
        raise BadRequest(
            f"Bad floatingip request: port {port.id} and floating IP {floating.id} are of different projects.",
            code="BadRequest",
        )
    fixed = _fixed_ip(tx, port, fixed_ip_address)
    values = _way_to(tx, floating, port, fixed)
    _wake_host(tx, port.id)
    return common.change(
        tx, tables.floating_ips, floating, values, conflict=f"Port {port.id} has a floating IP for {fixed.ip_address}."
    )


def delete_floating_ip(tx: Tx, floating: FloatingIpRow) -> None:
    """With the address that it held."""
    _wake_host(tx, floating.port_id)
    common.remove(tx, tables.floating_ips, floating.id)
    port = common.find(tx, tables.ports, PortRow, floating.floating_port_id)
    if port is not None:
        ports.remove(tx, port)


def _address_wish(tx: Tx, network: NetworkRow, wish: FloatingIpCreate) -> FixedIpWish:
    """The address, the subnet, or the first subnet of IPv4 with an address left."""
    found = FixedIpWish()
    if isinstance(wish.floating_ip_address, str):
        at = addresses.address(wish.floating_ip_address, "floating_ip_address")
        if at.version != 4:
            raise BadRequest(f"Bad floatingip request: {at} is not an IPv4 address.", code="BadRequest")
        found.ip_address = str(at)
    subnets = [subnet for subnet in subnet_store.of_networks(tx, [network.id]) if subnet.ip_version == 4]
    if isinstance(wish.subnet_id, str):
        if wish.subnet_id not in {subnet.id for subnet in subnets}:
            raise BadRequest(
                f"Bad floatingip request: subnet {wish.subnet_id} is not an IPv4 subnet of external network {network.id}.",
                code="BadRequest",
            )
        found.subnet_id = wish.subnet_id
    if found != FixedIpWish():
        return found
    if not subnets:
        raise BadRequest(f"Network {network.id} does not contain any IPv4 subnet.", code="BadRequest")
    for subnet in subnets:
        for pool in addresses.ranges(subnet.allocation_pools):
            if address_store.next_of(tx, subnet.id, 4, pool) is not None:
                return FixedIpWish(subnet_id=subnet.id)
    return FixedIpWish(subnet_id=subnets[-1].id)


def _fixed_ip(tx: Tx, port: PortRow, wanted: str | None) -> FixedIpRow:
    held = [
        row
        for row in address_store.of_ports(tx, [port.id])[port.id]
        if ipaddress.ip_address(row.ip_address).version == 4
    ]
    if wanted is not None:
        at = str(addresses.address(wanted, "fixed_ip_address"))
        for row in held:
            if row.ip_address == at:
                return row
        raise BadRequest(f"Bad floatingip request: port {port.id} does not have fixed ip {at}.", code="BadRequest")
    if not held:
        raise BadRequest(
            f"Bad floatingip request: port {port.id} has no fixed IPv4 addresses, a floating IP needs one.",
            code="BadRequest",
        )
    if len(held) > 1:
        raise BadRequest(
            f"Bad floatingip request: port {port.id} has several fixed IPv4 addresses"
            f" ({', '.join(row.ip_address for row in held)}); name one in fixed_ip_address.",
            code="BadRequest",
        )
    return held[0]


def _way_to(tx: Tx, floating: FloatingIpRow, port: PortRow, fixed: FixedIpRow) -> dict[str, Any]:
    router = store.router_between(tx, fixed.subnet_id, floating.floating_network_id)
    if router is None:
        raise NotFound(
            f"External network {floating.floating_network_id} is not reachable from subnet {fixed.subnet_id}: no router"
            f" has both its gateway and an interface there. Therefore, cannot associate port {port.id} with a floating IP.",
            code="ExternalGatewayForFloatingIPNotFound",
        )
    other = store.floating_ip_to(tx, floating.floating_network_id, port.id, fixed.ip_address)
    if other is not None and other.id != floating.id:
        raise Conflict(
            f"Cannot associate floating IP {floating.floating_ip_address} with port {port.id} using fixed IP"
            f" {fixed.ip_address}, as that fixed IP already has floating IP {other.floating_ip_address}.",
            code="FloatingIPPortAlreadyAssociated",
        )
    return {
        "port_id": port.id,
        "fixed_ip_address": fixed.ip_address,
        "router_id": router.id,
        "status": "DOWN",
    }


def _wake_host(tx: Tx, port_id: str | None) -> None:
    port = common.find(tx, tables.ports, PortRow, port_id) if port_id else None
    ports.changed(tx, *([port] if port is not None else []))
