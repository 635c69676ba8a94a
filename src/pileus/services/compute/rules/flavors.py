"""Flavors: who sees which, and what may be in them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pileus.core import events
from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.paging import Page, limit_of, sorts_of
from pileus.services.compute.store import flavors as store
from pileus.services.compute.store.flavors import FlavorRow, Wanted
from pileus.services.compute.types.fields import flag, strict_bool, whole
from pileus.services.compute.types.flavors import FlavorCreate, FlavorQuery
from pileus.services.identity import rules as identity

SPECS_SHOWN = "os_compute_api:os-flavor-extra-specs:index"


def visible_flavor(tx: Tx, caller: Caller, flavor_id: str) -> FlavorRow:
    """A flavor that the caller may use: public, or open to the project, or any for administrators."""
    row = store.flavor(tx, flavor_id)
    if row is None or not _may_use(tx, caller, row):
        raise NotFound(f"Flavor {flavor_id} could not be found.")
    return row


def _may_use(tx: Tx, caller: Caller, row: FlavorRow) -> bool:
    return row.is_public or caller.is_admin or caller.project_id in store.projects_with_access(tx, row.id)


def create(tx: Tx, caller: Caller, wish: FlavorCreate) -> FlavorRow:
    """Raises Conflict (name or id taken), BadRequest (numbers out of range)."""
    row = FlavorRow(
        new_id() if wish.id is None else str(wish.id),
        wish.name,
        whole(wish.vcpus, "vcpus", 1),
        whole(wish.ram, "ram", 1),
        whole(wish.disk, "disk"),
        whole(wish.ephemeral, "OS-FLV-EXT-DATA:ephemeral"),
        whole(wish.swap, "swap"),
        float(wish.rxtx_factor),
        flag(wish.is_public),
        wish.description,
        {},
        tx.now,
        None,
    )
    if not 0 < row.rxtx_factor <= 3.40282e38:
        raise BadRequest(f"Invalid input for field rxtx_factor: {wish.rxtx_factor} must be more than 0.")
    if store.flavor_of_name(tx, row.name) is not None:
        raise Conflict(f"Flavor with name {row.name} already exists.")
    if store.flavor(tx, row.id) is not None:
        raise Conflict(f"Flavor with ID {row.id} already exists.")
    store.insert(tx, row)
    events.record(tx, caller, "compute", "create", "flavor", row.id, name=row.name)
    return row


def find(tx: Tx, caller: Caller, query: FlavorQuery) -> tuple[list[FlavorRow], bool]:
    """The flavors that the caller sees, and whether there may be more after them."""
    limit = limit_of(query.limit)
    wanted = Wanted(
        is_public=_is_public(query.is_public) if caller.is_admin else True,
        project_id=caller.project_id,
        min_disk=_least("minDisk", query.min_disk),
        min_ram=_least("minRam", query.min_ram),
        name=None if query.name is UNSET else query.name,
    )
    sorts = sorts_of(query.sort_key, query.sort_dir, [*store.SORT_KEYS])
    rows = store.find(tx, wanted, Page(limit=limit, marker=query.marker, sorts=sorts))
    return rows, bool(rows) and len(rows) == limit


def _is_public(text: str | None) -> bool | None:
    """None: all of them."""
    if text is None:
        return True
    return None if text.lower() == "none" else strict_bool(text, "is_public")


def _least(name: str, text: str | None) -> int:
    if text is None:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise BadRequest(f"{name} must be a whole number of 0 or more, got '{text[:64]}'.")
    return whole(text, name)


def update(tx: Tx, caller: Caller, row: FlavorRow, description: str | None) -> FlavorRow:
    store.set_description(tx, row.id, description)
    events.record(tx, caller, "compute", "update", "flavor", row.id)
    return visible_flavor(tx, caller, row.id)


def delete(tx: Tx, caller: Caller, row: FlavorRow) -> None:
    """Servers keep their copy of it."""
    store.delete(tx, row.id)
    events.record(tx, caller, "compute", "delete", "flavor", row.id, name=row.name)


def accesses(tx: Tx, row: FlavorRow) -> list[str]:
    if row.is_public:
        raise NotFound(f"Access list not available for public flavors: {row.id} is public.")
    return store.projects_with_access(tx, row.id)


def add_access(tx: Tx, caller: Caller, row: FlavorRow, project_id: str) -> list[str]:
    if row.is_public:
        raise Conflict(f"Can not add access to a public flavor: every project may use {row.id}.")
    if not identity.project_exists(tx, project_id):
        raise BadRequest(f"Project ID {project_id} is not a valid project.")
    store.add_access(tx, row.id, project_id)
    events.record(tx, caller, "compute", "add_access", "flavor", row.id, project=project_id)
    return store.projects_with_access(tx, row.id)


def remove_access(tx: Tx, caller: Caller, row: FlavorRow, project_id: str) -> list[str]:
    if row.is_public:
        raise Conflict(f"Can not remove access from a public flavor: every project may use {row.id}.")
    if not store.remove_access(tx, row.id, project_id):
        raise NotFound(f"Flavor access not found for flavor {row.id} and project {project_id}.")
    events.record(tx, caller, "compute", "remove_access", "flavor", row.id, project=project_id)
    return store.projects_with_access(tx, row.id)


def set_specs(tx: Tx, caller: Caller, row: FlavorRow, specs: Mapping[str, str | int | float]) -> dict[str, str]:
    """Add these extra specs, or change them."""
    given = {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode() for key, value in specs.items()
    }
    store.set_extra_specs(tx, row, row.extra_specs | given)
    events.record(tx, caller, "compute", "set_extra_specs", "flavor", row.id, keys=sorted(given))
    return given


def spec(row: FlavorRow, key: str) -> str:
    if key not in row.extra_specs:
        raise NotFound(f"Flavor {row.id} has no extra specs with key {key}.")
    return row.extra_specs[key]


def remove_spec(tx: Tx, caller: Caller, row: FlavorRow, key: str) -> None:
    spec(row, key)
    store.set_extra_specs(tx, row, {name: value for name, value in row.extra_specs.items() if name != key})
    events.record(tx, caller, "compute", "unset_extra_spec", "flavor", row.id, key=key)
