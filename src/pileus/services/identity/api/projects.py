"""Domains, projects and their tags."""

from collections.abc import Sequence
from typing import Any

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.http import Request, Response
from pileus.services.identity.rules import assignments, resources
from pileus.services.identity.rules import projects as rules
from pileus.services.identity.rules.targets import Target, home_domain, own_domain, target_domain, target_project
from pileus.services.identity.service import api
from pileus.services.identity.store import projects as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.projects import (
    DomainCreate,
    DomainRow,
    DomainUpdate,
    ProjectCreate,
    ProjectRow,
    ProjectUpdate,
    TagList,
)


def domain_of_path(tx: Tx, domain_id: str) -> DomainRow:
    return assignments.found_domain(tx, domain_id)


def project_of_path(tx: Tx, project_id: str) -> ProjectRow:
    return resources.find(tx, ProjectRow, project_id)


def target_new_project(tx: Tx, caller: Caller, body: ProjectCreate) -> Target:
    if body.is_domain:
        return {"target.project.domain_id": None}
    parent = rows.find(tx, ProjectRow, body.parent_id) if body.parent_id else None
    domain_id = (parent.domain_id or parent.id) if parent else home_domain(caller, body.domain_id)
    return {"target.project.domain_id": domain_id}


def _all_shown(tx: Tx, request: Request, found: Sequence[ProjectRow]) -> list[dict[str, Any]]:
    tags = store.tags_of(tx, [row.id for row in found])
    return [shown(request, row, tags=tags[row.id]) for row in found]


def _shown(tx: Tx, request: Request, row: ProjectRow) -> dict[str, Any]:
    return {row.__noun__: _all_shown(tx, request, [row])[0]}


@api.get("/domains", policy="identity:list_domains", target=own_domain)
def list_domains(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, DomainRow, request.query, is_domain=True, id=caller.domain_id)
    return listed(request, "domains", _all_shown(tx, request, found), more)


@api.post("/domains", policy="identity:create_domain", success=201)
def create_domain(tx: Tx, caller: Caller, request: Request, body: DomainCreate) -> dict[str, Any]:
    return _shown(tx, request, rules.create_domain(tx, caller, body))


@api.get("/domains/{domain_id}", policy="identity:get_domain", load=domain_of_path, target=target_domain)
def show_domain(tx: Tx, request: Request, domain: DomainRow) -> dict[str, Any]:
    return _shown(tx, request, domain)


@api.patch(
    "/domains/{domain_id}",
    policy="identity:update_domain",
    load=domain_of_path,
    openly_missing=True,
    target=target_domain,
)
def update_domain(tx: Tx, caller: Caller, request: Request, domain: DomainRow, body: DomainUpdate) -> dict[str, Any]:
    return _shown(tx, request, rules.update_domain(tx, caller, domain, body))


@api.delete("/domains/{domain_id}", policy="identity:delete_domain", load=domain_of_path, target=target_domain)
def delete_domain(tx: Tx, caller: Caller, domain: DomainRow) -> None:
    rules.delete_domain(tx, caller, domain)


