"""Bodies, queries and replies of hypervisors, compute services and os-hosts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pileus.core.body import UNSET, Body, Query, Reply, Unset, length, since, until
from pileus.services.compute.types.fields import Flag, Link


class HypervisorsQuery(Query):
    limit: Annotated[str | None, since("2.33")] = None
    marker: Annotated[str | None, since("2.33")] = None
    hypervisor_hostname_pattern: Annotated[str | None, since("2.53")] = None
    with_servers: Annotated[str | None, since("2.53")] = None


class HypervisorQuery(Query):
    with_servers: Annotated[str | None, since("2.53")] = None


class HypervisorServer(Reply):
    uuid: str
    name: str


class HypervisorBrief(Reply):
    __wrap__ = "hypervisor"
    id: int | str
    hypervisor_hostname: str
    state: str
    status: str
    servers: list[HypervisorServer] | Unset = UNSET


class HypervisorService(Reply):
    id: int | str
    host: str
    disabled_reason: str | None


class Hypervisor(Reply):
    __wrap__ = "hypervisor"
    id: int | str
    hypervisor_hostname: str
    hypervisor_type: str
    hypervisor_version: int
    host_ip: str
    state: str
    status: str
    service: HypervisorService
    cpu_info: Annotated[dict[str, Any] | str, until("2.87")]
    vcpus: Annotated[int, until("2.87")]
    vcpus_used: Annotated[int, until("2.87")]
    memory_mb: Annotated[int, until("2.87")]
    memory_mb_used: Annotated[int, until("2.87")]
    free_ram_mb: Annotated[int, until("2.87")]
    local_gb: Annotated[int, until("2.87")]
    local_gb_used: Annotated[int, until("2.87")]
    free_disk_gb: Annotated[int, until("2.87")]
    disk_available_least: Annotated[int, until("2.87")]
    running_vms: Annotated[int, until("2.87")]
    current_workload: Annotated[int, until("2.87")]
    uptime: Annotated[str | None, since("2.88")] = None
    servers: list[HypervisorServer] | Unset = UNSET


class HypervisorBriefs(Reply):
    hypervisors: list[HypervisorBrief]
    hypervisors_links: list[Link] | Unset = UNSET


class Hypervisors(Reply):
    hypervisors: list[Hypervisor]
    hypervisors_links: list[Link] | Unset = UNSET


class ServicesQuery(Query):
    host: str | None = None
    binary: str | None = None


class Service(Reply):
    __wrap__ = "service"
    id: int | str
    binary: str
    host: str
    zone: str
    status: str
    state: str
    updated_at: datetime
    disabled_reason: str | None
    forced_down: Annotated[bool, since("2.11")]


class Services(Reply):
    services: list[Service]


HostName = Annotated[str, length(1, 255)]


class ServiceOn(Body):
    host: HostName
    binary: HostName


class ServiceDisable(ServiceOn):
    disabled_reason: Annotated[str, length(1, 255)]


class ServiceForceDown(ServiceOn):
    forced_down: Flag


class ServiceUpdate(Body):
    status: Literal["enabled", "disabled"] | Unset = UNSET
    disabled_reason: Annotated[str, length(1, 255)] | Unset = UNSET
    forced_down: Flag | Unset = UNSET


class HostUpdate(Body):
    status: Literal["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"] | Unset = UNSET
    maintenance_mode: Literal["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"] | Unset = UNSET
