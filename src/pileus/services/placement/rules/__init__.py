"""Decisions and state changes of placement, a file a noun. What other services may call is exported here."""

from pileus.services.placement.rules.claims import allocations, claim, release, used_by_project
from pileus.services.placement.rules.providers import Inventory, ensure_provider, remove_provider
from pileus.services.placement.rules.room import Candidate, candidates, refusals, sample, used_of_providers
from pileus.services.placement.store.allocations import AllocationRow

__all__ = [
    "AllocationRow",
    "Candidate",
    "Inventory",
    "allocations",
    "candidates",
    "claim",
    "ensure_provider",
    "refusals",
    "release",
    "remove_provider",
    "sample",
    "used_by_project",
    "used_of_providers",
]
