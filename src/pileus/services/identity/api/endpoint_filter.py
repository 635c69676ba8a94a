"""Endpoints that only some projects see: one by one, or by groups that filter them."""

from typing import Any

import msgspec

from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import NotFound
from pileus.core.http import Request
from pileus.services.identity.api.catalog import endpoint_of_path, endpoint_shown
from pileus.services.identity.api.projects import project_of_path
from pileus.services.identity.rules import catalog as rules
from pileus.services.identity.rules import resources
from pileus.services.identity.service import api
from pileus.services.identity.store import endpoint_filter as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.catalog import EndpointRow
from pileus.services.identity.types.policies import EndpointGroupCreate, EndpointGroupRow, EndpointGroupUpdate
from pileus.services.identity.types.projects import ProjectRow

GROUPS = "/OS-EP-FILTER/endpoint_groups"
GROUP = GROUPS + "/{endpoint_group_id}"
GROUP_PROJECT = GROUP + "/projects/{project_id}"
PROJECT = "/OS-EP-FILTER/projects/{project_id}"
PROJECT_ENDPOINT = PROJECT + "/endpoints/{endpoint_id}"


class Tie(msgspec.Struct):
    """An endpoint or an endpoint group, and a project."""

    column: str
    row_id: str
    project: ProjectRow


def group_of_path(tx: Tx, endpoint_group_id: str) -> EndpointGroupRow:
    return resources.find(tx, EndpointGroupRow, endpoint_group_id)


def group_tie(tx: Tx, endpoint_group_id: str, project_id: str) -> Tie:
    group = resources.find(tx, EndpointGroupRow, endpoint_group_id)
    return Tie("endpoint_group_id", group.id, resources.find(tx, ProjectRow, project_id))


def endpoint_tie(tx: Tx, endpoint_id: str, project_id: str) -> Tie:
    endpoint = resources.find(tx, EndpointRow, endpoint_id)
    return Tie("endpoint_id", endpoint.id, resources.find(tx, ProjectRow, project_id))


def _must_be_tied(tx: Tx, tie: Tie) -> None:
    if not store.is_tied(tx, tie.column, tie.row_id, tie.project.id):
        raise NotFound(f"{tie.row_id} is not tied to project {tie.project.id}.")


@api.get(GROUPS, policy="identity:list_endpoint_groups")
def list_endpoint_groups(tx: Tx, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, EndpointGroupRow, request.query)
    return listed(request, "endpoint_groups", [shown(request, row) for row in found], more)


@api.post(GROUPS, policy="identity:create_endpoint_group", success=201)
def create_endpoint_group(tx: Tx, caller: Caller, request: Request, body: EndpointGroupCreate) -> dict[str, Any]:
    row = EndpointGroupRow(new_hex_id(), body.name, body.description, msgspec.to_builtins(body.filters))
    return {"endpoint_group": shown(request, resources.add(tx, caller, row))}


@api.get(GROUP, policy="identity:get_endpoint_group", load=group_of_path)
def show_endpoint_group(tx: Tx, request: Request, group: EndpointGroupRow) -> dict[str, Any]:
    return {"endpoint_group": shown(request, group)}


@api.patch(GROUP, policy="identity:update_endpoint_group", load=group_of_path)
def update_endpoint_group(
    tx: Tx, caller: Caller, request: Request, group: EndpointGroupRow, body: EndpointGroupUpdate
) -> dict[str, Any]:
    values = resources.wishes(body)
    if "filters" in values:
        values["filters"] = {**group.filters, **msgspec.to_builtins(values["filters"] or {})}
    return {"endpoint_group": shown(request, resources.change(tx, caller, group, values))}


@api.delete(GROUP, policy="identity:delete_endpoint_group", load=group_of_path)
def delete_endpoint_group(tx: Tx, caller: Caller, group: EndpointGroupRow) -> None:
    resources.remove(tx, caller, group)


