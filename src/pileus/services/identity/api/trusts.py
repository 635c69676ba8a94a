"""Trusts."""

from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import NotFound
from pileus.core.http import Request
from pileus.services.identity.rules import trusts as rules
from pileus.services.identity.rules.targets import Target
from pileus.services.identity.service import api
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.credentials import TrustCreate, TrustRow

PATH = "/OS-TRUST/trusts"
ONE = PATH + "/{trust_id}"


def trust_of_path(tx: Tx, trust_id: str) -> TrustRow:
    return rules.find(tx, trust_id)


def target_new(body: TrustCreate) -> Target:
    return {"target.trust.trustor_user_id": body.trustor_user_id}


def _shown(tx: Tx, request: Request, trust: TrustRow) -> dict[str, Any]:
    here = f"{request.url}/{trust.__collection__}/{trust.id}/roles"
    roles = [shown(request, role) for role in rules.roles_of(tx, trust)]
    links = {"self": here, "previous": None, "next": None}
    return shown(request, trust, deleted_at=None, roles=roles, roles_links=links)


@api.get(PATH)
def list_trusts(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    found = rules.listing(tx, caller, dict(request.query))
    return listed(request, "trusts", [shown(request, trust, deleted_at=None) for trust in found])


@api.post(PATH, policy="identity:create_trust", target=target_new, success=201)
def create_trust(tx: Tx, caller: Caller, request: Request, body: TrustCreate) -> dict[str, Any]:
    return {"trust": _shown(tx, request, rules.create(tx, caller, body))}


@api.get(ONE, policy="identity:get_trust", load=trust_of_path, openly_missing=True, target=rules.target_trust)
def show_trust(tx: Tx, request: Request, trust: TrustRow) -> dict[str, Any]:
    return {"trust": _shown(tx, request, trust)}


@api.delete(ONE, policy="identity:delete_trust", load=trust_of_path, openly_missing=True, target=rules.target_trust)
def delete_trust(tx: Tx, caller: Caller, trust: TrustRow) -> None:
    rules.delete(tx, caller, trust)


@api.get(
    ONE + "/roles",
    policy="identity:list_roles_for_trust",
    load=trust_of_path,
    openly_missing=True,
    target=rules.target_trust,
)
def list_trust_roles(tx: Tx, request: Request, trust: TrustRow) -> dict[str, Any]:
    return listed(request, "roles", [shown(request, role) for role in rules.roles_of(tx, trust)])


@api.get(
    ONE + "/roles/{role_id}",
    policy="identity:get_role_for_trust",
    load=trust_of_path,
    openly_missing=True,
    target=rules.target_trust,
)
def show_trust_role(tx: Tx, request: Request, trust: TrustRow, role_id: str) -> dict[str, Any]:
    for role in rules.roles_of(tx, trust):
        if role.id == role_id:
            return {"role": shown(request, role)}
    raise NotFound(f"Trust {trust.id} does not lend role {role_id[:64]}.")
