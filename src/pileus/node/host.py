"""What the agent needs of a host: one guest's nouns, each verb idempotent. Implemented by libvirt and by the simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from pileus.node.desired import Diagnostics, GuestSpec, GuestState, HostFacts, MetadataPort, Nic


class HostError(Exception):
    """A step that could not be done; the text is for the reader of the server's fault."""


class HostAway(HostError):
    """Nobody is there to do it: the hypervisor has crashed, or hangs, and is started again by who watches it."""


class Seen(msgspec.Struct, kw_only=True):
    """What a host finds of a guest. A guest of which nothing is left is not seen at all."""

    state: GuestState
    has_domain: bool = True
    """Whether the hypervisor knows it; disks alone may be left without."""
    nics: tuple[str, ...] = ()
    """Port ids of the NICs that the domain has."""
    leaving: tuple[str, ...] = ()
    """Port ids of NICs that were detached and cut from their network, and that the guest has not released yet."""
    wired: tuple[str, ...] = ()
    """Port ids whose flows are in place."""
    vnc_port: int | None = None


class Host(Protocol):
    """The verbs raise HostError. They may be interrupted at any instruction and be called again."""

    def facts(self) -> HostFacts: ...

    def see(self) -> dict[str, Seen]:
        """All guests of ours on this host, by guest id."""

    def ensure_disk(self, guest: GuestSpec) -> None:
        """Root disk, ephemeral disk, swap and config drive are there; what is there is kept."""

    def reset_disk(self, guest: GuestSpec) -> None:
        """The same, made anew from the image. The guest must not run."""

    def start(self, guest: GuestSpec) -> None:
        """The domain is made anew from the spec and runs; a suspended one goes on where it was."""

    def define(self, guest: GuestSpec) -> None:
        """The domain is known and does not run."""

    def shut_down(self, guest: GuestSpec) -> None:
        """Asked by ACPI, then by force after a while."""

    def destroy(self, guest: GuestSpec) -> None:
        """By force and at once; disks stay."""

    def reboot(self, guest: GuestSpec) -> None:
        """Asked by ACPI; made to, after a while."""

    def pause(self, guest: GuestSpec) -> None: ...

    def resume(self, guest: GuestSpec) -> None: ...

    def suspend(self, guest: GuestSpec) -> None:
        """Memory to disk; the domain does not run any more."""

    def attach_nic(self, guest: GuestSpec, nic: Nic) -> None:
        """One that is leaving has to be gone first."""

    def detach_nic(self, guest: GuestSpec, port_id: str) -> None:
        """Cut from its network when this returns. A running guest releases the device in its own time."""

    def release_nic(self, guest_id: str, port_id: str) -> None:
        """Ask a guest again to release a NIC that is leaving: one that boots, or is paused, does not hear it."""

    def remove(self, guest_id: str) -> None:
        """Nothing of the guest is left: domain, disks, NICs."""

    def serve_metadata(self, ports: Sequence[MetadataPort], guests: Sequence[GuestSpec]) -> None:
        """Exactly these metadata ports answer, with these guests' documents."""

    def console_log(self, guest_id: str, limit: int) -> bytes:
        """The last `limit` bytes that the guest printed."""

    def diagnostics(self, guest_id: str) -> Diagnostics | None:
        """None while it does not run."""

    def metadata_asked(self, guest_id: str) -> list[str]:
        """What the guest last asked of metadata: time, path and status of each request."""

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever `see` may give something new."""

    def problems(self) -> tuple[str, ...]: ...

    def used(self) -> dict[str, int]: ...

    def close(self) -> None: ...
