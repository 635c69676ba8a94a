"""Providers with their inventories, traits and aggregates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, matches
from pileus.services.placement.tables import allocations, inventories, provider_aggregates, provider_traits, providers


class ProviderRow(msgspec.Struct):
    id: str
    name: str
    generation: int
    parent_id: str | None
    root_id: str
    created_at: datetime
    updated_at: datetime


class InventoryRow(msgspec.Struct):
    provider_id: str
    resource_class: str
    total: int
    reserved: int
    min_unit: int
    max_unit: int
    step_size: int
    allocation_ratio: float
    used: int

    @property
    def capacity(self) -> int:
        return int((self.total - self.reserved) * self.allocation_ratio)

    @property
    def free(self) -> int:
        return max(self.capacity - self.used, 0)

    def fits(self, amount: int) -> bool:
        """The same that a claim's UPDATE asks."""
        return (
            self.used + amount <= (self.total - self.reserved) * self.allocation_ratio
            and self.min_unit <= amount <= self.max_unit
            and amount % self.step_size == 0
        )


def provider(tx: Tx, provider_id: str) -> ProviderRow | None:
    return tx.row(ProviderRow, sa.select(providers).where(providers.c.id == provider_id))


def find(
    tx: Tx, name: str | None = None, ids: Collection[str] | None = None, root_id: str | None = None
) -> list[ProviderRow]:
    statement = sa.select(providers).order_by(providers.c.created_at, providers.c.id)
    if name is not None:
        statement = statement.where(providers.c.name == name)
    if ids is not None:
        statement = statement.where(providers.c.id.in_(ids))
    if root_id is not None:
        statement = statement.where(providers.c.root_id == root_id)
    return tx.rows(ProviderRow, statement)


def insert(tx: Tx, row: ProviderRow) -> None:
    tx.insert(providers, row)


def name_taken(tx: Tx, name: str, but: str | None = None) -> bool:
    statement = sa.select(providers.c.id).where(providers.c.name == name)
    return any(found != but for found in tx.scalars(statement))


def bump(tx: Tx, provider_id: str, generation: int) -> bool:
    """Move the generation on from `generation`; False where somebody else has done so."""
    where = (providers.c.id == provider_id) & (providers.c.generation == generation)
    return tx.update(providers, where, {"generation": generation + 1, "updated_at": tx.now}) == 1


def rename(tx: Tx, provider_id: str, name: str) -> None:
    tx.update(providers, providers.c.id == provider_id, {"name": name, "updated_at": tx.now})


def move(tx: Tx, provider_id: str, parent_id: str | None) -> None:
    tx.update(providers, providers.c.id == provider_id, {"parent_id": parent_id, "updated_at": tx.now})


def set_root(tx: Tx, ids: Collection[str], root_id: str) -> None:
    tx.update(providers, providers.c.id.in_(ids), {"root_id": root_id})


def delete(tx: Tx, provider_id: str) -> None:
    for table in (inventories, provider_traits, provider_aggregates):
        tx.delete(table, table.c.provider_id == provider_id)
    tx.delete(providers, providers.c.id == provider_id)


def has_children(tx: Tx, provider_id: str) -> bool:
    return tx.scalar(sa.select(providers.c.id).where(providers.c.parent_id == provider_id).limit(1)) is not None


def inventories_of(tx: Tx, provider_id: str) -> list[InventoryRow]:
    where = inventories.c.provider_id == provider_id
    return tx.rows(InventoryRow, sa.select(inventories).where(where).order_by(inventories.c.resource_class))


