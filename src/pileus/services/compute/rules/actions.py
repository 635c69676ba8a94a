"""What can be done to a server. Each action is one change of the spec; the host's report ends the task it begins."""

from __future__ import annotations

from typing import Any, NamedTuple

from pileus.core import events
from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.services.compute.rules import create, interfaces
from pileus.services.compute.rules.network_proxy import compute_statuses
from pileus.services.compute.store import servers as store
from pileus.services.compute.store.servers import Action, ServerRow
from pileus.services.compute.types.servers import ServerRebuild
from pileus.services.network import rules as network

UNLOCK_OVERRIDE = "os_compute_api:os-lock-server:unlock:unlock_override"


class Power(NamedTuple):
    """A change of power: in which states it may be asked for, what is done meanwhile, what the guest should be."""

    vm_states: frozenset[str]
    task_state: str
    power: str


POWER = {
    "start": Power(frozenset({"stopped"}), "powering-on", "running"),
    "stop": Power(frozenset({"active", "rescued", "error"}), "powering-off", "stopped"),
    "pause": Power(frozenset({"active", "rescued"}), "pausing", "paused"),
    "unpause": Power(frozenset({"paused"}), "unpausing", "running"),
    "suspend": Power(frozenset({"active", "rescued"}), "suspending", "suspended"),
    "resume": Power(frozenset({"suspended"}), "resuming", "running"),
}
SOFT_REBOOT = frozenset({"active"})
HARD_REBOOT = frozenset({"active", "stopped", "paused", "suspended", "error"})
_REBOOT_AGAIN = frozenset(
    {None, "rebooting", "reboot_pending", "reboot_started", "rebooting_hard", "resuming", "unpausing", "pausing",
     "suspending", "powering-on", "powering-off"}
)  # fmt: skip
"""A hard reboot is the way out of these."""
REBUILD = frozenset({"active", "stopped", "error"})


def require(
    server: ServerRow,
    action: str,
    vm_states: frozenset[str],
    tasks: frozenset[str | None] | None = frozenset({None}),
) -> None:
    """Raises Conflict unless the server is in one of the states and does one of the tasks (None: any)."""
    if server.vm_state not in vm_states:
        raise Conflict(f"Cannot '{action}' instance {server.id} while it is in vm_state {server.vm_state}.")
    if tasks is not None and server.task_state not in tasks:
        raise Conflict(f"Cannot '{action}' instance {server.id} while it is in task_state {server.task_state}.")


def change_power(tx: Tx, caller: Caller, server: ServerRow, action: str) -> None:
    """start, stop, pause, unpause, suspend, resume. Raises Conflict."""
    wanted = POWER[action]
    require(server, action, wanted.vm_states)
    if server.launched_at is None:
        raise Conflict(f"Cannot '{action}' instance {server.id}: it has never been launched.")
    begin(tx, caller, server, action, wanted.task_state, {"power": wanted.power})


def reboot(tx: Tx, caller: Caller, server: ServerRow, hard: bool) -> None:
    """Soft: the guest is asked. Hard: it is made anew from the rows alone, which also ends what it was stuck in."""
    if not hard:
        require(server, "reboot", SOFT_REBOOT)
        begin(tx, caller, server, "reboot", "rebooting", {"reboots": server.reboots + 1})
        return
    require(server, "reboot", HARD_REBOOT, _REBOOT_AGAIN)
    if server.host is None:
        raise Conflict(f"Cannot 'reboot' instance {server.id}: it has no host, as none had room for it.")
    values = {"hard_reboots": server.hard_reboots + 1, "power": "running"}
    begin(tx, caller, server, "reboot", "rebooting_hard", values)


def rebuild(tx: Tx, caller: Caller, server: ServerRow, body: ServerRebuild) -> str:
    """A new root disk from an image; identity, addresses and host stay. The new administrator password."""
    require(server, "rebuild", REBUILD)
    if server.host is None:
        raise Conflict(f"Cannot 'rebuild' instance {server.id}: it has no host, as none had room for it.")
    image = create.bootable(tx, caller, body.imageRef, server.flavor.ram, server.flavor.disk)
    password = create.new_password() if body.adminPass is UNSET else body.adminPass
    values: dict[str, Any] = {
        "image_id": body.imageRef,
        "image": image,
        "admin_password": password,
        "rebuilds": server.rebuilds + 1,
        "launched_at": tx.now,
    }
    for field in ("name", "description", "metadata", "disk_config", "hostname"):
        if getattr(body, field) is not UNSET:
            values[field] = getattr(body, field)
    if body.accessIPv4 is not UNSET:
        values["access_ip_v4"] = create.address(body.accessIPv4, "accessIPv4", 4)
    if body.accessIPv6 is not UNSET:
        values["access_ip_v6"] = create.address(body.accessIPv6, "accessIPv6", 6)
    if body.user_data is not UNSET:
        values["user_data"] = create.user_data(body.user_data)
    if body.personality is not UNSET:
        values["files"] = create.files(body.personality)
    if body.key_name is not UNSET:
        values |= create.key_columns(tx, caller, body.key_name)
    begin(tx, caller, server, "rebuild", "rebuilding", values)
    return password


