"""The JSON home: which path each relation of the API has, for clients that ask for it. Made of the routes themselves."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from falcon.util.mediatypes import best_match

from pileus.core.http import Request, Response, Route
from pileus.services.identity.service import api

JSON_HOME = "application/json-home"
BASE = "https://docs.openstack.org/api/openstack-identity/3"
COMMON = frozenset(
    f"{noun}_id" for noun in ("domain", "project", "user", "group", "role", "endpoint", "service", "region", "policy")
)
"""Parameters that are of no extension."""
OTHERWISE = {
    "access": "credential_id",
    "group": "config_group",
    "implies_role_id": "role_id",
    "option": "config_option",
    "tag": "tag_value",
}
"""Parameters that are documented by other names."""
IRREGULAR = {
    "/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints": "endpoints_in_endpoint_group",
    "/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects": "projects_associated_with_endpoint_group",
    "/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}": "endpoint_group_to_project_association",
    "/OS-FEDERATION/saml2/metadata": "metadata",
    "/OS-OAUTH1/access_token": "access_tokens",
    "/OS-OAUTH1/authorize/{request_token_id}": "authorize_request_token",
    "/OS-OAUTH1/request_token": "request_tokens",
    "/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso": "identity_providers_websso",
    "/auth/OS-FEDERATION/saml2": "saml2",
    "/auth/OS-FEDERATION/saml2/ecp": "ecp",
    "/auth/OS-FEDERATION/websso/{protocol_id}": "websso",
    "/domains/config/default": "domain_config_default",
    "/domains/config/{group}/default": "domain_config_default_group",
    "/domains/config/{group}/{option}/default": "domain_config_default_option",
    "/domains/{domain_id}/config/{group}": "domain_config_group",
    "/domains/{domain_id}/config/{group}/{option}": "domain_config_option",
    "/limits/model": "limit_model",
    "/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}": "endpoint_policy_association",
    "/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}": "service_policy_association",
    "/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}": "region_and_service_policy_association",
    "/projects/{project_id}/tags/{tag}": "project_tags",
    "/roles/{role_id}/implies": "implied_roles",
    "/roles/{role_id}/implies/{implies_role_id}": "implied_role",
    "/users/{user_id}/access_rules": "access_rules",
    "/users/{user_id}/access_rules/{access_rule_id}": "access_rule",
    "/users/{user_id}/application_credentials": "application_credentials",
    "/users/{user_id}/application_credentials/{application_credential_id}": "application_credential",
    "/users/{user_id}/password": "user_change_password",
}
"""Relations that are not called after their path."""
UNRELATED = frozenset(
    {
        "/OS-SIMPLE-CERT/ca",
        "/OS-SIMPLE-CERT/certificates",
        "/auth/tokens/OS-PKI/revoked",
        "/projects/{project_id}/tags",
    }
)
"""Paths without a relation, or of what is gone."""
EXTENSIONS = {"/ec2tokens": "OS-EC2", "/s3tokens": "s3tokens"}
"""Of paths that do not name theirs."""


def asked(request: Request) -> bool:
    accept = request.headers.get("accept", "*/*")
    try:
        return best_match(["application/json", JSON_HOME], accept) == JSON_HOME
    except ValueError:
        return False


def home(below: str = "") -> Response:
    """`below`: what the paths have in front of them."""
    return Response({"resources": _resources(below)}, status=200, content_type=JSON_HOME)


@cache
def _resources(below: str) -> dict[str, Any]:
    return {_relation(route): _place(route, below) for route in _related(api.routes)}


def _related(routes: Iterable[Route]) -> list[Route]:
    """One of each path."""
    found = {route.path: route for route in routes if route.path and not route.root and route.path not in UNRELATED}
    return [found[path] for path in sorted(found)]


def _extension(path: str) -> str | None:
    named = (part for part in path.split("/") if part.startswith("OS-"))
    return EXTENSIONS.get(path) or next(named, None)


def _of(path: str, kind: str, name: str) -> str:
    extension = _extension(path)
    return f"{BASE}/ext/{extension}/1.0/{kind}/{name}" if extension else f"{BASE}/{kind}/{name}"


def _relation(route: Route) -> str:
    return _of(route.path, "rel", IRREGULAR.get(route.path) or _name(route.path))


def _name(path: str) -> str:
    """user_projects of /users/{user_id}/projects: a noun before a parameter is one of them."""
    words: list[str] = []
    for part in path.strip("/").split("/"):
        if part.startswith("{"):
            words[-1] = words[-1][:-3] + "y" if words[-1].endswith("ies") else words[-1].removesuffix("s")
        elif not part.startswith("OS-"):
            words.append(part)
    return "_".join(words)


def _place(route: Route, below: str) -> dict[str, Any]:
    path = f"{below}{route.path}"
    if not route.parameters:
        return {"href": path}
    return {"href-template": path, "href-vars": {name: _parameter(route.path, name) for name in route.parameters}}


def _parameter(path: str, name: str) -> str:
    known = OTHERWISE.get(name, name)
    return f"{BASE}/param/{known}" if known in COMMON or name in OTHERWISE else _of(path, "param", known)
