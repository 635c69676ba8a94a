"""Roles, and which brings which."""

from typing import Any

from msgspec import UNSET

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.identity.rules import resources
from pileus.services.identity.rules import roles as rules
from pileus.services.identity.rules.roles import Implication
from pileus.services.identity.rules.targets import Target
from pileus.services.identity.service import api
from pileus.services.identity.store import assignments as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.roles import RoleCreate, RoleQuery, RoleRow, RoleUpdate


def role_of_path(tx: Tx, role_id: str) -> RoleRow:
    return resources.find(tx, RoleRow, role_id)


def implication_of_path(tx: Tx, request: Request) -> Implication:
    return rules.implication(tx, request.parameters)


def target_role(role: RoleRow) -> Target:
    return {"target.role.name": role.name, "target.role.domain_id": role.domain_id}


@api.get("/roles", policy="identity:list_roles", policies={"domain_id": "identity:list_domain_roles"})
def list_roles(tx: Tx, request: Request, query: RoleQuery) -> dict[str, Any]:
    found, more = rows.page(tx, RoleRow, request.query, store.of_domains(query.domain_id is not UNSET))
    return listed(request, "roles", [shown(request, row) for row in found], more)


@api.post(
    "/roles",
    policy="identity:create_role",
    policies={"domain_id": "identity:create_domain_role"},
    success=201,
)
def create_role(tx: Tx, caller: Caller, request: Request, body: RoleCreate) -> dict[str, Any]:
    return {"role": shown(request, rules.create_role(tx, caller, body))}


@api.get(
    "/roles/{role_id}", policy="identity:get_role", load=rules.visible_role, openly_missing=True, target=target_role
)
def show_role(tx: Tx, request: Request, role: RoleRow) -> dict[str, Any]:
    return {"role": shown(request, role)}


@api.patch(
    "/roles/{role_id}", policy="identity:update_role", load=role_of_path, openly_missing=True, target=target_role
)
def update_role(tx: Tx, caller: Caller, request: Request, role: RoleRow, body: RoleUpdate) -> dict[str, Any]:
    return {"role": shown(request, rules.update_role(tx, caller, role, body))}


@api.delete(
    "/roles/{role_id}", policy="identity:delete_role", load=role_of_path, openly_missing=True, target=target_role
)
def delete_role(tx: Tx, caller: Caller, role: RoleRow) -> None:
    rules.delete_role(tx, caller, role)


def brief(request: Request, role: RoleRow) -> dict[str, Any]:
    return {"id": role.id, "name": role.name, "links": {"self": f"{request.url}/roles/{role.id}"}}


def _inference(request: Request, prior: RoleRow, implied: Any) -> dict[str, Any]:
    return {
        "role_inference": {"prior_role": brief(request, prior), "implies": implied},
        "links": {"self": request.base_url + request.path},
    }


@api.get(
    "/roles/{role_id}/implies",
    policy="identity:list_implied_roles",
    load=role_of_path,
    openly_missing=True,
    target=target_role,
)
def list_implied(tx: Tx, request: Request, role: RoleRow) -> dict[str, Any]:
    implied = store.roles_by_id(tx, store.implications(tx).get(role.id, []))
    return _inference(request, role, [brief(request, row) for row in implied])


IMPLIED = "/roles/{role_id}/implies/{implies_role_id}"


@api.get(IMPLIED, policy="identity:get_implied_role", load=implication_of_path)
def show_implied(tx: Tx, request: Request, pair: Implication) -> dict[str, Any]:
    rules.must_imply(tx, pair)
    return _inference(request, pair.prior, brief(request, pair.implied))


@api.route("HEAD", IMPLIED, policy="identity:check_implied_role", load=implication_of_path, success=204)
def check_implied(tx: Tx, pair: Implication) -> None:
    rules.must_imply(tx, pair)


@api.put(IMPLIED, policy="identity:create_implied_role", load=implication_of_path, success=201)
def imply(tx: Tx, request: Request, pair: Implication) -> dict[str, Any]:
    rules.imply(tx, pair)
    return _inference(request, pair.prior, brief(request, pair.implied))


@api.delete(IMPLIED, policy="identity:delete_implied_role", load=implication_of_path)
def imply_no_more(tx: Tx, pair: Implication) -> None:
    rules.imply_no_more(tx, pair)


@api.get("/role_inferences", policy="identity:list_role_inference_rules")
def list_inferences(tx: Tx, request: Request) -> dict[str, Any]:
    by_id = {role.id: role for role in rows.where(tx, RoleRow)}
    found = [
        {"prior_role": brief(request, by_id[prior]), "implies": [brief(request, by_id[one]) for one in implied]}
        for prior, implied in store.implications(tx).items()
    ]
    return listed(request, "role_inferences", found)
