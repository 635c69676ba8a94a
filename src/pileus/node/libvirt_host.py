"""A real host: guests on libvirt, their disks, their ports in Open vSwitch, metadata in their networks."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import libvirt
import msgspec
import psutil
import structlog

from pileus.node import diagnostics, namespace, ovs, vm
from pileus.node.desired import Diagnostics, GuestSpec, GuestState, HostFacts, MetadataPort, Nic
from pileus.node.disk import Disks, Download
from pileus.node.host import HostError, Seen
from pileus.node.libvirt import Libvirt, told
from pileus.node.metadata import LeavePassword, MetadataServers
from pileus.node.ovs import WiredPorts

log = structlog.get_logger("pileus.host")
PATIENCE = 60.0
"""Seconds that a guest has to answer an ACPI request."""
_ASK_AGAIN = 5.0
NOTICED = 1.0
"""Seconds in which what libvirt has unplugged is seen to be."""
_STATES: dict[int, GuestState] = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "running",
    libvirt.VIR_DOMAIN_SHUTDOWN: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "paused",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
}
_ALIVE = ("running", "paused")
_STATS = (
    libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)


class Place(msgspec.Struct, kw_only=True):
    """Where this host's parts are; what `pileus up` knows and the agent is told."""

    name: str
    state_dir: Path
    agent_url: str
    libvirt_uri: str
    ovs: str
    """Connection of the Open_vSwitch database."""
    namespaces: str
    """How the names of this host's network namespaces begin."""
    machine: vm.Machine
    accelerator_reason: str
    address: str = "127.0.0.1"
    mtu: int | None = None
    """Of the interface that carries the tunnels."""


