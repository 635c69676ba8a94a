"""What identity does by itself: a new key for tokens now and then, no memory longer than needed, no sleeping accounts."""

from __future__ import annotations

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.reconcile import Reconciler
from pileus.services.identity.rules import compliance, tokens

HOUR = 3600.0


def reconcilers(db: Database, settings: Settings) -> list[Reconciler]:
    def tidy() -> None:
        with db.write() as tx:
            tokens.tidy(tx)
            compliance.disable_idle(tx, settings)

    return [Reconciler("identity-tidy", tidy, interval=HOUR)]
