"""Metadata and tags: what users write on their servers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.services.compute.rules import actions, quota
from pileus.services.compute.store import servers as store
from pileus.services.compute.store.servers import ServerRow

STATES = frozenset({"active", "paused", "suspended", "stopped"})
MOST_TAGS = 50
_TAG = re.compile(r"[^,/]{1,60}")


def set_metadata(tx: Tx, caller: Caller, server: ServerRow, metadata: dict[str, str]) -> None:
    """Exactly this metadata. Raises QuotaExceeded, Conflict."""
    actions.require(server, "update metadata", STATES, None)
    quota.check_count(tx, server.project_id, "metadata_items", len(metadata))
    store.update_server(tx, server, {"metadata": metadata})
    if server.host:
        tx.wake(f"host:{server.host}")
    events.record(tx, caller, "compute", "update_metadata", "server", server.id, keys=sorted(metadata))


def item(server: ServerRow, key: str) -> str:
    """Raises NotFound."""
    if key not in server.metadata:
        raise NotFound(f"Metadata item was not found: server {server.id} has no '{key[:255]}'.")
    return server.metadata[key]


def set_item(tx: Tx, caller: Caller, server: ServerRow, key: str, meta: dict[str, str]) -> None:
    """Raises BadRequest where the body names another key than the path."""
    if key not in meta:
        raise BadRequest(f"Request body and URI mismatch: the path names '{key[:255]}'.")
    set_metadata(tx, caller, server, server.metadata | meta)


def remove_item(tx: Tx, caller: Caller, server: ServerRow, key: str) -> None:
    item(server, key)
    set_metadata(tx, caller, server, {name: value for name, value in server.metadata.items() if name != key})


def set_tags(tx: Tx, caller: Caller, server: ServerRow, tags: Sequence[str]) -> list[str]:
    """Exactly these tags. Raises BadRequest, Conflict."""
    actions.require(server, "update tags", STATES, None)
    wanted = list(dict.fromkeys(tags))
    if len(wanted) > MOST_TAGS:
        raise BadRequest(f"The number of tags exceeded the per-server limit {MOST_TAGS}: {len(wanted)}.")
    store.update_server(tx, server, {"tags": wanted})
    events.record(tx, caller, "compute", "update_tags", "server", server.id, tags=wanted)
    return wanted


def add_tag(tx: Tx, caller: Caller, server: ServerRow, tag: str) -> bool:
    """Whether it is new. Raises BadRequest, Conflict."""
    if not _TAG.fullmatch(tag):
        raise BadRequest(f"Tag '{tag[:64]}' is invalid: 1 to 60 characters without comma and slash.")
    if tag in server.tags:
        return False
    set_tags(tx, caller, server, [*server.tags, tag])
    return True


def require_tag(server: ServerRow, tag: str) -> None:
    """Raises NotFound."""
    if tag not in server.tags:
        raise NotFound(f"Server {server.id} has no tag '{tag[:64]}'.")


def remove_tag(tx: Tx, caller: Caller, server: ServerRow, tag: str) -> None:
    require_tag(server, tag)
    set_tags(tx, caller, server, [known for known in server.tags if known != tag])
