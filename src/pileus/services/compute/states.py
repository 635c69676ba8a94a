"""The states of a server, and how reports of its host change them. Pure.

`vm_state` is what the server is, `task_state` what is being done to it; the API's `status` is read from both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pileus.node.desired import GuestStatus

_RESIZE = dict.fromkeys(("resize_prep", "resize_migrating", "resize_migrated", "resize_finish"), "RESIZE")
_REBUILD = dict.fromkeys(("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"), "REBUILD")
_REBOOT = dict.fromkeys(("rebooting", "reboot_pending", "reboot_started"), "REBOOT")
_HARD = dict.fromkeys(("rebooting_hard", "reboot_pending_hard", "reboot_started_hard"), "HARD_REBOOT")
_MOVE = {"migrating": "MIGRATING"}
STATUSES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "active": ("ACTIVE", {**_REBOOT, **_HARD, **_REBUILD, **_RESIZE, **_MOVE, "updating_password": "PASSWORD"}),
    "building": ("BUILD", {}),
    "stopped": ("SHUTOFF", {**_RESIZE, **_REBUILD}),
    "resized": ("VERIFY_RESIZE", {"resize_reverting": "REVERT_RESIZE"}),
    "paused": ("PAUSED", _MOVE),
    "suspended": ("SUSPENDED", {}),
    "rescued": ("RESCUE", {}),
    "error": ("ERROR", _REBUILD),
    "deleted": ("DELETED", {}),
    "soft-delete": ("SOFT_DELETED", {}),
    "shelved": ("SHELVED", {}),
    "shelved_offloaded": ("SHELVED_OFFLOADED", {}),
}
"""vm_state -> (the usual status, task_state -> the status while that is being done)."""
KNOWN_STATUSES = frozenset(
    status for usual, exceptions in STATUSES.values() for status in (usual, *exceptions.values())
)
PROGRESS = {"ACTIVE": 100, "BUILD": 0, "REBUILD": 0, "RESIZE": 0, "VERIFY_RESIZE": 100, "MIGRATING": 0}
"""Where a status is one of progress, how far it is."""
POWER_STATES = {"running": 1, "paused": 3, "stopped": 4, "crashed": 6, "suspended": 7}
_VM_STATES = {
    "running": "active",
    "paused": "paused",
    "stopped": "stopped",
    "crashed": "stopped",
    "suspended": "suspended",
}
VM_STATE_OF_POWER = {POWER_STATES[state]: vm_state for state, vm_state in _VM_STATES.items()}
_STEPS = {"disk": "block_device_mapping", "network": "networking"}
_MADE_ANEW = ("spawning", "networking", "block_device_mapping", "rebooting_hard", *_REBUILD)
"""Tasks after whose failure the guest cannot be trusted to be what it was."""
DELETING = "deleting"


class Server(Protocol):
    """What a report is compared with."""

    power: str
    generation: int
    observed_generation: int
    vm_state: str
    task_state: str | None
    power_state: int


def status_of(vm_state: str, task_state: str | None) -> str:
    usual, exceptions = STATUSES.get(vm_state, ("UNKNOWN", {}))
    return exceptions.get(task_state or "", usual)


def after_report(server: Server, guest: GuestStatus, wired: bool) -> dict[str, Any]:
    """What a report changes, by column. `wired`: all ports of the server have their flows in place.

    `power` changes where the guest turned itself off. `failed` holds the host's words where the work under way failed.
    """
    changes: dict[str, Any] = {
        "power_state": POWER_STATES.get(guest.state, 0),
        "observed_generation": max(server.observed_generation, guest.generation),
    }
    if server.task_state != DELETING:
        changes |= _progress(server, guest, wired)
    return {name: value for name, value in changes.items() if getattr(server, name, None) != value}


def _progress(server: Server, guest: GuestStatus, wired: bool) -> dict[str, Any]:
    if guest.generation < server.generation:
        if guest.fault is not None or guest.state == "failed":
            return _failed(server, guest)
        if server.vm_state == "building" and guest.step in _STEPS:
            return {"task_state": _STEPS[guest.step]}
        return {}
    if server.power == guest.state or (server.power == "stopped" and guest.state == "crashed"):
        if guest.state == "running" and not wired and (server.task_state or server.vm_state == "building"):
            return {}
        return {"vm_state": _VM_STATES[guest.state], "task_state": None}
    if guest.state in ("stopped", "crashed"):
        return {"vm_state": "stopped", "task_state": None, "power": "stopped"}
    return {}


def _failed(server: Server, guest: GuestStatus) -> dict[str, Any]:
    """The work under way could not be done: say what the guest is now, and let go of the task."""
    if server.task_state is None and server.vm_state != "building":
        return {}
    words = {"failed": guest.fault or "The host could not build the guest and did not say why."}
    lost = server.vm_state in ("building", "error") or server.task_state in _MADE_ANEW or guest.state not in _VM_STATES
    return {"vm_state": "error" if lost else _VM_STATES[guest.state], "task_state": None, **words}
