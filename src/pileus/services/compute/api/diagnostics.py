"""What a running server uses of its host, asked of the host itself: by device until 2.47, in one form from 2.48 on."""

from __future__ import annotations

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.node.desired import Diagnostics, DiskCounters, NicCounters
from pileus.services.compute import agent
from pileus.services.compute.rules import actions, console, hosts, servers
from pileus.services.compute.service import api
from pileus.services.compute.store.servers import ServerRow
from pileus.services.compute.types.diagnostics import Cpu, Disk, Memory, Nic, ServerDiagnostics

PATH = "/servers/{server_id}/diagnostics"
POLICY = "os_compute_api:os-server-diagnostics"
RUNNING = frozenset({"active"})
HYPERVISORS = {"tcg": "qemu"}
"""What an accelerator's hypervisor is called, where it has another name."""


def ask(db: Database, settings: Settings, server: ServerRow) -> Diagnostics:
    """Raises Conflict where the server does not run."""
    actions.require(server, "get_diagnostics", RUNNING)
    with db.read() as tx:
        place = console.place_of(tx, server)
    return agent.diagnostics(place, settings.tls)


@api.get(PATH, until="2.47", policy=POLICY, load=servers.visible_server)
def list_counters(db: Database, settings: Settings, server: ServerRow) -> dict[str, int]:
    """Every device's counters under its name on the host."""
    found = ask(db, settings, server)
    shown = {"memory": found.memory_kib, "memory-rss": found.memory_used_kib}
    shown |= {f"cpu{number}_time": time for number, time in enumerate(found.cpu_times)}
    for disk in found.disks:
        shown[f"{disk.name}_read"], shown[f"{disk.name}_read_req"] = disk.read_bytes, disk.read_requests
        shown[f"{disk.name}_write"], shown[f"{disk.name}_write_req"] = disk.write_bytes, disk.write_requests
        shown[f"{disk.name}_errors"] = -1
    for nic in found.nics:
        for way in ("rx", "tx"):
            shown[f"{nic.name}_{way}"] = getattr(nic, f"{way}_octets")
            for counter in ("packets", "errors", "drop"):
                shown[f"{nic.name}_{way}_{counter}"] = getattr(nic, f"{way}_{counter}")
    return shown


@api.get(PATH, since="2.48", policy=POLICY, load=servers.visible_server)
def show_diagnostics(db: Database, settings: Settings, server: ServerRow) -> ServerDiagnostics:
    found = ask(db, settings, server)
    with db.read() as tx:
        accelerator = hosts.host_of(tx, server.host or "").accelerator
    return ServerDiagnostics(
        state="running",
        driver="libvirt",
        hypervisor=HYPERVISORS.get(accelerator, accelerator),
        hypervisor_os="linux",
        uptime=found.uptime,
        config_drive=server.config_drive,
        num_cpus=len(found.cpu_times),
        num_nics=len(found.nics),
        num_disks=len(found.disks),
        memory_details=Memory(maximum=found.memory_kib >> 10, used=found.memory_used_kib >> 10),
        cpu_details=[_cpu(number, time, found.uptime) for number, time in enumerate(found.cpu_times)],
        nic_details=[Nic(mac_address=nic.mac, **_counters(nic)) for nic in found.nics],
        disk_details=[Disk(**_counters(disk)) for disk in found.disks],
    )


def _cpu(number: int, time: int, uptime: int) -> Cpu:
    return Cpu(id=number, time=time, utilisation=round(time / uptime / 1e7) if uptime else None)


def _counters(device: NicCounters | DiskCounters) -> dict[str, int]:
    return {name: getattr(device, name) for name in device.__struct_fields__ if name not in ("name", "mac")}
