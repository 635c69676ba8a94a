"""Hypervisors: what hosts have, and what of it is given away."""

from __future__ import annotations

from typing import Any

import msgspec

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import NotImplementedHere
from pileus.core.http import Request
from pileus.core.paging import limit_of
from pileus.core.version import Version
from pileus.services.compute.rules import hosts as rules
from pileus.services.compute.rules import hypervisors
from pileus.services.compute.rules.hypervisors import Load
from pileus.services.compute.service import api
from pileus.services.compute.store.hosts import HostRow
from pileus.services.compute.types import hosts as types
from pileus.services.compute.types.fields import next_links, strict_bool

UUIDS = Version(2, 53)
CPU_INFO_IS_AN_OBJECT = Version(2, 28)
SERVERS_ALWAYS = Version(2, 75)
SHOW = "os_compute_api:os-hypervisors:show"


def _servers(load: Load, caller: Caller, wanted: bool) -> Any:
    if not wanted or (not load.servers and caller.version < SERVERS_ALWAYS):
        return UNSET
    return [types.HypervisorServer(uuid=one.id, name=one.instance_name) for one in load.servers]


def brief(tx: Tx, caller: Caller, row: HostRow, servers: Any = UNSET) -> types.HypervisorBrief:
    return types.HypervisorBrief(
        id=row.id if caller.version >= UUIDS else row.number,
        hypervisor_hostname=row.name,
        state="up" if rules.is_up(row, tx.now) else "down",
        status="disabled" if row.disabled else "enabled",
        servers=servers,
    )


def full(tx: Tx, caller: Caller, row: HostRow, load: Load, with_servers: bool) -> types.Hypervisor:
    short = brief(tx, caller, row)
    by_uuid = caller.version >= UUIDS
    return types.Hypervisor(
        id=short.id,
        hypervisor_hostname=row.name,
        hypervisor_type=row.hypervisor_type,
        hypervisor_version=row.hypervisor_version,
        host_ip=row.address,
        state=short.state,
        status=short.status,
        service=types.HypervisorService(
            id=row.service_id if by_uuid else row.number, host=row.name, disabled_reason=row.disabled_reason
        ),
        cpu_info=row.cpu_info
        if caller.version >= CPU_INFO_IS_AN_OBJECT
        else msgspec.json.encode(row.cpu_info).decode(),
        vcpus=row.vcpus,
        vcpus_used=load.vcpus,
        memory_mb=row.memory_mb,
        memory_mb_used=load.memory_mb,
        free_ram_mb=row.memory_mb - load.memory_mb,
        local_gb=row.disk_gb,
        local_gb_used=load.disk_gb,
        free_disk_gb=row.disk_gb - load.disk_gb,
        disk_available_least=row.disk_gb - row.used.get("disk_gb", load.disk_gb),
        running_vms=load.running,
        current_workload=load.working,
        servers=_servers(load, caller, with_servers),
    )


def _page(tx: Tx, caller: Caller, query: types.HypervisorsQuery) -> tuple[list[HostRow], bool]:
    limit = limit_of(query.limit)
    pattern = query.hypervisor_hostname_pattern
    if pattern:
        return hypervisors.matching(tx, pattern), False
    rows = hypervisors.page(tx, limit, query.marker, by_number=caller.version < UUIDS)
    return rows, query.limit is not None and bool(rows) and len(rows) == limit


def _wanted(text: str | None) -> bool:
    return text is not None and strict_bool(text, "with_servers")


def _marker(caller: Caller, row: HostRow) -> str:
    return row.id if caller.version >= UUIDS else str(row.number)


