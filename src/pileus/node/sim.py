"""A simulated host: the same verbs in memory, with failure knobs.

The knobs stand in a JSON file that is read at each step, so that a test turns them while the agent runs:
{"slow": seconds a step takes, "fail_at": {"start": "the text of the fault"}, "keep_nics": true, "vanish": true,
"lie": "running"}.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path

import msgspec

from pileus.node.desired import (
    Diagnostics,
    DiskCounters,
    GuestSpec,
    GuestState,
    HostFacts,
    MetadataPort,
    Nic,
    NicCounters,
)
from pileus.node.host import HostError, Seen
from pileus.node.ledger import written_whole


class Knobs(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    slow: float = 0.0
    """Seconds that every step takes."""
    fail_at: dict[str, str] = {}
    """Verb -> the fault that it ends with."""
    keep_nics: bool = False
    """Guests do not release the NICs that are detached."""
    vanish: bool = False
    """The host does not see its guests any more."""
    lie: GuestState | None = None
    """The state that the host reports for all its guests, whatever they are."""


class Guest(msgspec.Struct, kw_only=True):
    state: GuestState = "building"
    has_domain: bool = False
    nics: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    disk: str | None = None
    """The image's hash, and how often the disk was made."""
    disks_made: int = 0
    log: list[str] = []


class Kept(msgspec.Struct):
    """A guest as its file has it."""

    guest: Guest
    spec: GuestSpec


