"""Unified limits."""

from typing import Any

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.identity.rules import limits as rules
from pileus.services.identity.rules import resources
from pileus.services.identity.service import api
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.policies import (
    LimitRow,
    LimitsCreate,
    LimitUpdate,
    RegisteredLimitRow,
    RegisteredLimitsCreate,
    RegisteredLimitUpdate,
)

REGISTERED = "/registered_limits/{registered_limit_id}"


def registered_of_path(tx: Tx, registered_limit_id: str) -> RegisteredLimitRow:
    return resources.find(tx, RegisteredLimitRow, registered_limit_id)


def limit_of_path(tx: Tx, limit_id: str) -> LimitRow:
    return resources.find(tx, LimitRow, limit_id)


@api.get("/registered_limits", policy="identity:list_registered_limits")
def list_registered_limits(tx: Tx, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, RegisteredLimitRow, request.query)
    return listed(request, "registered_limits", [shown(request, row) for row in found], more)


@api.post("/registered_limits", policy="identity:create_registered_limits", success=201)
def create_registered_limits(tx: Tx, caller: Caller, request: Request, body: RegisteredLimitsCreate) -> dict[str, Any]:
    found = [rules.register(tx, caller, wish) for wish in body.registered_limits]
    return {"registered_limits": [shown(request, row) for row in found]}


@api.get(REGISTERED, policy="identity:get_registered_limit", load=registered_of_path)
def show_registered_limit(tx: Tx, request: Request, limit: RegisteredLimitRow) -> dict[str, Any]:
    return {"registered_limit": shown(request, limit)}


@api.patch(REGISTERED, policy="identity:update_registered_limit", load=registered_of_path)
def update_registered_limit(
    tx: Tx, settings: Settings, caller: Caller, request: Request, limit: RegisteredLimitRow, body: RegisteredLimitUpdate
) -> dict[str, Any]:
    return {"registered_limit": shown(request, rules.update_registered(tx, settings, caller, limit, body))}


@api.delete(REGISTERED, policy="identity:delete_registered_limit", load=registered_of_path)
def delete_registered_limit(tx: Tx, caller: Caller, limit: RegisteredLimitRow) -> None:
    rules.delete_registered(tx, caller, limit)


@api.get("/limits/model", policy="identity:get_limit_model")
def show_model(settings: Settings) -> dict[str, Any]:
    return {"model": {"name": settings.limit_model, "description": rules.MODELS[settings.limit_model]}}


@api.get("/limits", policy="identity:list_limits")
def list_limits(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, LimitRow, request.query)
    visible = [row for row in found if caller.allows("identity:get_limit", rules.target_limit(tx, row))]
    return listed(request, "limits", [shown(request, row) for row in visible], more)


@api.post("/limits", policy="identity:create_limits", success=201)
def create_limits(tx: Tx, settings: Settings, caller: Caller, request: Request, body: LimitsCreate) -> dict[str, Any]:
    return {"limits": [shown(request, row) for row in rules.create(tx, settings, caller, body.limits)]}


@api.get("/limits/{limit_id}", policy="identity:get_limit", load=limit_of_path, target=rules.target_limit)
def show_limit(tx: Tx, request: Request, limit: LimitRow) -> dict[str, Any]:
    return {"limit": shown(request, limit)}


@api.patch("/limits/{limit_id}", policy="identity:update_limit", load=limit_of_path, target=rules.target_limit)
def update_limit(
    tx: Tx, settings: Settings, caller: Caller, request: Request, limit: LimitRow, body: LimitUpdate
) -> dict[str, Any]:
    return {"limit": shown(request, rules.update(tx, settings, caller, limit, body))}


@api.delete("/limits/{limit_id}", policy="identity:delete_limit", load=limit_of_path, target=rules.target_limit)
def delete_limit(tx: Tx, settings: Settings, caller: Caller, limit: LimitRow) -> None:
    rules.delete(tx, settings, caller, limit)