@api.get("/os-hypervisors", policy="os_compute_api:os-hypervisors:list")
def list_hypervisors(tx: Tx, caller: Caller, request: Request, query: types.HypervisorsQuery) -> Any:
    rows, more = _page(tx, caller, query)
    loads = hypervisors.loads(tx, rows) if _wanted(query.with_servers) else {}
    found = types.HypervisorBriefs(
        hypervisors=[brief(tx, caller, row, _servers(loads[row.id], caller, True) if loads else UNSET) for row in rows]
    )
    if more:
        found.hypervisors_links = next_links(request, _marker(caller, rows[-1]))
    return found


@api.get("/os-hypervisors/detail", policy="os_compute_api:os-hypervisors:list-detail")
def list_hypervisors_in_detail(tx: Tx, caller: Caller, request: Request, query: types.HypervisorsQuery) -> Any:
    rows, more = _page(tx, caller, query)
    loads = hypervisors.loads(tx, rows)
    with_servers = _wanted(query.with_servers)
    found = types.Hypervisors(hypervisors=[full(tx, caller, row, loads[row.id], with_servers) for row in rows])
    if more:
        found.hypervisors_links = next_links(request, _marker(caller, rows[-1]))
    return found


@api.get("/os-hypervisors/statistics", until="2.87", policy="os_compute_api:os-hypervisors:statistics")
def show_statistics(tx: Tx) -> dict[str, Any]:
    rows = hypervisors.enabled(tx)
    loads = hypervisors.loads(tx, rows)
    found = {
        "count": len(rows),
        "vcpus": sum(row.vcpus for row in rows),
        "vcpus_used": sum(load.vcpus for load in loads.values()),
        "memory_mb": sum(row.memory_mb for row in rows),
        "memory_mb_used": sum(load.memory_mb for load in loads.values()),
        "local_gb": sum(row.disk_gb for row in rows),
        "local_gb_used": sum(load.disk_gb for load in loads.values()),
        "disk_available_least": sum(row.disk_gb - row.used.get("disk_gb", loads[row.id].disk_gb) for row in rows),
        "running_vms": sum(load.running for load in loads.values()),
        "current_workload": sum(load.working for load in loads.values()),
    }
    found["free_ram_mb"] = found["memory_mb"] - found["memory_mb_used"]
    found["free_disk_gb"] = found["local_gb"] - found["local_gb_used"]
    return {"hypervisor_statistics": found}


@api.get("/os-hypervisors/{hypervisor_id}", policy=SHOW)
def show_hypervisor(tx: Tx, caller: Caller, hypervisor_id: str, query: types.HypervisorQuery) -> Any:
    row = rules.hypervisor(tx, hypervisor_id, by_number=caller.version < UUIDS)
    return full(tx, caller, row, hypervisors.loads(tx, [row])[row.id], _wanted(query.with_servers))


@api.get("/os-hypervisors/{hypervisor_id}/uptime", until="2.87", policy="os_compute_api:os-hypervisors:uptime")
def show_uptime(tx: Tx, caller: Caller, hypervisor_id: str) -> None:
    row = rules.hypervisor(tx, hypervisor_id, by_number=caller.version < UUIDS)
    raise NotImplementedHere(f"Hosts of this cloud do not report their uptime, {row.name} neither.")


@api.get("/os-hypervisors/{hypervisor_id}/search", until="2.52", policy="os_compute_api:os-hypervisors:search")
def search_hypervisors(tx: Tx, caller: Caller, hypervisor_id: str) -> Any:
    rows = hypervisors.matching(tx, hypervisor_id)
    return types.HypervisorBriefs(hypervisors=[brief(tx, caller, row) for row in rows])


@api.get("/os-hypervisors/{hypervisor_id}/servers", until="2.52", policy="os_compute_api:os-hypervisors:servers")
def list_servers_of_hypervisors(tx: Tx, caller: Caller, hypervisor_id: str) -> Any:
    rows = hypervisors.matching(tx, hypervisor_id)
    loads = hypervisors.loads(tx, rows)
    return types.HypervisorBriefs(
        hypervisors=[brief(tx, caller, row, _servers(loads[row.id], caller, True)) for row in rows]
    )
