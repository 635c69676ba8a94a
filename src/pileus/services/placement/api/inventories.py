"""Inventories of resource providers."""

from __future__ import annotations

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import Conflict, MethodNotAllowed
from pileus.core.http import Request, Response
from pileus.services.placement import store, types
from pileus.services.placement.api.providers import ONE, path, visible
from pileus.services.placement.rules import providers as rules
from pileus.services.placement.service import api
from pileus.services.placement.store.providers import InventoryRow, ProviderRow

ALL = ONE + "/inventories"
OF_CLASS = ALL + "/{resource_class}"


def inventory(row: InventoryRow) -> types.Reply:
    return {name: getattr(row, name) for name in rules.Inventory.__struct_fields__}


def _all(tx: Tx, row: ProviderRow, generation: int) -> types.Reply:
    found = {one.resource_class: inventory(one) for one in store.providers.inventories_of(tx, row.id)}
    return {"resource_provider_generation": generation, "inventories": found}


def _one(tx: Tx, row: ProviderRow, resource_class: str, generation: int) -> types.Reply:
    found = inventory(rules.inventory_of(tx, row, resource_class))
    return {"resource_provider_generation": generation, **found}


@api.get(ALL, policy="placement:resource_providers:inventories:list", load=visible)
def list_inventories(tx: Tx, row: ProviderRow) -> types.Reply:
    return _all(tx, row, row.generation)


@api.post(ALL, policy="placement:resource_providers:inventories:create", load=visible)
def create_inventory(
    tx: Tx, caller: Caller, request: Request, row: ProviderRow, body: types.InventoryCreate
) -> Response:
    if any(one.resource_class == body.resource_class for one in store.providers.inventories_of(tx, row.id)):
        raise Conflict(f"The resource provider {row.id} has an inventory of {body.resource_class} already.")
    seen = body.resource_provider_generation
    generation = rules.bump(tx, row, row.generation if seen is UNSET else seen)
    rules.put_inventory(tx, row, body.resource_class, body.inventory, caller.version)
    location = f"{request.base_url}{path(row)}/inventories/{body.resource_class}"
    return Response(_one(tx, row, body.resource_class, generation), 201, {"Location": location})


@api.put(ALL, policy="placement:resource_providers:inventories:update", load=visible)
def replace_inventories(tx: Tx, caller: Caller, row: ProviderRow, body: types.InventoriesUpdate) -> types.Reply:
    generation = rules.bump(tx, row, body.resource_provider_generation)
    wanted = {name: one.inventory for name, one in body.inventories.items()}
    rules.set_inventories(tx, row, wanted, caller.version)
    return _all(tx, row, generation)


@api.delete(ALL, until="1.4", policy="placement:resource_providers:inventories:delete")
def delete_no_inventories(request: Request) -> None:
    raise MethodNotAllowed("DELETE of all inventories needs placement 1.5.", headers={"Allow": "GET, POST, PUT"})


@api.delete(ALL, since="1.5", policy="placement:resource_providers:inventories:delete", load=visible)
def delete_inventories(tx: Tx, row: ProviderRow) -> None:
    rules.bump(tx, row, row.generation)
    rules.drop_inventories(tx, row, [one.resource_class for one in store.providers.inventories_of(tx, row.id)])


@api.get(OF_CLASS, policy="placement:resource_providers:inventories:show", load=visible)
def show_inventory(tx: Tx, row: ProviderRow, resource_class: str) -> types.Reply:
    return _one(tx, row, resource_class, row.generation)


@api.put(OF_CLASS, policy="placement:resource_providers:inventories:update", load=visible)
def update_inventory(
    tx: Tx, caller: Caller, row: ProviderRow, resource_class: str, body: types.InventoryUpdate
) -> types.Reply:
    generation = rules.bump(tx, row, body.resource_provider_generation)
    rules.existing_inventory(tx, row, resource_class)
    rules.put_inventory(tx, row, resource_class, body.inventory, caller.version)
    return _one(tx, row, resource_class, generation)


@api.delete(OF_CLASS, policy="placement:resource_providers:inventories:delete", load=visible)
def delete_inventory(tx: Tx, row: ProviderRow, resource_class: str) -> None:
    rules.inventory_of(tx, row, resource_class)
    rules.bump(tx, row, row.generation)
    rules.drop_inventories(tx, row, [resource_class])