@api.get(GROUP + "/endpoints", policy="identity:list_endpoints_associated_with_endpoint_group", load=group_of_path)
def list_group_endpoints(tx: Tx, request: Request, group: EndpointGroupRow) -> dict[str, Any]:
    found = [row for row in rows.where(tx, EndpointRow) if rules.fits(row, group.filters)]
    return listed(request, "endpoints", [endpoint_shown(request, row) for row in found])


@api.get(GROUP + "/projects", policy="identity:list_projects_associated_with_endpoint_group", load=group_of_path)
def list_group_projects(tx: Tx, request: Request, group: EndpointGroupRow) -> dict[str, Any]:
    found = rows.where(tx, ProjectRow, store.projects_of("endpoint_group_id", group.id))
    return listed(request, "projects", [shown(request, row) for row in found])


@api.get(GROUP_PROJECT, policy="identity:get_endpoint_group_in_project", load=group_tie)
def show_group_project(tx: Tx, request: Request, tie: Tie) -> dict[str, Any]:
    _must_be_tied(tx, tie)
    return {"project": shown(request, tie.project)}


@api.put(GROUP_PROJECT, policy="identity:add_endpoint_group_to_project", load=group_tie, success=204)
def tie_group(tx: Tx, tie: Tie) -> None:
    store.tie(tx, tie.column, tie.row_id, tie.project.id)


@api.delete(GROUP_PROJECT, policy="identity:remove_endpoint_group_from_project", load=group_tie)
def untie_group(tx: Tx, tie: Tie) -> None:
    _must_be_tied(tx, tie)
    store.untie(tx, tie.column, tie.row_id, tie.project.id)


@api.get(
    "/OS-EP-FILTER/endpoints/{endpoint_id}/projects",
    policy="identity:list_projects_for_endpoint",
    load=endpoint_of_path,
)
def list_endpoint_projects(tx: Tx, request: Request, endpoint: EndpointRow) -> dict[str, Any]:
    found = rows.where(tx, ProjectRow, store.projects_of("endpoint_id", endpoint.id))
    return listed(request, "projects", [shown(request, row) for row in found])


@api.get(PROJECT + "/endpoint_groups", policy="identity:list_endpoint_groups_for_project", load=project_of_path)
def list_project_groups(tx: Tx, request: Request, project: ProjectRow) -> dict[str, Any]:
    found = rows.where(tx, EndpointGroupRow, store.groups_for(project.id))
    return listed(request, "endpoint_groups", [shown(request, row) for row in found])


@api.get(PROJECT + "/endpoints", policy="identity:list_endpoints_for_project", load=project_of_path)
def list_project_endpoints(tx: Tx, request: Request, project: ProjectRow) -> dict[str, Any]:
    filters = [group.filters for group in rows.where(tx, EndpointGroupRow, store.groups_for(project.id))]
    tied = {row.id for row in rows.where(tx, EndpointRow, store.endpoints_for(project.id))}
    every = rows.where(tx, EndpointRow)
    found = [row for row in every if row.id in tied or any(rules.fits(row, one) for one in filters)]
    return listed(request, "endpoints", [endpoint_shown(request, row) for row in found])


@api.get(PROJECT_ENDPOINT, policy="identity:check_endpoint_in_project", load=endpoint_tie, success=204)
def check_endpoint(tx: Tx, tie: Tie) -> None:
    _must_be_tied(tx, tie)


@api.put(PROJECT_ENDPOINT, policy="identity:add_endpoint_to_project", load=endpoint_tie, success=204)
def tie_endpoint(tx: Tx, tie: Tie) -> None:
    store.tie(tx, tie.column, tie.row_id, tie.project.id)


@api.delete(PROJECT_ENDPOINT, policy="identity:remove_endpoint_from_project", load=endpoint_tie)
def untie_endpoint(tx: Tx, tie: Tie) -> None:
    _must_be_tied(tx, tie)
    store.untie(tx, tie.column, tie.row_id, tie.project.id)