class LibvirtHost:
    def __init__(self, place: Place, download: Download, leave_password: LeavePassword) -> None:
        self._place = place
        self._wake: Callable[[], None] = lambda: None
        self._libvirt = Libvirt(place.libvirt_uri, self._woken, self._device_gone)
        self._wired = WiredPorts(place.ovs, place.machine.bridge, self._woken)
        self._disks = Disks(place.state_dir, download)
        self._metadata = MetadataServers(
            namespace.Place(place.ovs, place.machine.bridge, place.namespaces, str(place.state_dir)), leave_password
        )
        self._live: dict[str, tuple[tuple[int, int], vm.Live]] = {}
        self._device_changes: dict[str, int] = {}
        self._change_numbers = itertools.count(1)
        self._problems: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def _woken(self) -> None:
        self._wake()

    def _device_gone(self, guest_id: str) -> None:
        self._devices_changed(guest_id)
        self._wake()

    def watch(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def facts(self) -> HostFacts:
        call, connection = self._libvirt.call, self._libvirt.connection
        return HostFacts(
            host=self._place.name,
            hypervisor_type="QEMU",
            hypervisor_version=call(connection.getVersion),
            accelerator=self._place.machine.accelerator,
            accelerator_reason=self._place.accelerator_reason,
            vcpus=psutil.cpu_count() or 1,
            memory_mb=psutil.virtual_memory().total >> 20,
            disk_gb=psutil.disk_usage(str(self._place.state_dir)).total >> 30,
            address=self._place.address,
            agent_url=self._place.agent_url,
            mtu=self._place.mtu,
            cpu_info=_cpu_info(),
            traits=("COMPUTE_NODE", "COMPUTE_DEVICE_TAGGING", "COMPUTE_NET_ATTACH_INTERFACE"),
        )

    def see(self) -> dict[str, Seen]:
        """While libvirtd is away, what was seen last would be a guess: raises HostError."""
        parts = {*self._disks.guests(), *self._wired.taps()}
        found = {guest_id: Seen(state="building", has_domain=False) for guest_id in parts}
        wired = self._wired.ports()
        connection = self._libvirt.connection
        for domain in self._libvirt.call(connection.listAllDomains):
            guest_id = domain.UUIDString()
            try:
                found[guest_id] = self._seen(guest_id, domain, wired)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise told(error) from None
        return found

    def _seen(self, guest_id: str, domain: Any, wired: frozenset[str]) -> Seen:
        state = state_of(domain)
        live = self._live_of(guest_id, domain)
        here = tuple(port for port in live.nics if port in wired) if state in _ALIVE else ()
        vnc_port = live.vnc_port if state in _ALIVE else None
        return Seen(state=state, nics=live.nics, leaving=live.leaving, wired=here, vnc_port=vnc_port)

    def _live_of(self, guest_id: str, domain: Any) -> vm.Live:
        """From the domain's XML, which is read once a start and once a change of its devices."""
        stand = (domain.ID(), self._device_changes.get(guest_id, 0))
        known = self._live.get(guest_id)
        if known is None or known[0] != stand:
            live = vm.read_live(domain.XMLDesc(), domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
            known = self._live[guest_id] = (stand, live)
        return known[1]

    def _devices_changed(self, guest_id: str) -> None:
        """What is being read at this moment is old already."""
        self._device_changes[guest_id] = next(self._change_numbers)

    def ensure_disk(self, guest: GuestSpec) -> None:
        self._disks.ensure(guest)

    def reset_disk(self, guest: GuestSpec) -> None:
        self._disks.reset(guest)

    def define(self, guest: GuestSpec) -> None:
        self._define(guest)

    def start(self, guest: GuestSpec) -> None:
        domain = self._libvirt.domain(guest.id)
        if domain is not None and self._libvirt.call(domain.isActive):
            return
        if domain is None or not self._libvirt.call(domain.hasManagedSaveImage):
            self._disks.ensure(guest)
            domain = self._define(guest)
        self._libvirt.call(domain.create)

    def _define(self, guest: GuestSpec) -> Any:
        folder, image = self._disks.folder(guest.id), self._disks.image(guest.root)
        xml = vm.domain_xml(guest, folder, image, self._place.machine)
        domain = self._libvirt.call(self._libvirt.connection.defineXML, xml)
        self._devices_changed(guest.id)
        return domain

    def shut_down(self, guest: GuestSpec) -> None:
        domain = self._domain(guest)
        if not self._ask_to_end(domain):
            log.info("a guest did not answer the request to power down", guest=guest.id)
            self.destroy(guest)

    def destroy(self, guest: GuestSpec) -> None:
        domain = self._libvirt.domain(guest.id)
        if domain is None:
            return
        if self._libvirt.call(domain.isActive):
            self._end(domain)
        if self._libvirt.call(domain.hasManagedSaveImage):
            self._libvirt.call(domain.managedSaveRemove)

    def reboot(self, guest: GuestSpec) -> None:
        self.shut_down(guest)
        self.start(guest)

    def pause(self, guest: GuestSpec) -> None:
        self._libvirt.call(self._domain(guest).suspend)

    def resume(self, guest: GuestSpec) -> None:
        self._libvirt.call(self._domain(guest).resume)

    def suspend(self, guest: GuestSpec) -> None:
        self._libvirt.call(self._domain(guest).managedSave)

    def attach_nic(self, guest: GuestSpec, nic: Nic) -> None:
        domain = self._domain(guest)
        self._await_release(domain, guest.id, nic.port_id)
        xml = ElementTree.tostring(vm.interface(guest.id, nic, self._place.machine), encoding="unicode")
        self._libvirt.call(domain.attachDeviceFlags, xml, self._affected(domain))
        self._devices_changed(guest.id)

    def _await_release(self, domain: Any, guest_id: str, port_id: str) -> None:
        """A NIC that comes back to the guest it was just detached from."""
        deadline = time.monotonic() + PATIENCE
        while port_id in self._live_of(guest_id, domain).leaving:
            if time.monotonic() > deadline:
                raise HostError(
                    f"The guest did not release the interface of port {port_id}, which was detached from it, "
                    f"within {PATIENCE:.0f} s; it may not support hot-unplug. A hard reboot helps."
                )
            self.release_nic(guest_id, port_id)
            _until(lambda: port_id not in self._live_of(guest_id, domain).leaving, _ASK_AGAIN)

    def detach_nic(self, guest: GuestSpec, port_id: str) -> None:
        """The configuration says that it is gone; what the domain has beyond it is leaving."""
        domain = self._domain(guest)
        if port_id in vm.taps(self._libvirt.call(domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)):
            self._libvirt.call(domain.detachDeviceAlias, vm.alias(port_id), libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        self._devices_changed(guest.id)
        self.release_nic(guest.id, port_id)

    def release_nic(self, guest_id: str, port_id: str) -> None:
        domain = self._libvirt.domain(guest_id)
        if domain is None or not self._libvirt.call(domain.isActive):
            return
        tap = vm.taps(self._libvirt.call(domain.XMLDesc)).get(port_id)
        if tap is None:
            return
        ovs.unplug(self._place.ovs, self._place.machine.bridge, tap)
        try:
            domain.detachDeviceAlias(vm.alias(port_id), libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except libvirt.libvirtError as error:
            log.debug("a guest was asked for a NIC before and has not answered", guest=guest_id, reason=str(error))
        self._devices_changed(guest_id)

    def remove(self, guest_id: str) -> None:
        domain = self._libvirt.domain(guest_id)
        if domain is not None:
            if self._libvirt.call(domain.isActive):
                self._end(domain)
            flags = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
            self._libvirt.call(domain.undefineFlags, flags | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
        self._disks.remove(guest_id)
        self._unplug(guest_id)
        self._live.pop(guest_id, None)
        self._device_changes.pop(guest_id, None)

    def _unplug(self, guest_id: str) -> None:
        """libvirt does so when a guest ends, but not again where Open vSwitch's database was away."""
        if _until(lambda: guest_id not in self._wired.taps(), NOTICED):
            return
        for tap in self._wired.taps().get(guest_id, ()):
            ovs.unplug(self._place.ovs, self._place.machine.bridge, tap)

    def serve_metadata(self, ports: Sequence[MetadataPort], guests: Sequence[GuestSpec]) -> None:
        self._metadata.ensure(ports, guests)

    def console_log(self, guest_id: str, limit: int) -> bytes:
        """virtlogd starts a new file at its limit and keeps one old one: the end may lie in both."""
        log_file = self._disks.folder(guest_id) / "console.log"
        data = _tail(log_file, limit)
        if len(data) < limit:
            data = _tail(log_file.with_name("console.log.0"), limit - len(data)) + data
        return data

    def diagnostics(self, guest_id: str) -> Diagnostics | None:
        domain = self._libvirt.domain(guest_id)
        if domain is None:
            return None
        found = self._libvirt.call(
            self._libvirt.connection.domainListGetStats,
            [domain],
            _STATS,
            libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE,
        )
        started = self._started(domain.name())
        if not found or started is None:
            return None
        return diagnostics.read(found[0][1], self._libvirt.call(domain.XMLDesc), int(time.time() - started))

    def _started(self, domain_name: str) -> float | None:
        """Seconds since the epoch, of the guest's process."""
        try:
            pid = int((self._place.state_dir / f"run/libvirt/qemu/{domain_name}.pid").read_text())
            return psutil.Process(pid).create_time()
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None

    def metadata_asked(self, guest_id: str) -> list[str]:
        return self._metadata.asked(guest_id)

    def problems(self) -> tuple[str, ...]:
        return self._metadata.problems()

    def used(self) -> dict[str, int]:
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(self._place.state_dir))
        return {"memory_mb": memory.used >> 20, "disk_gb": disk.used >> 30}

    def close(self) -> None:
        self._wired.close()
        self._metadata.close()
        self._libvirt.close()

    def _domain(self, guest: GuestSpec) -> Any:
        domain = self._libvirt.domain(guest.id)
        if domain is None:
            raise HostError(f"libvirt does not know the domain {guest.domain_name} any more.")
        return domain

    def _end(self, domain: Any) -> None:
        try:
            domain.destroy()
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
                raise told(error) from None

    def _ask_to_end(self, domain: Any) -> bool:
        """Press the power button, again every few seconds; False where the guest did not react."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
            except libvirt.libvirtError as error:
                log.debug("a shutdown request was not taken", reason=str(error))
            if _until(lambda: not domain.isActive(), min(_ASK_AGAIN, deadline - time.monotonic())):
                return True
        return False

    def _affected(self, domain: Any) -> int:
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE if self._libvirt.call(domain.isActive) else 0
        return int(live | libvirt.VIR_DOMAIN_AFFECT_CONFIG)


def state_of(domain: Any) -> GuestState:
    state, reason = domain.state()
    if state in _STATES:
        return _STATES[state]
    if domain.hasManagedSaveImage():
        return "suspended"
    return "crashed" if reason == libvirt.VIR_DOMAIN_SHUTOFF_CRASHED else "stopped"


def _until(condition: Callable[[], bool], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _tail(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - limit))
            return file.read(limit)
    except OSError:
        return b""


def _cpu_info() -> dict[str, Any]:
    model, vendor, flags = "unknown", "unknown", ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        match key.strip():
            case "model name":
                model = value.strip()
            case "vendor_id":
                vendor = value.strip()
            case "flags":
                flags = value
    cores = psutil.cpu_count() or 1
    return {
        "arch": "x86_64",
        "model": model,
        "vendor": vendor,
        "topology": {"sockets": 1, "cores": cores, "threads": 1},
        "features": sorted(flags.split()),
    }
