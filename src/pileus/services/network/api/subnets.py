"""Subnets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.network import tables
from pileus.services.network.api import frame
from pileus.services.network.rules import access, networks
from pileus.services.network.rules import subnets as rules
from pileus.services.network.service import api
from pileus.services.network.store import common
from pileus.services.network.store.nouns import SUBNETS
from pileus.services.network.types.common import standard
from pileus.services.network.types.rows import NetworkRow, SubnetRow
from pileus.services.network.types.subnets import Subnet, SubnetBody, SubnetCreate, SubnetUpdate


def view(tx: Tx, caller: Caller, rows: Sequence[SubnetRow]) -> list[Subnet]:
    tags = common.tags_of(tx, [row.id for row in rows])
    networks = common.rows_by_id(tx, tables.networks, NetworkRow, {row.network_id for row in rows})
    return [
        Subnet(
            **standard(row),
            network_id=row.network_id,
            name=row.name,
            ip_version=row.ip_version,
            cidr=row.cidr,
            gateway_ip=row.gateway_ip,
            enable_dhcp=row.enable_dhcp,
            ipv6_ra_mode=row.ipv6_ra_mode,
            ipv6_address_mode=row.ipv6_address_mode,
            allocation_pools=row.allocation_pools,
            dns_nameservers=row.dns_nameservers,
            host_routes=row.host_routes,
            service_types=row.service_types,
            dns_publish_fixed_ip=row.dns_publish_fixed_ip,
            subnetpool_id=row.subnetpool_id,
            router_external=networks[row.network_id].external,
            tags=tags[row.id],
        )
        for row in rows
    ]


def target(tx: Tx, caller: Caller, wish: SubnetCreate) -> Mapping[str, Any]:
    network = networks.visible_network(tx, caller, wish.network_id)
    return {
        "project_id": access.owner(caller, wish.project_id, wish.tenant_id),
        "network:project_id": network.project_id,
    }


def subnet_target(tx: Tx, caller: Caller, subnet: SubnetRow) -> Mapping[str, Any]:
    """What rules on a subnet that is there compare."""
    network = rules.network_of(tx, subnet)
    return {
        "project_id": subnet.project_id,
        "network:project_id": network.project_id,
        "shared": bool(common.shared_ids(tx, [network.id], caller.project_id)),
        "router:external": network.external,
    }


SUBNET = frame.Noun("subnet", "subnets", SUBNETS, view, target)
CREATE = frame.attribute_rules("create_subnet", SubnetCreate, "subnet")
UPDATE = frame.attribute_rules("update_subnet", SubnetUpdate)


@api.get("/subnets", policy="get_subnet")
def list_subnets(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    return frame.listing(SUBNET, tx, caller, request)


@api.post("/subnets", policy="create_subnet", target=frame.creation_target(SUBNET), policies=CREATE, success=201)
def create_subnets(tx: Tx, caller: Caller, request: Request, body: SubnetBody) -> dict[str, Any]:
    def create(wish: SubnetCreate) -> SubnetRow:
        return rules.create_subnet(tx, caller, networks.visible_network(tx, caller, wish.network_id), wish)

    return frame.creating(SUBNET, tx, caller, request, body, create)


@api.get("/subnets/{subnet_id}", policy="get_subnet", load=rules.visible_subnet, target=subnet_target)
def show_subnet(tx: Tx, caller: Caller, request: Request, subnet: SubnetRow) -> dict[str, Any]:
    return frame.showing(SUBNET, tx, caller, request, subnet)


@api.put(
    "/subnets/{subnet_id}", policy="update_subnet", policies=UPDATE, load=rules.visible_subnet, target=subnet_target
)
def update_subnet(tx: Tx, caller: Caller, request: Request, subnet: SubnetRow, body: SubnetUpdate) -> dict[str, Any]:
    return frame.updating(SUBNET, tx, caller, request, subnet, lambda: rules.update_subnet(tx, caller, subnet, body))


@api.delete("/subnets/{subnet_id}", policy="delete_subnet", load=rules.visible_subnet, target=subnet_target)
def delete_subnet(tx: Tx, caller: Caller, request: Request, subnet: SubnetRow) -> None:
    frame.deleting(SUBNET, tx, caller, request, subnet, lambda: rules.delete_subnet(tx, caller, subnet))
