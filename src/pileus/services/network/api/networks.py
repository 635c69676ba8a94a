"""Networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.network.api import frame
from pileus.services.network.rules import access, chassis
from pileus.services.network.rules import networks as rules
from pileus.services.network.service import api
from pileus.services.network.store import common
from pileus.services.network.store import networks as store
from pileus.services.network.store.nouns import NETWORKS
from pileus.services.network.types.common import standard
from pileus.services.network.types.networks import Network, NetworkBody, NetworkCreate, NetworkUpdate
from pileus.services.network.types.rows import NetworkRow


def view(tx: Tx, caller: Caller, rows: Sequence[NetworkRow]) -> list[Network]:
    ids = [row.id for row in rows]
    tags, shared = common.tags_of(tx, ids), common.shared_ids(tx, ids, caller.project_id)
    subnets, scopes = store.subnet_ids(tx, ids), store.scope_ids(tx, ids)
    zones = chassis.zones(tx)
    return [
        Network(
            **standard(row),
            name=row.name,
            admin_state_up=row.admin_state_up,
            status="ACTIVE",
            subnets=subnets[row.id],
            shared=row.id in shared,
            router_external=row.external,
            is_default=row.is_default,
            mtu=row.mtu,
            port_security_enabled=row.port_security_enabled,
            dns_domain=row.dns_domain,
            availability_zones=zones,
            availability_zone_hints=row.availability_zone_hints,
            ipv4_address_scope=scopes.get((row.id, 4)),
            ipv6_address_scope=scopes.get((row.id, 6)),
            provider_network_type=row.network_type,
            provider_physical_network=row.physical_network or None,
            provider_segmentation_id=row.segmentation_id,
            tags=tags[row.id],
        )
        for row in rows
    ]


def target(tx: Tx, caller: Caller, wish: NetworkCreate) -> dict[str, Any]:
    return {"project_id": access.owner(caller, wish.project_id, wish.tenant_id)}


NETWORK = frame.Noun("network", "networks", NETWORKS, view, target)
CREATE = frame.attribute_rules("create_network", NetworkCreate, "network")
UPDATE = frame.attribute_rules("update_network", NetworkUpdate)


@api.get("/networks", policy="get_network")
def list_networks(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    return frame.listing(NETWORK, tx, caller, request)


@api.post("/networks", policy="create_network", target=frame.creation_target(NETWORK), policies=CREATE, success=201)
def create_networks(tx: Tx, caller: Caller, request: Request, body: NetworkBody) -> dict[str, Any]:
    return frame.creating(NETWORK, tx, caller, request, body, lambda wish: rules.create_network(tx, caller, wish))


def network_target(tx: Tx, caller: Caller, network: NetworkRow) -> dict[str, Any]:
    """What rules on a network that is there compare."""
    return {
        "project_id": network.project_id,
        "shared": bool(common.shared_ids(tx, [network.id], caller.project_id)),
        "router:external": network.external,
    }


@api.get("/networks/{network_id}", policy="get_network", load=rules.visible_network, target=network_target)
def show_network(tx: Tx, caller: Caller, request: Request, network: NetworkRow) -> dict[str, Any]:
    return frame.showing(NETWORK, tx, caller, request, network)


@api.put("/networks/{network_id}", policy="update_network", policies=UPDATE, load=rules.visible_network)
def update_network(
    tx: Tx, caller: Caller, request: Request, network: NetworkRow, body: NetworkUpdate
) -> dict[str, Any]:
    return frame.updating(
        NETWORK, tx, caller, request, network, lambda: rules.update_network(tx, caller, network, body)
    )


@api.delete("/networks/{network_id}", policy="delete_network", load=rules.visible_network)
def delete_network(tx: Tx, caller: Caller, request: Request, network: NetworkRow) -> None:
    frame.deleting(NETWORK, tx, caller, request, network, lambda: rules.delete_network(tx, caller, network))
