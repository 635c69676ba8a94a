"""The cloud that the doctor looks at: its state directory, its database, its daemons' sockets.

The doctor asks neither the API nor the host agent for what it can read itself: they may be what is broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.node.desired import GuestState
from pileus.operate import membership, options, state
from pileus.operate.down import running_guests
from pileus.operate.options import OptionError
from pileus.operate.state import Running


class Guest(msgspec.Struct):
    """A guest as its host has it, simulated or not."""

    id: str
    name: str
    state: GuestState
    nics: tuple[str, ...]
    """Port ids."""
    disks: tuple[str, ...] = ()
    """Files, of a real one."""


class NoAnswer(Exception):
    """Something that was asked does not answer; the text says what and how."""


class Patient:
    """Raises OptionError where there is no cloud."""

    def __init__(self, state_dir: Path) -> None:
        mode = state.mode(state_dir)
        if mode is None:
            raise OptionError(f"There is no cloud in {state_dir}: start one by 'pileus up'.")
        if (member := membership.read(state_dir)) is not None:
            raise OptionError(
                f"{state_dir} is that of host {member.name}: ask on the machine of its cloud, {member.url}. "
                "'pileus status' says how this host is."
            )
        noted = state.noted(state_dir)
        self.state_dir = state_dir
        self.settings: Settings = noted.settings if noted else options.load(state_dir, {"mode": mode})
        self.running: Running | None = state.running(state_dir)
        self.simulated = mode == "sim"
        if self.settings.database is None and not (state_dir / "pileus.db").exists():
            raise OptionError(f"There is no database in {state_dir}: Pileus was never up there.")
        self.db = Database(self.settings.database_url)

    def close(self) -> None:
        self.db.close()

    def guests(self) -> dict[str, Guest]:
        """All guests of this machine's hosts, by id. Raises NoAnswer."""
        if not self.simulated:
            return self._domains()
        from pileus.node.sim import kept_guests

        return {
            guest_id: Guest(guest_id, kept.spec.domain_name, kept.guest.state, kept.guest.nics + kept.guest.leaving)
            for host in self.settings.own_hosts
            for guest_id, kept in kept_guests(self.state_dir / "sim" / host / "guests").items()
        }

    def guests_run(self) -> bool:
        """Without asking libvirtd."""
        return running_guests(self.state_dir) > 0

    def _domains(self) -> dict[str, Guest]:
        from pileus.node import vm
        from pileus.node.libvirt_host import state_of

        with self.libvirt() as connection:
            found = {}
            for domain in connection.listAllDomains():
                xml = domain.XMLDesc()
                nics = tuple(vm.taps(xml))
                guest = Guest(domain.UUIDString(), domain.name(), state_of(domain), nics, _disks(xml))
                found[guest.id] = guest
        return found

    @contextmanager
    def libvirt(self) -> Iterator[Any]:
        """A connection, after libvirtd has answered a question that can't hang. Raises NoAnswer."""
        import libvirt

        from pileus.supervise import ask
        from pileus.supervise import libvirt as daemons

        try:
            ask.LibvirtKeepalive(daemons.socket(self.state_dir))(2.0)
            connection = libvirt.open(daemons.uri(self.state_dir))
        except (OSError, libvirt.libvirtError) as error:
            raise NoAnswer(f"libvirtd does not answer: {error}") from None
        with closing(connection):
            try:
                yield connection
            except libvirt.libvirtError as error:
                raise NoAnswer(f"libvirtd: {error}") from None


def _disks(xml: str) -> tuple[str, ...]:
    from xml.etree import ElementTree

    sources = ElementTree.fromstring(xml).iterfind("./devices/disk/source")
    return tuple(source.get("file", "") for source in sources)
