"""What hosts have given away, and to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.services.compute.store import hosts as store
from pileus.services.compute.store import server_briefs
from pileus.services.compute.store.hosts import HostRow
from pileus.services.compute.store.server_briefs import ServerBrief
from pileus.services.placement import rules as placement


class Load(msgspec.Struct):
    """Of one host; `working` counts the servers that something is being done with."""

    vcpus: int
    memory_mb: int
    disk_gb: int
    servers: list[ServerBrief]

    @property
    def running(self) -> int:
        return len(self.servers)

    @property
    def working(self) -> int:
        return sum(one.task_state is not None for one in self.servers)

    def promised(self, project_id: str | None) -> tuple[int, int, int]:
        """Virtual CPUs, MiB of memory and GiB of disk in the flavors of a project's servers (of all, without one)."""
        flavors = [one.flavor for one in self.servers if project_id in (None, one.project_id)]
        return (
            sum(flavor["vcpus"] for flavor in flavors),
            sum(flavor["ram"] for flavor in flavors),
            sum(flavor["disk"] + flavor["ephemeral"] for flavor in flavors),
        )


def loads(tx: Tx, rows: Sequence[HostRow]) -> Mapping[str, Load]:
    """By the hypervisor's id."""
    used = placement.used_of_providers(tx)
    servers = server_briefs.by_host(tx, [row.name for row in rows])
    return {
        row.id: Load(
            used.get(row.id, {}).get("VCPU", 0),
            used.get(row.id, {}).get("MEMORY_MB", 0),
            used.get(row.id, {}).get("DISK_GB", 0),
            servers.get(row.name, []),
        )
        for row in rows
    }


def page(tx: Tx, limit: int, marker: str | None, by_number: bool) -> list[HostRow]:
    """From after the marker, which is a number before 2.53 and an id since. Raises BadRequest where there is none such."""
    rows = store.find(tx)
    keys = [str(row.number) if by_number else row.id for row in rows]
    if marker is not None and marker not in keys:
        raise BadRequest(f"marker [{marker[:64]}] not found")
    start = keys.index(marker) + 1 if marker is not None else 0
    return rows[start : start + limit]


def enabled(tx: Tx) -> list[HostRow]:
    return [row for row in store.find(tx) if not row.disabled]


def matching(tx: Tx, pattern: str) -> list[HostRow]:
    """Whose names have `pattern` in them. Raises NotFound where there is none."""
    rows = [row for row in store.find(tx) if pattern in row.name]
    if not rows:
        raise NotFound(f"No hypervisor matching '{pattern[:255]}' could be found.")
    return rows
