"""Aggregates of hosts."""

from __future__ import annotations

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.services.compute.rules import aggregates as rules
from pileus.services.compute.service import api
from pileus.services.compute.store import aggregates as store
from pileus.services.compute.store.aggregates import ZONE, AggregateRow
from pileus.services.compute.types import aggregates as types

ONE = "/os-aggregates/{aggregate_id}"


def aggregate(row: AggregateRow, hosts: list[str]) -> types.Aggregate:
    return types.Aggregate(
        id=row.id,
        name=row.name,
        availability_zone=row.zone,
        created_at=row.created_at,
        updated_at=row.updated_at,
        uuid=row.uuid,
        hosts=hosts,
        metadata=row.metadata,
    )


@api.get("/os-aggregates", policy="os_compute_api:os-aggregates:index")
def list_aggregates(tx: Tx) -> types.Aggregates:
    hosts = store.hosts_by_aggregate(tx)
    return types.Aggregates(aggregates=[aggregate(row, hosts.get(row.id, [])) for row in store.find(tx)])


@api.post("/os-aggregates", policy="os_compute_api:os-aggregates:create")
def create_aggregate(tx: Tx, caller: Caller, body: types.AggregateCreate) -> types.Aggregate:
    found = aggregate(rules.create(tx, caller, body.name, body.availability_zone), [])
    found.hosts = found.metadata = UNSET
    return found


@api.get(ONE, policy="os_compute_api:os-aggregates:show")
def show_aggregate(tx: Tx, aggregate_id: str) -> types.Aggregate:
    row = rules.visible_aggregate(tx, aggregate_id)
    return aggregate(row, rules.hosts_of(tx, row))


@api.put(ONE, policy="os_compute_api:os-aggregates:update")
def update_aggregate(tx: Tx, caller: Caller, aggregate_id: str, body: types.AggregateUpdate) -> types.Aggregate:
    row = rules.visible_aggregate(tx, aggregate_id)
    if body.name is UNSET and body.availability_zone is UNSET:
        raise BadRequest("Nothing to change: give aggregate.name or aggregate.availability_zone.")
    if body.name is not UNSET:
        row = rules.rename(tx, caller, row, body.name)
    if body.availability_zone is not UNSET:
        row = rules.set_metadata(tx, caller, row, {ZONE: body.availability_zone})
    return aggregate(row, rules.hosts_of(tx, row))


@api.delete(ONE, policy="os_compute_api:os-aggregates:delete", success=200)
def delete_aggregate(tx: Tx, caller: Caller, aggregate_id: str) -> None:
    rules.delete(tx, caller, rules.visible_aggregate(tx, aggregate_id))


@api.action(ONE + "/action", "add_host", policy="os_compute_api:os-aggregates:add_host", success=200)
def add_host(tx: Tx, caller: Caller, aggregate_id: str, body: types.AggregateHost) -> types.Aggregate:
    row = rules.add_host(tx, caller, rules.visible_aggregate(tx, aggregate_id), body.host)
    return aggregate(row, rules.hosts_of(tx, row))


@api.action(ONE + "/action", "remove_host", policy="os_compute_api:os-aggregates:remove_host", success=200)
def remove_host(tx: Tx, caller: Caller, aggregate_id: str, body: types.AggregateHost) -> types.Aggregate:
    row = rules.remove_host(tx, caller, rules.visible_aggregate(tx, aggregate_id), body.host)
    return aggregate(row, rules.hosts_of(tx, row))


@api.action(ONE + "/action", "set_metadata", policy="os_compute_api:os-aggregates:set_metadata", success=200)
def set_metadata(tx: Tx, caller: Caller, aggregate_id: str, body: types.AggregateMetadata) -> types.Aggregate:
    row = rules.set_metadata(tx, caller, rules.visible_aggregate(tx, aggregate_id), body.metadata)
    return aggregate(row, rules.hosts_of(tx, row))
