"""Ends what no report has ended, and forgets what has been kept long enough."""

from __future__ import annotations

from datetime import timedelta

import structlog

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.reconcile import Reconciler
from pileus.services.compute.rules import reports
from pileus.services.compute.rules.servers import KEPT
from pileus.services.compute.store import console, servers

log = structlog.get_logger("pileus.compute")
PATIENCE = timedelta(minutes=5)
"""After the host says that it has done all, so long may a server still not be what it should be."""


def reconcilers(db: Database, settings: Settings) -> list[Reconciler]:
    return [
        Reconciler("compute-stuck", lambda: end_stuck(db), interval=30.0),
        Reconciler("compute-old", lambda: forget_old(db), interval=600.0),
    ]


def end_stuck(db: Database) -> None:
    """A task whose host has reached the spec, with a guest that is not as asked, ends with what the guest is.

    While the host has not reached the spec the task is the host's; where it is away, it goes on when it is back.
    """
    with db.read() as tx:
        stuck = [server.id for server in servers.reached_but_busy(tx, tx.now - PATIENCE)]
    for server_id in stuck:
        with db.write() as tx:
            server = servers.server_by_id(tx, server_id)
            if server is not None and servers.is_reached_but_busy(server, tx.now - PATIENCE):
                log.warning("a task had no end and is ended", server=server.id, task=server.task_state)
                reports.settle(tx, server)


def forget_old(db: Database) -> None:
    with db.write() as tx:
        console.forget_expired(tx)
        servers.forget_deleted(tx, tx.now - KEPT)
