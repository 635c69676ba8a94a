"""What hosts were told last: one that asks again, when nobody has woken it since, need not be looked for in the rows."""

from __future__ import annotations

import time

import msgspec

from pileus.core.watch import Watch

AGAIN = 60.0
"""Seconds after which the rows are looked at all the same: a wake-up may be lost with a connection to the database."""


class Look(msgspec.Struct, frozen=True):
    watch: Watch
    count: int
    """Of the host's topic, before the rows were read."""
    revision: int
    at: float


class Looks:
    """Of one process, in its event loop. A host that another process served last is unknown here, and looked for."""

    def __init__(self) -> None:
        self._last: dict[str, Look] = {}

    def note(self, host: str, watch: Watch, count: int, revision: int) -> None:
        """The rows made this revision; they were read after the host's topic was at `count`."""
        self._last[host] = Look(watch, count, revision, time.monotonic())

    def is_current(self, host: str, watch: Watch, count: int, revision: int) -> bool:
        """Whether a look would find this revision again."""
        last = self._last.get(host)
        return (
            last is not None
            and (last.watch, last.count, last.revision) == (watch, count, revision)
            and time.monotonic() - last.at < AGAIN
        )
