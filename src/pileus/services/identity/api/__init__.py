"""The routes of identity, by noun."""

from pileus.services.identity.api import (
    catalog,
    grants,
    groups,
    projects,
    role_assignments,
    roles,
    tokens,
    users,
    versions,
)
from pileus.services.identity.service import api

__all__ = [
    "api",
    "catalog",
    "grants",
    "groups",
    "projects",
    "role_assignments",
    "roles",
    "tokens",
    "users",
    "versions",
]
