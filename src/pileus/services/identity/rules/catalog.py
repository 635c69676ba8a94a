"""The catalog as a project sees it, and the services, endpoints and regions behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import BadRequest, Forbidden
from pileus.services.identity.rules import resources
from pileus.services.identity.store import catalog as store
from pileus.services.identity.store import rows
from pileus.services.identity.store.kept import kept
from pileus.services.identity.types.catalog import (
    EndpointCreate,
    EndpointRow,
    EndpointUpdate,
    RegionCreate,
    RegionRow,
    RegionUpdate,
    ServiceCreate,
    ServiceRow,
)

_PLACE = re.compile(r"[$%]\((\w+)\)s")


def catalog(tx: Tx, user_id: str, project_id: str | None) -> list[dict[str, Any]]:
    """Services with their endpoints, URLs filled in. A project that has endpoints of its own sees only those."""
    endpoints = kept(tx, "endpoints", store.enabled_endpoints)
    if project_id is not None:
        direct, filters = store.chosen_for(tx, project_id)
        if direct or filters:
            endpoints = [row for row in endpoints if row.id in direct or any(fits(row, f) for f in filters)]
    names = {"user_id": user_id, "project_id": project_id, "tenant_id": project_id}
    by_service: dict[str, list[dict[str, Any]]] = {}
    for row in endpoints:
        url = _filled(row.url, names)
        if url is not None:
            shown = {"id": row.id, "interface": row.interface, "region": row.region_id, "region_id": row.region_id}
            by_service.setdefault(row.service_id, []).append({**shown, "url": url})
    return [
        {"id": service.id, "type": service.type, "name": service.name or "", "endpoints": by_service[service.id]}
        for service in kept(tx, "services", store.enabled_services)
        if service.id in by_service
    ]


def fits(row: EndpointRow, filters: Mapping[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in filters.items())


def _filled(url: str, names: Mapping[str, str | None]) -> str | None:
    """The URL with its places filled; None where the token has no such thing, a project for one."""
    for name in _PLACE.findall(url):
        if names.get(name) is None:
            return None
    return _PLACE.sub(lambda found: str(names[found[1]]), url)


# -- services, endpoints and regions


def create_region(tx: Tx, caller: Caller, body: RegionCreate, region_id: str | None = None) -> RegionRow:
    """Raises Conflict for its id, NotFound for its parent, BadRequest where body and path disagree."""
    if region_id is not None and body.id not in (None, region_id):
        raise BadRequest(f"The region is {region_id} in the path and {body.id} in the body.")
    if body.parent_region_id is not None:
        resources.find(tx, RegionRow, body.parent_region_id)
    chosen = region_id or body.id or new_hex_id()
    row = RegionRow(chosen, body.description or "", body.parent_region_id, body.extra)
    return resources.add(tx, caller, row, "There is a region '{id}' already.")


def update_region(tx: Tx, caller: Caller, region: RegionRow, body: RegionUpdate) -> RegionRow:
    """Raises BadRequest for a parent that is the region itself or below it."""
    values = resources.wishes(body, region)
    if "description" in values:
        values["description"] = values["description"] or ""
    above = values.get("parent_region_id")
    while above is not None:
        if above == region.id:
            raise BadRequest(f"Region {region.id} can't be below itself.")
        above = resources.find(tx, RegionRow, above).parent_region_id
    return resources.change(tx, caller, region, values)


def delete_region(tx: Tx, caller: Caller, region: RegionRow) -> None:
    """Raises Forbidden while there are regions or endpoints in it."""
    inside = rows.where(tx, RegionRow, parent_region_id=region.id)
    used = rows.where(tx, EndpointRow, region_id=region.id)
    if inside or used:
        raise Forbidden(f"Region {region.id} still has {len(inside)} regions and {len(used)} endpoints in it.")
    resources.remove(tx, caller, region)


def create_service(tx: Tx, caller: Caller, body: ServiceCreate) -> ServiceRow:
    row = ServiceRow(new_hex_id(), body.type, body.name, body.description, body.enabled, body.extra)
    return resources.add(tx, caller, row)


def create_endpoint(tx: Tx, caller: Caller, body: EndpointCreate) -> EndpointRow:
    """Raises BadRequest for a service that is not there. A region that is not there yet is made with it."""
    _service_must_exist(tx, body.service_id)
    region_id = body.region_id or body.region
    _ensure_region(tx, caller, region_id, may_create=body.region_id is None)
    row = EndpointRow(new_hex_id(), body.interface, region_id, body.service_id, body.url, body.enabled, body.extra)
    return resources.add(tx, caller, row)


def update_endpoint(tx: Tx, caller: Caller, endpoint: EndpointRow, body: EndpointUpdate) -> EndpointRow:
    values = resources.wishes(body, endpoint)
    old_name = values.pop("region", None)
    if old_name is not None and "region_id" not in values:
        values["region_id"] = old_name
    if "service_id" in values:
        _service_must_exist(tx, values["service_id"])
    _ensure_region(tx, caller, values.get("region_id"), may_create=old_name is not None)
    return resources.change(tx, caller, endpoint, values)


def _service_must_exist(tx: Tx, service_id: str) -> None:
    if rows.find(tx, ServiceRow, service_id) is None:
        raise BadRequest(f"There is no service {service_id} for this endpoint.")


def _ensure_region(tx: Tx, caller: Caller, region_id: str | None, may_create: bool) -> None:
    if region_id is None or rows.find(tx, RegionRow, region_id) is not None:
        return
    if not may_create:
        raise BadRequest(f"There is no region {region_id} for this endpoint.")
    resources.add(tx, caller, RegionRow(region_id, "", None, {}))
