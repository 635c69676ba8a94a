"""Compute's routes, a file a noun; importing a noun declares its routes."""

from pileus.services.compute.api import flavors as flavors
from pileus.services.compute.api import versions as versions
from pileus.services.compute.service import api

__all__ = ["api"]
