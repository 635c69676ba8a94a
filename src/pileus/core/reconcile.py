"""Reconcilers: functions without arguments that make what is agree with what should be.

Each runs on a signal and on a timer, under a lease, so that several controllers share the work and one that dies is replaced.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError

from pileus.core import metrics
from pileus.core.db import Database, Id, Time, Tx, among, metadata
from pileus.core.watch import Watch

log = structlog.get_logger("pileus.reconcile")

leases = sa.Table(
    "core_lease",
    metadata,
    sa.Column("name", Id, primary_key=True),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("expires_at", Time, nullable=False),
)
_KEEP = (
    leases.update()
    .where(among(leases.c.name), leases.c.owner == sa.bindparam("me"))
    .values(expires_at=sa.bindparam("until"))
    .returning(leases.c.name)
)
_HELD = sa.select(leases.c.name).where(leases.c.expires_at >= sa.bindparam("at"))
LEASE = timedelta(seconds=3)
_TRIES = 3
"""After so many failures in a row a controller leaves the work, for two leases' time: another may reach what it does not."""


class Reconciler(msgspec.Struct):
    """`run` compares and repairs everything it is responsible for; it may be killed at any instruction.

    `topics` wake it at once; without them it runs every `interval` seconds.
    """

    name: str
    run: Callable[[], None]
    topics: Sequence[str] = ()
    interval: float = 60.0
    gather: float = 0.0
    """Seconds after a wake-up in which others may follow: a burst of changes is one run."""


class Controller:
    """Runs reconcilers, each in a thread of its own, each only while this process holds its lease.

    One thread more keeps all leases, in one transaction every third of their time: where a process dies, another has
    its work within four thirds. A SQLite file serves one process, which needs no leases.
    """

    def __init__(self, db: Database, watch: Watch, reconcilers: Sequence[Reconciler]) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self._db, self._watch = db, watch
        self._work = {reconciler.name: _Work(reconciler) for reconciler in reconcilers}
        self._alone = db.is_sqlite
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        threads = []
        if self._alone:
            for work in self._work.values():
                work.held_until = math.inf
        else:
            threads.append(threading.Thread(target=self._keep_leases, name="leases", daemon=True))
        for work in self._work.values():
            threads.append(threading.Thread(target=self._loop, args=(work,), name=work.reconciler.name, daemon=True))
        for thread in threads:
            thread.start()
        self._threads = threads

    def stop(self) -> None:
        """End after the runs under way, and give the leases back."""
        self._stop.set()
        for work in self._work.values():
            work.wake.set()
        for thread in self._threads:
            thread.join(timeout=10)
        if not self._alone:
            self._give_back()

    def _give_back(self) -> None:
        try:
            with self._db.write() as tx:
                tx.delete(leases, leases.c.owner == self.owner)
        except DBAPIError as error:
            log.warning("the leases could not be given back, and will run out", reason=str(error.orig).strip())

    def _keep_leases(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with self._db.write() as tx:
                    held = self._hold(tx, [name for name, work in self._work.items() if not work.is_left])
            except DBAPIError as error:
                log.warning("leases could not be renewed", reason=str(error.orig).strip())
                held = set()
            for name, work in self._work.items():
                had, work.held_until = work.held, began + LEASE.total_seconds() if name in held else 0.0
                if work.held and not had:
                    work.wake.set()
            self._stop.wait(LEASE.total_seconds() / 3)

    def _hold(self, tx: Tx, names: Sequence[str]) -> set[str]:
        """Keep leases, and take those that are free; what other owners hold is left out."""
        at = tx.database_time()
        kept = {name for (name,) in tx.execute(_KEEP, {"ids": names, "me": self.owner, "until": at + LEASE})}
        held = kept | {name for (name,) in tx.execute(_HELD, {"at": at})}
        return kept | {name for name in names if name not in held and self._take(tx, name, at)}

    def _take(self, tx: Tx, name: str, at: datetime) -> bool:
        values = {"owner": self.owner, "expires_at": at + LEASE}
        ended = (leases.c.name == name) & (leases.c.expires_at < at)
        return tx.update(leases, ended, values) > 0 or tx.insert_new(leases, {"name": name, **values})

    def _loop(self, work: _Work) -> None:
        reconciler = work.reconciler
        with ExitStack() as stack:
            for topic in reconciler.topics:
                stack.enter_context(self._watch.listening(topic, work.signal))
            due, failures = 0.0, 0
            while not self._stop.is_set():
                if work.held and (work.wake.is_set() or time.monotonic() >= due):
                    self._stop.wait(reconciler.gather)
                    failures = 0 if self._run(work) else failures + 1
                    if failures and failures % _TRIES == 0:
                        work.left_until = time.monotonic() + 2 * LEASE.total_seconds()
                    pause = min(reconciler.interval, 0.5 * 2**failures) if failures else reconciler.interval
                    due = time.monotonic() + pause
                work.wait(due)

    def _run(self, work: _Work) -> bool:
        name, woken, began = work.reconciler.name, work.begin(), time.monotonic()
        try:
            work.reconciler.run()
            return True
        except Exception:
            metrics.RECONCILE_FAILURES.labels(name).inc()
            log.exception("a reconciler failed and will run again", reconciler=name)
            return False
        finally:
            ended = time.monotonic()
            metrics.RECONCILE_SECONDS.labels(name).observe(ended - began)
            if woken is not None:
                metrics.RECONCILE_LAG.labels(name).observe(ended - woken)


class _Work:
    """One reconciler, its wake-up, and until when (monotonic seconds) this process may run it."""

    def __init__(self, reconciler: Reconciler) -> None:
        self.reconciler = reconciler
        self.wake = threading.Event()
        self.held_until = 0.0
        self.left_until = 0.0
        self._woken: float | None = None
        self._due = metrics.RECONCILE_DUE.labels(reconciler.name)

    def signal(self) -> None:
        """There is something to do."""
        if self._woken is None:
            self._woken = time.monotonic()
        self._due.inc()
        self.wake.set()

    def begin(self) -> float | None:
        """A run begins: since when there was something to do (monotonic seconds)."""
        self.wake.clear()
        woken, self._woken = self._woken, None
        self._due.set(0)
        return woken

    @property
    def held(self) -> bool:
        return time.monotonic() < self.held_until

    @property
    def is_left(self) -> bool:
        """To other controllers, for now."""
        return time.monotonic() < self.left_until

    def wait(self, due: float) -> None:
        """Until it is due or woken; while the lease is another's, wake-ups are that one's business."""
        if self.held:
            self.wake.wait(max(due - time.monotonic(), 0.01))
        else:
            self.begin()
            self.wake.wait(LEASE.total_seconds())


def gauges(tx: Tx) -> list[metrics.Gauge]:
    """Who holds which lease."""
    held = tx.execute(sa.select(leases.c.name, leases.c.owner).where(leases.c.expires_at > tx.database_time()))
    owners: dict[tuple[str, ...], float] = {tuple(row): 1.0 for row in held}
    return [metrics.Gauge("pileus_lease", "1 for the process that runs a reconciler", ("reconciler", "owner"), owners)]
