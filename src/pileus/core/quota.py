"""Limits without counting all that a project has at each request.

What is in use is counted from rows. Between two counts only what was given since is added: so much is in use at most, as
what is removed makes it less. Where that is within the limits nobody counts; nobody is refused who was not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from pileus.core.db import Json, Time, Tx, metadata

uses = sa.Table(
    "core_use",
    metadata,
    sa.Column("owner", sa.String(255), primary_key=True),
    sa.Column("at_most", Json, nullable=False),
    sa.Column("counted_at", Time, nullable=False),
)
COUNT_AGAIN = timedelta(minutes=1)
"""What is given past the limits, by an administrator or while there were none, is seen after so long."""
_KNOWN = sa.select(uses.c.at_most, uses.c.counted_at).where(uses.c.owner == sa.bindparam("owner"))


def take(
    tx: Tx,
    owner: str,
    wanted: Mapping[str, int],
    limits: Mapping[str, int],
    count: Callable[[Collection[str]], Mapping[str, int]],
) -> Mapping[str, int]:
    """What is in use of all that has a limit (of 0 or more), before `wanted` is added: counted where it would be too much.

    Until its commit the transaction must hold the owner, by `Tx.hold`. Who then refuses rolls it back.
    """
    names = [name for name in wanted if limits.get(name, -1) >= 0]
    if not names:
        return {}
    at_most, counted_at = _known(tx, owner)
    if any(name not in at_most or at_most[name] + wanted[name] > limits[name] for name in names):
        at_most, counted_at = dict(count(names)), tx.now
    after = at_most | {name: at_most[name] + wanted[name] for name in names}
    tx.upsert(uses, {"owner": owner}, {"at_most": after, "counted_at": counted_at})
    return at_most


def _known(tx: Tx, owner: str) -> tuple[dict[str, int], datetime]:
    """What is in use at most, and when it was counted."""
    for at_most, counted_at in tx.execute(_KNOWN, {"owner": owner}):
        if tx.now - counted_at < COUNT_AGAIN:
            return at_most, counted_at
    return {}, tx.now


def count_again(tx: Tx, owners: str) -> None:
    """Limits have changed, of all owners that begin so: what was given while there were none was not noted."""
    tx.delete(uses, uses.c.owner.startswith(owners, autoescape=True))
