"""Quotas of projects, the defaults, and limits with what is in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.version import ALWAYS, Version, Window
from pileus.services.compute.rules import quota as rules
from pileus.services.compute.service import api
from pileus.services.compute.types import quotas as types
from pileus.services.compute.types.fields import Flag, flag

SET = "/os-quota-sets/{tenant_id}"
CLASS = "/os-quota-class-sets/{class_id}"


def of_project(tenant_id: str) -> dict[str, Any]:
    return {"project_id": tenant_id}


def given(values: Mapping[str, Any], windows: Mapping[str, Window], version: Version, where: str) -> dict[str, int]:
    """The limits in a body. Raises BadRequest for a name that the version does not have, or a value that is no limit."""
    found = {}
    for name, value in values.items():
        if name not in rules.DEFAULTS or version not in windows.get(name, ALWAYS):
            raise BadRequest(f"Additional properties are not allowed: {where}.{name[:64]} is not a limit here.")
        try:
            found[name] = int(msgspec.convert(value, types.Limit))
        except msgspec.ValidationError as error:
            raise BadRequest(f"Invalid input for field {where}.{name}: {error}.") from None
        if not -1 <= found[name] < 2**31:
            raise BadRequest(
                f"Invalid input for field {where}.{name}: {found[name]} is not between -1 and {2**31 - 1}."
            )
    return found


@api.get(SET, policy="os_compute_api:os-quota-sets:show", target=of_project)
def show_quota(tx: Tx, caller: Caller, tenant_id: str, query: types.QuotaQuery) -> dict[str, Any]:
    limits = rules.limits(tx, tenant_id, query.user_id)
    return {"quota_set": {"id": tenant_id, **types.shown(limits, types.IN_SETS, caller.version)}}


@api.get(SET + "/defaults", policy="os_compute_api:os-quota-sets:defaults", target=of_project)
def show_default_quota(tx: Tx, caller: Caller, tenant_id: str) -> dict[str, Any]:
    return {"quota_set": {"id": tenant_id, **types.shown(rules.defaults(tx), types.IN_SETS, caller.version)}}


@api.get(SET + "/detail", policy="os_compute_api:os-quota-sets:detail", target=of_project)
def show_quota_in_detail(tx: Tx, caller: Caller, tenant_id: str, query: types.QuotaQuery) -> dict[str, Any]:
    usages = {
        name: {"limit": usage.limit, "in_use": usage.in_use, "reserved": 0}
        for name, usage in rules.usages(tx, tenant_id, query.user_id).items()
    }
    return {"quota_set": {"id": tenant_id, **types.shown(usages, types.IN_SETS, caller.version)}}


@api.put(SET, policy="os_compute_api:os-quota-sets:update", target=of_project)
def update_quota(
    tx: Tx, caller: Caller, tenant_id: str, query: types.QuotaQuery, body: types.QuotaSetUpdate
) -> dict[str, Any]:
    values = dict(body.quota_set)
    try:
        force = flag(msgspec.convert(values.pop("force", False), Flag))
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid input for field quota_set.force: {error}.") from None
    wanted = given(values, types.IN_SETS, caller.version, "quota_set")
    rules.set_limits(tx, caller, tenant_id, query.user_id, wanted, force)
    limits = rules.limits(tx, tenant_id, query.user_id)
    return {"quota_set": types.shown(limits, types.IN_SETS, caller.version)}


@api.delete(SET, policy="os_compute_api:os-quota-sets:delete", target=of_project, success=202)
def delete_quota(tx: Tx, caller: Caller, tenant_id: str, query: types.QuotaQuery) -> None:
    rules.forget(tx, caller, tenant_id, query.user_id)


@api.get(CLASS, policy="os_compute_api:os-quota-class-sets:show")
def show_class(tx: Tx, caller: Caller, class_id: str) -> dict[str, Any]:
    limits = rules.defaults(tx) if class_id == "default" else rules.DEFAULTS
    return {"quota_class_set": {"id": class_id, **types.shown(limits, types.IN_CLASSES, caller.version)}}


@api.put(CLASS, policy="os_compute_api:os-quota-class-sets:update")
def update_class(tx: Tx, caller: Caller, class_id: str, body: types.QuotaClassUpdate) -> dict[str, Any]:
    if class_id != "default":
        raise BadRequest(f"The one quota class of this cloud is 'default'; '{class_id[:64]}' can't be changed.")
    rules.set_defaults(tx, caller, given(body.quota_class_set, types.IN_CLASSES, caller.version, "quota_class_set"))
    return {"quota_class_set": types.shown(rules.defaults(tx), types.IN_CLASSES, caller.version)}


@api.get("/limits", policy="os_compute_api:limits", policies={"tenant_id": "os_compute_api:limits:other_project"})
def show_limits(tx: Tx, caller: Caller, query: types.LimitsQuery) -> dict[str, Any]:
    usages = rules.usages(tx, query.tenant_id or caller.project_id or "")
    most = {name: usages[quota].limit for name, (quota, where) in types.ABSOLUTE.items() if caller.version in where}
    used = {name: usages[quota].in_use for name, (quota, where) in types.USED.items() if caller.version in where}
    return {"limits": {"rate": [], "absolute": most | used}}
