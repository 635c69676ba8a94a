"""Aggregates of hosts, and availability zones, which are aggregates with a zone's name in their metadata."""

from __future__ import annotations

from collections.abc import Mapping

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.services.compute.rules import hosts
from pileus.services.compute.store import aggregates as store
from pileus.services.compute.store import servers as server_store
from pileus.services.compute.store.aggregates import ZONE, AggregateRow

DEFAULT_ZONE = "nova"
"""The zone of hosts that are in none."""
_TAKEN = "An aggregate named {name} already exists."


def zones(tx: Tx) -> Mapping[str, str]:
    """host -> zone, of the hosts that are in one."""
    members = store.hosts_by_aggregate(tx)
    return {host: row.zone for row in store.find(tx) if row.zone for host in members.get(row.id, ())}


def zone_of(tx: Tx, host: str) -> str:
    return zones(tx).get(host, DEFAULT_ZONE)


def visible_aggregate(tx: Tx, aggregate_id: str) -> AggregateRow:
    """By its number. Raises BadRequest where the id is none."""
    digits = aggregate_id.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        raise BadRequest(f"An aggregate's id is a whole number, got '{aggregate_id[:64]}'.")
    row = store.aggregate(tx, int(aggregate_id))
    if row is None:
        raise NotFound(f"Aggregate {aggregate_id} could not be found.")
    return row


def create(tx: Tx, caller: Caller, name: str, zone: str | None) -> AggregateRow:
    uuid = new_id()
    metadata = {ZONE: _checked(zone)} if zone else {}
    store.insert(tx, {"uuid": uuid, "name": name, "metadata": metadata, "created_at": tx.now}, _TAKEN)
    row = store.aggregate_of_uuid(tx, uuid)
    assert row is not None
    events.record(tx, caller, "compute", "create", "aggregate", uuid, name=name)
    return row


def _checked(zone: str) -> str:
    if ":" in zone:
        raise BadRequest(f"A zone's name can't have a colon: '{zone[:255]}'.")
    return zone


def rename(tx: Tx, caller: Caller, row: AggregateRow, name: str) -> AggregateRow:
    store.update(tx, row.id, {"name": name}, conflict=_TAKEN)
    events.record(tx, caller, "compute", "update", "aggregate", row.uuid, name=name)
    return visible_aggregate(tx, str(row.id))


def set_metadata(tx: Tx, caller: Caller, row: AggregateRow, changes: Mapping[str, str | None]) -> AggregateRow:
    """Add and change keys; a value of None takes the key away."""
    metadata = {key: value for key, value in {**row.metadata, **changes}.items() if value is not None}
    if metadata.get(ZONE) != row.zone:
        _check_zone(tx, row, metadata.get(ZONE))
    store.update(tx, row.id, {"metadata": metadata})
    events.record(tx, caller, "compute", "set_metadata", "aggregate", row.uuid, keys=sorted(changes))
    return visible_aggregate(tx, str(row.id))


def _check_zone(tx: Tx, row: AggregateRow, zone: str | None) -> None:
    """Whether the aggregate may get this zone: no host in two zones, no server moved to another zone under its feet."""
    members = store.hosts_of(tx, row.id)
    if zone is not None:
        _checked(zone)
        for other in store.find(tx):
            if other.id != row.id and other.zone not in (None, zone):
                both = sorted(set(members) & set(store.hosts_of(tx, other.id)))
                if both:
                    raise Conflict(f"Host {both[0]} is in zone {other.zone} already, by aggregate {other.name}.")
    busy = [host for host in members if server_store.servers_on_host(tx, host)]
    if busy:
        raise BadRequest(f"The zone of aggregate {row.id} can't change: host {busy[0]} has instances.")


def hosts_of(tx: Tx, row: AggregateRow) -> list[str]:
    return store.hosts_of(tx, row.id)


def add_host(tx: Tx, caller: Caller, row: AggregateRow, host: str) -> AggregateRow:
    hosts.host_of(tx, host)
    here = zones(tx).get(host)
    if row.zone and here and here != row.zone:
        raise Conflict(f"Host {host} is in zone {here} already; a host can be in one zone.")
    if row.zone and zone_of(tx, host) != row.zone and server_store.servers_on_host(tx, host):
        raise Conflict(f"Host {host} has instances: it can't go to zone {row.zone}.")
    store.add_host(tx, row.id, host, f"Aggregate {row.id} already has host {host}.")
    return _changed(tx, caller, row, "add_host", host)


def remove_host(tx: Tx, caller: Caller, row: AggregateRow, host: str) -> AggregateRow:
    if not store.remove_host(tx, row.id, host):
        raise NotFound(f"Aggregate {row.id} has no host {host}.")
    if row.zone and server_store.servers_on_host(tx, host):
        raise Conflict(f"Host {host} has instances: it can't leave zone {row.zone}.")
    return _changed(tx, caller, row, "remove_host", host)


def _changed(tx: Tx, caller: Caller, row: AggregateRow, action: str, host: str) -> AggregateRow:
    store.update(tx, row.id, {})
    events.record(tx, caller, "compute", action, "aggregate", row.uuid, host=host)
    return visible_aggregate(tx, str(row.id))


def delete(tx: Tx, caller: Caller, row: AggregateRow) -> None:
    if hosts_of(tx, row):
        raise BadRequest(f"Cannot remove aggregate {row.id}: it has hosts. Remove them from it first.")
    store.delete(tx, row.id)
    events.record(tx, caller, "compute", "delete", "aggregate", row.uuid, name=row.name)
