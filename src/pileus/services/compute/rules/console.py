"""Consoles: who may look at one, and where it is."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

import msgspec

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Unauthorized
from pileus.services.compute.rules import hosts
from pileus.services.compute.store import console as store
from pileus.services.compute.store import host_spec as spec_store
from pileus.services.compute.store import hosts as host_store
from pileus.services.compute.store import servers as server_store
from pileus.services.compute.store.console import ConsoleTokenRow
from pileus.services.compute.store.servers import ServerRow

VALID = timedelta(minutes=10)
NOVNC = "novnc"


class Place(msgspec.Struct):
    """Where a guest's agent answers, and the proof that it is the control plane that asks: empty for a host that has
    joined, which wants to see the control plane's certificate."""

    url: str
    proof: str
    guest_id: str
    """Empty: of the host itself."""
    host: str


def place_of(tx: Tx, server: ServerRow) -> Place:
    """Raises Conflict while the server has no host."""
    if server.host is None or server.launched_at is None:
        raise Conflict(f"Instance {server.id} is not ready: no host has started it yet.")
    proof = spec_store.token_hash(tx, server.host)
    return Place(hosts.host_of(tx, server.host).agent_url, proof, server.id, server.host)


def places_of_hosts(tx: Tx) -> list[Place]:
    """Every host's agent."""
    return [Place(row.agent_url, spec_store.token_hash(tx, row.name), "", row.name) for row in host_store.find(tx)]


def new_token(tx: Tx, caller: Caller, server: ServerRow, kind: str) -> str:
    """A token that opens the console for ten minutes; only its hash is kept. Raises BadRequest, Conflict."""
    if kind != NOVNC:
        raise BadRequest(f"Unavailable console type {kind[:64]}: consoles here are of type {NOVNC}.")
    place_of(tx, server)
    token = secrets.token_urlsafe(32)
    assert server.host is not None
    store.insert_token(tx, ConsoleTokenRow(_hashed(token), server.id, server.host, kind, tx.now + VALID))
    events.record(tx, caller, "compute", "get_console", "server", server.id, type=kind)
    return token


def place_of_token(tx: Tx, token: str) -> Place:
    """Raises Unauthorized for a token that is not, or no longer, valid."""
    row = store.valid_token(tx, _hashed(token))
    server = server_store.server_by_id(tx, row.server_id) if row else None
    if server is None or server.deleted_at is not None:
        raise Unauthorized("The console's token is not valid, or has expired: ask for a new one.")
    return place_of(tx, server)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
