"""Consumers and what they have been given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.placement.store.providers import amount_of, amounts, has_room
from pileus.services.placement.tables import allocations, consumers, inventories


class ConsumerRow(msgspec.Struct):
    id: str
    project_id: str
    user_id: str
    type: str | None
    generation: int


class AllocationRow(msgspec.Struct):
    consumer_id: str
    provider_id: str
    resource_class: str
    amount: int


def take(tx: Tx, provider_id: str, resource_class: str, amount: int) -> bool:
    """Raise `used` by `amount` if, and only if, the inventory has room for it: one statement, so nobody can come between."""
    inventory = inventories.c
    mine = (inventory.provider_id == provider_id) & (inventory.resource_class == resource_class)
    where = mine & has_room(inventory, amount)
    return tx.update(inventories, where, {"used": inventory.used + amount}) == 1


def take_all(tx: Tx, provider_id: str, wanted: Mapping[str, int], waits: bool = True) -> list[str]:
    """`take` for several classes in one statement; those that were taken. The others did not fit.

    Unless it `waits`, nor are those taken that another transaction has changed and not committed.
    """
    values = {"provider": provider_id} | amounts(wanted)
    return list(tx.execute(_take_all(tuple(wanted), waits), values).scalars())


@lru_cache(64)
def _take_all(classes: tuple[str, ...], waits: bool) -> sa.Executable:
    inventory = inventories.c
    provider = sa.bindparam("provider", type_=sa.String)
    each = [(inventory.resource_class == name, amount_of(number)) for number, name in enumerate(classes)]
    fits = sa.or_(*(mine & has_room(inventory, amount) for mine, amount in each))
    statement = (
        inventories.update()
        .where(inventory.provider_id == provider, fits)
        .values(used=inventory.used + sa.case(*each))
        .returning(inventory.resource_class)
    )
    if waits:
        return statement
    same = inventories.alias("unlocked").c
    unlocked = sa.select(same.resource_class).where(same.provider_id == provider).with_for_update(skip_locked=True)
    return statement.where(inventory.resource_class.in_(unlocked))


def give_back(tx: Tx, provider_id: str, resource_class: str, amount: int) -> None:
    where = (inventories.c.provider_id == provider_id) & (inventories.c.resource_class == resource_class)
    tx.update(inventories, where, {"used": inventories.c.used - amount})


def consumer(tx: Tx, consumer_id: str) -> ConsumerRow | None:
    return tx.row(ConsumerRow, sa.select(consumers).where(consumers.c.id == consumer_id))


def put_consumer(tx: Tx, row: ConsumerRow) -> None:
    """Insert it at its first generation, update it at a later one."""
    if row.generation == 1:
        tx.insert(consumers, row, conflict="The consumer {id} was created meanwhile.")
        return
    values = {"project_id": row.project_id, "user_id": row.user_id, "type": row.type}
    tx.update(consumers, consumers.c.id == row.id, values)


def bump(tx: Tx, consumer_id: str, generation: int) -> bool:
    """Move the generation on from `generation`; False where somebody else has done so."""
    where = (consumers.c.id == consumer_id) & (consumers.c.generation == generation)
    return tx.update(consumers, where, {"generation": generation + 1}) == 1


def delete_consumer(tx: Tx, consumer_id: str) -> None:
    tx.delete(consumers, consumers.c.id == consumer_id)


def of_consumer(tx: Tx, consumer_id: str) -> list[AllocationRow]:
    where = allocations.c.consumer_id == consumer_id
    order = (allocations.c.provider_id, allocations.c.resource_class)
    return tx.rows(AllocationRow, sa.select(allocations).where(where).order_by(*order))


def of_provider(tx: Tx, provider_id: str) -> list[AllocationRow]:
    where = allocations.c.provider_id == provider_id
    order = (allocations.c.consumer_id, allocations.c.resource_class)
    return tx.rows(AllocationRow, sa.select(allocations).where(where).order_by(*order))


def consumer_generations(tx: Tx, provider_id: str) -> dict[str, int]:
    statement = (
        sa.select(consumers.c.id, consumers.c.generation)
        .join(allocations, allocations.c.consumer_id == consumers.c.id)
        .where(allocations.c.provider_id == provider_id)
    )
    return {row.id: row.generation for row in tx.execute(statement)}


def insert(tx: Tx, rows: list[AllocationRow]) -> None:
    tx.insert_all(allocations, rows)


def insert_of(tx: Tx, consumer_id: str, provider_id: str, wanted: Mapping[str, int]) -> None:
    """What a consumer has of one provider, in one statement."""
    classes = {f"class_{number}": name for number, name in enumerate(wanted)}
    tx.execute(_insert_of(len(wanted)), {"consumer": consumer_id, "provider": provider_id} | classes | amounts(wanted))


@lru_cache(64)
def _insert_of(classes: int) -> sa.Insert:
    rows = [
        {
            "consumer_id": sa.bindparam("consumer"),
            "provider_id": sa.bindparam("provider"),
            "resource_class": sa.bindparam(f"class_{number}"),
            "amount": amount_of(number),
        }
        for number in range(classes)
    ]
    return allocations.insert().values(rows)


def delete_of(tx: Tx, consumer_id: str) -> None:
    tx.delete(allocations, allocations.c.consumer_id == consumer_id)


def provider_in_use(tx: Tx, provider_id: str) -> bool:
    where = allocations.c.provider_id == provider_id
    return tx.scalar(sa.select(allocations.c.consumer_id).where(where).limit(1)) is not None


class Usage(msgspec.Struct):
    type: str | None
    resource_class: str
    amount: int


_USED_BY_PROJECT = (
    sa.select(consumers.c.type, allocations.c.resource_class, sa.func.sum(allocations.c.amount).label("amount"))
    .join(allocations, allocations.c.consumer_id == consumers.c.id)
    .where(consumers.c.project_id == sa.bindparam("project"))
    .group_by(consumers.c.type, allocations.c.resource_class)
    .order_by(allocations.c.resource_class)
)
_USED_BY_USER = _USED_BY_PROJECT.where(consumers.c.user_id == sa.bindparam("user"))


def usages(tx: Tx, project_id: str, user_id: str | None) -> list[Usage]:
    """Amounts by consumer type and resource class."""
    statement = _USED_BY_PROJECT if user_id is None else _USED_BY_USER
    return tx.rows(Usage, statement, {"project": project_id, "user": user_id})


def consumer_counts(tx: Tx, project_id: str, user_id: str | None) -> Mapping[str | None, int]:
    statement = (
        sa.select(consumers.c.type, sa.func.count().label("n"))
        .where(_owned(project_id, user_id))
        .group_by(consumers.c.type)
    )
    return {row.type: row.n for row in tx.execute(statement)}


def _owned(project_id: str, user_id: str | None) -> sa.ColumnElement[bool]:
    owned = consumers.c.project_id == project_id
    return owned & (consumers.c.user_id == user_id) if user_id is not None else owned
