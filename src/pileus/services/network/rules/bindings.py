"""What compute asks of ports: bind, unbind, wired, all about them in few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import Conflict, NotFound
from pileus.services.network import tables
from pileus.services.network.rules import ports as port_rules
from pileus.services.network.rules import security_groups
from pileus.services.network.store import common
from pileus.services.network.store import networks as network_store
from pileus.services.network.store import ports as store
from pileus.services.network.store import security_groups as group_store
from pileus.services.network.types.ports import FixedIp, PortDetail
from pileus.services.network.types.rows import (
    FloatingIpRow,
    PortRow,
    SecurityGroupRow,
    SecurityGroupRuleRow,
)


def port_of(tx: Tx, port_id: str) -> PortRow | None:
    return common.find(tx, tables.ports, PortRow, port_id)


def bind_port(tx: Tx, caller: Caller, port_id: str, host: str, device_id: str, device_owner: str) -> PortRow:
    """Give a port to a device on a host ("" while the host is not chosen). It is ACTIVE when the host has wired it.

    Raises NotFound (PortNotFound), Conflict (PortInUse) where another device has it.
    """
    port = _existing(tx, port_id)
    if port.device_id and port.device_id != device_id:
        raise Conflict(f"Port {port_id} is in use by device {port.device_id}.", code="PortInUse")
    values: dict[str, Any] = {"device_id": device_id, "device_owner": device_owner}
    if host != port.binding_host:
        values |= {"binding_host": host, "status": "DOWN"}
    if all(getattr(port, field) == value for field, value in values.items()):
        return port
    new = common.change(tx, tables.ports, port, values)
    port_rules.changed(tx, port, new)
    return new


def unbind_port(tx: Tx, caller: Caller, port_id: str) -> None:
    """The port stays, with its addresses, for another device. Nothing happens where it is gone."""
    port = port_of(tx, port_id)
    if port is None:
        return
    common.change(tx, tables.ports, port, {"device_id": "", "device_owner": "", **port_rules.UNBOUND})
    port_rules.changed(tx, port)


def port_wired(tx: Tx, port: PortRow, wired: bool) -> None:
    """A guest's port is ACTIVE while its host reports its flows in place."""
    if not port.device_owner.startswith("compute:"):
        return
    status = "ACTIVE" if wired and port.admin_state_up else "DOWN"
    if port.status != status:
        common.change(tx, tables.ports, port, {"status": status})


def security_groups_named(tx: Tx, project_id: str, name: str) -> list[SecurityGroupRow]:
    """The groups that a project may mean by an id or a name; its default group is made when it is first asked for."""
    if name == security_groups.DEFAULT:
        security_groups.default_group(tx, project_id)
    return group_store.named(tx, project_id, name)


def security_group_rules(tx: Tx, group_ids: Sequence[str]) -> dict[str, list[SecurityGroupRuleRow]]:
    return group_store.rules_of(tx, group_ids)


def set_security_groups(tx: Tx, port_id: str, group_ids: Sequence[str]) -> None:
    """Exactly these groups, which exist. Raises NotFound (PortNotFound)."""
    port = _existing(tx, port_id)
    store.set_groups(tx, port_id, group_ids)
    port_rules.changed(tx, port)


def floating_ip_at(tx: Tx, project_id: str, address: str) -> FloatingIpRow | None:
    """A project's floating IP by its address."""
    return store.floating_ip_at(tx, project_id, address)


def bare_ports_of_devices(tx: Tx, device_ids: Iterable[str]) -> dict[str, list[PortRow]]:
    """Every device's ports in the order of their making, without what belongs to them, in one statement."""
    wanted = list(dict.fromkeys(device_ids))
    found: dict[str, list[PortRow]] = {device_id: [] for device_id in wanted}
    for port in store.of_devices(tx, wanted):
        found[port.device_id].append(port)
    return found


def ports_of_devices(tx: Tx, device_ids: Iterable[str]) -> dict[str, list[PortDetail]]:
    """Every device's ports in the order of their making, in four statements however many there are.

    Where each of these sees a moment of its own, what went in between is left out.
    """
    wanted = list(dict.fromkeys(device_ids))
    found: dict[str, list[PortDetail]] = {device_id: [] for device_id in wanted}
    addressed = store.addressed_of_devices(tx, wanted)
    ids = [port.id for port, _ in addressed]
    networks, subnets = network_store.with_subnets(tx, {port.network_id for port, _ in addressed})
    floating: dict[str, list[FloatingIpRow]] = defaultdict(list)
    for row in store.floating_ips_of(tx, ids):
        floating[row.port_id or ""].append(row)
    groups = store.groups(tx, ids)
    for port, fixed in addressed:
        if port.network_id in networks:
            detail = PortDetail(
                port=port,
                network=networks[port.network_id],
                fixed_ips=[FixedIp(address, subnets[subnet]) for subnet, address in fixed if subnet in subnets],
                floating_ips=floating[port.id],
                security_groups=groups[port.id],
            )
            found[port.device_id].append(detail)
    return found


def _existing(tx: Tx, port_id: str) -> PortRow:
    port = port_of(tx, port_id)
    if port is None:
        raise NotFound(f"Port {port_id} could not be found.", code="PortNotFound")
    return port
