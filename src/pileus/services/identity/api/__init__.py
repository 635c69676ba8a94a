"""The routes of identity, by noun."""

from pileus.services.identity.api import (
    tokens,
    versions,
)
from pileus.services.identity.service import api

__all__ = ["api", "tokens", "versions"]