@api.get("/projects", policy="identity:list_projects", target=own_domain)
def list_projects(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    kind = None if "is_domain" in dict(request.query) else False
    tagged = store.with_tags(request.query)
    found, more = rows.page(tx, ProjectRow, request.query, *tagged, is_domain=kind, domain_id=caller.domain_id)
    return listed(request, "projects", _all_shown(tx, request, found), more)


@api.post("/projects", policy="identity:create_project", target=target_new_project, success=201)
def create_project(tx: Tx, settings: Settings, caller: Caller, request: Request, body: ProjectCreate) -> dict[str, Any]:
    return _shown(tx, request, rules.create_project(tx, settings, caller, body))


@api.get("/projects/{project_id}", policy="identity:get_project", load=project_of_path, target=target_project)
def show_project(tx: Tx, caller: Caller, request: Request, project: ProjectRow) -> dict[str, Any]:
    found = _shown(tx, request, project)
    found["project"].update(_family(tx, caller, request, project))
    return found


def _family(tx: Tx, caller: Caller, request: Request, project: ProjectRow) -> dict[str, Any]:
    """Parents and subtree, as lists of what the caller has a role on, or as ids within ids."""
    asked = {name for name, _ in request.query}
    for relation in ("parents", "subtree"):
        if {f"{relation}_as_list", f"{relation}_as_ids"} <= asked:
            raise BadRequest(f"Ask for {relation}_as_list or {relation}_as_ids, not both.")
    if not asked & {"parents_as_list", "parents_as_ids", "subtree_as_list", "subtree_as_ids"}:
        return {}
    parents = [row for row in store.lineage(tx, project.id)[1:] if not row.is_domain]
    subtree = store.descendants(tx, project.id)
    usable = {row.id for row in assignments.projects_of(tx, caller.user_id, caller.group_ids)}
    found: dict[str, Any] = {}
    for relation, family in (("parents", parents), ("subtree", subtree)):
        if f"{relation}_as_list" in asked:
            seen = [row for row in family if row.id in usable]
            found[relation] = [{"project": one} for one in _all_shown(tx, request, seen)]
    if "parents_as_ids" in asked:
        found["parents"] = _nested([row.id for row in parents])
    if "subtree_as_ids" in asked:
        found["subtree"] = _tree(project.id, subtree)
    return found


def _nested(ids: Sequence[str]) -> dict[str, Any] | None:
    return {ids[0]: _nested(ids[1:])} if ids else None


def _tree(above: str, family: Sequence[ProjectRow]) -> dict[str, Any] | None:
    return {row.id: _tree(row.id, family) for row in family if row.parent_id == above} or None


@api.patch("/projects/{project_id}", policy="identity:update_project", load=project_of_path, target=target_project)
def update_project(
    tx: Tx, caller: Caller, request: Request, project: ProjectRow, body: ProjectUpdate
) -> dict[str, Any]:
    return _shown(tx, request, rules.update_project(tx, caller, project, body))


@api.delete("/projects/{project_id}", policy="identity:delete_project", load=project_of_path, target=target_project)
def delete_project(tx: Tx, caller: Caller, project: ProjectRow) -> None:
    rules.delete_project(tx, caller, project)


TAGS = "/projects/{project_id}/tags"


def _tag_list(tx: Tx, request: Request, project: ProjectRow) -> dict[str, Any]:
    tags = store.tags_of(tx, [project.id])[project.id]
    return {"tags": tags, "links": {"self": request.base_url + request.path, "previous": None, "next": None}}


@api.get(TAGS, policy="identity:list_project_tags", load=project_of_path, target=target_project)
def list_tags(tx: Tx, request: Request, project: ProjectRow) -> dict[str, Any]:
    return _tag_list(tx, request, project)


@api.put(TAGS, policy="identity:update_project_tags", load=project_of_path, target=target_project)
def replace_tags(tx: Tx, request: Request, project: ProjectRow, body: TagList) -> dict[str, Any]:
    resources.must_be_mutable(project)
    store.set_tags(tx, project.id, body.tags)
    return _tag_list(tx, request, project)


@api.delete(TAGS, policy="identity:delete_project_tags", load=project_of_path, target=target_project)
def delete_tags(tx: Tx, project: ProjectRow) -> None:
    resources.must_be_mutable(project)
    store.set_tags(tx, project.id, [])


@api.get(TAGS + "/{tag}", policy="identity:get_project_tag", load=project_of_path, target=target_project, success=204)
def check_tag(tx: Tx, project: ProjectRow, tag: str) -> None:
    rules.must_have_tag(tx, project, tag)


@api.put(
    TAGS + "/{tag}", policy="identity:create_project_tag", load=project_of_path, target=target_project, success=201
)
def add_tag(tx: Tx, request: Request, project: ProjectRow, tag: str) -> Response:
    rules.add_tag(tx, project, tag)
    return Response(headers={"Location": f"{request.url}/projects/{project.id}/tags/{tag}"})


@api.delete(TAGS + "/{tag}", policy="identity:delete_project_tag", load=project_of_path, target=target_project)
def remove_tag(tx: Tx, project: ProjectRow, tag: str) -> None:
    rules.remove_tag(tx, project, tag)
