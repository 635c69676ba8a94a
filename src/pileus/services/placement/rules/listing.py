"""Which providers a list asks for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pileus.core.db import Tx
from pileus.services.placement import store
from pileus.services.placement.filters import Set
from pileus.services.placement.store.providers import ProviderRow


class Wanted(msgspec.Struct, kw_only=True):
    name: str | None
    provider_id: str | None
    in_tree: str | None
    """Any provider of the tree."""
    resources: Mapping[str, int]
    """Room for all of it."""
    traits: Set
    aggregates: Set


def find(tx: Tx, wanted: Wanted) -> list[ProviderRow]:
    root_id = None
    if wanted.in_tree is not None:
        member = store.providers.provider(tx, wanted.in_tree)
        if member is None:
            return []
        root_id = member.root_id
    ids = [wanted.provider_id] if wanted.provider_id is not None else None
    rows = store.providers.find(tx, wanted.name, ids, root_id)
    if wanted.resources:
        have = store.providers.all_inventories(tx, wanted.resources)
        rows = [
            row
            for row in rows
            if all(
                name in have.get(row.id, {}) and have[row.id][name].fits(amount)
                for name, amount in wanted.resources.items()
            )
        ]
    if wanted.traits != Set():
        traits = store.providers.all_traits(tx)
        rows = [row for row in rows if wanted.traits.allows(traits.get(row.id, set()))]
    if wanted.aggregates != Set():
        aggregates = store.providers.all_aggregates(tx)
        rows = [row for row in rows if wanted.aggregates.allows(aggregates.get(row.id, set()))]
    return rows
