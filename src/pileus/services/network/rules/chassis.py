"""Hosts as the network sees them: the chassis on which ports are wired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import Conflict
from pileus.services.network.rules import access
from pileus.services.network.rules.networks import ZONE
from pileus.services.network.store import chassis as store
from pileus.services.network.store import nouns
from pileus.services.network.types.rows import ChassisRow


def see_host(tx: Tx, host: str, address: str, version: str) -> None:
    """A host has registered or reported: its chassis is there and alive."""
    if not store.seen(tx, host, address, version):
        store.insert(tx, ChassisRow(new_id(), host, address, version, tx.now, tx.now, None))


def note_mtu(tx: Tx, host: str, mtu: int | None) -> None:
    """What the host's underlay carries; None where it has no tunnels."""
    store.set_mtu(tx, host, mtu)


def note_alive(tx: Tx, hosts: Sequence[str]) -> None:
    """These hosts, which are known, live."""
    store.note_alive(tx, hosts)


def forget_host(tx: Tx, host: str) -> None:
    store.delete(tx, host)
    tx.wake("network")


def zones(tx: Tx) -> list[str]:
    """The availability zone, where there is any host to give it."""
    return [ZONE] if store.any_there(tx) else []


def is_alive(row: ChassisRow, at: datetime) -> bool:
    return at - row.seen_at < nouns.LOST


def visible_chassis(tx: Tx, caller: Caller, agent_id: str) -> ChassisRow:
    return access.visible(tx, caller, nouns.AGENTS, agent_id, "Agent")


def delete_chassis(tx: Tx, row: ChassisRow) -> None:
    """Raises Conflict while the host is alive."""
    if is_alive(row, tx.now):
        raise Conflict(f"Host {row.host} is alive; stop it before its agent is deleted.", code="AgentInUse")
    store.delete(tx, row.host)
