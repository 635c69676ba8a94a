"""What is computed once for an identity revision and kept in this process until there is another."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from pileus.core.db import Tx
from pileus.services.identity.store import rows

T = TypeVar("T")
_REVISIONS = 4
"""How many are remembered: transactions that began before a change still see the one before."""
_EACH = 10_000
_kept: dict[str, dict[str, object]] = {}


def kept(tx: Tx, name: str, make: Callable[[Tx], T]) -> T:
    """What `make` gives; it must depend on nothing but identity's rows, and nobody may change it."""
    if rows.is_touched(tx):
        return make(tx)
    mark = rows.mark(tx)
    known = _kept.get(mark)
    if known is None:
        while len(_kept) >= _REVISIONS:
            _kept.pop(next(iter(_kept)), None)
        known = _kept.setdefault(mark, {})
    if name not in known:
        known[name] = make(tx)
    return known[name]  # type: ignore[return-value]


def kept_for(tx: Tx, name: str, key: Hashable, make: Callable[[], T]) -> T:
    """As `kept`, for each of many keys; the oldest go first. What is not there (None) is not remembered."""
    if tx.writable:
        return make()
    known: dict[Hashable, T] = kept(tx, name, lambda _: {})
    found = known.get(key)
    if found is not None:
        return found
    made = make()
    if made is not None:
        while len(known) >= _EACH:
            known.pop(next(iter(known)), None)
        known[key] = made
    return made
