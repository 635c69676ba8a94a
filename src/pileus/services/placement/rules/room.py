"""Where a request of plain resources fits on one provider: what the scheduler asks. Search in trees is in `search`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from pileus.core.db import Tx, new_id
from pileus.services.placement import store
from pileus.services.placement.store.providers import InventoryRow

MANY = 1000
"""Of so many and more, all are read instead of those with these ids."""


class Candidate(msgspec.Struct):
    """A provider that has room. `free` and `capacity` are by resource class, of those that were asked for."""

    provider_id: str
    free: dict[str, int]
    capacity: dict[str, int]
    traits: frozenset[str]


def candidates(tx: Tx, resources: Mapping[str, int]) -> list[Candidate]:
    """The providers that have room for all of `resources` at once."""
    wanted = _wanted(resources)
    inventories = store.providers.all_inventories(tx, wanted)
    fitting = {one: have for one, have in inventories.items() if not _short(have, wanted)}
    traits = store.providers.all_traits(tx, fitting if len(fitting) <= MANY else None) if fitting else {}
    return _candidates(fitting, traits)


def sample(tx: Tx, resources: Mapping[str, int], count: int, traits: bool = True) -> list[Candidate]:
    """Up to `count` providers with room, chosen at random: all of them where there are no more.

    Without `traits` those are not looked for.

    Ids are random, so those that follow a random id are too. They are looked through in windows that grow while too few
    have room, round to where it began.
    """
    wanted, start = _wanted(resources), new_id()
    found: dict[str, dict[str, InventoryRow]] = {}
    if not wanted:
        return []
    first = next(iter(wanted))
    after, upto, size = start, None, 2 * count
    while len(found) < count:
        rows = store.providers.window(tx, list(wanted), after, size, upto)
        ids = [have[first].provider_id for have in rows]
        fitting = [(one, have) for one, have in zip(ids, rows, strict=True) if not _short(have, wanted)]
        found |= dict(fitting[: count - len(found)])
        if len(rows) == size:
            after, size = ids[-1], size * 8
        elif upto is None:
            after, upto = "", start
        else:
            break
    return _candidates(found, store.providers.all_traits(tx, list(found)) if found and traits else {})


def _candidates(
    fitting: Mapping[str, Mapping[str, InventoryRow]], traits: Mapping[str, Collection[str]]
) -> list[Candidate]:
    return [
        Candidate(
            provider_id,
            {name: one.free for name, one in have.items()},
            {name: one.capacity for name, one in have.items()},
            frozenset(traits.get(provider_id, ())),
        )
        for provider_id, have in fitting.items()
    ]


def _wanted(resources: Mapping[str, int]) -> dict[str, int]:
    return {name: amount for name, amount in resources.items() if amount}


def refusals(
    tx: Tx, resources: Mapping[str, int], required: Iterable[str] = (), forbidden: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """(provider name, reason) of every provider that has any of the resource classes, and is no candidate."""
    wanted = _wanted(resources)
    inventories = store.providers.all_inventories(tx, wanted)
    traits = store.providers.all_traits(tx, list(inventories))
    found = []
    for row in store.providers.find(tx, ids=list(inventories)):
        reason = _short(inventories[row.id], wanted) or _unfit(
            frozenset(traits.get(row.id, ())), frozenset(required), frozenset(forbidden)
        )
        if reason:
            found.append((row.name, reason))
    return found


def _short(have: Mapping[str, InventoryRow], wanted: Mapping[str, int]) -> str:
    """What of `wanted` does not fit, with the numbers compared; empty where all fits."""
    reasons = []
    for name, amount in wanted.items():
        one = have.get(name)
        if one is None:
            reasons.append(f"no {name}")
        elif one.fits(amount):
            continue
        elif one.used + amount > (one.total - one.reserved) * one.allocation_ratio:
            reasons.append(f"{name}: {amount} wanted, {one.free} free of {one.capacity}")
        else:
            reasons.append(
                f"{name}: {amount} wanted, given are {one.min_unit} to {one.max_unit} in steps of {one.step_size}"
            )
    return "; ".join(reasons)


def _unfit(have: frozenset[str], required: frozenset[str], forbidden: frozenset[str]) -> str:
    missing, unwanted = sorted(required - have), sorted(forbidden & have)
    reasons = [f"trait {name} is missing" for name in missing] + [f"trait {name} is forbidden" for name in unwanted]
    return "; ".join(reasons)


def used_of_providers(tx: Tx) -> dict[str, dict[str, int]]:
    """provider id -> resource class -> how much of it is given away."""
    return {
        provider_id: {name: one.used for name, one in have.items()}
        for provider_id, have in store.providers.all_inventories(tx).items()
    }
