"""Hosts: registration, heartbeats, and what administrators do with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pileus.core import events
from pileus.core.config import Settings
from pileus.core.context import Caller, system_caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import Conflict, NotFound
from pileus.node.desired import HostFacts
from pileus.services.compute.store import aggregates, host_spec
from pileus.services.compute.store import hosts as store
from pileus.services.compute.store import servers as server_store
from pileus.services.compute.store.hosts import HostRow
from pileus.services.network import rules as network
from pileus.services.placement import rules as placement
from pileus.services.placement.rules import Inventory

BINARY = "nova-compute"
"""The name under which OpenStack's clients know what runs on a host."""
DOWN_AFTER = timedelta(seconds=60)
SEEN_EVERY = timedelta(seconds=20)
"""A heartbeat is written down at most so often."""
HOST_TRAIT = "COMPUTE_NODE"


def register(tx: Tx, facts: HostFacts, settings: Settings) -> HostRow:
    """Take in a host, or its renewed facts, and what it can give."""
    values: dict[str, Any] = {
        "hypervisor_type": facts.hypervisor_type,
        "hypervisor_version": facts.hypervisor_version,
        "accelerator": facts.accelerator,
        "accelerator_reason": facts.accelerator_reason,
        "vcpus": facts.vcpus,
        "memory_mb": facts.memory_mb,
        "disk_gb": facts.disk_gb,
        "address": facts.address,
        "agent_url": facts.agent_url,
        "cpu_info": facts.cpu_info,
        "version": facts.version,
        "last_seen": tx.now,
    }
    row = store.host_of_name(tx, facts.host)
    if row is None:
        store.insert(tx, {"name": facts.host, "created_at": tx.now, **values, **_FRESH, **_new_ids()})
        events.record(tx, system_caller(), "compute", "register", "host", facts.host)
    else:
        store.update(tx, facts.host, values)
    network.see_host(tx, facts.host, facts.address, facts.version)
    network.note_mtu(tx, facts.host, facts.mtu)
    row = host_of(tx, facts.host)
    inventories = {
        "VCPU": Inventory(total=facts.vcpus, max_unit=facts.vcpus, allocation_ratio=settings.cpu_ratio),
        "MEMORY_MB": Inventory(total=facts.memory_mb, max_unit=facts.memory_mb, allocation_ratio=settings.memory_ratio),
        "DISK_GB": Inventory(total=facts.disk_gb, max_unit=facts.disk_gb),
    }
    placement.ensure_provider(tx, row.id, row.name, inventories, {HOST_TRAIT, *facts.traits})
    return row


_FRESH: Mapping[str, Any] = {
    "used": {},
    "problems": [],
    "disabled": False,
    "disabled_reason": None,
    "forced_down": False,
}


def _new_ids() -> dict[str, str]:
    return {"id": new_id(), "service_id": new_id()}


def heartbeat(
    tx: Tx, row: HostRow, used: Mapping[str, int] | None = None, problems: Sequence[str] | None = None
) -> None:
    """The host has said that it lives. Most heartbeats write nothing."""
    changed: dict[str, Any] = {}
    if tx.now - row.last_seen >= SEEN_EVERY:
        changed["last_seen"] = tx.now
    if used is not None and dict(used) != row.used:
        changed["used"] = dict(used)
    if problems is not None and list(problems) != row.problems:
        changed["problems"] = list(problems)
    if changed:
        store.update(tx, row.name, {"last_seen": tx.now, **changed})
        network.see_host(tx, row.name, row.address, row.version)


def is_up(row: HostRow, at: datetime) -> bool:
    return not row.forced_down and at - row.last_seen < DOWN_AFTER


def host_of(tx: Tx, name: str) -> HostRow:
    return there(store.host_of_name(tx, name), name)


def there(row: HostRow | None, name: str) -> HostRow:
    if row is None:
        raise NotFound(f"Compute host {name} could not be found.")
    return row


def hypervisor(tx: Tx, key: str, by_number: bool) -> HostRow:
    """By its number before 2.53, by its id since."""
    if by_number:
        row = store.host_of_number(tx, int(key)) if key.isascii() and key.isdigit() and len(key) < 10 else None
    else:
        row = store.host_of_id(tx, key)
    if row is None:
        raise NotFound(f"Hypervisor with ID '{key[:255]}' could not be found.")
    return row


def service(tx: Tx, key: str, by_number: bool) -> HostRow:
    """By its number before 2.53, by its id since."""
    if by_number:
        row = store.host_of_number(tx, int(key)) if key.isascii() and key.isdigit() and len(key) < 10 else None
    else:
        row = store.host_of_service(tx, key)
    if row is None:
        raise NotFound(f"Service {key[:255]} could not be found.")
    return row


def service_on(tx: Tx, host: str, binary: str) -> HostRow:
    row = store.host_of_name(tx, host) if binary == BINARY else None
    if row is None:
        raise NotFound(f"There is no service {binary} on host {host}.")
    return row


def set_disabled(tx: Tx, caller: Caller, row: HostRow, disabled: bool, reason: str | None = None) -> HostRow:
    """No new servers go to a disabled host; those on it stay."""
    store.update(tx, row.name, {"disabled": disabled, "disabled_reason": reason if disabled else None})
    events.record(tx, caller, "compute", "disable" if disabled else "enable", "host", row.name, reason=reason)
    return host_of(tx, row.name)


def force_down(tx: Tx, caller: Caller, row: HostRow, forced_down: bool) -> HostRow:
    """Somebody has fenced the host: it counts as down whatever it says."""
    store.update(tx, row.name, {"forced_down": forced_down})
    events.record(tx, caller, "compute", "force_down", "host", row.name, forced_down=forced_down)
    return host_of(tx, row.name)


def delete(tx: Tx, caller: Caller, row: HostRow) -> None:
    """Forget a host that has no servers. One that this Pileus starts itself registers again where its agent runs; one
    that has joined is let in no more, until it joins again."""
    servers = server_store.servers_on_host(tx, row.name)
    if servers:
        raise Conflict(
            f"Unable to delete compute service that is hosting instances: {len(servers)} are on {row.name}. "
            "Migrate or delete them first."
        )
    placement.remove_provider(tx, row.id)
    network.forget_host(tx, row.name)
    aggregates.forget_host(tx, row.name)
    host_spec.forget_joined(tx, row.name)
    store.delete(tx, row.name)
    tx.wake(f"host:{row.name}")
    events.record(tx, caller, "compute", "delete", "host", row.name)
