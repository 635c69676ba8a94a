"""Tags: the same seven routes below every noun that can have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pileus.core.body import Body
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.services.network.api import floating_ips, networks, ports, routers, security_groups, subnetpools, subnets
from pileus.services.network.api.frame import Noun
from pileus.services.network.rules import floating_ips as floating_ip_rules
from pileus.services.network.rules import networks as network_rules
from pileus.services.network.rules import ports as port_rules
from pileus.services.network.rules import routers as router_rules
from pileus.services.network.rules import security_groups as security_group_rules
from pileus.services.network.rules import subnetpools as subnetpool_rules
from pileus.services.network.rules import subnets as subnet_rules
from pileus.services.network.rules import tags as rules
from pileus.services.network.service import api

Row = Any


class TagsBody(Body):
    tags: list[str]


def declare(noun: Noun[Any], path: str, load: Callable[..., Row], target: Callable[..., Mapping[str, Any]]) -> None:
    """The routes below `path`, which names one of the noun."""
    see = {"policy": f"get_{noun.name}:tags", "load": load, "target": target}
    change = {"policy": f"update_{noun.name}:tags", "load": load, "target": target}
    delete = {"policy": f"delete_{noun.name}:tags", "load": load, "target": target}

    @api.get(f"{path}/tags", **see)
    def list_tags(tx: Tx, row: Row) -> dict[str, Any]:
        return {"tags": rules.tags_of(tx, row.id)}

    @api.put(f"{path}/tags", **change)
    def replace_tags(tx: Tx, row: Row, body: TagsBody) -> dict[str, Any]:
        return {"tags": rules.replace(tx, noun.rows, row.id, body.tags)}

    @api.post(f"{path}/tags", **change)
    def add_tags(tx: Tx, row: Row, body: TagsBody) -> dict[str, Any]:
        return {"tags": rules.add(tx, noun.rows, row.id, body.tags)}

    @api.delete(f"{path}/tags", **delete)
    def delete_tags(tx: Tx, row: Row) -> None:
        rules.replace(tx, noun.rows, row.id, [])

    @api.get(f"{path}/tags/{{tag}}", success=204, **see)
    def check_tag(tx: Tx, row: Row, tag: str) -> None:
        rules.check_there(tx, row.id, tag)

    @api.put(f"{path}/tags/{{tag}}", success=201, **change)
    def add_tag(tx: Tx, row: Row, tag: str) -> None:
        rules.add(tx, noun.rows, row.id, [tag])

    @api.delete(f"{path}/tags/{{tag}}", **delete)
    def delete_tag(tx: Tx, row: Row, tag: str) -> None:
        rules.delete(tx, noun.rows, row.id, tag)


def _targeted(loaded: str, target: Callable[..., Mapping[str, Any]]) -> Callable[..., Mapping[str, Any]]:
    """A noun's own target, for handlers that call what was loaded `row`."""

    def found(tx: Tx, caller: Caller, row: Row) -> Mapping[str, Any]:
        return target(**{"tx": tx, "caller": caller, loaded: row})

    return found


def _project(row: Row) -> Mapping[str, Any]:
    return {"project_id": row.project_id}


declare(
    networks.NETWORK,
    "/networks/{network_id}",
    network_rules.visible_network,
    _targeted("network", networks.network_target),
)
declare(subnets.SUBNET, "/subnets/{subnet_id}", subnet_rules.visible_subnet, _targeted("subnet", subnets.subnet_target))
declare(ports.PORT, "/ports/{port_id}", port_rules.visible_port, _targeted("port", ports.port_target))
declare(routers.ROUTER, routers.PATH, router_rules.visible_router, _project)
declare(floating_ips.FLOATING_IP, floating_ips.PATH, floating_ip_rules.visible_floating_ip, _project)
declare(
    security_groups.SECURITY_GROUP,
    "/security-groups/{security_group_id}",
    security_group_rules.visible_security_group,
    _targeted("security_group", security_groups.group_target),
)
declare(
    subnetpools.SUBNETPOOL,
    subnetpools.POOL,
    subnetpool_rules.visible_subnetpool,
    _targeted("pool", subnetpools.pool_target),
)
