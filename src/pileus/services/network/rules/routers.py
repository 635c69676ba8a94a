"""Routers: gateways with source NAT, extra routes."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict
from pileus.services.network import tables
from pileus.services.network.rules import access, allocation, networks, ports, quotas, subnets
from pileus.services.network.store import addresses as address_store
from pileus.services.network.store import common, nouns
from pileus.services.network.store import routers as store
from pileus.services.network.types.common import given
from pileus.services.network.types.ports import PortWish
from pileus.services.network.types.routers import GatewayWish, RouterCreate, RouterUpdate
from pileus.services.network.types.rows import NetworkRow, PortRow, RouteEntry, RouterRow, SubnetRow

GATEWAY = "network:router_gateway"


def visible_router(tx: Tx, caller: Caller, router_id: str) -> RouterRow:
    return access.visible(tx, caller, nouns.ROUTERS, router_id, "Router")


def create_router(tx: Tx, caller: Caller, wish: RouterCreate) -> RouterRow:
    """Raises Conflict (OverQuota), and what its gateway raises."""
    project_id = access.owner(caller, wish.project_id, wish.tenant_id)
    quotas.check(tx, project_id, "router")
    router = RouterRow(
        id=new_id(),
        project_id=project_id,
        name=wish.name,
        admin_state_up=wish.admin_state_up,
        status="ACTIVE",
        enable_snat=True,
        gateway_port_id=None,
        routes=[],
        availability_zone_hints=networks.zone_hints(wish.availability_zone_hints or []),
        description=wish.description or "",
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=1,
    )
    tx.insert(tables.routers, router)
    if isinstance(wish.external_gateway_info, GatewayWish):
        router = set_gateway(tx, caller, router, wish.external_gateway_info)
    tx.wake("network")
    return router


def update_router(tx: Tx, caller: Caller, router: RouterRow, body: RouterUpdate) -> RouterRow:
    values = given(body, "name", "admin_state_up")
    if body.description is not UNSET:
        values["description"] = body.description or ""
    if body.external_gateway_info is not UNSET:
        assert not isinstance(body.external_gateway_info, type(UNSET))
        router = set_gateway(tx, caller, router, body.external_gateway_info)
    if body.routes is not UNSET:
        values["routes"] = checked_routes(tx, router, body.routes or [])
    tx.wake("network")
    return common.change(tx, tables.routers, router, values)


def delete_router(tx: Tx, router: RouterRow) -> None:
    """With its gateway. Raises Conflict (RouterInUse) while it has interfaces."""
    held = store.interfaces(tx, router.id)
    if held:
        raise Conflict(
            f"Router {router.id} still has {len(held)} ports, the first is {held[0].id} on network"
            f" {held[0].network_id}. Remove its interfaces first.",
            code="RouterInUse",
        )
    common.remove(tx, tables.routers, router.id)
    if router.gateway_port_id is not None:
        _remove_port(tx, router.gateway_port_id)
    tx.wake("network")


def set_gateway(tx: Tx, caller: Caller, router: RouterRow, wish: GatewayWish | None) -> RouterRow:
    """Give a router this gateway and no other; None or an empty wish takes it away.

    Raises NotFound (NetworkNotFound), BadRequest for a network that is not external, Conflict for addresses in use and
    where floating IPs would lose their way.
    """
    held = gateway_port(tx, router)
    if wish is None or wish.network_id is UNSET:
        if wish is not None and wish != GatewayWish():
            raise BadRequest("Invalid input for external_gateway_info: 'network_id' is missing.", code="InvalidInput")
        if held is not None:
            _check_no_floating_ips(tx, router)
        return _without_gateway(tx, router, held)
    assert isinstance(wish.network_id, str)
    network = networks.visible_network(tx, caller, wish.network_id)
    if not network.external:
        raise BadRequest(f"Bad router request: network {network.id} is not an external network.", code="BadRequest")
    if held is not None and held.network_id != network.id:
        _check_no_floating_ips(tx, router)
        router, held = _without_gateway(tx, router, held), None
    snat = wish.enable_snat is not False
    if held is None:
        return _with_gateway(tx, caller, router, network, wish, snat)
    if isinstance(wish.external_fixed_ips, list) and wish.external_fixed_ips:
        allocation.reallocate(tx, held, wish.external_fixed_ips)
    return common.change(tx, tables.routers, router, {"enable_snat": snat})


def gateway_port(tx: Tx, router: RouterRow) -> PortRow | None:
    return common.find(tx, tables.ports, PortRow, router.gateway_port_id) if router.gateway_port_id else None


def connected_subnets(tx: Tx, router: RouterRow) -> list[SubnetRow]:
    """The subnets of a router's interfaces and gateway."""
    ids = [port.id for port in store.interfaces(tx, router.id)]
    ids += [router.gateway_port_id] if router.gateway_port_id else []
    held = address_store.of_ports(tx, ids)
    wanted = {row.subnet_id for rows in held.values() for row in rows}
    return list(common.rows_by_id(tx, tables.subnets, SubnetRow, wanted).values())


