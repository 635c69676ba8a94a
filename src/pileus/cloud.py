"""The services put together: what one cloud is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pileus.core import metrics, notes, policy, reconcile, schema
from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.dispatch import App
from pileus.core.http import Service
from pileus.core.reconcile import Controller, Reconciler
from pileus.core.watch import Watch
from pileus.services.compute import api as compute
from pileus.services.compute import bootstrap as compute_bootstrap
from pileus.services.compute import reconcile as compute_reconcile
from pileus.services.compute import rules as compute_rules
from pileus.services.compute.api import console, node
from pileus.services.identity import api as identity
from pileus.services.identity import bootstrap as identity_bootstrap
from pileus.services.identity import reconcile as identity_reconcile
from pileus.services.identity import tokens
from pileus.services.identity.rules import sealing
from pileus.services.image import api as image
from pileus.services.image import protections, signatures
from pileus.services.image import reconcile as image_reconcile
from pileus.services.network import api as network
from pileus.services.network import bootstrap as network_bootstrap
from pileus.services.network import reconcile as network_reconcile
from pileus.services.placement import api as placement

if TYPE_CHECKING:
    from pileus.core.spread import Spread


def services() -> list[Service]:
    """All APIs, in the order of the catalog."""
    return [
        identity.api,
        image.api,
        placement.api,
        compute.api,
        compute.legacy,
        console.console_pages,
        node.api,
        network.api,
        metrics.api,
    ]


metrics.gauges[:] = [reconcile.gauges, compute_rules.gauges]


CATALOG = (
    ("keystone", "identity", "/identity"),
    ("glance", "image", "/image"),
    ("placement", "placement", "/placement"),
    ("nova", "compute", "/compute/v2.1"),
    ("neutron", "network", "/network"),
)
"""(name, type, path of the endpoint) of each service that clients discover."""

SETTINGS_NOTE = "settings"
"""The note with what all processes of the cloud have the same."""


NORTHBOUND_NOTE = "northbound"
"""The note with where controllers on other machines reach OVN's databases."""


class Cloud:
    """One control plane: database, API and controller. `northbound`: where OVN's databases are, if not on this machine."""

    def __init__(self, settings: Settings, northbound: str = "") -> None:
        self.settings, self._northbound = settings, northbound
        self.watch = Watch()
        self.db = Database(settings.database_url, self.watch)
        self._spread = self._spread_wakes()
        self.app = App(services(), self.db, self.watch, tokens.authenticate, settings=settings)
        for service in self.app.services:
            if isinstance(service.policy, policy.Policy):
                service.policy.override_by(settings.state_dir / "policy.d" / f"{service.name}.yaml")
        protections.protections.override_by(settings.state_dir / "policy.d" / protections.FILE)
        signatures.certificates.read_from(settings.state_dir / "image-certificates")
        self.controller = Controller(self.db, self.watch, self.reconcilers())

    def _spread_wakes(self) -> Spread | None:
        """SQLite serves one process; a PostgreSQL may have others that wait for what is committed here."""
        if self.db.is_sqlite:
            return None
        from pileus.core.spread import Spread

        spread = Spread(self.settings.database_url, self.watch)
        self.db.waker = spread
        return spread

    def reconcilers(self) -> list[Reconciler]:
        northbound, southbound = self._ovn()
        return [
            *identity_reconcile.reconcilers(self.db, self.settings),
            *compute_reconcile.reconcilers(self.db, self.settings),
            *network_reconcile.reconcilers(self.db, self.settings, northbound, southbound, compute_rules.hosts_let_in),
            *image_reconcile.reconcilers(self.db, self.settings, [compute_rules.image_files]),
        ]

    def _ovn(self) -> tuple[str, str]:
        """OVN's databases; simulated hosts have none."""
        if self.settings.mode == "sim" or self._northbound:
            return self._northbound, self._northbound
        from pileus.supervise import ovn

        return ovn.northbound(self.settings.state_dir), ovn.southbound(self.settings.state_dir)

    def prepare(self, admin_password: str, host_token: str) -> None:
        """Tables and first rows; nothing changes where they are there already."""
        schema.upgrade(self.db)
        catalog = [(name, kind, self.settings.endpoint_url + path) for name, kind, path in CATALOG]
        with self.db.write() as tx:
            notes.write(tx, SETTINGS_NOTE, msgspec.json.encode(self.settings.of_the_cloud()).decode())
            project_id = identity_bootstrap.bootstrap(tx, self.settings, admin_password, catalog)
            network_bootstrap.bootstrap(tx, self.settings, project_id)
            notes.write(tx, NORTHBOUND_NOTE, self.settings.northbound)
            compute_bootstrap.bootstrap(tx, self.settings.own_hosts, host_token, self.settings.southbound)

    def close(self) -> None:
        self.controller.stop()
        self.app.pool.shutdown(wait=False, cancel_futures=True)
        if self._spread is not None:
            self._spread.close()
        self.db.close()


def settled(settings: Settings) -> Settings:
    """The settings for one more process of the cloud that `pileus up` has made in the database.

    Raises schema.OtherSchema where that is of another version, or not there, and WrongKey where its secrets can't be read.
    """
    db = Database(settings.database_url)
    try:
        schema.check(db)
        with db.read() as tx:
            text = notes.read(tx, SETTINGS_NOTE)
            sealing.check(tx, settings)
    finally:
        db.close()
    return settings.within(msgspec.json.decode(text)) if text else settings


def northbound(db: Database) -> str:
    """Where controllers on other machines reach OVN's databases; empty where they can't."""
    with db.read() as tx:
        return notes.read(tx, NORTHBOUND_NOTE) or ""
