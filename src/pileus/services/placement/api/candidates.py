"""Allocation candidates: ways to serve a request."""

from __future__ import annotations

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.core.version import Version
from pileus.services.placement import types
from pileus.services.placement.query import parse
from pileus.services.placement.rules import search
from pileus.services.placement.rules.search import Found, World
from pileus.services.placement.service import api

OBJECTS = Version(1, 12)
TRAITS = Version(1, 17)
ALL_CLASSES = Version(1, 27)
NESTED = Version(1, 29)
MAPPINGS = Version(1, 34)


@api.get("/allocation_candidates", since="1.10", policy="placement:allocation_candidates:list")
def list_candidates(tx: Tx, caller: Caller, request: Request) -> types.Reply:
    wanted = parse(tx, request.query, caller.version)
    world = search.load(tx)
    found = search.search(world, wanted, nested=caller.version >= NESTED)
    asked = {name for group in wanted.groups.values() for name in group.resources}
    shown = search.shown(world, found, whole_trees=caller.version >= NESTED)
    return {
        "allocation_requests": [_allocation_request(one, caller.version) for one in found],
        "provider_summaries": {one: _summary(world, one, asked, caller.version) for one in shown},
    }


def _allocation_request(found: Found, version: Version) -> types.Reply:
    by_provider: dict[str, dict[str, int]] = {}
    for (provider, name), amount in found.amounts.items():
        by_provider.setdefault(provider, {})[name] = amount
    if version < OBJECTS:
        return {
            "allocations": [
                {"resource_provider": {"uuid": provider}, "resources": resources}
                for provider, resources in by_provider.items()
            ]
        }
    answer: types.Reply = {"allocations": {one: {"resources": resources} for one, resources in by_provider.items()}}
    if version >= MAPPINGS:
        answer["mappings"] = {suffix: sorted(providers) for suffix, providers in found.mappings.items()}
    return answer


def _summary(world: World, provider: str, asked: set[str], version: Version) -> types.Reply:
    row = world.providers[provider]
    answer: types.Reply = {
        "resources": {
            name: {"capacity": one.capacity, "used": one.used}
            for name, one in world.inventories.get(provider, {}).items()
            if version >= ALL_CLASSES or name in asked
        }
    }
    if version >= TRAITS:
        answer["traits"] = sorted(world.traits.get(provider, ()))
    if version >= NESTED:
        answer |= {"parent_provider_uuid": row.parent_id, "root_provider_uuid": row.root_id}
    return answer
