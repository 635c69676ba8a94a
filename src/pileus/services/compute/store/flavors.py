"""Rows of flavors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.core.errors import Conflict
from pileus.core.paging import Page, Sort, paged
from pileus.services.compute.tables.flavors import flavor_access, flavors


class FlavorRow(msgspec.Struct):
    """`ram` and `swap` in MiB, `disk` and `ephemeral` in GiB."""

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int
    swap: int
    rxtx_factor: float
    is_public: bool
    description: str | None
    extra_specs: dict[str, str]
    created_at: datetime
    updated_at: datetime | None


SORT_KEYS = {
    "flavorid": flavors.c.id,
    "id": flavors.c.created_at,
    "name": flavors.c.name,
    "memory_mb": flavors.c.ram,
    "root_gb": flavors.c.disk,
    "vcpus": flavors.c.vcpus,
    "ephemeral_gb": flavors.c.ephemeral,
    "swap": flavors.c.swap,
    "rxtx_factor": flavors.c.rxtx_factor,
    "is_public": flavors.c.is_public,
    "description": flavors.c.description,
    "created_at": flavors.c.created_at,
    "updated_at": flavors.c.updated_at,
}


class Wanted(msgspec.Struct, kw_only=True):
    """What of the flavors is wanted. `project_id` sees what it has access to beside what is public."""

    is_public: bool | None = True
    project_id: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    name: str | None = None


_OF_ID = sa.select(flavors).where(flavors.c.id == sa.bindparam("wanted"))


def flavor(tx: Tx, flavor_id: str) -> FlavorRow | None:
    return tx.row(FlavorRow, _OF_ID, {"wanted": flavor_id})


def flavor_of_name(tx: Tx, name: str) -> FlavorRow | None:
    return tx.row(FlavorRow, sa.select(flavors).where(flavors.c.name == name))


def find(tx: Tx, wanted: Wanted, page: Page) -> list[FlavorRow]:
    statement = sa.select(flavors).where(flavors.c.disk >= wanted.min_disk, flavors.c.ram >= wanted.min_ram)
    if wanted.name is not None:
        statement = statement.where(flavors.c.name == wanted.name)
    if wanted.is_public is not None:
        shown = flavors.c.is_public == wanted.is_public
        if wanted.is_public and wanted.project_id:
            mine = sa.select(flavor_access.c.flavor_id).where(flavor_access.c.project_id == wanted.project_id)
            shown = shown | flavors.c.id.in_(mine)
        statement = statement.where(shown)
    return tx.rows(FlavorRow, paged(tx, statement, page, SORT_KEYS, flavors.c.id, [Sort("flavorid")]))


def insert(tx: Tx, row: FlavorRow) -> None:
    tx.insert(flavors, row)


def set_description(tx: Tx, flavor_id: str, description: str | None) -> None:
    tx.update(flavors, flavors.c.id == flavor_id, {"description": description, "updated_at": tx.now})


def set_extra_specs(tx: Tx, row: FlavorRow, extra_specs: Mapping[str, str]) -> None:
    """Raises Conflict where somebody else changed them since `row` was read."""
    where = (flavors.c.id == row.id) & (flavors.c.extra_specs == row.extra_specs)
    if not tx.update(flavors, where, {"extra_specs": dict(extra_specs), "updated_at": tx.now}):
        raise Conflict(f"The extra specs of flavor {row.id} were changed meanwhile. Try again.")


def delete(tx: Tx, flavor_id: str) -> None:
    tx.delete(flavor_access, flavor_access.c.flavor_id == flavor_id)
    tx.delete(flavors, flavors.c.id == flavor_id)


def projects_with_access(tx: Tx, flavor_id: str) -> list[str]:
    where = flavor_access.c.flavor_id == flavor_id
    return tx.scalars(sa.select(flavor_access.c.project_id).where(where).order_by(flavor_access.c.project_id))


def add_access(tx: Tx, flavor_id: str, project_id: str) -> None:
    """Raises Conflict where the project has it already."""
    tx.insert(
        flavor_access,
        {"flavor_id": flavor_id, "project_id": project_id},
        conflict="Flavor access already exists for flavor {flavor_id} and project {project_id}.",
    )


def remove_access(tx: Tx, flavor_id: str, project_id: str) -> int:
    return tx.delete(
        flavor_access, (flavor_access.c.flavor_id == flavor_id) & (flavor_access.c.project_id == project_id)
    )
