"""The pure part of the agent: from what should be and what is, the next step.

A guest's power is changed only when the spec is new to this host (or the host itself has restarted): a guest that shut
itself down stays down and is reported so.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pileus.node.desired import GuestSpec
from pileus.node.host import Seen

Verb = Literal[
    "ensure_disk",
    "reset_disk",
    "start",
    "define",
    "shut_down",
    "destroy",
    "reboot",
    "pause",
    "resume",
    "suspend",
    "attach_nic",
    "detach_nic",
]


class Done(msgspec.Struct, kw_only=True):
    """How far a guest's spec has been carried out on this host; kept on disk."""

    generation: int = 0
    reboots: int = 0
    hard_reboots: int = 0
    rebuilds: int = 0
    disk: bool = False
    """Whether the disks have been ensured for this generation's spec."""


class Step(msgspec.Struct, frozen=True):
    verb: Verb
    port_id: str | None = None


def next_step(spec: GuestSpec, seen: Seen | None, done: Done) -> Step | None:
    """The one step to do now; None when the guest is as the spec says (then done.generation becomes the spec's)."""
    state = seen.state if seen is not None and seen.has_domain else None
    if spec.rebuilds > done.rebuilds:
        return Step("destroy") if _alive(state) else Step("reset_disk")
    if spec.hard_reboots > done.hard_reboots:
        return Step("destroy") if _alive(state) else _start(done)
    if done.generation >= spec.generation:
        return None
    if state is None or state in ("building", "failed"):
        if spec.power == "stopped":
            return Step("define") if done.disk else Step("ensure_disk")
        return _start(done)
    step = _power(spec, state, done)
    if step is not None:
        return step
    if spec.reboots > done.reboots and state == "running":
        return Step("reboot")
    assert seen is not None
    return _nics(spec, seen)


def after(step: Step, spec: GuestSpec, done: Done) -> Done:
    """What is done once the step has succeeded."""
    if step.verb == "reset_disk":
        return msgspec.structs.replace(done, rebuilds=spec.rebuilds, disk=True)
    if step.verb == "ensure_disk":
        return msgspec.structs.replace(done, disk=True)
    if step.verb == "start":
        return msgspec.structs.replace(done, hard_reboots=spec.hard_reboots, reboots=spec.reboots)
    if step.verb == "reboot":
        return msgspec.structs.replace(done, reboots=spec.reboots)
    return done


def finished(spec: GuestSpec, done: Done) -> Done:
    return Done(
        generation=spec.generation,
        reboots=spec.reboots,
        hard_reboots=spec.hard_reboots,
        rebuilds=spec.rebuilds,
        disk=True,
    )


def _alive(state: str | None) -> bool:
    """Something of it is in memory or saved: it has to go before the disk or the domain is made anew."""
    return state in ("running", "paused", "suspended")


def _start(done: Done) -> Step:
    return Step("start") if done.disk else Step("ensure_disk")


def _power(spec: GuestSpec, state: str, done: Done) -> Step | None:
    wanted = spec.power
    if state == wanted or (wanted == "stopped" and state == "crashed"):
        return None
    if wanted == "running":
        return Step("resume") if state == "paused" else _start(done)
    if wanted == "stopped":
        if state == "running":
            return Step("shut_down")
        return Step("destroy")
    if wanted == "paused":
        return Step("pause") if state == "running" else _start(done)
    if state == "paused":
        return Step("resume")
    return Step("suspend") if state == "running" else _start(done)


def _nics(spec: GuestSpec, seen: Seen) -> Step | None:
    wanted = [nic.port_id for nic in spec.nics]
    for port_id in seen.nics:
        if port_id not in wanted:
            return Step("detach_nic", port_id)
    for port_id in wanted:
        if port_id not in seen.nics:
            return Step("attach_nic", port_id)
    return None
