"""What identity does by itself: a new key for tokens now and then, and no memory of revocations longer than needed."""

from __future__ import annotations

from pileus.core.db import Database
from pileus.core.reconcile import Reconciler
from pileus.services.identity.rules import tokens

HOUR = 3600.0


def reconcilers(db: Database) -> list[Reconciler]:
    def tidy() -> None:
        with db.write() as tx:
            tokens.tidy(tx)

    return [Reconciler("identity-tokens", tidy, interval=HOUR)]
