"""Providers, their inventories, traits and aggregates.

A provider's generation moves with every change of its inventories, traits and aggregates, and a writer must name the one
it has seen. Claims do not move it: they are safe by themselves.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

import msgspec

from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.version import Version
from pileus.services.placement import store
from pileus.services.placement.rules import names
from pileus.services.placement.store.providers import InventoryRow, ProviderRow

MAX_UNIT = 2**31 - 1
RESERVED_MAY_BE_ALL = Version(1, 26)
REPARENTING = Version(1, 37)


class Inventory(msgspec.Struct, kw_only=True):
    """How much of a resource class a provider has. Of `total`, `reserved` is not given away; each unit is promised
    `allocation_ratio` times."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = MAX_UNIT
    step_size: int = 1
    allocation_ratio: float = 1.0


def parse_uuid(text: str, what: str) -> str:
    """The canonical form. Raises BadRequest."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise BadRequest(f"{what} must be a UUID, got '{text[:64]}'.") from None


def visible_provider(tx: Tx, provider_id: str) -> ProviderRow:
    row = store.providers.provider(tx, provider_id)
    if row is None:
        raise NotFound(
            f"No resource provider with uuid {provider_id} found.", code="placement.resource_provider.not_found"
        )
    return row


def create(tx: Tx, name: str, provider_id: str | None = None, parent_id: str | None = None) -> ProviderRow:
    """Raises Conflict (name or id taken), BadRequest (no such parent)."""
    provider_id = provider_id or new_id()
    if store.providers.provider(tx, provider_id) is not None:
        raise Conflict(f"A resource provider with uuid {provider_id} exists already.", code="placement.duplicate_name")
    _check_name(tx, name)
    root_id = named_provider(tx, parent_id, "parent").root_id if parent_id else provider_id
    row = ProviderRow(provider_id, name, 0, parent_id, root_id, tx.now, tx.now)
    store.providers.insert(tx, row)
    return row


def _check_name(tx: Tx, name: str, but: str | None = None) -> None:
    if store.providers.name_taken(tx, name, but):
        raise Conflict(f"A resource provider named '{name}' exists already.", code="placement.duplicate_name")


def named_provider(tx: Tx, provider_id: str, what: str = "resource provider") -> ProviderRow:
    """One that a body names: what is not there is the caller's mistake. Raises BadRequest."""
    row = store.providers.provider(tx, provider_id)
    if row is None:
        raise BadRequest(f"The {what} {provider_id} does not exist.")
    return row


def update(tx: Tx, row: ProviderRow, name: str, version: Version, **parent: str | None) -> ProviderRow:
    """Rename, and with `parent_id=` given, put below another parent (or none)."""
    _check_name(tx, name, but=row.id)
    store.providers.rename(tx, row.id, name)
    if "parent_id" in parent and parent["parent_id"] != row.parent_id:
        _move(tx, row, parent["parent_id"], version)
    return visible_provider(tx, row.id)


def _move(tx: Tx, row: ProviderRow, parent_id: str | None, version: Version) -> None:
    """Before 1.37 only a root may be put below another provider."""
    if row.parent_id is not None and version < REPARENTING:
        raise BadRequest(f"Changing the parent of {row.id} or taking it away needs placement {REPARENTING}.")
    below = _subtree(tx, row)
    if parent_id in below:
        raise BadRequest(f"The parent of {row.id} can't be the provider itself or one below it.")
    root_id = named_provider(tx, parent_id, "parent").root_id if parent_id else row.id
    store.providers.move(tx, row.id, parent_id)
    store.providers.set_root(tx, below, root_id)


def _subtree(tx: Tx, row: ProviderRow) -> set[str]:
    """The ids of the provider and of all below it."""
    tree = store.providers.find(tx, root_id=row.root_id)
    below = {row.id}
    while more := {one.id for one in tree if one.parent_id in below} - below:
        below |= more
    return below


def delete(tx: Tx, row: ProviderRow) -> None:
    """Raises Conflict where it has children or allocations."""
    if store.providers.has_children(tx, row.id):
        raise Conflict(
            f"The resource provider {row.id} has child providers; delete them first.",
            code="placement.resource_provider.cannot_delete_parent",
        )
    if store.allocations.provider_in_use(tx, row.id):
        raise Conflict(f"The resource provider {row.id} has allocations.", code="placement.resource_provider.inuse")
    store.providers.delete(tx, row.id)


def bump(tx: Tx, row: ProviderRow, generation: int) -> int:
    """The new generation. Raises Conflict where `generation` is not the provider's."""
    if not store.providers.bump(tx, row.id, generation):
        raise Conflict(
            f"The resource provider {row.id} is at generation {row.generation}, not {generation}: it was changed "
            "meanwhile. Read it again.",
            code="placement.concurrent_update",
        )
    return generation + 1


