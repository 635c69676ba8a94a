"""Claims: what consumers have been given of which provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict
from pileus.services.placement import store
from pileus.services.placement.rules import names
from pileus.services.placement.store.allocations import AllocationRow, ConsumerRow, Usage

Amounts = Mapping[str, Mapping[str, int]]
"""provider id -> resource class -> amount."""


def claim(
    tx: Tx,
    consumer_id: str,
    project_id: str,
    user_id: str,
    provider_id: str,
    resources: Mapping[str, int],
    consumer_type: str | None = "INSTANCE",
    waits: bool = True,
) -> bool:
    """Give a new consumer all of `resources` of one provider; False, and nothing given, if one does not fit any more.

    Unless it `waits`, also where another transaction is claiming there: whether there is room is known at its end.
    """
    wanted = {name: resources[name] for name in sorted(resources) if resources[name]}
    taken = store.allocations.take_all(tx, provider_id, wanted, waits) if wanted else []
    if len(taken) < len(wanted):
        for name in sorted(taken):
            store.allocations.give_back(tx, provider_id, name, wanted[name])
        return False
    store.allocations.put_consumer(tx, ConsumerRow(consumer_id, project_id, user_id, consumer_type, 1))
    if wanted:
        store.allocations.insert_of(tx, consumer_id, provider_id, wanted)
    return True


def release(tx: Tx, consumer_id: str) -> bool:
    """Take everything back from a consumer; False where it had nothing."""
    had = allocations(tx, consumer_id)
    _give_back(tx, consumer_id, had)
    store.allocations.delete_consumer(tx, consumer_id)
    return bool(had)


def allocations(tx: Tx, consumer_id: str) -> list[AllocationRow]:
    return store.allocations.of_consumer(tx, consumer_id)


def used_by_project(
    tx: Tx, project_id: str, user_id: str | None = None, consumer_type: str = "INSTANCE"
) -> dict[str, int]:
    """By resource class, what consumers of one type have been given."""
    found = store.allocations.usages(tx, project_id, user_id)
    return totals([usage for usage in found if usage.type == consumer_type])


def totals(usages: Iterable[Usage]) -> dict[str, int]:
    """By resource class."""
    found: dict[str, int] = {}
    for usage in usages:
        found[usage.resource_class] = found.get(usage.resource_class, 0) + int(usage.amount)
    return found


def _give_back(tx: Tx, consumer_id: str, had: list[AllocationRow]) -> None:
    store.allocations.delete_of(tx, consumer_id)
    for row in had:
        store.allocations.give_back(tx, row.provider_id, row.resource_class, row.amount)


def replace(tx: Tx, wanted: list[tuple[ConsumerRow, Amounts]]) -> None:
    """Give several consumers exactly what is said, all or nothing; a consumer that gets nothing is forgotten.

    The rows' generations are those after the change. Raises BadRequest (no such provider), Conflict (does not fit).
    """
    check_amounts(tx, [amounts for _, amounts in wanted])
    take_back(tx, [consumer for consumer, _ in wanted])
    for consumer, amounts in wanted:
        give(tx, consumer, amounts)


def take_back(tx: Tx, consumers: list[ConsumerRow]) -> None:
    """Everything from these consumers, who stay known: they are given something else in the same transaction."""
    for consumer in consumers:
        _give_back(tx, consumer.id, allocations(tx, consumer.id))


def check_amounts(tx: Tx, wanted: list[Amounts]) -> None:
    """Raises BadRequest where a provider or resource class does not exist."""
    names.check_classes(tx, {name for amounts in wanted for resources in amounts.values() for name in resources})
    ids = {provider_id for amounts in wanted for provider_id in amounts}
    missing = ids - {row.id for row in store.providers.find(tx, ids=ids)} if ids else set()
    if missing:
        raise BadRequest(f"Allocation for a resource provider that does not exist: {', '.join(sorted(missing))[:500]}.")


def give(tx: Tx, consumer: ConsumerRow, amounts: Amounts) -> None:
    """Give a consumer that has nothing; forget it where it gets nothing."""
    rows = [
        AllocationRow(consumer.id, provider_id, name, amounts[provider_id][name])
        for provider_id in sorted(amounts)
        for name in sorted(amounts[provider_id])
    ]
    if not rows:
        store.allocations.delete_consumer(tx, consumer.id)
        return
    for row in rows:
        if not store.allocations.take(tx, row.provider_id, row.resource_class, row.amount):
            raise Conflict(f"Unable to allocate: {_why_not(tx, row)}")
    store.allocations.put_consumer(tx, consumer)
    store.allocations.insert(tx, rows)


def _why_not(tx: Tx, row: AllocationRow) -> str:
    for inventory in store.providers.inventories_of(tx, row.provider_id):
        if inventory.resource_class == row.resource_class:
            return (
                f"{row.amount} of {row.resource_class} do not fit on the resource provider {row.provider_id}: it has "
                f"{inventory.free} free of {inventory.capacity} and gives {inventory.min_unit} to {inventory.max_unit} "
                f"at a time in steps of {inventory.step_size}."
            )
    return f"the resource provider {row.provider_id} has no inventory of {row.resource_class}."


def changed_consumer(
    tx: Tx, consumer_id: str, project_id: str, user_id: str, consumer_type: str | None, **seen: int | None
) -> ConsumerRow:
    """The consumer as it will be. With `generation=` given, raises Conflict where it is not the consumer's (None: new)."""
    row = store.allocations.consumer(tx, consumer_id)
    actual = row.generation if row else None
    if "generation" in seen and seen["generation"] != actual:
        there = f"is at generation {actual}" if row else "does not exist yet"
        raise Conflict(
            f"The consumer {consumer_id} {there}, the request expected {seen['generation']}. Read its allocations again.",
            code="placement.concurrent_update",
        )
    if row is not None and not store.allocations.bump(tx, consumer_id, row.generation):
        raise Conflict(f"The consumer {consumer_id} was changed meanwhile.", code="placement.concurrent_update")
    kept_type = consumer_type if consumer_type is not None or row is None else row.type
    return ConsumerRow(consumer_id, project_id, user_id, kept_type, (actual or 0) + 1)
