"""Regions, services and endpoints."""

from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.identity.rules import catalog as rules
from pileus.services.identity.rules import resources
from pileus.services.identity.service import api
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.catalog import (
    EndpointCreate,
    EndpointRow,
    EndpointUpdate,
    RegionCreate,
    RegionRow,
    RegionUpdate,
    ServiceCreate,
    ServiceRow,
    ServiceUpdate,
)


def region_of_path(tx: Tx, region_id: str) -> RegionRow:
    return resources.find(tx, RegionRow, region_id)


def service_of_path(tx: Tx, service_id: str) -> ServiceRow:
    return resources.find(tx, ServiceRow, service_id)


def endpoint_of_path(tx: Tx, endpoint_id: str) -> EndpointRow:
    return resources.find(tx, EndpointRow, endpoint_id)


@api.get("/regions", policy="identity:list_regions")
def list_regions(tx: Tx, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, RegionRow, request.query)
    return listed(request, "regions", [shown(request, row) for row in found], more)


@api.post("/regions", policy="identity:create_region", success=201)
def create_region(tx: Tx, caller: Caller, request: Request, body: RegionCreate) -> dict[str, Any]:
    return {"region": shown(request, rules.create_region(tx, caller, body))}


@api.put("/regions/{region_id}", policy="identity:create_region", success=201)
def create_named_region(tx: Tx, caller: Caller, request: Request, region_id: str, body: RegionCreate) -> dict[str, Any]:
    return {"region": shown(request, rules.create_region(tx, caller, body, region_id))}


@api.get("/regions/{region_id}", policy="identity:get_region", load=region_of_path)
def show_region(tx: Tx, request: Request, region: RegionRow) -> dict[str, Any]:
    return {"region": shown(request, region)}


@api.patch("/regions/{region_id}", policy="identity:update_region", load=region_of_path)
def update_region(tx: Tx, caller: Caller, request: Request, region: RegionRow, body: RegionUpdate) -> dict[str, Any]:
    return {"region": shown(request, rules.update_region(tx, caller, region, body))}


@api.delete("/regions/{region_id}", policy="identity:delete_region", load=region_of_path)
def delete_region(tx: Tx, caller: Caller, region: RegionRow) -> None:
    rules.delete_region(tx, caller, region)


@api.get("/services", policy="identity:list_services")
def list_services(tx: Tx, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, ServiceRow, request.query)
    return listed(request, "services", [_service(request, row) for row in found], more)


def _service(request: Request, row: ServiceRow) -> dict[str, Any]:
    """A description or name that nobody gave is not shown."""
    found = shown(request, row)
    return {name: value for name, value in found.items() if value is not None}


@api.post("/services", policy="identity:create_service", success=201)
def create_service(tx: Tx, caller: Caller, request: Request, body: ServiceCreate) -> dict[str, Any]:
    return {"service": _service(request, rules.create_service(tx, caller, body))}


@api.get("/services/{service_id}", policy="identity:get_service", load=service_of_path)
def show_service(tx: Tx, request: Request, service: ServiceRow) -> dict[str, Any]:
    return {"service": _service(request, service)}


@api.patch("/services/{service_id}", policy="identity:update_service", load=service_of_path)
def update_service(
    tx: Tx, caller: Caller, request: Request, service: ServiceRow, body: ServiceUpdate
) -> dict[str, Any]:
    changed = resources.change(tx, caller, service, resources.wishes(body, service))
    return {"service": _service(request, changed)}


@api.delete("/services/{service_id}", policy="identity:delete_service", load=service_of_path)
def delete_service(tx: Tx, caller: Caller, service: ServiceRow) -> None:
    resources.remove(tx, caller, service)


@api.get("/endpoints", policy="identity:list_endpoints")
def list_endpoints(tx: Tx, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, EndpointRow, request.query)
    return listed(request, "endpoints", [endpoint_shown(request, row) for row in found], more)


def endpoint_shown(request: Request, row: EndpointRow) -> dict[str, Any]:
    return shown(request, row, region=row.region_id)


@api.post("/endpoints", policy="identity:create_endpoint", success=201)
def create_endpoint(tx: Tx, caller: Caller, request: Request, body: EndpointCreate) -> dict[str, Any]:
    return {"endpoint": endpoint_shown(request, rules.create_endpoint(tx, caller, body))}


@api.get("/endpoints/{endpoint_id}", policy="identity:get_endpoint", load=endpoint_of_path)
def show_endpoint(tx: Tx, request: Request, endpoint: EndpointRow) -> dict[str, Any]:
    return {"endpoint": endpoint_shown(request, endpoint)}


@api.patch("/endpoints/{endpoint_id}", policy="identity:update_endpoint", load=endpoint_of_path)
def update_endpoint(
    tx: Tx, caller: Caller, request: Request, endpoint: EndpointRow, body: EndpointUpdate
) -> dict[str, Any]:
    return {"endpoint": endpoint_shown(request, rules.update_endpoint(tx, caller, endpoint, body))}


@api.delete("/endpoints/{endpoint_id}", policy="identity:delete_endpoint", load=endpoint_of_path)
def delete_endpoint(tx: Tx, caller: Caller, endpoint: EndpointRow) -> None:
    resources.remove(tx, caller, endpoint)
