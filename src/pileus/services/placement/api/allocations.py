"""Allocations: what consumers are given; usages of projects; the reshaper."""

from __future__ import annotations

from typing import Any

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.core.version import Version
from pileus.services.placement import store, types
from pileus.services.placement.rules import claims as rules
from pileus.services.placement.rules import providers
from pileus.services.placement.rules.claims import Amounts
from pileus.services.placement.service import api
from pileus.services.placement.store.allocations import ConsumerRow

BY_PROVIDER = Version(1, 12)
GENERATIONS = Version(1, 28)
TYPES = Version(1, 38)
NOBODY = "00000000-0000-0000-0000-000000000000"
"""Project and user of consumers from before 1.8, which gave none."""
UNKNOWN = "unknown"
ONE = "/allocations/{consumer_uuid}"


def amounts(body: types.Consumer, version: Version) -> Amounts:
    """Raises BadRequest where the allocations are not in the version's form."""
    if isinstance(body.allocations, dict):
        if version < BY_PROVIDER:
            raise BadRequest(f"allocations must be a list before placement {BY_PROVIDER}.")
        return {
            providers.parse_uuid(provider, "allocations"): one.resources for provider, one in body.allocations.items()
        }
    if version >= BY_PROVIDER:
        raise BadRequest(f"allocations must be an object with providers as keys from placement {BY_PROVIDER} on.")
    found = {
        providers.parse_uuid(one.resource_provider.uuid, "resource_provider.uuid"): one.resources
        for one in body.allocations
    }
    if len(found) < len(body.allocations):
        raise BadRequest("allocations names a resource provider twice.")
    return found


def consumer(tx: Tx, consumer_id: str, body: types.Consumer, version: Version) -> ConsumerRow:
    """The consumer as it will be. Raises BadRequest, Conflict (generation)."""
    consumer_id = providers.parse_uuid(consumer_id, "consumer_uuid")
    for field, since in types.REQUIRED.items():
        if version >= since and getattr(body, field) is UNSET:
            raise BadRequest(f"'{field}' is a required property from placement {since} on.")
    seen = {} if body.consumer_generation is UNSET else {"generation": body.consumer_generation}
    return rules.changed_consumer(
        tx, consumer_id, body.project_id or NOBODY, body.user_id or NOBODY, body.consumer_type or None, **seen
    )


@api.get(ONE, policy="placement:allocations:list")
def show_allocations(tx: Tx, caller: Caller, consumer_uuid: str) -> types.Reply:
    consumer_id = providers.parse_uuid(consumer_uuid, "consumer_uuid")
    rows = rules.allocations(tx, consumer_id)
    given: dict[str, types.Reply] = {}
    for row in store.providers.find(tx, ids={one.provider_id for one in rows}):
        resources = {one.resource_class: one.amount for one in rows if one.provider_id == row.id}
        given[row.id] = {"generation": row.generation, "resources": resources}
    found: types.Reply = {"allocations": given}
    owner = store.allocations.consumer(tx, consumer_id) if rows else None
    if owner is not None and caller.version >= BY_PROVIDER:
        found |= {"project_id": owner.project_id, "user_id": owner.user_id}
        if caller.version >= GENERATIONS:
            found["consumer_generation"] = owner.generation
        if caller.version >= TYPES:
            found["consumer_type"] = owner.type or UNKNOWN
    return found


@api.put(ONE, policy="placement:allocations:update", success=204)
def replace_allocations(tx: Tx, caller: Caller, consumer_uuid: str, body: types.Consumer) -> None:
    wanted = amounts(body, caller.version)
    if not wanted and caller.version < GENERATIONS:
        raise BadRequest(f"allocations may be empty from placement {GENERATIONS} on; delete them instead.")
    rules.replace(tx, [(consumer(tx, consumer_uuid, body, caller.version), wanted)])


@api.delete(ONE, policy="placement:allocations:delete")
def delete_allocations(tx: Tx, consumer_uuid: str) -> None:
    if not rules.release(tx, providers.parse_uuid(consumer_uuid, "consumer_uuid")):
        raise NotFound(f"No allocations for consumer '{consumer_uuid}' were found.")


def _pairs(tx: Tx, bodies: dict[str, types.Consumer], version: Version) -> list[tuple[ConsumerRow, Amounts]]:
    return [(consumer(tx, one, body, version), amounts(body, version)) for one, body in sorted(bodies.items())]


@api.post("/allocations", since="1.13", policy="placement:allocations:manage", success=204)
def replace_allocations_of_several(tx: Tx, caller: Caller, body: types.Consumers) -> None:
    rules.replace(tx, _pairs(tx, body, caller.version))


@api.post("/reshaper", since="1.30", policy="placement:reshaper:reshape", success=204)
def reshape(tx: Tx, caller: Caller, body: types.Reshape) -> None:
    changes = []
    for provider_id, update in body.inventories.items():
        row = providers.named_provider(tx, providers.parse_uuid(provider_id, "inventories"))
        providers.bump(tx, row, update.resource_provider_generation)
        changes.append((row, {name: one.inventory for name, one in update.inventories.items()}))
    pairs = _pairs(tx, body.allocations, caller.version)
    rules.take_back(tx, [one for one, _ in pairs])
    for row, wanted in changes:
        providers.set_inventories(tx, row, wanted, caller.version)
    rules.replace(tx, pairs)


def project_in_query(query: types.UsagesQuery) -> dict[str, Any]:
    return {"project_id": query.project_id}


@api.get("/usages", since="1.9", policy="placement:usages", target=project_in_query)
def show_usages(tx: Tx, caller: Caller, query: types.UsagesQuery) -> types.Reply:
    found = store.allocations.usages(tx, query.project_id, query.user_id)
    if caller.version < TYPES:
        return {"usages": rules.totals(found)}
    counts = store.allocations.consumer_counts(tx, query.project_id, query.user_id)
    asked = query.consumer_type
    if asked == "all":
        groups = {"all": found} if found else {}
    else:
        kinds = {one.type or UNKNOWN for one in found}
        groups = {kind: [one for one in found if (one.type or UNKNOWN) == kind] for kind in sorted(kinds)}
    return {
        "usages": {
            kind: {
                **rules.totals(mine),
                "consumer_count": sum(n for one, n in counts.items() if kind in ("all", one or UNKNOWN)),
            }
            for kind, mine in groups.items()
            if asked in (None, "all", kind)
        }
    }
