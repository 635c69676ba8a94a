"""All SQL of placement, a file a noun."""

from pileus.services.placement.store import allocations, names, providers

__all__ = ["allocations", "names", "providers"]
