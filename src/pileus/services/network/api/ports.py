"""Ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.network import tables
from pileus.services.network.api import frame
from pileus.services.network.rules import access, networks
from pileus.services.network.rules import ports as rules
from pileus.services.network.service import api
from pileus.services.network.store import addresses, common
from pileus.services.network.store import ports as store
from pileus.services.network.store.nouns import PORTS
from pileus.services.network.types.common import standard
from pileus.services.network.types.ports import Port, PortBody, PortCreate, PortUpdate
from pileus.services.network.types.rows import FixedIpRow, NetworkRow, PortRow

DOMAIN = "openstacklocal."
"""Of guests on networks without a dns_domain."""


def view(tx: Tx, caller: Caller, rows: Sequence[PortRow]) -> list[Port]:
    ids = [row.id for row in rows]
    tags, fixed, groups = common.tags_of(tx, ids), addresses.of_ports(tx, ids), store.group_ids(tx, ids)
    on = common.rows_by_id(tx, tables.networks, NetworkRow, {row.network_id for row in rows})
    return [
        Port(
            **standard(row),
            network_id=row.network_id,
            name=row.name,
            mac_address=row.mac_address,
            admin_state_up=row.admin_state_up,
            status=row.status,
            device_id=row.device_id,
            device_owner=row.device_owner,
            fixed_ips=[{"subnet_id": f.subnet_id, "ip_address": f.ip_address} for f in fixed[row.id]],
            security_groups=groups[row.id],
            port_security_enabled=row.port_security_enabled,
            allowed_address_pairs=row.allowed_address_pairs,
            extra_dhcp_opts=row.extra_dhcp_opts,
            dns_name=row.dns_name,
            dns_domain=row.dns_domain,
            dns_assignment=_names(row, on[row.network_id], fixed[row.id]),
            ip_allocation="immediate" if fixed[row.id] else "none",
            binding_host_id=row.binding_host,
            binding_vnic_type=row.vnic_type,
            binding_profile=row.binding_profile,
            binding_vif_type="ovs" if row.binding_host else "unbound",
            binding_vif_details={"port_filter": True, "connectivity": "l2"} if row.binding_host else {},
            tags=tags[row.id],
        )
        for row in rows
    ]


def _names(port: PortRow, network: NetworkRow, fixed: Sequence[FixedIpRow]) -> list[dict[str, str]]:
    """The names under which guests of the network find a port's addresses."""
    domain = (network.dns_domain or DOMAIN).rstrip(".") + "."
    found = []
    for row in fixed:
        name = port.dns_name or "host-" + row.ip_address.replace(".", "-").replace(":", "-")
        found.append({"ip_address": row.ip_address, "hostname": name, "fqdn": f"{name}.{domain}"})
    return found


def target(tx: Tx, caller: Caller, wish: PortCreate) -> Mapping[str, Any]:
    network = networks.visible_network(tx, caller, wish.network_id)
    return {
        "project_id": access.owner(caller, wish.project_id, wish.tenant_id),
        "network:project_id": network.project_id,
        "shared": bool(common.shared_ids(tx, [network.id], caller.project_id)),
        "is_network_device": (wish.device_owner or "").startswith("network:"),
    }


def port_target(tx: Tx, caller: Caller, port: PortRow) -> dict[str, Any]:
    """What rules on a port that is there compare."""
    network = rules.network_of(tx, port)
    return {
        "project_id": port.project_id,
        "network:project_id": network.project_id,
        "shared": bool(common.shared_ids(tx, [network.id], caller.project_id)),
        "is_network_device": port.device_owner.startswith("network:"),
    }


def changed_port_target(tx: Tx, caller: Caller, port: PortRow, body: PortUpdate) -> dict[str, Any]:
    """The same, with the owner that the port would have."""
    found = port_target(tx, caller, port)
    if isinstance(body.device_owner, str):
        found["is_network_device"] = body.device_owner.startswith("network:")
    return found


PORT = frame.Noun("port", "ports", PORTS, view, target)
CREATE = frame.attribute_rules("create_port", PortCreate, "port")
UPDATE = frame.attribute_rules("update_port", PortUpdate)


@api.get("/ports", policy="get_port")
def list_ports(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    return frame.listing(PORT, tx, caller, request)


@api.post("/ports", policy="create_port", target=frame.creation_target(PORT), policies=CREATE, success=201)
def create_ports(tx: Tx, caller: Caller, request: Request, body: PortBody) -> dict[str, Any]:
    def create(wish: PortCreate) -> PortRow:
        project_id = access.owner(caller, wish.project_id, wish.tenant_id)
        return rules.create_port(tx, caller, rules.wish_of(wish, project_id))

    return frame.creating(PORT, tx, caller, request, body, create)


@api.get("/ports/{port_id}", policy="get_port", load=rules.visible_port, target=port_target)
def show_port(tx: Tx, caller: Caller, request: Request, port: PortRow) -> dict[str, Any]:
    return frame.showing(PORT, tx, caller, request, port)


@api.put("/ports/{port_id}", policy="update_port", policies=UPDATE, load=rules.visible_port, target=changed_port_target)
def update_port(tx: Tx, caller: Caller, request: Request, port: PortRow, body: PortUpdate) -> dict[str, Any]:
    return frame.updating(PORT, tx, caller, request, port, lambda: rules.update_port(tx, caller, port, body))


@api.delete("/ports/{port_id}", policy="delete_port", load=rules.visible_port, target=port_target)
def delete_port(tx: Tx, caller: Caller, request: Request, port: PortRow) -> None:
    rules.check_deletable(port)
    frame.deleting(PORT, tx, caller, request, port, lambda: rules.delete_with_nic(tx, caller, port))
