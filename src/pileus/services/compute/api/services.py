"""Compute services: one on each host."""

from __future__ import annotations

from typing import Any

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.version import Version
from pileus.services.compute.rules import aggregates
from pileus.services.compute.rules import hosts as rules
from pileus.services.compute.service import api
from pileus.services.compute.store import hosts as store
from pileus.services.compute.store.hosts import HostRow
from pileus.services.compute.types import hosts as types
from pileus.services.compute.types.fields import check_uuid, flag

UUIDS = Version(2, 53)
UPDATE = "os_compute_api:os-services:update"


def service(tx: Tx, caller: Caller, row: HostRow, zone: str) -> types.Service:
    return types.Service(
        id=row.service_id if caller.version >= UUIDS else row.number,
        binary=rules.BINARY,
        host=row.name,
        zone=zone,
        status="disabled" if row.disabled else "enabled",
        state="up" if rules.is_up(row, tx.now) else "down",
        updated_at=row.last_seen,
        disabled_reason=row.disabled_reason,
        forced_down=row.forced_down,
    )


@api.get("/os-services", policy="os_compute_api:os-services:list")
def list_services(tx: Tx, caller: Caller, query: types.ServicesQuery) -> types.Services:
    zones = aggregates.zones(tx)
    rows = [row for row in store.find(tx) if query.host in (None, row.name) and query.binary in (None, rules.BINARY)]
    return types.Services(
        services=[service(tx, caller, row, zones.get(row.name, aggregates.DEFAULT_ZONE)) for row in rows]
    )


@api.put("/os-services/enable", until="2.52", policy=UPDATE)
def enable_service(tx: Tx, caller: Caller, body: types.ServiceOn) -> dict[str, Any]:
    rules.set_disabled(tx, caller, rules.service_on(tx, body.host, body.binary), False)
    return {"service": {"host": body.host, "binary": body.binary, "status": "enabled"}}


@api.put("/os-services/disable", until="2.52", policy=UPDATE)
def disable_service(tx: Tx, caller: Caller, body: types.ServiceOn) -> dict[str, Any]:
    rules.set_disabled(tx, caller, rules.service_on(tx, body.host, body.binary), True)
    return {"service": {"host": body.host, "binary": body.binary, "status": "disabled"}}


@api.put("/os-services/disable-log-reason", until="2.52", policy=UPDATE)
def disable_service_with_reason(tx: Tx, caller: Caller, body: types.ServiceDisable) -> dict[str, Any]:
    rules.set_disabled(tx, caller, rules.service_on(tx, body.host, body.binary), True, body.disabled_reason)
    found = {"host": body.host, "binary": body.binary, "status": "disabled", "disabled_reason": body.disabled_reason}
    return {"service": found}


@api.put("/os-services/force-down", since="2.11", until="2.52", policy=UPDATE)
def force_down_service(tx: Tx, caller: Caller, body: types.ServiceForceDown) -> dict[str, Any]:
    row = rules.service_on(tx, body.host, body.binary)
    row = rules.force_down(tx, caller, row, flag(body.forced_down))
    return {"service": {"host": body.host, "binary": body.binary, "forced_down": row.forced_down}}


@api.put("/os-services/{service_id}", since="2.53", policy=UPDATE)
def update_service(tx: Tx, caller: Caller, service_id: str, body: types.ServiceUpdate) -> types.Service:
    check_uuid(service_id, "service_id")
    if body.status is UNSET and body.forced_down is UNSET:
        raise BadRequest("Nothing to change: give status or forced_down.")
    if body.disabled_reason is not UNSET and body.status != "disabled":
        raise BadRequest("disabled_reason goes with status 'disabled' only.")
    row = rules.service(tx, service_id, by_number=False)
    if body.status is not UNSET:
        row = rules.set_disabled(tx, caller, row, body.status == "disabled", body.disabled_reason or None)
    if body.forced_down is not UNSET:
        row = rules.force_down(tx, caller, row, flag(body.forced_down))
    return service(tx, caller, row, aggregates.zone_of(tx, row.name))


@api.delete("/os-services/{service_id}", policy="os_compute_api:os-services:delete")
def delete_service(tx: Tx, caller: Caller, service_id: str) -> None:
    by_number = caller.version < UUIDS
    if not by_number:
        check_uuid(service_id, "service_id")
    elif not service_id.isascii() or not service_id.isdigit():
        raise BadRequest(f"A service's id is a whole number before compute {UUIDS}, got '{service_id[:64]}'.")
    rules.delete(tx, caller, rules.service(tx, service_id, by_number))
