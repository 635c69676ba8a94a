"""Reconcilers: functions without arguments that make what is agree with what should be.

Each runs on a signal and on a timer, under a lease, so that several controllers share the work and one that dies is replaced.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta

import msgspec
import sqlalchemy as sa
import structlog

from pileus.core.db import Database, Id, Time, metadata, now
from pileus.core.watch import Watch

log = structlog.get_logger("pileus.reconcile")

leases = sa.Table(
    "core_lease",
    metadata,
    sa.Column("name", Id, primary_key=True),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("expires_at", Time, nullable=False),
)
LEASE = timedelta(seconds=5)


class Reconciler(msgspec.Struct):
    """`run` compares and repairs everything it is responsible for; it may be killed at any instruction.

    `topics` wake it at once; without them it runs every `interval` seconds.
    """

    name: str
    run: Callable[[], None]
    topics: Sequence[str] = ()
    interval: float = 60.0


class Controller:
    """Runs reconcilers, each in a thread of its own, each only while this process holds its lease."""

    def __init__(self, db: Database, watch: Watch, reconcilers: Sequence[Reconciler]) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self._db, self._watch = db, watch
        self._reconcilers = list(reconcilers)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._wakes: list[threading.Event] = []

    def start(self) -> None:
        for reconciler in self._reconcilers:
            wake = threading.Event()
            thread = threading.Thread(target=self._loop, args=(reconciler, wake), name=reconciler.name, daemon=True)
            self._wakes.append(wake)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End after the runs under way, and give the leases back."""
        self._stop.set()
        for wake in self._wakes:
            wake.set()
        for thread in self._threads:
            thread.join(timeout=10)
        with self._db.write() as tx:
            tx.delete(leases, leases.c.owner == self.owner)

    def _loop(self, reconciler: Reconciler, wake: threading.Event) -> None:
        with ExitStack() as stack:
            for topic in reconciler.topics:
                stack.enter_context(self._watch.listening(topic, wake.set))
            due = held_until = 0.0
            failures = 0
            while not self._stop.is_set():
                if time.monotonic() >= held_until - LEASE.total_seconds() / 2:
                    held_until = time.monotonic() + LEASE.total_seconds() if self._hold(reconciler.name) else 0.0
                if held_until and (wake.is_set() or time.monotonic() >= due):
                    wake.clear()
                    failures = 0 if self._run(reconciler) else failures + 1
                    due = time.monotonic() + (
                        min(reconciler.interval, 0.5 * 2**failures) if failures else reconciler.interval
                    )
                pause = (
                    min(due - time.monotonic(), LEASE.total_seconds() / 2) if held_until else LEASE.total_seconds() / 2
                )
                wake.wait(max(pause, 0.01))

    def _run(self, reconciler: Reconciler) -> bool:
        try:
            reconciler.run()
            return True
        except Exception:
            log.exception("a reconciler failed and will run again", reconciler=reconciler.name)
            return False

    def _hold(self, name: str) -> bool:
        """Take or keep the lease; False where another owner holds it."""
        with self._db.write() as tx:
            at = now()
            values = {"owner": self.owner, "expires_at": at + LEASE}
            mine = (leases.c.name == name) & ((leases.c.owner == self.owner) | (leases.c.expires_at < at))
            if tx.update(leases, mine, values):
                return True
            held = tx.scalar(sa.select(leases.c.owner).where(leases.c.name == name))
            if held is None:
                tx.insert(leases, {"name": name, **values}, conflict="lease {name} was taken")
            return held is None
