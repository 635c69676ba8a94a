"""All ways to serve a request out of trees of providers, and of providers that share with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, product

import msgspec

from pileus.core.db import Tx
from pileus.services.placement import store
from pileus.services.placement.filters import Set
from pileus.services.placement.store.providers import InventoryRow, ProviderRow

SHARES = "MISC_SHARES_VIA_AGGREGATE"
MOST = 1000
"""Ways that are given where no limit is asked for."""
MOST_TRIED = 100_000
"""Combinations that are looked at."""


class Group(msgspec.Struct, kw_only=True):
    """What is asked for together: by the group without a suffix of one tree, by any other of one provider."""

    resources: Mapping[str, int]
    traits: Set
    aggregates: Set
    tree: str | None
    """The root of the tree that it must come from; empty where that does not exist."""


class Wish(msgspec.Struct):
    groups: Mapping[str, Group]
    isolate: bool = False
    """Each granular group of resources by a provider of its own."""
    limit: int | None = None
    root_traits: Set = Set()
    subtrees: list[frozenset[str]] = []
    """Groups whose providers are one of them and what is below it."""


class World(msgspec.Struct):
    """All providers with what they have."""

    providers: Mapping[str, ProviderRow]
    inventories: Mapping[str, Mapping[str, InventoryRow]]
    traits: Mapping[str, set[str]]
    aggregates: Mapping[str, set[str]]


class Found(msgspec.Struct):
    """One way: (provider, resource class) -> amount, and which providers serve which group."""

    amounts: dict[tuple[str, str], int]
    mappings: dict[str, frozenset[str]]

    @property
    def key(self) -> tuple[frozenset[tuple[tuple[str, str], int]], frozenset[tuple[str, frozenset[str]]]]:
        return frozenset(self.amounts.items()), frozenset(self.mappings.items())


Part = dict[tuple[str, str], int]
"""How one group is served: (provider, resource class) -> amount; amount 0 under an empty class: by its traits alone."""


def load(tx: Tx) -> World:
    return World(
        {row.id: row for row in store.providers.find(tx)},
        store.providers.all_inventories(tx),
        store.providers.all_traits(tx),
        store.providers.all_aggregates(tx),
    )


def search(world: World, wish: Wish, nested: bool) -> list[Found]:
    """Without `nested`, only roots (and those who share) serve."""
    found: dict[object, Found] = {}
    tried = 0
    for root in [row for row in world.providers.values() if row.id == row.root_id]:
        if not wish.root_traits.allows(world.traits.get(root.id, set())):
            continue
        for one in _in_tree(world, wish, root, nested):
            tried += 1
            if one is not None:
                found.setdefault(one.key, one)
            if len(found) == (wish.limit or MOST) or tried == MOST_TRIED:
                return list(found.values())
    return list(found.values())


def _in_tree(world: World, wish: Wish, root: ProviderRow, nested: bool) -> Iterator[Found | None]:
    tree = [row.id for row in world.providers.values() if row.root_id == root.id and (nested or row.id == root.id)]
    reachable = [*tree, *_sharing(world, tree)]
    parts = [
        list(_single(world, group, reachable) if suffix else _spread(world, group, reachable))
        for suffix, group in wish.groups.items()
    ]
    for combination in product(*parts):
        yield _combined(world, wish, dict(zip(wish.groups, combination, strict=True)))


def _sharing(world: World, tree: list[str]) -> list[str]:
    """Providers of other trees that share by an aggregate that somebody in this tree is in."""
    mine = set(chain.from_iterable(world.aggregates.get(one, ()) for one in tree))
    return [
        one
        for one, traits in world.traits.items()
        if SHARES in traits and one not in tree and mine & world.aggregates.get(one, set())
    ]


def _allowed(world: World, group: Group, provider: str, root_counts: bool) -> bool:
    """By tree, aggregates and forbidden traits."""
    row = world.providers[provider]
    if group.tree is not None and row.root_id != group.tree:
        return False
    aggregates = world.aggregates.get(provider, set())
    if root_counts:
        aggregates = aggregates | world.aggregates.get(row.root_id, set())
    return group.aggregates.allows(aggregates) and not group.traits.forbidden & world.traits.get(provider, set())


def _fits(world: World, provider: str, name: str, amount: int) -> bool:
    inventory = world.inventories.get(provider, {}).get(name)
    return inventory is not None and inventory.fits(amount)


def _single(world: World, group: Group, reachable: list[str]) -> Iterator[Part]:
    for provider in reachable:
        has_all = all(_fits(world, provider, name, amount) for name, amount in group.resources.items())
        if (
            has_all
            and _allowed(world, group, provider, False)
            and group.traits.allows(world.traits.get(provider, set()))
        ):
            yield {(provider, name): amount for name, amount in group.resources.items()} or {(provider, ""): 0}


def _spread(world: World, group: Group, reachable: list[str]) -> Iterator[Part]:
    allowed = [one for one in reachable if _allowed(world, group, one, True)]
    choices = [[one for one in allowed if _fits(world, one, name, amount)] for name, amount in group.resources.items()]
    for chosen in product(*choices):
        traits = set(chain.from_iterable(world.traits.get(one, ()) for one in chosen))
        if group.traits.allows(traits):
            yield {(one, name): group.resources[name] for one, name in zip(chosen, group.resources, strict=True)}


def _combined(world: World, wish: Wish, parts: Mapping[str, Part]) -> Found | None:
    """The groups' parts together, or None where they do not go together."""
    mappings = {suffix: frozenset(provider for provider, _ in part) for suffix, part in parts.items()}
    if wish.isolate:
        alone = [one for suffix, one in mappings.items() if suffix and wish.groups[suffix].resources]
        if len(frozenset().union(*alone)) < len(alone):
            return None
    amounts: dict[tuple[str, str], int] = {}
    for part in parts.values():
        for (provider, name), amount in part.items():
            if name:
                amounts[provider, name] = amounts.get((provider, name), 0) + amount
    if not all(_fits(world, provider, name, amount) for (provider, name), amount in amounts.items()):
        return None
    for subtree in wish.subtrees:
        if not _one_above_all(world, frozenset().union(*(mappings[suffix] for suffix in subtree))):
            return None
    return Found(amounts, mappings)


def _one_above_all(world: World, members: frozenset[str]) -> bool:
    lines = [{*_upwards(world, one)} for one in members]
    return any(all(one in line for line in lines) for one in members)


def _upwards(world: World, provider: str | None) -> Iterator[str]:
    """The provider itself, its parent, and so on to the root."""
    while provider is not None:
        yield provider
        provider = world.providers[provider].parent_id


def shown(world: World, found: list[Found], whole_trees: bool) -> list[str]:
    """The providers to summarise: those that serve, and with `whole_trees` all in their trees."""
    serving = {provider for one in found for provider, _ in one.amounts}
    if not whole_trees:
        return sorted(serving)
    roots = {world.providers[one].root_id for one in serving}
    return sorted(row.id for row in world.providers.values() if row.root_id in roots)
