"""Rows of the hosts that ask: those who ask at about the same time are read together, in one statement."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from pileus.core.db import Database
from pileus.services.compute.store import host_spec as store
from pileus.services.compute.store.host_spec import HostSpecRow

own_thread = ThreadPoolExecutor(1, thread_name_prefix="hosts")
"""For what says that hosts live: it must not queue behind the specs of thousands, or they would all count as down."""
TOGETHER = 0.03
"""Seconds in which those who ask gather."""


class Known:
    """Of one process, in its event loop. Rows are read after they were asked for: who was removed before is not found."""

    def __init__(self) -> None:
        self._asking: set[str] = set()
        self._reading: asyncio.Task[dict[str, HostSpecRow]] | None = None

    async def row(self, db: Database, host: str) -> HostSpecRow | None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read(db))
        self._asking.add(host)
        return (await asyncio.shield(self._reading)).get(host)

    async def _read(self, db: Database) -> dict[str, HostSpecRow]:
        await asyncio.sleep(TOGETHER)
        asking, self._asking, self._reading = self._asking, set(), None
        return await asyncio.get_running_loop().run_in_executor(own_thread, _rows, db, sorted(asking))


def _rows(db: Database, hosts: list[str]) -> dict[str, HostSpecRow]:
    with db.read() as tx:
        return store.host_spec_rows(tx, hosts)
