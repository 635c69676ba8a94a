"""Where the API is, which resources and which extensions it has."""

from __future__ import annotations

from typing import Any

from pileus.core.errors import NotFound
from pileus.core.http import Request
from pileus.services.network.extensions import EXTENSIONS
from pileus.services.network.service import api

_RESOURCES = (
    ("network", "networks"),
    ("subnet", "subnets"),
    ("port", "ports"),
    ("router", "routers"),
    ("floatingip", "floatingips"),
    ("security_group", "security-groups"),
    ("security_group_rule", "security-group-rules"),
    ("address_group", "address-groups"),
    ("address_scope", "address-scopes"),
    ("subnetpool", "subnetpools"),
    ("rbac_policy", "rbac-policies"),
    ("quota", "quotas"),
    ("agent", "agents"),
    ("availability_zone", "availability_zones"),
    ("network_ip_availability", "network-ip-availabilities"),
    ("service_provider", "service-providers"),
    ("extension", "extensions"),
)


@api.get("/network", root=True, public=True)
def list_versions(request: Request) -> dict[str, Any]:
    return {
        "versions": [
            {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": request.url + "/"}]},
        ]
    }


@api.get("/network/v2.0", root=True, public=True)
def list_resources(request: Request) -> dict[str, Any]:
    return {
        "resources": [
            {"name": name, "collection": path, "links": [{"rel": "self", "href": f"{request.url}/{path}"}]}
            for name, path in _RESOURCES
        ]
    }


@api.get("/extensions")
def list_extensions() -> dict[str, Any]:
    return {"extensions": [_shown(alias) for alias in sorted(EXTENSIONS)]}


@api.get("/extensions/{alias}")
def show_extension(alias: str) -> dict[str, Any]:
    if alias not in EXTENSIONS:
        raise NotFound(f"There is no extension with the alias {alias[:64]}.", code="ExtensionNotFound")
    return {"extension": _shown(alias)}


def _shown(alias: str) -> dict[str, Any]:
    name, updated = EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": name, "updated": updated, "links": []}
