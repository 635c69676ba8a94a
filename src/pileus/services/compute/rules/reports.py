"""What hosts report becomes what servers are. Written here alone: vm_state, power_state, the end of each task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pileus.core import events
from pileus.core.body import seconds
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.node.desired import GuestStatus, HostStatus
from pileus.services.compute import states
from pileus.services.compute.rules import interfaces
from pileus.services.compute.store import servers as store
from pileus.services.compute.store.servers import Fault, ServerRow
from pileus.services.network import rules as network
from pileus.services.placement import rules as placement


def observe(tx: Tx, status: HostStatus) -> None:
    """Take a host's report over. The same report twice changes nothing the second time."""
    reported = {guest.id: guest for guest in status.guests}
    said = {*reported, *status.gone}
    mine = [server for server in store.concerned(tx, status.host, sorted(said)) if server.host == status.host]
    ports = interfaces.bare_ports_of_servers(tx, [server for server in mine if server.id in reported])
    for server in mine:
        if server.id in reported:
            guest = reported[server.id]
            wired = _note_wired(tx, ports[server.id], guest)
            _note_state(tx, server, guest, wired)
        elif (server.id in said and server.task_state == states.DELETING) or _never_there(server, status):
            finish_delete(tx, server)


def _never_there(server: ServerRow, status: HostStatus) -> bool:
    """The host knows a spec without the guest, and either never had the guest or lists all that it has."""
    knows = server.deleting_revision is not None and status.revision > server.deleting_revision
    return knows and (status.full or server.reported_at is None)


def _note_wired(tx: Tx, ports: Iterable[network.PortRow], guest: GuestStatus) -> bool:
    """Make the ports ACTIVE or DOWN as the host says; whether all of them are wired."""
    all_wired = True
    for port in ports:
        wired = port.id in guest.wired
        all_wired = all_wired and wired
        if wired != (port.status == "ACTIVE"):
            network.port_wired(tx, port, wired)
    return all_wired


def _note_state(tx: Tx, server: ServerRow, guest: GuestStatus, wired: bool) -> None:
    changes = states.after_report(server, guest, wired)
    failed = changes.pop("failed", None)
    ended = "task_state" in changes and changes["task_state"] is None
    became = changes.get("vm_state")
    if became in ("active", "stopped", "paused") and server.launched_at is None:
        changes["launched_at"] = tx.now
    if failed is not None:
        changes["fault"] = Fault(500, failed, seconds(tx.now) or "", f"Host {server.host} reported this.")
    elif became is not None:
        changes["fault"] = None
    if ended and server.action is not None:
        finish_action(tx, server, failed)
        changes["action"] = None
    if server.reported_at is None:
        changes["reported_at"] = tx.now
    if not changes:
        return
    if "power" in changes:
        tx.wake(f"host:{server.host}")
    silent: dict[str, Any] = (
        {} if {"vm_state", "task_state", "power_state"} & set(changes) else {"updated_at": server.updated_at}
    )
    store.update_server(tx, server, changes | silent)


def finish_action(tx: Tx, server: ServerRow, failed: str | None = None) -> None:
    """Say in the events how the work of the server's last request ended."""
    action = server.action
    assert action is not None
    caller = Caller(user_id=action.user_id, project_id=action.project_id, request_id=action.request_id)
    outcome = {"outcome": "error", "message": failed} if failed else {"outcome": "success"}
    events.record(tx, caller, "compute", action.name, "server", server.id, host=server.host, **outcome)


def finish_delete(tx: Tx, server: ServerRow) -> None:
    """The guest is gone: give its room back and end the server."""
    placement.release(tx, server.id)
    if server.action is not None:
        finish_action(tx, server)
    store.update_server(
        tx,
        server,
        {
            "vm_state": "deleted",
            "task_state": None,
            "action": None,
            "power_state": 0,
            "terminated_at": tx.now,
            "deleted_at": tx.now,
        },
    )


def settle(tx: Tx, server: ServerRow) -> None:
    """End a task that no report will end: the server is what its guest was last seen as, and the action has failed."""
    vm_state = states.VM_STATE_OF_POWER.get(server.power_state, "error")
    if server.vm_state == "building":
        vm_state = "error"
    ports = interfaces.bare_ports_of_servers(tx, [server])[server.id]
    unwired = [port.id for port in ports if port.status != "ACTIVE"]
    words = f"Host {server.host} has done what it was asked, yet '{server.task_state}' did not end."
    if unwired:
        words += f" These ports are not wired: {', '.join(unwired)}."
    if server.action is not None:
        finish_action(tx, server, words)
    fault = Fault(500, words, seconds(tx.now) or "")
    store.update_server(tx, server, {"vm_state": vm_state, "task_state": None, "action": None, "fault": fault})
