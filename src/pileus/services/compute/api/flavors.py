"""Flavors, their extra specs, and which projects may use them."""

from __future__ import annotations

from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.http import Request
from pileus.core.version import Version
from pileus.services.compute.rules import flavors as rules
from pileus.services.compute.service import api
from pileus.services.compute.store.flavors import FlavorRow
from pileus.services.compute.types import flavors as types
from pileus.services.compute.types.fields import links, next_links

SWAP_IS_A_NUMBER = Version(2, 75)


def flavor(row: FlavorRow, request: Request, caller: Caller) -> types.Flavor:
    found = types.Flavor(
        id=row.id,
        name=row.name,
        ram=row.ram,
        disk=row.disk,
        vcpus=row.vcpus,
        swap=row.swap or (0 if caller.version >= SWAP_IS_A_NUMBER else ""),
        links=links(request, f"/flavors/{row.id}"),
        is_public=row.is_public,
        ephemeral=row.ephemeral,
        rxtx_factor=row.rxtx_factor,
        description=row.description,
    )
    if caller.allows(rules.SPECS_SHOWN):
        found.extra_specs = row.extra_specs
    return found


@api.get("/flavors")
def list_flavors(tx: Tx, caller: Caller, request: Request, query: types.FlavorQuery) -> types.FlavorBriefs:
    rows, more = rules.find(tx, caller, query)
    found = types.FlavorBriefs(
        flavors=[
            types.FlavorBrief(
                id=row.id, name=row.name, links=links(request, f"/flavors/{row.id}"), description=row.description
            )
            for row in rows
        ]
    )
    if more:
        found.flavors_links = next_links(request, rows[-1].id)
    return found


@api.get("/flavors/detail")
def list_flavors_in_detail(tx: Tx, caller: Caller, request: Request, query: types.FlavorQuery) -> types.Flavors:
    rows, more = rules.find(tx, caller, query)
    found = types.Flavors(flavors=[flavor(row, request, caller) for row in rows])
    if more:
        found.flavors_links = next_links(request, rows[-1].id)
    return found


@api.post("/flavors", policy="os_compute_api:os-flavor-manage:create")
def create_flavor(tx: Tx, caller: Caller, request: Request, body: types.FlavorCreate) -> types.Flavor:
    return flavor(rules.create(tx, caller, body), request, caller)


@api.get("/flavors/{flavor_id}")
def show_flavor(tx: Tx, caller: Caller, request: Request, flavor_id: str) -> types.Flavor:
    return flavor(rules.visible_flavor(tx, caller, flavor_id), request, caller)


@api.put("/flavors/{flavor_id}", since="2.55", policy="os_compute_api:os-flavor-manage:update")
def update_flavor(tx: Tx, caller: Caller, request: Request, flavor_id: str, body: types.FlavorUpdate) -> types.Flavor:
    row = rules.visible_flavor(tx, caller, flavor_id)
    return flavor(rules.update(tx, caller, row, body.description), request, caller)


@api.delete("/flavors/{flavor_id}", policy="os_compute_api:os-flavor-manage:delete", success=202)
def delete_flavor(tx: Tx, caller: Caller, flavor_id: str) -> None:
    rules.delete(tx, caller, rules.visible_flavor(tx, caller, flavor_id))


def _accesses(flavor_id: str, projects: list[str]) -> dict[str, Any]:
    return {"flavor_access": [{"flavor_id": flavor_id, "tenant_id": project} for project in projects]}


@api.get("/flavors/{flavor_id}/os-flavor-access", policy="os_compute_api:os-flavor-access")
def list_accesses(tx: Tx, caller: Caller, flavor_id: str) -> dict[str, Any]:
    return _accesses(flavor_id, rules.accesses(tx, rules.visible_flavor(tx, caller, flavor_id)))


@api.action(
    "/flavors/{flavor_id}/action",
    "addTenantAccess",
    policy="os_compute_api:os-flavor-access:add_tenant_access",
    success=200,
)
def add_access(tx: Tx, caller: Caller, flavor_id: str, body: types.Access) -> dict[str, Any]:
    row = rules.visible_flavor(tx, caller, flavor_id)
    return _accesses(flavor_id, rules.add_access(tx, caller, row, body.tenant))


@api.action(
    "/flavors/{flavor_id}/action",
    "removeTenantAccess",
    policy="os_compute_api:os-flavor-access:remove_tenant_access",
    success=200,
)
def remove_access(tx: Tx, caller: Caller, flavor_id: str, body: types.Access) -> dict[str, Any]:
    row = rules.visible_flavor(tx, caller, flavor_id)
    return _accesses(flavor_id, rules.remove_access(tx, caller, row, body.tenant))


SPECS = "/flavors/{flavor_id}/os-extra_specs"


@api.get(SPECS, policy=rules.SPECS_SHOWN)
def list_specs(tx: Tx, caller: Caller, flavor_id: str) -> dict[str, Any]:
    return {"extra_specs": rules.visible_flavor(tx, caller, flavor_id).extra_specs}


@api.post(SPECS, policy="os_compute_api:os-flavor-extra-specs:create")
def set_specs(tx: Tx, caller: Caller, flavor_id: str, body: types.ExtraSpecs) -> dict[str, Any]:
    row = rules.visible_flavor(tx, caller, flavor_id)
    return {"extra_specs": rules.set_specs(tx, caller, row, body.extra_specs)}


@api.get(SPECS + "/{key}", policy="os_compute_api:os-flavor-extra-specs:show")
def show_spec(tx: Tx, caller: Caller, flavor_id: str, key: str) -> dict[str, str]:
    return {key: rules.spec(rules.visible_flavor(tx, caller, flavor_id), key)}


@api.put(SPECS + "/{key}", policy="os_compute_api:os-flavor-extra-specs:update")
def set_spec(tx: Tx, caller: Caller, flavor_id: str, key: str, body: types.Specs) -> dict[str, str]:
    if {*body} != {key}:
        raise BadRequest(f"The body must have the one key of the path, '{key}'; it has {', '.join(body)[:255]}.")
    return rules.set_specs(tx, caller, rules.visible_flavor(tx, caller, flavor_id), body)


@api.delete(SPECS + "/{key}", policy="os_compute_api:os-flavor-extra-specs:delete", success=200)
def remove_spec(tx: Tx, caller: Caller, flavor_id: str, key: str) -> None:
    rules.remove_spec(tx, caller, rules.visible_flavor(tx, caller, flavor_id), key)
