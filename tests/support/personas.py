"""Callers for behaviour tests: the token is the persona's own name.

`project-member`, `project-admin@p2`, `system-reader`, `domain-manager`, `project-member@p1/u7`: scope, role, then the
project (or domain) and the user where the default ones will not do.
"""

from datetime import timedelta

from pileus.core.context import Caller
from pileus.core.db import Tx, now
from pileus.core.errors import Unauthorized

IMPLIED = {
    "admin": {"admin", "manager", "member", "reader"},
    "manager": {"manager", "member", "reader"},
    "member": {"member", "reader"},
    "reader": {"reader"},
    "service": {"service"},
    "none": set(),
}
PERSONAS = [f"{scope}-{role}" for scope in ("system", "domain", "project") for role in IMPLIED]
PROJECT = "11111111111111111111111111111111"
DOMAIN = "default"


def persona(token: str) -> Caller:
    """Raises ValueError for a name that is no persona."""
    name, _, place = token.partition("@")
    scope, _, role = name.partition("-")
    if scope not in ("system", "domain", "project", "unscoped"):
        raise ValueError(f"'{token}' is not a persona")
    where, _, user = place.partition("/")
    at = now()
    return Caller(
        user_id=user or f"user-{role}",
        user_name=user or f"user-{role}",
        user_domain_id=DOMAIN,
        project_id=(where or PROJECT) if scope == "project" else None,
        project_name=(where or "demo") if scope == "project" else None,
        project_domain_id=DOMAIN if scope == "project" else None,
        domain_id=(where or DOMAIN) if scope == "domain" else None,
        system=scope == "system",
        roles=frozenset(IMPLIED[role or "none"]),
        issued_at=at,
        expires_at=at + timedelta(hours=1),
        audit_ids=("audit",),
        methods=("password",),
    )


def authenticate(_tx: Tx, token: str, _service_token: str | None) -> Caller:
    try:
        return persona(token)
    except (ValueError, KeyError):
        raise Unauthorized("The token is not valid.") from None
