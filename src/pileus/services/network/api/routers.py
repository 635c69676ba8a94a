"""Routers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.network.api import frame
from pileus.services.network.rules import access, chassis, interfaces
from pileus.services.network.rules import routers as rules
from pileus.services.network.service import api
from pileus.services.network.store import addresses, common
from pileus.services.network.store import routers as store
from pileus.services.network.store.nouns import ROUTERS
from pileus.services.network.types.common import standard
from pileus.services.network.types.routers import (
    Interface,
    InterfaceBody,
    Router,
    RouterBody,
    RouterCreate,
    RouterUpdate,
    RoutesBody,
)
from pileus.services.network.types.rows import RouterRow


def view(tx: Tx, caller: Caller, rows: Sequence[RouterRow]) -> list[Router]:
    gateways = store.gateways(tx, [row.gateway_port_id for row in rows if row.gateway_port_id])
    fixed = addresses.of_ports(tx, list(gateways))
    tags, zones = common.tags_of(tx, [row.id for row in rows]), chassis.zones(tx)

    def gateway_info(row: RouterRow) -> dict[str, Any] | None:
        if row.gateway_port_id is None:
            return None
        held = fixed[row.gateway_port_id]
        return {
            "network_id": gateways[row.gateway_port_id].network_id,
            "enable_snat": row.enable_snat,
            "external_fixed_ips": [{"subnet_id": f.subnet_id, "ip_address": f.ip_address} for f in held],
        }

    return [
        Router(
            **standard(row),
            name=row.name,
            admin_state_up=row.admin_state_up,
            status=row.status,
            external_gateway_info=gateway_info(row),
            routes=row.routes,
            availability_zones=zones,
            availability_zone_hints=row.availability_zone_hints,
            tags=tags[row.id],
        )
        for row in rows
    ]


def target(tx: Tx, caller: Caller, wish: RouterCreate) -> Mapping[str, Any]:
    return {"project_id": access.owner(caller, wish.project_id, wish.tenant_id)}


ROUTER = frame.Noun("router", "routers", ROUTERS, view, target)
CREATE = frame.attribute_rules("create_router", RouterCreate, "router")
UPDATE = frame.attribute_rules("update_router", RouterUpdate)
PATH = "/routers/{router_id}"


@api.get("/routers", policy="get_router")
def list_routers(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    return frame.listing(ROUTER, tx, caller, request)


@api.post("/routers", policy="create_router", target=frame.creation_target(ROUTER), policies=CREATE, success=201)
def create_routers(tx: Tx, caller: Caller, request: Request, body: RouterBody) -> dict[str, Any]:
    return frame.creating(ROUTER, tx, caller, request, body, lambda wish: rules.create_router(tx, caller, wish))


@api.get(PATH, policy="get_router", load=rules.visible_router)
def show_router(tx: Tx, caller: Caller, request: Request, router: RouterRow) -> dict[str, Any]:
    return frame.showing(ROUTER, tx, caller, request, router)


@api.put(PATH, policy="update_router", policies=UPDATE, load=rules.visible_router)
def update_router(tx: Tx, caller: Caller, request: Request, router: RouterRow, body: RouterUpdate) -> dict[str, Any]:
    return frame.updating(ROUTER, tx, caller, request, router, lambda: rules.update_router(tx, caller, router, body))


@api.delete(PATH, policy="delete_router", load=rules.visible_router)
def delete_router(tx: Tx, caller: Caller, request: Request, router: RouterRow) -> None:
    frame.deleting(ROUTER, tx, caller, request, router, lambda: rules.delete_router(tx, router))


@api.put(f"{PATH}/add_router_interface", policy="add_router_interface", load=rules.visible_router)
def add_router_interface(tx: Tx, caller: Caller, router: RouterRow, body: InterfaceBody) -> Interface:
    found = interfaces.add_interface(tx, caller, router, body)
    events.record(tx, caller, "network", "add_interface", "router", router.id, port_id=found.port_id)
    return found


@api.put(f"{PATH}/remove_router_interface", policy="remove_router_interface", load=rules.visible_router)
def remove_router_interface(tx: Tx, caller: Caller, router: RouterRow, body: InterfaceBody) -> Interface:
    found = interfaces.remove_interface(tx, caller, router, body)
    events.record(tx, caller, "network", "remove_interface", "router", router.id, port_id=found.port_id)
    return found


@api.put(f"{PATH}/add_extraroutes", policy="add_extraroutes", load=rules.visible_router)
def add_extraroutes(tx: Tx, caller: Caller, request: Request, router: RouterRow, body: RoutesBody) -> dict[str, Any]:
    return frame.updating(ROUTER, tx, caller, request, router, lambda: rules.add_routes(tx, router, body.routes))


@api.put(f"{PATH}/remove_extraroutes", policy="remove_extraroutes", load=rules.visible_router)
def remove_extraroutes(tx: Tx, caller: Caller, request: Request, router: RouterRow, body: RoutesBody) -> dict[str, Any]:
    return frame.updating(ROUTER, tx, caller, request, router, lambda: rules.remove_routes(tx, router, body.routes))
