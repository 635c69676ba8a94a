"""Which traits and resource classes exist: the standard ones of OpenStack, and custom ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.services.placement import store

_CUSTOM = re.compile(r"CUSTOM_[A-Z0-9_]+")


@cache
def standard_traits() -> frozenset[str]:
    import os_traits

    return frozenset(os_traits.get_traits())


@cache
def standard_classes() -> tuple[str, ...]:
    import os_resource_classes

    return tuple(os_resource_classes.STANDARDS)


def _check_custom(kind: str, name: str) -> None:
    if not _CUSTOM.fullmatch(name) or len(name) > 255:
        raise BadRequest(
            f"A custom {kind} is CUSTOM_ with letters A-Z, digits and _, of at most 255 characters; got '{name[:255]}'."
        )


def all_traits(tx: Tx) -> set[str]:
    return {*standard_traits(), *store.names.traits(tx)}


def check_traits(tx: Tx, names: Iterable[str]) -> None:
    """Raises BadRequest naming those that do not exist."""
    unknown = sorted({*names} - standard_traits())
    if unknown:
        unknown = sorted(set(unknown) - {*store.names.traits(tx)})
    if unknown:
        raise BadRequest(f"No such trait: {', '.join(unknown)[:500]}.")


def existing_trait(tx: Tx, name: str) -> str:
    if name not in standard_traits() and not store.names.trait_exists(tx, name):
        raise NotFound(f"No such trait: {name}.")
    return name


def ensure_trait(tx: Tx, name: str) -> bool:
    """Whether the custom trait is new."""
    _check_custom("trait", name)
    is_new = not store.names.trait_exists(tx, name)
    store.names.add_trait(tx, name)
    return is_new


def delete_trait(tx: Tx, name: str) -> None:
    if name in standard_traits():
        raise BadRequest(f"{name} is a standard trait; only custom ones can be deleted.")
    existing_trait(tx, name)
    if name in store.names.traits_in_use(tx):
        raise Conflict(f"The trait {name} is in use by a resource provider.")
    store.names.remove_trait(tx, name)


def all_classes(tx: Tx) -> list[str]:
    return [*standard_classes(), *store.names.classes(tx)]


def check_classes(tx: Tx, names: Iterable[str]) -> None:
    """Raises BadRequest naming those that do not exist."""
    unknown = set(names) - {*standard_classes()}
    if unknown:
        unknown -= {*store.names.classes(tx)}
    if unknown:
        raise BadRequest(f"No such resource class: {', '.join(sorted(unknown))[:500]}.")


def existing_class(tx: Tx, name: str) -> str:
    if name not in standard_classes() and not store.names.class_exists(tx, name):
        raise NotFound(f"No such resource class: {name}.")
    return name


def create_class(tx: Tx, name: str) -> None:
    _check_custom("resource class", name)
    store.names.add_class(tx, name, conflict="The resource class {name} exists already.")


def ensure_class(tx: Tx, name: str) -> bool:
    """Whether the custom class is new."""
    _check_custom("resource class", name)
    if store.names.class_exists(tx, name):
        return False
    store.names.add_class(tx, name)
    return True


def rename_class(tx: Tx, name: str, to: str) -> None:
    _check_custom("resource class", to)
    _custom_class_unused(tx, name, "renamed")
    store.names.rename_class(tx, name, to, conflict="The resource class {name} exists already.")


def delete_class(tx: Tx, name: str) -> None:
    _custom_class_unused(tx, name, "deleted")
    store.names.remove_class(tx, name)


def _custom_class_unused(tx: Tx, name: str, done: str) -> None:
    if existing_class(tx, name) in standard_classes():
        raise BadRequest(f"{name} is a standard resource class; only custom ones can be {done}.")
    if store.names.class_in_use(tx, name):
        raise Conflict(f"The resource class {name} is in use in the inventory of a resource provider.")