def _check_inventory(resource_class: str, inventory: Inventory, version: Version) -> None:
    all_reserved = inventory.reserved > inventory.total or (
        inventory.reserved == inventory.total and version < RESERVED_MAY_BE_ALL
    )
    if all_reserved:
        raise BadRequest(
            f"Inventory {resource_class}: reserved {inventory.reserved} leaves nothing of total {inventory.total}."
        )
    if inventory.min_unit > inventory.max_unit:
        raise BadRequest(
            f"Inventory {resource_class}: min_unit {inventory.min_unit} is more than max_unit {inventory.max_unit}."
        )


def set_inventories(tx: Tx, row: ProviderRow, wanted: Mapping[str, Inventory], version: Version) -> None:
    """Make the provider's inventories exactly these. Raises Conflict where one in use would go."""
    names.check_classes(tx, wanted)
    for resource_class, inventory in wanted.items():
        _check_inventory(resource_class, inventory, version)
    drop_inventories(tx, row, {one.resource_class for one in store.providers.inventories_of(tx, row.id)} - {*wanted})
    for resource_class, inventory in wanted.items():
        _put_inventory(tx, row.id, resource_class, inventory)


def drop_inventories(tx: Tx, row: ProviderRow, classes: Iterable[str]) -> None:
    classes = set(classes)
    used = sorted(classes & store.providers.classes_in_use(tx, row.id))
    if used:
        raise Conflict(
            f"Inventory of {', '.join(used)} on the resource provider {row.id} is in use.",
            code="placement.inventory.inuse",
        )
    store.providers.drop_inventories(tx, row.id, classes)


def put_inventory(tx: Tx, row: ProviderRow, resource_class: str, inventory: Inventory, version: Version) -> None:
    names.check_classes(tx, [resource_class])
    _check_inventory(resource_class, inventory, version)
    _put_inventory(tx, row.id, resource_class, inventory)


def _put_inventory(tx: Tx, provider_id: str, resource_class: str, inventory: Inventory) -> None:
    store.providers.put_inventory(
        tx,
        InventoryRow(
            provider_id,
            resource_class,
            inventory.total,
            inventory.reserved,
            inventory.min_unit,
            inventory.max_unit,
            inventory.step_size,
            inventory.allocation_ratio,
            0,
        ),
    )


def inventory_of(tx: Tx, row: ProviderRow, resource_class: str) -> InventoryRow:
    for inventory in store.providers.inventories_of(tx, row.id):
        if inventory.resource_class == resource_class:
            return inventory
    raise NotFound(f"No inventory of class {resource_class} found on the resource provider {row.id}.")


def existing_inventory(tx: Tx, row: ProviderRow, resource_class: str) -> InventoryRow:
    """For an update: what is not there is the caller's mistake. Raises BadRequest."""
    names.check_classes(tx, [resource_class])
    try:
        return inventory_of(tx, row, resource_class)
    except NotFound as error:
        raise BadRequest(error.message) from None


def set_traits(tx: Tx, row: ProviderRow, wanted: Iterable[str]) -> None:
    wanted = set(wanted)
    names.check_traits(tx, wanted)
    store.providers.set_traits(tx, row.id, wanted)


def set_aggregates(tx: Tx, row: ProviderRow, wanted: Iterable[str]) -> None:
    store.providers.set_aggregates(tx, row.id, {parse_uuid(one, "aggregates") for one in wanted})


def ensure_provider(
    tx: Tx, provider_id: str, name: str, inventories: Mapping[str, Inventory], traits: Iterable[str]
) -> None:
    """A root provider with these inventories and traits, beside those that others gave it.

    Idempotent: where nothing differs nothing is written. Custom traits come into being. An inventory with a total of 0 goes,
    unless it is in use.
    """
    row = store.providers.provider(tx, provider_id) or create(tx, name, provider_id)
    if row.name != name:
        _check_name(tx, name, but=row.id)
        store.providers.rename(tx, row.id, name)
    have = {one.resource_class: one for one in store.providers.inventories_of(tx, provider_id)}
    changed = False
    for resource_class, inventory in inventories.items():
        if inventory.total and (resource_class not in have or _differs(have[resource_class], inventory)):
            _put_inventory(tx, provider_id, resource_class, inventory)
            changed = True
    gone = {name for name in have.keys() & inventories.keys() if not inventories[name].total}
    gone -= store.providers.classes_in_use(tx, provider_id)
    if gone:
        store.providers.drop_inventories(tx, provider_id, gone)
    given = set(store.providers.traits_of(tx, provider_id))
    wanted = given | {*traits}
    if wanted != given:
        for trait in wanted - names.standard_traits():
            names.ensure_trait(tx, trait)
        store.providers.set_traits(tx, provider_id, wanted)
    if changed or gone or wanted != given:
        bump(tx, row, row.generation)


def _differs(row: InventoryRow, inventory: Inventory) -> bool:
    return any(getattr(row, name) != getattr(inventory, name) for name in inventory.__struct_fields__)


def remove_provider(tx: Tx, provider_id: str) -> None:
    """Nothing happens where there is none. Raises Conflict where it is in use."""
    row = store.providers.provider(tx, provider_id)
    if row is not None:
        delete(tx, row)
