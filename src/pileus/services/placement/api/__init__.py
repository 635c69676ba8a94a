"""Placement's routes, a file a noun; importing a noun declares its routes."""

from pileus.services.placement.api import allocations as allocations
from pileus.services.placement.api import candidates as candidates
from pileus.services.placement.api import inventories as inventories
from pileus.services.placement.api import names as names
from pileus.services.placement.api import providers as providers
from pileus.services.placement.api import versions as versions
from pileus.services.placement.service import api

__all__ = ["api"]
