"""Application credentials: a part of what a user may do in one project, for a program, with a secret of its own."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from pileus.core.body import parse_time
from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.services.identity.rules import resources
from pileus.services.identity.store import assignments, rows
from pileus.services.identity.store import credentials as store
from pileus.services.identity.types.credentials import (
    AccessRuleRow,
    AccessRuleWish,
    ApplicationCredentialCreate,
    ApplicationCredentialRow,
    RoleRef,
)
from pileus.services.identity.types.roles import RoleRow


def new_secret() -> str:
    return secrets.token_urlsafe(64)


def create(tx: Tx, caller: Caller, body: ApplicationCredentialCreate, secret_hash: str) -> ApplicationCredentialRow:
    """For the caller, in the project of the caller's token. Raises BadRequest for roles or rules that can't be given."""
    _must_be_free(caller)
    if caller.project_id is None or body.project_id not in (None, caller.project_id):
        raise BadRequest("An application credential is for the project of the token that makes it.")
    row = ApplicationCredentialRow(
        new_hex_id(),
        caller.user_id,
        caller.project_id,
        body.name,
        body.description,
        secret_hash,
        expiry(tx, body.expires_at),
        body.unrestricted,
        chosen_roles(tx, caller, body.roles),
        _access_rules(tx, caller, body.access_rules),
    )
    return resources.add(tx, caller, row, "There is an application credential '{name}' already.")


def _must_be_free(caller: Caller) -> None:
    if not caller.unrestricted:
        raise Forbidden(
            "A token of a trust, of OAuth or of a restricted application credential can't make or delete "
            "application credentials: they would outlive what was lent."
        )


def must_not_be_lent(caller: Caller) -> None:
    """Raises Forbidden for a token of a trust or of OAuth: what lends alone is no matter of who was lent to."""
    if caller.trust_id is not None or caller.access_token_id is not None:
        raise Forbidden("A token of a trust or of OAuth does not reach application credentials and access rules.")


def expiry(tx: Tx, text: str | None) -> datetime | None:
    """Raises BadRequest unless it is a time to come."""
    if text is None:
        return None
    try:
        at = parse_time(text)
    except ValueError:
        raise BadRequest(f"expires_at must be a time of ISO 8601, got '{text[:64]}'.") from None
    if at <= tx.now:
        raise BadRequest(f"expires_at must be in the future, got '{text[:64]}'.")
    return at


def chosen_roles(tx: Tx, caller: Caller, wanted: Sequence[RoleRef] | None) -> list[str]:
    """Ids of the roles to pass on: those of the token where none are named. Raises BadRequest for others."""
    if wanted is None:
        return list(caller.role_ids)
    held = {role.id: role for role in assignments.roles_by_id(tx, caller.role_ids)}
    by_name = {role.name: role.id for role in held.values()}
    found = []
    for ref in wanted:
        role_id = ref.id if ref.id is not None else by_name.get(ref.name or "")
        if role_id not in held:
            raise BadRequest(f"Role {ref.id or ref.name} is not one that this token has, so it can't be passed on.")
        found.append(role_id)
    return list(dict.fromkeys(found))


def _access_rules(tx: Tx, caller: Caller, wanted: Sequence[AccessRuleWish] | None) -> list[str] | None:
    return None if wanted is None else [_access_rule(tx, caller, wish) for wish in wanted]


def _access_rule(tx: Tx, caller: Caller, wish: AccessRuleWish) -> str:
    """The id of the user's rule; the same rule is kept once."""
    if wish.id is not None:
        return own_access_rule(tx, caller.user_id, wish.id).id
    if wish.service is None or wish.path is None or wish.method is None:
        raise BadRequest("An access rule has an id, or a service, a path and a method.")
    known = store.access_rule(tx, caller.user_id, wish.service, wish.path, wish.method)
    if known is not None:
        return known.id
    row = AccessRuleRow(new_hex_id(), caller.user_id, wish.service, wish.path, wish.method)
    return resources.add(tx, caller, row).id


def own(tx: Tx, user_id: str, row_id: str) -> ApplicationCredentialRow:
    """Raises NotFound, and Forbidden for another user's."""
    found = resources.find(tx, ApplicationCredentialRow, row_id)
    if found.user_id != user_id:
        raise Forbidden(f"Application credential {row_id} is not one of user {user_id}.")
    return found


def own_access_rule(tx: Tx, user_id: str, row_id: str) -> AccessRuleRow:
    """Raises NotFound, also for another user's."""
    found = rows.find(tx, AccessRuleRow, row_id)
    if found is None or found.user_id != user_id:
        raise NotFound(f"Could not find access rule: {row_id[:64]}.")
    return found


def delete(tx: Tx, caller: Caller, row: ApplicationCredentialRow) -> None:
    _must_be_free(caller)
    resources.remove(tx, caller, row)


def delete_access_rule(tx: Tx, caller: Caller, rule: AccessRuleRow) -> None:
    """Raises Forbidden while an application credential uses it."""
    for credential in rows.where(tx, ApplicationCredentialRow, user_id=rule.user_id):
        if rule.id in (credential.access_rule_ids or ()):
            raise Forbidden(f"Access rule {rule.id} is in use by application credential {credential.id}.")
    resources.remove(tx, caller, rule)


def roles_of(tx: Tx, row: ApplicationCredentialRow) -> list[RoleRow]:
    return assignments.roles_by_id(tx, row.role_ids)
