"""Makes OVN agree with the rows, and tells the rows what OVN has in place."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from pileus.core.config import Settings
from pileus.core.db import Database, Tx
from pileus.core.reconcile import Reconciler
from pileus.services.network.ovn.northbound import desired
from pileus.services.network.ovn.rows import Changes
from pileus.services.network.store import status, topology

log = structlog.get_logger("pileus.network")

Hosts = Callable[[Tx], set[str]]
INTERVAL = 30.0
GATHER = 0.05
"""Seconds that simulated networks wait for more changes."""
PATIENCE = 1.0
"""Seconds for all hosts to have a change in their flows. A host that is away must not hold up the others."""


class NetworkReconciler:
    """`northbound` and `southbound` are OVN's databases, as Open vSwitch's tools take them: unix:/path, ssl:host:port.

    `hosts`: the names of those that belong to the cloud. OVN forgets a chassis of another; None: it keeps all.
    """

    def __init__(self, db: Database, northbound: str, southbound: str, hosts: Hosts | None = None) -> None:
        from pileus.services.network.ovn.apply import Northbound
        from pileus.services.network.ovn.southbound import Southbound

        self._db, self._hosts = db, hosts
        self._northbound = Northbound(northbound)
        self._southbound = Southbound(southbound)

    def run(self) -> None:
        with self._db.read() as tx:
            waiting = status.waiting(tx)
        changes = self.synchronise()
        if changes:
            log.info("northbound database changed", **changes.count())
        if waiting and self._in_place():
            with self._db.write() as tx:
                status.activate(tx, waiting)

    def synchronise(self) -> Changes:
        """Compare all of the northbound database with the rows, and repair it."""
        chassis = self._southbound.chassis()
        with self._db.read() as tx:
            strangers = {each.name for each in chassis} - self._hosts(tx) if self._hosts else set()
        if strangers:
            log.info("hosts that were removed leave OVN", hosts=sorted(strangers))
            self._southbound.forget(strangers)
            chassis = [each for each in chassis if each.name not in strangers]
        with self._db.read() as tx:
            wanted = topology.read(tx, chassis)
        return self._northbound.synchronise(desired(wanted))

    def close(self) -> None:
        self._northbound.close()
        self._southbound.close()

    def _in_place(self) -> bool:
        """Every host has the last change, or at least every host that answers can have it."""
        configuration = self._northbound.configuration()
        return self._northbound.in_place(configuration, PATIENCE) or self._northbound.translated(configuration)


def activate_all(db: Database) -> None:
    """Without OVN everything is in place as soon as it is wanted."""
    with db.write() as tx:
        status.activate(tx, status.waiting(tx))


def reconcilers(db: Database, settings: Settings, northbound: str, southbound: str, hosts: Hosts) -> list[Reconciler]:
    """Simulated hosts have no OVN: the connections are not used then."""
    real = settings.mode == "real"
    run = NetworkReconciler(db, northbound, southbound, hosts).run if real else lambda: activate_all(db)
    return [Reconciler("network", run, topics=("network",), interval=INTERVAL, gather=0.0 if real else GATHER)]
