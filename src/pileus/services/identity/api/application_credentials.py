"""Application credentials and access rules."""

from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.http import Request
from pileus.services.identity import passwords
from pileus.services.identity.api.users import user_of_path
from pileus.services.identity.rules import application_credentials as rules
from pileus.services.identity.rules.targets import Target, target_user
from pileus.services.identity.service import api
from pileus.services.identity.store import credentials as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import listed
from pileus.services.identity.types.credentials import (
    AccessRuleRow,
    ApplicationCredentialCreate,
    ApplicationCredentialRow,
)
from pileus.services.identity.types.users import UserRow

PATH = "/users/{user_id}/application_credentials"
ONE = PATH + "/{application_credential_id}"
RULES = "/users/{user_id}/access_rules"
RULE = RULES + "/{access_rule_id}"


def owner_of_path(tx: Tx, caller: Caller, user_id: str) -> UserRow:
    rules.must_not_be_lent(caller)
    return user_of_path(tx, user_id)


def credential_of_path(
    tx: Tx, caller: Caller, user_id: str, application_credential_id: str
) -> ApplicationCredentialRow:
    rules.must_not_be_lent(caller)
    return rules.own(tx, user_id, application_credential_id)


def rule_of_path(tx: Tx, caller: Caller, user_id: str, access_rule_id: str) -> AccessRuleRow:
    rules.must_not_be_lent(caller)
    return rules.own_access_rule(tx, user_id, access_rule_id)


def target_owner(user_id: str) -> Target:
    return {"user_id": user_id, "target.user.id": user_id}


def _rule_shown(rule: AccessRuleRow) -> dict[str, Any]:
    return {"id": rule.id, "service": rule.service, "path": rule.path, "method": rule.method}


def _shown(tx: Tx, request: Request, row: ApplicationCredentialRow, **more: Any) -> dict[str, Any]:
    found = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "unrestricted": row.unrestricted,
        "expires_at": row.expires_at.isoformat(timespec="microseconds") if row.expires_at else None,
        "roles": [{"id": r.id, "name": r.name, "domain_id": r.domain_id} for r in rules.roles_of(tx, row)],
        "links": {"self": f"{request.url}/users/{row.user_id}/application_credentials/{row.id}"},
    }
    if row.access_rule_ids is not None:
        found["access_rules"] = [_rule_shown(rule) for rule in store.access_rules_by_id(tx, row.access_rule_ids)]
    return found | more


@api.get(PATH, policy="identity:list_application_credentials", load=owner_of_path, target=target_user)
def list_application_credentials(tx: Tx, request: Request, user: UserRow) -> dict[str, Any]:
    found, more = rows.page(tx, ApplicationCredentialRow, request.query, user_id=user.id)
    return listed(request, "application_credentials", [_shown(tx, request, row) for row in found], more)


@api.post(PATH, policy="identity:create_application_credential", load=owner_of_path, target=target_user, success=201)
def create_application_credential(
    db: Database, caller: Caller, request: Request, user: UserRow, body: ApplicationCredentialCreate
) -> dict[str, Any]:
    secret = body.secret or rules.new_secret()
    secret_hash = passwords.hashed(secret) if body.secret else passwords.hashed_random(secret)
    with db.write() as tx:
        row = rules.create(tx, caller, body, secret_hash)
        return {"application_credential": _shown(tx, request, row, secret=secret)}


@api.get(ONE, policy="identity:get_application_credential", load=credential_of_path, target=target_owner)
def show_application_credential(tx: Tx, request: Request, credential: ApplicationCredentialRow) -> dict[str, Any]:
    return {"application_credential": _shown(tx, request, credential)}


@api.delete(ONE, policy="identity:delete_application_credential", load=credential_of_path, target=target_owner)
def delete_application_credential(tx: Tx, caller: Caller, credential: ApplicationCredentialRow) -> None:
    rules.delete(tx, caller, credential)


@api.get(RULES, policy="identity:list_access_rules", load=owner_of_path, target=target_user)
def list_access_rules(tx: Tx, request: Request, user: UserRow) -> dict[str, Any]:
    found = rows.where(tx, AccessRuleRow, user_id=user.id)
    return listed(request, "access_rules", [_rule_shown(rule) for rule in found])


@api.get(RULE, policy="identity:get_access_rule", load=rule_of_path, target=target_owner)
def show_access_rule(tx: Tx, rule: AccessRuleRow) -> dict[str, Any]:
    return {"access_rule": _rule_shown(rule)}


@api.delete(RULE, policy="identity:delete_access_rule", load=rule_of_path, target=target_owner)
def delete_access_rule(tx: Tx, caller: Caller, rule: AccessRuleRow) -> None:
    rules.delete_access_rule(tx, caller, rule)