def has_room(inventory: Any, amount: int | sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """`InventoryRow.fits` as the database is asked. `inventory`: the columns of the table or of an alias."""
    return sa.and_(
        inventory.used + amount <= (inventory.total - inventory.reserved) * inventory.allocation_ratio,
        inventory.min_unit <= amount,
        inventory.max_unit >= amount,
        (sa.literal(amount) if isinstance(amount, int) else amount) % inventory.step_size == 0,
    )


def with_room(tx: Tx, wanted: Mapping[str, int], limit: int, since: str, before: str | None = None) -> list[str]:
    """The first `limit` providers, by id from `since` on, that have room for all of `wanted` (class -> amount)."""
    values = {"most": limit, "since": since, "before": before} | amounts(wanted)
    return list(tx.execute(_with_room(tuple(wanted), before is not None), values).scalars())


@lru_cache(64)
def _with_room(classes: tuple[str, ...], bounded: bool) -> sa.Select[tuple[str]]:
    one, *rest = [(inventories.alias(), name, amount_of(number)) for number, name in enumerate(classes)]
    table = one[0]
    statement = sa.select(table.c.provider_id).where(
        table.c.resource_class == one[1], has_room(table.c, one[2]), table.c.provider_id >= sa.bindparam("since")
    )
    if bounded:
        statement = statement.where(table.c.provider_id < sa.bindparam("before"))
    for other, name, amount in rest:
        also = (other.c.provider_id == table.c.provider_id) & (other.c.resource_class == name)
        statement = statement.where(sa.exists().where(also & has_room(other.c, amount)))
    return statement.order_by(table.c.provider_id).limit(sa.bindparam("most", type_=sa.Integer))


def amount_of(number: int) -> sa.BindParameter[int]:
    """Of the class with that place, in a statement that is built once for some classes."""
    return sa.bindparam(f"amount_{number}", type_=sa.Integer)


def amounts(wanted: Mapping[str, int]) -> dict[str, int]:
    """What such a statement is executed with."""
    return {f"amount_{number}": amount for number, amount in enumerate(wanted.values())}


def all_inventories(
    tx: Tx, classes: Collection[str] | None = None, ids: Collection[str] | None = None
) -> dict[str, dict[str, InventoryRow]]:
    """provider id -> resource class -> inventory."""
    statement = sa.select(inventories)
    if classes is not None:
        statement = statement.where(matches(inventories.c.resource_class, list(classes)))
    if ids is not None:
        statement = statement.where(inventories.c.provider_id.in_(ids))
    found: dict[str, dict[str, InventoryRow]] = defaultdict(dict)
    for row in tx.rows(InventoryRow, statement):
        found[row.provider_id][row.resource_class] = row
    return found


def put_inventory(tx: Tx, row: InventoryRow) -> None:
    """Insert or update all but `used`."""
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    key = {"provider_id": values.pop("provider_id"), "resource_class": values.pop("resource_class")}
    del values["used"]
    where = (inventories.c.provider_id == row.provider_id) & (inventories.c.resource_class == row.resource_class)
    if not tx.update(inventories, where, values):
        tx.insert(inventories, {**key, **values, "used": 0})


def drop_inventories(tx: Tx, provider_id: str, classes: Collection[str]) -> None:
    where = (inventories.c.provider_id == provider_id) & inventories.c.resource_class.in_(classes)
    tx.delete(inventories, where)


def classes_in_use(tx: Tx, provider_id: str) -> set[str]:
    where = allocations.c.provider_id == provider_id
    return set(tx.scalars(sa.select(allocations.c.resource_class).where(where).distinct()))


def traits_of(tx: Tx, provider_id: str) -> list[str]:
    where = provider_traits.c.provider_id == provider_id
    return tx.scalars(sa.select(provider_traits.c.trait).where(where).order_by(provider_traits.c.trait))


def all_traits(tx: Tx, ids: Collection[str] | None = None) -> Mapping[str, set[str]]:
    statement = sa.select(provider_traits.c.provider_id, provider_traits.c.trait)
    if ids is not None:
        statement = statement.where(provider_traits.c.provider_id.in_(ids))
    return _grouped(tx, statement)


def set_traits(tx: Tx, provider_id: str, names: Iterable[str]) -> None:
    tx.delete(provider_traits, provider_traits.c.provider_id == provider_id)
    tx.insert_all(provider_traits, [{"provider_id": provider_id, "trait": name} for name in sorted(set(names))])


def aggregates_of(tx: Tx, provider_id: str) -> list[str]:
    where = provider_aggregates.c.provider_id == provider_id
    return tx.scalars(
        sa.select(provider_aggregates.c.aggregate_id).where(where).order_by(provider_aggregates.c.aggregate_id)
    )


def all_aggregates(tx: Tx) -> Mapping[str, set[str]]:
    return _grouped(tx, sa.select(provider_aggregates.c.provider_id, provider_aggregates.c.aggregate_id))


def set_aggregates(tx: Tx, provider_id: str, ids: Iterable[str]) -> None:
    tx.delete(provider_aggregates, provider_aggregates.c.provider_id == provider_id)
    tx.insert_all(provider_aggregates, [{"provider_id": provider_id, "aggregate_id": one} for one in sorted(set(ids))])


def _grouped(tx: Tx, statement: sa.Select[tuple[str, str]]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for key, value in tx.execute(statement):
        found[key].add(value)
    return found
