"""Quotas of projects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.services.network.rules import quotas as rules
from pileus.services.network.service import api
from pileus.services.network.types.quotas import QuotaUpdate


def target(project_id: str) -> Mapping[str, Any]:
    return {"project_id": project_id}


@api.get("/quotas", policy="get_quota")
def list_quotas(tx: Tx, caller: Caller) -> dict[str, Any]:
    """Of the projects that have limits of their own; all of them for an administrator."""
    seen = [p for p in rules.projects(tx) if caller.is_admin or p == caller.project_id]
    return {"quotas": [{"project_id": p, "tenant_id": p, **rules.limits(tx, p)} for p in seen]}


@api.get("/quotas/tenant")
def show_tenant(caller: Caller) -> dict[str, Any]:
    """The project of the token, as old clients ask for it."""
    return {"tenant": {"tenant_id": caller.project_id}}


@api.get("/quotas/project")
def show_project(caller: Caller) -> dict[str, Any]:
    return {"project": {"project_id": caller.project_id, "tenant_id": caller.project_id}}


@api.get("/quotas/{project_id}", policy="get_quota", target=target)
def show_quota(tx: Tx, project_id: str) -> dict[str, Any]:
    return {"quota": rules.limits(tx, project_id)}


@api.get("/quotas/{project_id}/default", policy="get_quota", target=target)
def show_default_quota(project_id: str) -> dict[str, Any]:
    return {"quota": rules.DEFAULTS}


@api.get("/quotas/{project_id}/details", policy="get_quota", target=target)
def show_quota_details(tx: Tx, project_id: str) -> dict[str, Any]:
    """Nothing is ever reserved: what a request makes is counted in its own commit."""
    limits = rules.limits(tx, project_id)
    return {
        "quota": {
            resource: {"used": rules.used(tx, project_id, resource), "limit": limit, "reserved": 0}
            for resource, limit in limits.items()
        }
    }


@api.put("/quotas/{project_id}", policy="update_quota", target=target)
def update_quota(tx: Tx, project_id: str, body: QuotaUpdate) -> dict[str, Any]:
    wanted = {name: value for name in rules.DEFAULTS if (value := getattr(body, name)) is not UNSET}
    rules.update(tx, project_id, wanted, body.check_limit)
    return {"quota": rules.limits(tx, project_id)}


@api.delete("/quotas/{project_id}", policy="delete_quota", target=target)
def delete_quota(tx: Tx, project_id: str) -> None:
    rules.forget(tx, project_id)
