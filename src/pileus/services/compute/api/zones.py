"""Availability zones, and hosts as they were shown before 2.43."""

from __future__ import annotations

from typing import Any

from pileus.core.body import UNSET, micros
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotImplementedHere
from pileus.services.compute.rules import hosts as rules
from pileus.services.compute.rules import hypervisors
from pileus.services.compute.rules.aggregates import DEFAULT_ZONE, zones
from pileus.services.compute.service import api
from pileus.services.compute.store import hosts as store
from pileus.services.compute.store.hosts import HostRow
from pileus.services.compute.types import hosts as types


def _by_zone(tx: Tx) -> dict[str, list[HostRow]]:
    found: dict[str, list[HostRow]] = {}
    named = zones(tx)
    for row in store.find(tx):
        found.setdefault(named.get(row.name, DEFAULT_ZONE), []).append(row)
    return found


def _is_available(rows: list[HostRow]) -> bool:
    return any(not row.disabled for row in rows)


@api.get("/os-availability-zone", policy="os_compute_api:os-availability-zone:list")
def list_zones(tx: Tx) -> dict[str, Any]:
    found = [
        {"zoneName": name, "zoneState": {"available": _is_available(rows)}, "hosts": None}
        for name, rows in sorted(_by_zone(tx).items())
    ]
    return {"availabilityZoneInfo": found}


@api.get("/os-availability-zone/detail", policy="os_compute_api:os-availability-zone:detail")
def list_zones_in_detail(tx: Tx) -> dict[str, Any]:
    def state(row: HostRow) -> dict[str, Any]:
        alive = {"active": not row.disabled, "available": rules.is_up(row, tx.now)}
        return {rules.BINARY: {**alive, "updated_at": micros(row.last_seen)}}

    found = [
        {
            "zoneName": name,
            "zoneState": {"available": _is_available(rows)},
            "hosts": {row.name: state(row) for row in rows},
        }
        for name, rows in sorted(_by_zone(tx).items())
    ]
    return {"availabilityZoneInfo": found}


@api.get("/os-hosts", until="2.42", policy="os_compute_api:os-hosts:list")
def list_hosts(tx: Tx) -> dict[str, Any]:
    found = [
        {"host_name": row.name, "service": "compute", "zone": zone}
        for zone, rows in _by_zone(tx).items()
        for row in rows
    ]
    return {"hosts": found}


@api.get("/os-hosts/{host}", until="2.42", policy="os_compute_api:os-hosts:show")
def show_host(tx: Tx, host: str) -> dict[str, Any]:
    row = rules.host_of(tx, host)
    load = hypervisors.loads(tx, [row])[row.id]
    lines = [
        ("(total)", row.vcpus, row.memory_mb, row.disk_gb),
        ("(used_now)", load.vcpus, load.memory_mb, load.disk_gb),
        ("(used_max)", *load.promised(None)),
        *((project, *load.promised(project)) for project in sorted({one.project_id for one in load.servers})),
    ]
    resources = [
        {"resource": {"host": host, "project": project, "cpu": cpu, "memory_mb": memory, "disk_gb": disk}}
        for project, cpu, memory, disk in lines
    ]
    return {"host": resources}


@api.put("/os-hosts/{host}", until="2.42", policy="os_compute_api:os-hosts:update")
def update_host(tx: Tx, caller: Caller, host: str, body: types.HostUpdate) -> dict[str, Any]:
    row = rules.host_of(tx, host)
    if body.maintenance_mode is not UNSET:
        raise NotImplementedHere("Hosts of this cloud have no maintenance mode: disable the compute service instead.")
    if body.status is UNSET:
        raise BadRequest("Nothing to change: give status.")
    enable = body.status.lower() == "enable"
    rules.set_disabled(tx, caller, row, not enable)
    return {"host": host, "status": "enabled" if enable else "disabled"}


def _no_power(tx: Tx, host: str) -> None:
    rules.host_of(tx, host)
    raise NotImplementedHere("This cloud does not switch its hosts on or off.")


for _action, _rule in (("reboot", "reboot"), ("shutdown", "shutdown"), ("startup", "start")):
    api.get(f"/os-hosts/{{host}}/{_action}", until="2.42", policy=f"os_compute_api:os-hosts:{_rule}")(_no_power)
