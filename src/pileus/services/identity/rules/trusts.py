"""Trusts: a user lends another some roles on a project."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.services.identity.rules import resources
from pileus.services.identity.rules.application_credentials import expiry
from pileus.services.identity.rules.targets import Target
from pileus.services.identity.store import assignments, rows
from pileus.services.identity.store import credentials as store
from pileus.services.identity.types.credentials import RoleRef, TrustCreate, TrustRow
from pileus.services.identity.types.roles import RoleRow
from pileus.services.identity.types.users import UserRow

MAX_REDELEGATION = 3
"""How often what was lent can be lent on where the trust does not say."""


def create(tx: Tx, caller: Caller, body: TrustCreate) -> TrustRow:
    """Raises Forbidden for roles that the caller does not have, BadRequest for a trust without roles or sense."""
    if not caller.unrestricted and caller.trust_id is None:
        raise Forbidden("A token of OAuth or of a restricted application credential can't make trusts.")
    resources.find(tx, UserRow, body.trustee_user_id)
    if body.project_id is not None and not body.roles:
        raise BadRequest("A trust on a project needs at least one role.")
    if body.project_id is not None and body.project_id != caller.project_id:
        raise Forbidden(f"The token is for project {caller.project_id}; it can't lend roles on {body.project_id}.")
    above = _redelegated(tx, caller, body)
    row = TrustRow(
        new_hex_id(),
        body.trustor_user_id,
        body.trustee_user_id,
        body.project_id,
        body.impersonation,
        _end(tx, body, above),
        body.remaining_uses,
        above.id if above else None,
        _redelegations(body, above),
        _roles(tx, caller, body),
        body.extra,
    )
    return resources.add(tx, caller, row)


def _redelegated(tx: Tx, caller: Caller, body: TrustCreate) -> TrustRow | None:
    """The trust that the caller lends on, where the caller's token is of one."""
    if caller.trust_id is None:
        if body.redelegated_trust_id is not None:
            raise Forbidden("Only a token of a trust can lend on what it was lent.")
        return None
    above = find(tx, caller.trust_id)
    if above.redelegation_count == 0:
        raise Forbidden(f"Trust {above.id} does not allow lending on.")
    if not above.impersonation and body.impersonation:
        raise Forbidden(f"Trust {above.id} does not allow impersonation.")
    if body.remaining_uses is not None:
        raise BadRequest("A trust that is lent on can't count its uses.")
    return above


def _end(tx: Tx, body: TrustCreate, above: TrustRow | None) -> datetime | None:
    """What is lent on ends with what it was lent from, at the latest. Raises Forbidden for a later end."""
    wanted = expiry(tx, body.expires_at)
    latest = above.expires_at if above else None
    if wanted is not None and latest is not None and wanted > latest:
        raise Forbidden(
            f"expires_at is {body.expires_at}; what is lent on ends at {latest.isoformat()}Z at the latest."
        )
    return wanted or latest


def _redelegations(body: TrustCreate, above: TrustRow | None) -> int:
    if not body.allow_redelegation:
        return 0
    most = above.redelegation_count - 1 if above else MAX_REDELEGATION
    wanted = most if body.redelegation_count is None else body.redelegation_count
    if wanted > most:
        raise Forbidden(f"redelegation_count is {wanted}; at most {most} is possible here.")
    return wanted


def _roles(tx: Tx, caller: Caller, body: TrustCreate) -> list[str]:
    held = {role.id: role for role in assignments.roles_by_id(tx, caller.role_ids)}
    by_name = {role.name: role.id for role in held.values()}
    return [_role(tx, ref, held, by_name) for ref in body.roles]


def _role(tx: Tx, ref: RoleRef, held: Mapping[str, RoleRow], by_name: Mapping[str, str]) -> str:
    if ref.id is not None:
        resources.find(tx, RoleRow, ref.id)
    elif ref.name is None or not rows.where(tx, RoleRow, name=ref.name, domain_id=None):
        raise NotFound(f"Could not find role: {ref.name}.")
    role_id = ref.id or by_name.get(ref.name or "", "")
    if role_id not in held:
        raise Forbidden(f"You do not have role {ref.id or ref.name} on this project, so you can't lend it.")
    return role_id


def find(tx: Tx, trust_id: str) -> TrustRow:
    """Raises NotFound, also for one that has ended."""
    trust = rows.find(tx, TrustRow, trust_id)
    if trust is None or (trust.expires_at is not None and trust.expires_at <= tx.now):
        raise NotFound(f"Could not find trust: {trust_id[:64]}.")
    return trust


def target_trust(trust: TrustRow) -> Target:
    return {
        "target.trust.trustor_user_id": trust.trustor_user_id,
        "target.trust.trustee_user_id": trust.trustee_user_id,
    }


def delete(tx: Tx, caller: Caller, trust: TrustRow) -> None:
    """The trusts that were lent on from it go with it."""
    resources.remove(tx, caller, trust)


def listing(tx: Tx, caller: Caller, query: Mapping[str, str]) -> list[TrustRow]:
    """All for those who may see all; else those of the trustor or trustee that is asked for. Raises Forbidden."""
    wanted = {name: query.get(name) or None for name in ("trustor_user_id", "trustee_user_id")}
    needed = [
        (f"identity:list_trusts_for_{name.split('_')[0]}", {f"target.trust.{name}": user_id})
        for name, user_id in wanted.items()
        if user_id is not None
    ] or [("identity:list_trusts", {})]
    for rule, target in needed:
        if not caller.allows(rule, target):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
    found = store.trusts_of(tx, **wanted)
    return [trust for trust in found if trust.expires_at is None or trust.expires_at > tx.now]


def roles_of(tx: Tx, trust: TrustRow) -> list[RoleRow]:
    return assignments.roles_by_id(tx, trust.role_ids)
