"""An OpenAPI 3.1 document for each service and microversion, from the routes (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pileus.core.http import Route, Service
from pileus.core.version import FIRST, Version

_CONVERTER = re.compile(r":\w+\}")
_ERRORS = {"4XX": {"description": "A refusal in the service's own shape."}}


def document(service: Service, version: Version | None = None) -> dict[str, Any]:
    """Of the routes that exist at `version` (the newest where none is given). Bodies of actions are alternatives."""
    at = version or (service.versions.last if service.versions else FIRST)
    routes = [route for route in service.described() if at in route.window or service.versions is None]
    types = sorted({kind for route in routes for kind in _structs(route)}, key=lambda kind: kind.__qualname__)
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}", schema_hook=_hook
    )
    known = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _CONVERTER.sub("}", route.path if route.root else service.prefix + route.path)
        operation = paths.setdefault(path, {}).setdefault(route.method.lower(), _operation(route, at))
        _add_body(operation, route, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Pileus {service.name}",
            "version": str(at) if service.versions else "1",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
    }


def _structs(route: Route) -> list[type]:
    return [
        kind
        for kind in (route.body_type, route.query_type)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    ]


def _hook(_kind: type) -> dict[str, Any]:
    return {}


def _operation(route: Route, at: Version) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.parameters
    ]
    if isinstance(route.query_type, type):
        parameters += _query(route.query_type)
    return {
        "operationId": f"{route.handler.__module__.rsplit('.', 1)[-1]}.{route.handler.__name__}.{route.method.lower()}",
        "summary": route.summary,
        "parameters": parameters,
        "responses": {str(route.status(at)): {"description": route.summary or "Done."}, **_ERRORS},
        "security": [] if route.public else [{"token": []}],
    }


def _query(kind: type[msgspec.Struct]) -> list[dict[str, Any]]:
    (schema,), components = msgspec.json.schema_components([kind], schema_hook=_hook)
    found: Mapping[str, Any] = components.get(kind.__name__, schema)
    properties: Mapping[str, Any] = found.get("properties", {})
    return [{"name": name, "in": "query", "schema": _plain(inner)} for name, inner in properties.items()]


def _plain(schema: Any) -> Any:
    """Without references: a query's fields are scalars and lists of them."""
    return {"type": "string"} if "$ref" in str(schema) else schema


def _add_body(operation: dict[str, Any], route: Route, known: Mapping[type, Any]) -> None:
    if route.body_type is None:
        return
    schema = known.get(route.body_type, {}) if isinstance(route.body_type, type) else {}
    wrap = route.action or getattr(route.body_type, "__wrap__", None)
    if wrap:
        schema = {"type": "object", "properties": {wrap: schema}, "required": [wrap], "additionalProperties": False}
    content = operation.setdefault("requestBody", {"content": {"application/json": {"schema": {"oneOf": []}}}})[
        "content"
    ]
    alternatives: Sequence[Any] = content["application/json"]["schema"]["oneOf"]
    typing.cast("list[Any]", alternatives).append(schema)
