"""Custom traits and custom resource classes."""

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.placement.tables import custom_classes, custom_traits, inventories, provider_traits


def traits(tx: Tx) -> list[str]:
    return tx.scalars(sa.select(custom_traits.c.name))


def trait_exists(tx: Tx, name: str) -> bool:
    return tx.scalar(sa.select(custom_traits.c.name).where(custom_traits.c.name == name)) is not None


def add_trait(tx: Tx, name: str) -> None:
    tx.upsert(custom_traits, {"name": name}, {})


def remove_trait(tx: Tx, name: str) -> int:
    return tx.delete(custom_traits, custom_traits.c.name == name)


def traits_in_use(tx: Tx) -> set[str]:
    return set(tx.scalars(sa.select(provider_traits.c.trait).distinct()))


def classes(tx: Tx) -> list[str]:
    return tx.scalars(sa.select(custom_classes.c.name).order_by(custom_classes.c.name))


def class_exists(tx: Tx, name: str) -> bool:
    return tx.scalar(sa.select(custom_classes.c.name).where(custom_classes.c.name == name)) is not None


def add_class(tx: Tx, name: str, conflict: str | None = None) -> None:
    """Raises Conflict with the sentence `conflict` where the class exists."""
    tx.insert(custom_classes, {"name": name}, conflict=conflict)


def rename_class(tx: Tx, name: str, to: str, conflict: str) -> int:
    return tx.update(custom_classes, custom_classes.c.name == name, {"name": to}, conflict=conflict.format(name=to))


def remove_class(tx: Tx, name: str) -> int:
    return tx.delete(custom_classes, custom_classes.c.name == name)


def class_in_use(tx: Tx, name: str) -> bool:
    return (
        tx.scalar(sa.select(inventories.c.provider_id).where(inventories.c.resource_class == name).limit(1)) is not None
    )
