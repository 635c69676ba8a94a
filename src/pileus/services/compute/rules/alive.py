"""Which hosts wait for their spec, and so live. Thousands wait at once: what is known of them is written together."""

from __future__ import annotations

import asyncio
import time

import structlog

from pileus.core.db import Database
from pileus.services.compute.rules.hosts import SEEN_EVERY
from pileus.services.compute.rules.known import own_thread
from pileus.services.compute.store import hosts as store
from pileus.services.network import rules as network

log = structlog.get_logger("pileus.compute")
TOGETHER = 1.0
"""Seconds in which those that are to be written gather."""


class Alive:
    """Of one process, in its event loop."""

    def __init__(self) -> None:
        self._written: dict[str, float] = {}
        self._due: set[str] = set()
        self._writing: asyncio.Task[None] | None = None

    def note(self, db: Database, host: str) -> None:
        """The host has asked for its spec just now."""
        if time.monotonic() - self._written.get(host, 0.0) < SEEN_EVERY.total_seconds():
            return
        self._due.add(host)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write(db))

    async def _write(self, db: Database) -> None:
        await asyncio.sleep(TOGETHER)
        names, self._due = sorted(self._due), set()
        try:
            await asyncio.get_running_loop().run_in_executor(own_thread, _write, db, names)
        except Exception as error:  # they ask again within a minute, and are written then
            log.warning("hosts could not be noted as alive", hosts=len(names), reason=str(error))
            return
        self._written.update(dict.fromkeys(names, time.monotonic()))


def _write(db: Database, names: list[str]) -> None:
    with db.write() as tx:
        store.note_alive(tx, names)
        network.note_alive(tx, names)
