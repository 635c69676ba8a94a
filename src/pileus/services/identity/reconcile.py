"""What identity does by itself: new keys now and then, no memory longer than needed, no sleeping accounts, visits to directories."""

from __future__ import annotations

from functools import partial

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.reconcile import Reconciler
from pileus.services.identity import drivers
from pileus.services.identity.rules import compliance, oauth1, sealing, tokens
from pileus.services.identity.store import federation

MINUTE, HOUR = 60.0, 3600.0


def reconcilers(db: Database, settings: Settings) -> list[Reconciler]:
    def tidy() -> None:
        with db.write() as tx:
            tokens.tidy(tx, settings)
            oauth1.tidy(tx)
            compliance.disable_idle(tx, settings)
            federation.forget(tx)

    return [
        Reconciler("identity-directories", partial(drivers.visit_all, db, settings), interval=MINUTE),
        Reconciler("identity-tidy", tidy, interval=HOUR),
        Reconciler("identity-seals", lambda: seal_anew(db, settings), interval=HOUR),
    ]


def seal_anew(db: Database, settings: Settings) -> None:
    """Whatever is not sealed with the newest key; that is made where the last one is old."""
    sealed = False
    while not sealed:
        with db.write() as tx:
            sealed = sealing.tidy(tx, settings)
