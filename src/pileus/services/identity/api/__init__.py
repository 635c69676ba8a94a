"""The routes of identity, by noun."""

from pileus.services.identity.api import (
    application_credentials,
    catalog,
    credentials,
    domain_config,
    endpoint_filter,
    federation,
    grants,
    groups,
    limits,
    policies,
    projects,
    role_assignments,
    roles,
    tokens,
    trusts,
    users,
    versions,
)
from pileus.services.identity.service import api

__all__ = [
    "api",
    "application_credentials",
    "catalog",
    "credentials",
    "domain_config",
    "endpoint_filter",
    "federation",
    "grants",
    "groups",
    "limits",
    "policies",
    "projects",
    "role_assignments",
    "roles",
    "tokens",
    "trusts",
    "users",
    "versions",
]
