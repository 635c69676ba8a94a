"""What projects have used in a period: from the rows of their servers, deleted ones too."""

from __future__ import annotations

from datetime import datetime

import msgspec

from pileus.core.body import parse_time
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.services.compute.store import hosts
from pileus.services.compute.store import server_briefs as store
from pileus.services.compute.store.server_briefs import ServerBrief


class Period(msgspec.Struct):
    start: datetime
    end: datetime


class ServerUsage(msgspec.Struct):
    """`hours` inside the period; `uptime` in seconds since the server was started."""

    instance_id: str
    name: str
    tenant_id: str
    flavor: str
    state: str
    vcpus: int
    memory_mb: int
    local_gb: int
    started_at: datetime
    ended_at: datetime | None
    hours: float
    uptime: int


class ProjectUsage(msgspec.Struct):
    tenant_id: str
    start: datetime
    stop: datetime
    total_hours: float
    total_vcpus_usage: float
    total_memory_mb_usage: float
    total_local_gb_usage: float
    server_usages: list[ServerUsage]


def period(start: str | None, end: str | None, now: datetime) -> Period:
    """Of the last instant where nothing is given. Raises BadRequest."""
    found = Period(_time("start", start, now), _time("end", end, now))
    if found.start > found.end:
        raise BadRequest(f"Invalid start time: {found.start.isoformat()} is after the end {found.end.isoformat()}.")
    return found


def _time(name: str, text: str | None, now: datetime) -> datetime:
    try:
        return now if text is None else parse_time(text)
    except ValueError:
        raise BadRequest(f"The {name} must be a time like 2026-11-20T22:56:17, got '{text}'.") from None


def usages(
    tx: Tx, when: Period, project_id: str | None = None, limit: int | None = None, marker: str | None = None
) -> list[ProjectUsage]:
    """By project; `limit` and `marker` (a server's id) count servers."""
    found: dict[str, ProjectUsage] = {}
    for server in store.alive_between(tx, when.start, when.end, project_id, limit, marker):
        project = found.get(server.project_id)
        if project is None:
            project = found[server.project_id] = nothing(server.project_id, when)
        used = _usage(server, when, tx.now)
        project.server_usages.append(used)
        project.total_hours += used.hours
        project.total_vcpus_usage += used.vcpus * used.hours
        project.total_memory_mb_usage += used.memory_mb * used.hours
        project.total_local_gb_usage += used.local_gb * used.hours
    return list(found.values())


def servers_by_host(tx: Tx, when: Period) -> dict[str, int]:
    """How many servers each host had in the period, those with none too."""
    found = {row.name: 0 for row in hosts.find(tx)}
    for server in store.alive_between(tx, when.start, when.end, None):
        if server.host in found:
            found[server.host] += 1
    return found


def nothing(project_id: str, when: Period) -> ProjectUsage:
    return ProjectUsage(project_id, when.start, when.end, 0.0, 0.0, 0.0, 0.0, [])


def _usage(server: ServerBrief, when: Period, now: datetime) -> ServerUsage:
    started = server.launched_at or server.created_at
    until = min(server.deleted_at or now, when.end)
    seconds = max((until - max(started, when.start)).total_seconds(), 0.0)
    flavor = server.flavor
    return ServerUsage(
        server.id,
        server.name,
        server.project_id,
        flavor["name"],
        "terminated" if server.deleted_at else server.vm_state,
        flavor["vcpus"],
        flavor["ram"],
        flavor["disk"] + flavor["ephemeral"],
        started,
        server.deleted_at,
        seconds / 3600,
        int(((server.deleted_at or now) - started).total_seconds()),
    )
