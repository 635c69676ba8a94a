"""Router interfaces: ports of a router on the networks that it connects."""

from __future__ import annotations

import ipaddress

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.services.network import tables
from pileus.services.network.rules import allocation, ports, routers, subnets
from pileus.services.network.store import addresses as address_store
from pileus.services.network.store import common
from pileus.services.network.store import ports as port_store
from pileus.services.network.store import routers as store
from pileus.services.network.types.ports import FixedIpWish, PortWish
from pileus.services.network.types.routers import Interface, InterfaceBody
from pileus.services.network.types.rows import PortRow, RouterRow, SubnetRow

OWNER = store.INTERFACE


def add_interface(tx: Tx, caller: Caller, router: RouterRow, body: InterfaceBody) -> Interface:
    """By a subnet: a new port with the subnet's gateway address. By a port: that one.

    Raises NotFound, BadRequest (no gateway, overlap, no address), Conflict (the address or the port is in use).
    """
    if (body.subnet_id is UNSET) == (body.port_id is UNSET):
        raise BadRequest("Bad router request: give either subnet_id or port_id.", code="BadRequest")
    if isinstance(body.port_id, str):
        found = _add_port(tx, caller, router, body.port_id)
    else:
        assert isinstance(body.subnet_id, str)
        found = _add_subnet(tx, caller, router, body.subnet_id)
    common.touch(tx, tables.routers, router.id)
    tx.wake("network")
    return found


def remove_interface(tx: Tx, caller: Caller, router: RouterRow, body: InterfaceBody) -> Interface:
    """Raises NotFound where the router has none there, Conflict where floating IPs or routes need it."""
    if body.subnet_id is UNSET and body.port_id is UNSET:
        raise BadRequest("Bad router request: give subnet_id, port_id or both.", code="BadRequest")
    port, leaving = _held(tx, router, body)
    for subnet in leaving:
        _check_unused(tx, router, subnet)
    shown = _shown(tx, router, port, [subnet.id for subnet in leaving])
    held = address_store.of_ports(tx, [port.id])[port.id]
    if len(held) > len(leaving):
        for subnet in leaving:
            address_store.release(tx, port.id, subnet.id)
    else:
        ports.remove(tx, port)
    common.touch(tx, tables.routers, router.id)
    tx.wake("network")
    return shown


def _add_subnet(tx: Tx, caller: Caller, router: RouterRow, subnet_id: str) -> Interface:
    subnet = subnets.visible_subnet(tx, caller, subnet_id)
    if subnet.gateway_ip is None:
        raise BadRequest(
            f"Bad router request: subnet {subnet.id} has no gateway_ip, which would be the router's address there.",
            code="BadRequest",
        )
    routers.check_no_overlap(tx, router, [subnet])
    address = FixedIpWish(subnet_id=subnet.id, ip_address=subnet.gateway_ip)
    port = _ipv6_port(tx, router, subnet)
    if port is not None:
        allocation.take(tx, port, address)
    else:
        wish = PortWish(
            network_id=subnet.network_id,
            project_id=router.project_id,
            device_id=router.id,
            device_owner=OWNER,
            fixed_ips=[address],
        )
        port = ports.create_port(tx, caller, wish)
    return _shown(tx, router, port, [subnet.id])


def _ipv6_port(tx: Tx, router: RouterRow, subnet: SubnetRow) -> PortRow | None:
    """All IPv6 subnets of a network share one interface."""
    if subnet.ip_version != 6:
        return None
    for port in store.interfaces(tx, router.id):
        if port.network_id == subnet.network_id:
            held = address_store.of_ports(tx, [port.id])[port.id]
            if all(":" in row.ip_address for row in held):
                return port
    return None


def _add_port(tx: Tx, caller: Caller, router: RouterRow, port_id: str) -> Interface:
    port = ports.visible_port(tx, caller, port_id)
    if port.device_id:
        raise Conflict(
            f"Port {port.id} on network {port.network_id} is in use by device {port.device_id}.", code="PortInUse"
        )
    held = address_store.of_ports(tx, [port.id])[port.id]
    if not held:
        raise BadRequest(f"Bad router request: port {port.id} has no fixed IP.", code="BadRequest")
    if sum(ipaddress.ip_address(row.ip_address).version == 4 for row in held) > 1:
        raise BadRequest(
            f"Bad router request: port {port.id} has several IPv4 addresses; an interface has one.", code="BadRequest"
        )
    subnet_ids = list(dict.fromkeys(row.subnet_id for row in held))
    rows = common.rows_by_id(tx, tables.subnets, SubnetRow, subnet_ids)
    routers.check_no_overlap(tx, router, list(rows.values()))
    values = {
        "device_id": router.id,
        "device_owner": OWNER,
        "status": "DOWN",
        "port_security_enabled": False,
        "allowed_address_pairs": [],
    }
    port_store.set_groups(tx, port.id, [])
    port = common.change(tx, tables.ports, port, values)
    return _shown(tx, router, port, subnet_ids)


def _held(tx: Tx, router: RouterRow, body: InterfaceBody) -> tuple[PortRow, list[SubnetRow]]:
    """The interface that is meant, and the subnets that it would leave."""
    interfaces = store.interfaces(tx, router.id)
    fixed = address_store.of_ports(tx, [port.id for port in interfaces])
    for port in interfaces:
        if isinstance(body.port_id, str) and port.id != body.port_id:
            continue
        on = {row.subnet_id for row in fixed[port.id]}
        if isinstance(body.subnet_id, str):
            if body.subnet_id not in on:
                if isinstance(body.port_id, str):
                    raise Conflict(
                        f"Port {port.id} of router {router.id} is not on subnet {body.subnet_id}.",
                        code="SubnetMismatchForPort",
                    )
                continue
            on = {body.subnet_id}
        return port, list(common.rows_by_id(tx, tables.subnets, SubnetRow, on).values())
    if isinstance(body.port_id, str):
        raise NotFound(
            f"Router {router.id} does not have an interface with id {body.port_id}.", code="RouterInterfaceNotFound"
        )
    raise NotFound(
        f"Router {router.id} has no interface on subnet {body.subnet_id}.", code="RouterInterfaceNotFoundForSubnet"
    )


def _check_unused(tx: Tx, router: RouterRow, subnet: SubnetRow) -> None:
    floating = store.floating_ips_to_subnet(tx, router.id, subnet.id)
    if floating:
        raise Conflict(
            f"Router interface for subnet {subnet.id} on router {router.id} cannot be deleted, as it is required by"
            f" floating IP {floating[0].floating_ip_address}.",
            code="RouterInterfaceInUseByFloatingIP",
        )
    network = ipaddress.ip_network(subnet.cidr)
    for route in router.routes:
        if ipaddress.ip_address(route["nexthop"]) in network:
            raise Conflict(
                f"Router interface for subnet {subnet.id} on router {router.id} cannot be deleted, as it is required by"
                f" the route to {route['destination']} by {route['nexthop']}.",
                code="RouterInterfaceInUseByRoute",
            )


def _shown(tx: Tx, router: RouterRow, port: PortRow, subnet_ids: list[str]) -> Interface:
    return Interface(
        id=router.id,
        project_id=router.project_id,
        tenant_id=router.project_id,
        network_id=port.network_id,
        port_id=port.id,
        subnet_id=subnet_ids[0],
        subnet_ids=subnet_ids,
        tags=common.tags_of(tx, [router.id])[router.id],
    )