def check_no_overlap(tx: Tx, router: RouterRow, more: Sequence[SubnetRow]) -> None:
    """Raises BadRequest where a router would have two ways to one address."""
    for held in connected_subnets(tx, router):
        for subnet in more:
            mine, other = ipaddress.ip_network(subnet.cidr), ipaddress.ip_network(held.cidr)
            if mine.version == other.version and mine.overlaps(other):
                raise BadRequest(
                    f"Bad router request: cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {held.cidr} of"
                    f" subnet {held.id}, which router {router.id} has already.",
                    code="BadRequest",
                )


def checked_routes(tx: Tx, router: RouterRow, wanted: Sequence[RouteEntry]) -> list[RouteEntry]:
    """Raises BadRequest (InvalidRoutes) for a next hop that the router can't reach, or that is the router itself."""
    if len(wanted) > quotas.MAX_ROUTES:
        raise BadRequest(f"A router has at most {quotas.MAX_ROUTES} routes, got {len(wanted)}.", code="RoutesExhausted")
    found = subnets.routes(wanted, "routes")
    reached = [ipaddress.ip_network(subnet.cidr) for subnet in connected_subnets(tx, router)]
    ids = [port.id for port in store.interfaces(tx, router.id)]
    ids += [router.gateway_port_id] if router.gateway_port_id else []
    own = {row.ip_address for rows in address_store.of_ports(tx, ids).values() for row in rows}
    for route in found:
        nexthop = ipaddress.ip_address(route["nexthop"])
        if not any(nexthop in network for network in reached):
            raise BadRequest(
                f"Invalid format for routes: the nexthop {nexthop} is not connected with router {router.id}.",
                code="InvalidRoutes",
            )
        if str(nexthop) in own:
            raise BadRequest(
                f"Invalid format for routes: the nexthop {nexthop} is used by router {router.id} itself.",
                code="InvalidRoutes",
            )
    return found


def add_routes(tx: Tx, router: RouterRow, more: Sequence[RouteEntry]) -> RouterRow:
    """Routes that are there already stay as they are."""
    new = [route for route in subnets.routes(more, "routes") if route not in router.routes]
    tx.wake("network")
    return common.change(tx, tables.routers, router, {"routes": checked_routes(tx, router, [*router.routes, *new])})


def remove_routes(tx: Tx, router: RouterRow, gone: Sequence[RouteEntry]) -> RouterRow:
    """Routes that are not there are no error."""
    unwanted = subnets.routes(gone, "routes")
    tx.wake("network")
    left = [route for route in router.routes if route not in unwanted]
    return common.change(tx, tables.routers, router, {"routes": left})


def _with_gateway(
    tx: Tx, caller: Caller, router: RouterRow, network: NetworkRow, wish: GatewayWish, snat: bool
) -> RouterRow:
    fixed = wish.external_fixed_ips or UNSET
    port_wish = PortWish(
        network_id=network.id,
        project_id="",
        device_id=router.id,
        device_owner=GATEWAY,
        fixed_ips=fixed,
    )
    port = ports.create_port(tx, caller, port_wish)
    held = {row.subnet_id for row in address_store.of_ports(tx, [port.id])[port.id]}
    check_no_overlap(tx, router, list(common.rows_by_id(tx, tables.subnets, SubnetRow, held).values()))
    return common.change(tx, tables.routers, router, {"gateway_port_id": port.id, "enable_snat": snat})


def _without_gateway(tx: Tx, router: RouterRow, held: PortRow | None) -> RouterRow:
    if held is None:
        return router
    new = common.change(tx, tables.routers, router, {"gateway_port_id": None, "enable_snat": True})
    _remove_port(tx, held.id)
    return new


def _remove_port(tx: Tx, port_id: str) -> None:
    port = common.find(tx, tables.ports, PortRow, port_id)
    if port is not None:
        ports.remove(tx, port)


def _check_no_floating_ips(tx: Tx, router: RouterRow) -> None:
    held = store.floating_ips_by(tx, router.id)
    if held:
        raise Conflict(
            f"Gateway cannot be updated for router {router.id}: floating IP {held[0].floating_ip_address} leads"
            f" through it to port {held[0].port_id}. Disassociate it first.",
            code="RouterExternalGatewayInUseByFloatingIp",
        )
