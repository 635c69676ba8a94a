"""The list of role assignments."""

from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.identity.rules import role_assignments as rules
from pileus.services.identity.rules.role_assignments import Effective, Filters
from pileus.services.identity.rules.targets import Target
from pileus.services.identity.service import api
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import Row, listed
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.identity.types.roles import Assignment, RoleRow
from pileus.services.identity.types.users import GroupRow, UserRow


def filters_of_query(request: Request) -> Filters:
    return rules.read(dict(request.query))


def target_list(tx: Tx, caller: Caller, filters: Filters) -> Target:
    """For a tree: the domain of its project; else the caller's own, to which the list is then cut."""
    if filters.subtree and filters.target_id is not None:
        project = rows.find(tx, ProjectRow, filters.target_id)
        return {"target.domain_id": project.domain_id if project else None}
    return {"target.domain_id": caller.domain_id}


@api.get("/role_assignments", policy="identity:list_role_assignments", load=filters_of_query, target=target_list)
def list_role_assignments(tx: Tx, caller: Caller, request: Request, filters: Filters) -> dict[str, Any]:
    found = rules.listing(tx, filters)
    if caller.domain_id:
        found = [one for one in found if _domain_of(tx, one.assignment) == caller.domain_id]
    with_names = rules.is_set(dict(request.query), "include_names")
    return listed(request, "role_assignments", [_shown(tx, request, one, with_names) for one in found])


def _domain_of(tx: Tx, assignment: Assignment) -> str | None:
    if assignment.target_type == "domain":
        return assignment.target_id
    project = rows.find(tx, ProjectRow, assignment.target_id) if assignment.target_type == "project" else None
    return project.domain_id if project else None


def _shown(tx: Tx, request: Request, one: Effective, with_names: bool) -> dict[str, Any]:
    assignment = one.assignment
    actor_kind = UserRow if assignment.actor_type == "user" else GroupRow
    if assignment.target_type == "system":
        scope: dict[str, Any] = {"system": {"all": True}}
    else:
        scope = {assignment.target_type: _thing(tx, ProjectRow, assignment.target_id, with_names)}
    if assignment.inherited:
        scope["OS-INHERIT:inherited_to"] = "projects"
    return {
        "role": _thing(tx, RoleRow, assignment.role_id, with_names),
        assignment.actor_type: _thing(tx, actor_kind, assignment.actor_id, with_names),
        "scope": scope,
        "links": _links(request, one),
    }


def _thing(tx: Tx, kind: type[Row], row_id: str, with_names: bool) -> dict[str, Any]:
    """An id, and with names also its name and domain; each is read once a transaction."""
    if not with_names:
        return {"id": row_id}
    key = ("named", kind, row_id)
    if key not in tx.memo:
        tx.memo[key] = _named(tx, kind, row_id)
    known: dict[str, Any] = tx.memo[key]
    return known


def _named(tx: Tx, kind: type[Row], row_id: str) -> dict[str, Any]:
    row: Any = rows.find(tx, kind, row_id)
    if row is None:
        return {"id": row_id, "name": ""}
    found = {"id": row.id, "name": row.name}
    if row.domain_id is not None:
        domain = rows.find(tx, ProjectRow, row.domain_id)
        found["domain"] = {"id": row.domain_id, "name": domain.name if domain else ""}
    return found


def _links(request: Request, one: Effective) -> dict[str, str]:
    given = one.given
    where = "/system" if given.target_type == "system" else f"/{given.target_type}s/{given.target_id}"
    path = f"{where}/{given.actor_type}s/{given.actor_id}/roles/{given.role_id}"
    if given.inherited:
        path = f"/OS-INHERIT{path}/inherited_to_projects"
    links = {"assignment": request.url + path}
    if given.actor_type == "group" and one.assignment.actor_type == "user":
        links["membership"] = f"{request.url}/groups/{given.actor_id}/users/{one.assignment.actor_id}"
    if one.prior_role_id is not None:
        links["prior_role"] = f"{request.url}/roles/{one.prior_role_id}/implies/{one.assignment.role_id}"
    return links
