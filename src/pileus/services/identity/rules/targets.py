"""What policy rules compare a caller with, by the names that the rules use."""

from __future__ import annotations

from typing import Any

from pileus.core.context import Caller
from pileus.services.identity.rules.assignments import Grant
from pileus.services.identity.types.projects import DomainRow, ProjectRow
from pileus.services.identity.types.users import GroupRow, UserRow

Target = dict[str, Any]
DEFAULT_DOMAIN = "default"


def home_domain(caller: Caller, wanted: str | None) -> str:
    """The domain of a new thing: the one given, else the token's, else the default one."""
    return wanted or caller.domain_id or caller.project_domain_id or DEFAULT_DOMAIN


def own_domain(caller: Caller) -> Target:
    """For lists: a caller in a domain sees what is in it."""
    names = ("target.domain_id", "target.group.domain_id", "target.user.domain_id", "target.domain.id")
    return dict.fromkeys(names, caller.domain_id)


def target_domain(domain: DomainRow) -> Target:
    return {"target.domain.id": domain.id}


def target_project(project: ProjectRow) -> Target:
    return {"target.project.id": project.id, "target.project.domain_id": project.domain_id}


def target_user(user: UserRow) -> Target:
    return {"target.user.id": user.id, "target.user.domain_id": user.domain_id, "user_id": user.id}


def target_group(group: GroupRow) -> Target:
    return {"target.group.id": group.id, "target.group.domain_id": group.domain_id}


def target_grant(grant: Grant) -> Target:
    found: Target = {}
    if grant.user:
        found["target.user.domain_id"] = grant.user.domain_id
    if grant.group:
        found["target.group.domain_id"] = grant.group.domain_id
    if grant.project:
        found["target.project.domain_id"] = grant.project.domain_id
    if grant.domain:
        found["target.domain.id"] = grant.domain.id
    if grant.role:
        found["target.role.domain_id"] = grant.role.domain_id
        found["target.role.name"] = grant.role.name
    return found