class SimulatedHost:
    """Thread-safe. With `memory`, a directory, guests outlive the agent as real ones do: a file for each."""

    def __init__(self, facts: HostFacts, knobs: Path | None = None, memory: Path | None = None) -> None:
        self._facts, self._knobs_file, self._memory = facts, knobs, memory
        kept = kept_guests(memory) if memory else {}
        self._guests: dict[str, Guest] = {guest_id: each.guest for guest_id, each in kept.items()}
        self._specs: dict[str, GuestSpec] = {guest_id: each.spec for guest_id, each in kept.items()}
        self._lock = threading.RLock()
        self._wake: Callable[[], None] = lambda: None
        self.metadata: tuple[MetadataPort, ...] = ()

    def knobs(self) -> Knobs:
        if self._knobs_file is None or not self._knobs_file.exists():
            return Knobs()
        return msgspec.json.decode(self._knobs_file.read_bytes(), type=Knobs)

    def facts(self) -> HostFacts:
        return self._facts

    def see(self) -> dict[str, Seen]:
        knobs = self.knobs()
        if knobs.vanish:
            return {}
        with self._lock:
            return {guest_id: self._seen(guest, knobs.lie) for guest_id, guest in self._guests.items()}

    def ensure_disk(self, guest: GuestSpec) -> None:
        with self._step("ensure_disk", guest) as held:
            self._make_disk(held, guest)

    def reset_disk(self, guest: GuestSpec) -> None:
        with self._step("reset_disk", guest) as held:
            if held.state in ("running", "paused"):
                raise HostError("A running guest's disk can't be made anew.")
            held.disk, held.disks_made, held.log = guest.root.sha512, held.disks_made + 1, []

    def start(self, guest: GuestSpec) -> None:
        with self._step("start", guest) as held:
            self._make_disk(held, guest)
            held.nics = tuple(nic.port_id for nic in guest.nics)
            held.log += [f"pileus simulated guest {guest.name}", "booting", f"{guest.name} login:"]
            self._set(held, "running")

    def define(self, guest: GuestSpec) -> None:
        with self._step("define", guest) as held:
            held.nics = tuple(nic.port_id for nic in guest.nics)
            self._set(held, "stopped")

    def shut_down(self, guest: GuestSpec) -> None:
        with self._step("shut_down", guest) as held:
            held.log.append("power down")
            self._set(held, "stopped")

    def destroy(self, guest: GuestSpec) -> None:
        with self._step("destroy", guest) as held:
            self._set(held, "stopped")

    def reboot(self, guest: GuestSpec) -> None:
        with self._step("reboot", guest) as held:
            held.log += ["restarting", "booting", f"{guest.name} login:"]

    def pause(self, guest: GuestSpec) -> None:
        with self._step("pause", guest) as held:
            self._set(held, "paused")

    def resume(self, guest: GuestSpec) -> None:
        with self._step("resume", guest) as held:
            self._set(held, "running")

    def suspend(self, guest: GuestSpec) -> None:
        with self._step("suspend", guest) as held:
            self._set(held, "suspended")

    def attach_nic(self, guest: GuestSpec, nic: Nic) -> None:
        with self._step("attach_nic", guest) as held:
            if nic.port_id in held.leaving:
                raise HostError(f"The guest has not released the interface of port {nic.port_id} yet.")
            held.nics = (*held.nics, nic.port_id)

    def detach_nic(self, guest: GuestSpec, port_id: str) -> None:
        with self._step("detach_nic", guest) as held:
            held.nics = tuple(nic for nic in held.nics if nic != port_id)
            if self.knobs().keep_nics and held.state in ("running", "paused"):
                held.leaving = (*held.leaving, port_id)

    def release_nic(self, guest_id: str, port_id: str) -> None:
        if self.knobs().keep_nics:
            return
        with self._lock:
            held = self._guests.get(guest_id)
            if held is not None:
                leaving = tuple(nic for nic in held.leaving if nic != port_id)
                self._keep(guest_id, msgspec.structs.replace(held, leaving=leaving), self._specs[guest_id])

    def remove(self, guest_id: str) -> None:
        with self._lock:
            guest = self._specs.get(guest_id)
        if guest is not None:
            with self._step("remove", guest):
                pass
        with self._lock:
            self._guests.pop(guest_id, None)
            self._specs.pop(guest_id, None)
            if self._memory:
                _file(self._memory, guest_id).unlink(missing_ok=True)

    def crash(self, guest_id: str) -> None:
        """The guest dies by itself."""
        with self._lock:
            self._set(self._guests[guest_id], "crashed")
            self._keep(guest_id, self._guests[guest_id], self._specs[guest_id])
        self._wake()

    def serve_metadata(self, ports: Sequence[MetadataPort], guests: Sequence[GuestSpec]) -> None:
        self.metadata = tuple(ports)

    def console_log(self, guest_id: str, limit: int) -> bytes:
        with self._lock:
            guest = self._guests.get(guest_id)
            return "".join(f"{line}\n" for line in guest.log).encode()[-limit:] if guest else b""

    def diagnostics(self, guest_id: str) -> Diagnostics | None:
        """A simulated guest uses nothing."""
        with self._lock:
            guest, spec = self._guests.get(guest_id), self._specs.get(guest_id)
            if guest is None or spec is None or guest.state not in ("running", "paused"):
                return None
            return Diagnostics(
                uptime=0,
                memory_kib=spec.memory_mb << 10,
                memory_used_kib=0,
                cpu_times=(0,) * spec.vcpus,
                nics=tuple(NicCounters(name=f"sim-{n}", mac=nic.mac) for n, nic in enumerate(spec.nics)),
                disks=(DiskCounters(name="vda"),),
            )

    def metadata_asked(self, guest_id: str) -> list[str]:
        return []

    def watch(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def problems(self) -> tuple[str, ...]:
        return ()

    def used(self) -> dict[str, int]:
        with self._lock:
            running = [self._specs[guest_id] for guest_id in self._guests if guest_id in self._specs]
        return {
            "vcpus": sum(guest.vcpus for guest in running),
            "memory_mb": sum(guest.memory_mb for guest in running),
            "disk_gb": sum(guest.root.size_gb for guest in running),
        }

    def close(self) -> None:
        return None

    def _make_disk(self, held: Guest, guest: GuestSpec) -> None:
        if held.disk is None:
            held.disk, held.disks_made = guest.root.sha512, held.disks_made + 1

    def _keep(self, guest_id: str, guest: Guest, spec: GuestSpec) -> None:
        """From now on it is so; where it can't be written down, it is as it was."""
        if self._memory is not None:
            _write(self._memory, guest_id, Kept(guest, spec))
        self._guests[guest_id], self._specs[guest_id] = guest, spec

    def _set(self, held: Guest, state: GuestState) -> None:
        held.state, held.has_domain = state, True
        if state not in ("running", "paused"):
            held.leaving = ()

    def _seen(self, guest: Guest, lie: GuestState | None) -> Seen:
        state = lie or guest.state
        alive = state in ("running", "paused")
        wired = guest.nics if alive else ()
        return Seen(state=state, has_domain=guest.has_domain, nics=guest.nics, leaving=guest.leaving, wired=wired)

    def _step(self, verb: str, guest: GuestSpec) -> _Step:
        return _Step(self, verb, guest)


class _Step:
    """Takes the time and fails as the knobs say; then gives a copy of the guest to change, and keeps what came of it. Locked."""

    def __init__(self, host: SimulatedHost, verb: str, guest: GuestSpec) -> None:
        self._host, self._verb, self._guest = host, verb, guest

    def __enter__(self) -> Guest:
        knobs = self._host.knobs()
        if knobs.slow:
            time.sleep(knobs.slow)
        if self._verb in knobs.fail_at:
            raise HostError(knobs.fail_at[self._verb])
        self._host._lock.acquire()
        self._held = deepcopy(self._host._guests.get(self._guest.id)) or Guest()
        return self._held

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self._verb != "remove":
                self._host._keep(self._guest.id, self._held, self._guest)
        finally:
            self._host._lock.release()
            self._host._wake()


def kept_guests(memory: Path) -> dict[str, Kept]:
    """The guests of a simulated host, by id."""
    memory.mkdir(parents=True, exist_ok=True)
    return {file.stem: msgspec.json.decode(file.read_bytes(), type=Kept) for file in memory.glob("*.json")}


def end_guests(memory: Path) -> None:
    """The guests of a simulated host, whose agent has ended, run no more."""
    for guest_id, kept in kept_guests(memory).items():
        if kept.guest.state in ("running", "paused"):
            kept.guest.state = "stopped"
            _write(memory, guest_id, kept)


def _write(memory: Path, guest_id: str, kept: Kept) -> None:
    with written_whole(_file(memory, guest_id)) as file:
        file.write(msgspec.json.encode(kept))


def _file(memory: Path, guest_id: str) -> Path:
    return memory / f"{guest_id}.json"
