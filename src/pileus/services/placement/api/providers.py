"""Resource providers, their traits and aggregates, and what is used of them."""

from __future__ import annotations

from typing import Any

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request, Response
from pileus.core.version import Version, Window
from pileus.services.placement import filters, store, types
from pileus.services.placement.rules import listing
from pileus.services.placement.rules import providers as rules
from pileus.services.placement.service import api
from pileus.services.placement.store.providers import ProviderRow

NESTED = Version(1, 14)
CREATED_IS_SHOWN = Version(1, 20)
AGGREGATES_HAVE_GENERATION = Version(1, 19)
CONSUMERS_HAVE_GENERATION = Version(1, 28)
ONE = "/resource_providers/{uuid}"
LINKS = {
    "self": Window.of(),
    "inventories": Window.of(),
    "usages": Window.of(),
    "aggregates": Window.of(since="1.1"),
    "traits": Window.of(since="1.6"),
    "allocations": Window.of(since="1.11"),
}


def visible(tx: Tx, uuid: str) -> ProviderRow:
    return rules.visible_provider(tx, uuid)


def path(row: ProviderRow) -> str:
    return f"{api.prefix}/resource_providers/{row.id}"


def provider(row: ProviderRow, version: Version) -> types.Reply:
    links = [
        {"rel": rel, "href": path(row) if rel == "self" else f"{path(row)}/{rel}"}
        for rel, window in LINKS.items()
        if version in window
    ]
    found: types.Reply = {"uuid": row.id, "name": row.name, "generation": row.generation, "links": links}
    if version >= NESTED:
        found |= {"parent_provider_uuid": row.parent_id, "root_provider_uuid": row.root_id}
    return found


@api.get("/resource_providers", policy="placement:resource_providers:list")
def list_providers(tx: Tx, caller: Caller, query: types.ProvidersQuery) -> types.Reply:
    wanted = listing.Wanted(
        name=query.name,
        provider_id=rules.parse_uuid(query.uuid, "uuid") if query.uuid is not None else None,
        in_tree=rules.parse_uuid(query.in_tree, "in_tree") if query.in_tree is not None else None,
        resources=filters.parse_resources(tx, query.resources) if query.resources is not None else {},
        traits=filters.parse_required(tx, query.required, caller.version),
        aggregates=filters.parse_member_of(query.member_of, caller.version),
    )
    return {"resource_providers": [provider(row, caller.version) for row in listing.find(tx, wanted)]}


@api.post("/resource_providers", policy="placement:resource_providers:create")
def create_provider(tx: Tx, caller: Caller, request: Request, body: types.ProviderCreate) -> Response:
    provider_id = rules.parse_uuid(body.uuid, "uuid") if body.uuid is not UNSET else None
    parent_id = body.parent_provider_uuid and rules.parse_uuid(body.parent_provider_uuid, "parent_provider_uuid")
    row = rules.create(tx, body.name, provider_id, parent_id)
    headers = {"Location": request.base_url + path(row)}
    if caller.version < CREATED_IS_SHOWN:
        return Response(None, 201, headers)
    return Response(provider(row, caller.version), 200, headers)


@api.get(ONE, policy="placement:resource_providers:show", load=visible)
def show_provider(caller: Caller, tx: Tx, row: ProviderRow) -> types.Reply:
    return provider(row, caller.version)


@api.put(ONE, policy="placement:resource_providers:update", load=visible)
def update_provider(tx: Tx, caller: Caller, row: ProviderRow, body: types.ProviderUpdate) -> types.Reply:
    parent = body.parent_provider_uuid
    if parent is UNSET:
        row = rules.update(tx, row, body.name, caller.version)
    else:
        parent_id = parent and rules.parse_uuid(parent, "parent_provider_uuid")
        row = rules.update(tx, row, body.name, caller.version, parent_id=parent_id)
    return provider(row, caller.version)


@api.delete(ONE, policy="placement:resource_providers:delete", load=visible)
def delete_provider(tx: Tx, row: ProviderRow) -> None:
    rules.delete(tx, row)


def _aggregates(tx: Tx, row: ProviderRow, version: Version, generation: int) -> types.Reply:
    found: types.Reply = {"aggregates": store.providers.aggregates_of(tx, row.id)}
    return found | ({"resource_provider_generation": generation} if version >= AGGREGATES_HAVE_GENERATION else {})


@api.get(ONE + "/aggregates", since="1.1", policy="placement:resource_providers:aggregates:list", load=visible)
def list_aggregates(tx: Tx, caller: Caller, row: ProviderRow) -> types.Reply:
    return _aggregates(tx, row, caller.version, row.generation)


UPDATE_AGGREGATES: dict[str, Any] = {"policy": "placement:resource_providers:aggregates:update", "load": visible}


@api.put(ONE + "/aggregates", since="1.1", until="1.18", **UPDATE_AGGREGATES)
def replace_aggregates_blindly(tx: Tx, caller: Caller, row: ProviderRow, body: list[types.Uuid]) -> types.Reply:
    rules.set_aggregates(tx, row, body)
    return _aggregates(tx, row, caller.version, row.generation)


@api.put(ONE + "/aggregates", since="1.19", **UPDATE_AGGREGATES)
def replace_aggregates(tx: Tx, caller: Caller, row: ProviderRow, body: types.AggregatesUpdate) -> types.Reply:
    generation = rules.bump(tx, row, body.resource_provider_generation)
    rules.set_aggregates(tx, row, body.aggregates)
    return _aggregates(tx, row, caller.version, generation)


def _traits(tx: Tx, row: ProviderRow, generation: int) -> types.Reply:
    return {"traits": store.providers.traits_of(tx, row.id), "resource_provider_generation": generation}


@api.get(ONE + "/traits", since="1.6", policy="placement:resource_providers:traits:list", load=visible)
def list_traits(tx: Tx, row: ProviderRow) -> types.Reply:
    return _traits(tx, row, row.generation)


@api.put(ONE + "/traits", since="1.6", policy="placement:resource_providers:traits:update", load=visible)
def replace_traits(tx: Tx, row: ProviderRow, body: types.TraitsUpdate) -> types.Reply:
    generation = rules.bump(tx, row, body.resource_provider_generation)
    rules.set_traits(tx, row, body.traits)
    return _traits(tx, row, generation)


@api.delete(ONE + "/traits", since="1.6", policy="placement:resource_providers:traits:delete", load=visible)
def delete_traits(tx: Tx, row: ProviderRow) -> None:
    rules.bump(tx, row, row.generation)
    rules.set_traits(tx, row, [])


@api.get(ONE + "/usages", policy="placement:resource_providers:usages", load=visible)
def list_usages(tx: Tx, row: ProviderRow) -> types.Reply:
    used = {one.resource_class: one.used for one in store.providers.inventories_of(tx, row.id)}
    return {"resource_provider_generation": row.generation, "usages": used}


@api.get(ONE + "/allocations", policy="placement:resource_providers:allocations:list", load=visible)
def list_allocations(tx: Tx, caller: Caller, row: ProviderRow) -> types.Reply:
    found: dict[str, types.Reply] = {}
    for one in store.allocations.of_provider(tx, row.id):
        found.setdefault(one.consumer_id, {"resources": {}})["resources"][one.resource_class] = one.amount
    if caller.version >= CONSUMERS_HAVE_GENERATION:
        for consumer_id, generation in store.allocations.consumer_generations(tx, row.id).items():
            found[consumer_id]["consumer_generation"] = generation
    return {"resource_provider_generation": row.generation, "allocations": found}
