"""Providers with their inventories, traits and aggregates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, among, matches
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


def window(
    tx: Tx, classes: Sequence[str], after: str, size: int, upto: str | None = None
) -> list[dict[str, InventoryRow]]:
    """The first `size` providers after an id that have the first of `classes`: their inventories of those classes."""
    values = {"after": after, "upto": upto}
    width = len(InventoryRow.__struct_fields__)
    rows = tx.execute(_window(tuple(classes), size, upto is not None), values)
    places = [(name, number * width) for number, name in enumerate(classes)]
    return [{name: InventoryRow(*row[at : at + width]) for name, at in places if row[at] is not None} for row in rows]


@lru_cache(64)
def _window(classes: tuple[str, ...], size: int, bounded: bool) -> sa.Select[Any]:
    # The window is cut before anything else is asked: a planner that takes room for rare would read and sort all.
    # Its size stands in the text, not in a parameter: a plan for any size is one for many.
    inside = sa.select(inventories).where(
        inventories.c.resource_class == classes[0], inventories.c.provider_id > sa.bindparam("after")
    )
    if bounded:
        inside = inside.where(inventories.c.provider_id <= sa.bindparam("upto"))
    first = inside.order_by(inventories.c.provider_id).limit(sa.literal_column(str(size))).subquery()
    joined: sa.FromClause = first
    columns = list(first.c)
    for name in classes[1:]:
        other = inventories.alias()
        joined = joined.outerjoin(
            other, (other.c.provider_id == first.c.provider_id) & (other.c.resource_class == name)
        )
        columns += other.c
    return sa.select(*columns).select_from(joined).order_by(first.c.provider_id)


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


_TRAITS = sa.select(provider_traits.c.provider_id, provider_traits.c.trait)
_TRAITS_OF = _TRAITS.where(among(provider_traits.c.provider_id))


def all_traits(tx: Tx, ids: Collection[str] | None = None) -> Mapping[str, set[str]]:
    if ids is None:
        return _grouped(tx.execute(_TRAITS))
    return _grouped(tx.execute(_TRAITS_OF, {"ids": ids}))


def set_traits(tx: Tx, provider_id: str, names: Iterable[str]) -> None:
    tx.delete(provider_traits, provider_traits.c.provider_id == provider_id)
    tx.insert_all(provider_traits, [{"provider_id": provider_id, "trait": name} for name in sorted(set(names))])


def aggregates_of(tx: Tx, provider_id: str) -> list[str]:
    where = provider_aggregates.c.provider_id == provider_id
    return tx.scalars(
        sa.select(provider_aggregates.c.aggregate_id).where(where).order_by(provider_aggregates.c.aggregate_id)
    )


def all_aggregates(tx: Tx) -> Mapping[str, set[str]]:
    return _grouped(tx.execute(sa.select(provider_aggregates.c.provider_id, provider_aggregates.c.aggregate_id)))


def set_aggregates(tx: Tx, provider_id: str, ids: Iterable[str]) -> None:
    tx.delete(provider_aggregates, provider_aggregates.c.provider_id == provider_id)
    tx.insert_all(provider_aggregates, [{"provider_id": provider_id, "aggregate_id": one} for one in sorted(set(ids))])


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return found