def begin(tx: Tx, caller: Caller, server: ServerRow, action: str, task_state: str, values: dict[str, Any]) -> None:
    """Commit the server to a new spec; its host's report ends the task."""
    events.record(tx, caller, "compute", action, "server", server.id, outcome="started")
    change = {
        "task_state": task_state,
        "generation": server.generation + 1,
        "action": Action(action, caller.request_id, caller.user_id, caller.project_id),
        **values,
    }
    store.update_server(tx, server, change)
    tx.wake(f"host:{server.host}")


def lock(tx: Tx, caller: Caller, server: ServerRow, reason: str | None) -> None:
    by = "owner" if server.project_id == caller.project_id else "admin"
    store.update_server(tx, server, {"locked_by": by, "locked_reason": reason})
    events.record(tx, caller, "compute", "lock", "server", server.id, by=by)


def unlock(tx: Tx, caller: Caller, server: ServerRow) -> None:
    """Raises Forbidden where an administrator of another project locked it."""
    target = {"project_id": server.project_id, "user_id": server.user_id}
    if server.locked_by == "admin" and not caller.allows(UNLOCK_OVERRIDE, target):
        raise Forbidden(f"Policy doesn't allow {UNLOCK_OVERRIDE} to be performed: an administrator locked the server.")
    store.update_server(tx, server, {"locked_by": None, "locked_reason": None})
    events.record(tx, caller, "compute", "unlock", "server", server.id)


def reset_state(tx: Tx, caller: Caller, server: ServerRow, state: str) -> None:
    """Say what a server is, whatever it was thought to be, and end its task; the next report puts right what differs."""
    store.update_server(tx, server, {"vm_state": state, "task_state": None, "action": None})
    events.record(tx, caller, "compute", "resetState", "server", server.id, state=state)


def look_again(tx: Tx, caller: Caller, server: ServerRow) -> None:
    """Have the host compare the guest with its spec once more: NICs that are missing come back."""
    if server.host is None:
        raise Conflict(f"Cannot 'injectNetworkInfo' instance {server.id}: it has no host.")
    store.update_server(tx, server, {"generation": server.generation + 1})
    tx.wake(f"host:{server.host}")
    events.record(tx, caller, "compute", "injectNetworkInfo", "server", server.id)


def add_security_group(tx: Tx, caller: Caller, server: ServerRow, name: str) -> None:
    group = interfaces.group_id(tx, caller, name, NotFound)
    for detail in _ports(tx, server):
        if detail.port.port_security_enabled and group not in [known.id for known in detail.security_groups]:
            network.set_security_groups(tx, detail.port.id, [*(known.id for known in detail.security_groups), group])
    events.record(tx, caller, "compute", "addSecurityGroup", "server", server.id, group=group)


def remove_security_group(tx: Tx, caller: Caller, server: ServerRow, name: str) -> None:
    group = interfaces.group_id(tx, caller, name, NotFound)
    found = False
    for detail in _ports(tx, server):
        rest = [known.id for known in detail.security_groups if known.id != group]
        if len(rest) != len(detail.security_groups):
            found = True
            network.set_security_groups(tx, detail.port.id, rest)
    if not found:
        raise NotFound(f"Security group {name} is not associated with the instance {server.id}.")
    events.record(tx, caller, "compute", "removeSecurityGroup", "server", server.id, group=group)


def add_floating_ip(tx: Tx, caller: Caller, server: ServerRow, address: str, fixed: str | None) -> None:
    """Lead a floating IP of the project to the server. Raises NotFound, BadRequest, and what the network refuses."""
    floating = network.floating_ip_at(tx, caller.project_id or "", address)
    if floating is None:
        raise NotFound(f"Floating IP {address[:64]} could not be found in project {caller.project_id}.")
    held = [
        (detail.port.id, ip.ip_address)
        for detail in interfaces.ports_of(tx, server)
        for ip in detail.fixed_ips
        if ip.subnet.ip_version == 4 and fixed in (None, ip.ip_address)
    ]
    if not held:
        what = f"has no fixed address {fixed}" if fixed else "has no fixed IPv4 address"
        raise BadRequest(f"Instance {server.id} {what} that a floating IP could lead to.")
    with compute_statuses():
        network.associate_floating_ip(tx, caller, floating, *held[0])
    events.record(tx, caller, "compute", "addFloatingIp", "server", server.id, address=address)


def remove_floating_ip(tx: Tx, caller: Caller, server: ServerRow, address: str) -> None:
    """Raises NotFound for one that the project has not, Conflict for one that leads elsewhere."""
    floating = network.floating_ip_at(tx, caller.project_id or "", address)
    if floating is None:
        raise NotFound(f"Floating IP {address[:64]} could not be found in project {caller.project_id}.")
    if floating.port_id not in [detail.port.id for detail in interfaces.ports_of(tx, server)]:
        raise Conflict(f"Floating IP {address} is not associated with instance {server.id}.")
    network.associate_floating_ip(tx, caller, floating, None, None)
    events.record(tx, caller, "compute", "removeFloatingIp", "server", server.id, address=address)


def _ports(tx: Tx, server: ServerRow) -> list[network.PortDetail]:
    ports = interfaces.ports_of(tx, server)
    if not ports:
        raise Conflict(f"Instance {server.id} has no port, so it can have no security group.")
    return ports
