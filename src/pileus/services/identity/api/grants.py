"""Roles given to users and groups on projects, domains and the system: the same four routes for each pair."""

from collections.abc import Callable
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.identity.rules import assignments as rules
from pileus.services.identity.rules.assignments import Grant
from pileus.services.identity.rules.targets import target_grant
from pileus.services.identity.service import api
from pileus.services.identity.types.base import listed, shown

INHERITED = "inherited_to_projects"


def grant_of_path(tx: Tx, request: Request) -> Grant:
    return rules.grant(tx, request.parameters, inherited=request.path.endswith(INHERITED))


def list_grants(tx: Tx, request: Request, grant: Grant) -> dict[str, Any]:
    return listed(request, "roles", [shown(request, role) for role in rules.held(tx, grant)])


def check_grant(tx: Tx, grant: Grant) -> None:
    rules.must_have(tx, grant)


def create_grant(tx: Tx, caller: Caller, grant: Grant) -> None:
    rules.give(tx, caller, grant)


def revoke_grant(tx: Tx, caller: Caller, grant: Grant) -> None:
    rules.take(tx, caller, grant)


def _declare(method: str, path: str, policy: str, handler: Callable[..., Any], success: int = 204) -> None:
    declared = {"policy": f"identity:{policy}", "load": grant_of_path, "target": target_grant, "success": success}
    api.route(method, path, **declared)(handler)  # type: ignore[arg-type]


def _declare_all(roles: str, one: str, suffix: str = "", lists: bool = True) -> None:
    """`roles`: the path of the list; `one`, `suffix`: what the policy's names have around the verb."""
    if lists:
        _declare("GET", roles + suffix, f"list_{one.format('grants')}", list_grants, 200)
    path = roles + "/{role_id}" + suffix
    _declare("GET", path, f"check_{one.format('grant')}", check_grant)
    _declare("PUT", path, f"create_{one.format('grant')}", create_grant)
    _declare("DELETE", path, f"revoke_{one.format('grant')}", revoke_grant)


for actor in ("user", "group"):
    who = f"{actor}s/{{{actor}_id}}/roles"
    _declare_all(f"/system/{who}", f"system_{{}}_for_{actor}")
    for target in ("project", "domain"):
        where = f"{target}s/{{{target}_id}}/{who}"
        _declare_all(f"/{where}", "{}")
        _declare_all(f"/OS-INHERIT/{where}", "{}", f"/{INHERITED}", lists=target == "domain")
