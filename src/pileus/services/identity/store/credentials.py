"""Credentials, application credentials, access rules and trusts."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from pileus.core.db import Tx, matches
from pileus.services.identity.store import rows
from pileus.services.identity.tables import access_rules, application_credentials, credentials, trusts
from pileus.services.identity.types.credentials import (
    AccessRuleRow,
    ApplicationCredentialRow,
    CredentialRow,
    TrustRow,
)


def of_user(tx: Tx, user_id: str, kind: str | None = None) -> list[CredentialRow]:
    mine = [credentials.c.user_id == user_id, *([credentials.c.type == kind] if kind else [])]
    return rows.where(tx, CredentialRow, *mine)


def application_credential_by_name(tx: Tx, user_id: str, name: str) -> ApplicationCredentialRow | None:
    c = application_credentials.c
    return tx.row(
        ApplicationCredentialRow, sa.select(application_credentials).where((c.user_id == user_id) & (c.name == name))
    )


def access_rule(tx: Tx, user_id: str, service: str, path: str, method: str) -> AccessRuleRow | None:
    c = access_rules.c
    same = (c.user_id == user_id) & (c.service == service) & (c.path == path) & (c.method == method)
    return tx.row(AccessRuleRow, sa.select(access_rules).where(same))


def access_rules_by_id(tx: Tx, ids: Sequence[str]) -> list[AccessRuleRow]:
    """In the order of the ids."""
    if not ids:
        return []
    found = {row.id: row for row in rows.where(tx, AccessRuleRow, matches(access_rules.c.id, ids))}
    return [found[row_id] for row_id in ids if row_id in found]


def use_trust(tx: Tx, trust_id: str) -> bool:
    """One use less. False where there was none left."""
    left = (trusts.c.id == trust_id) & (trusts.c.remaining_uses > 0)
    return bool(tx.update(trusts, left, {"remaining_uses": trusts.c.remaining_uses - 1}))


def trusts_of(tx: Tx, **wanted: str | None) -> list[TrustRow]:
    return rows.where(tx, TrustRow, *[trusts.c[name] == value for name, value in wanted.items() if value is not None])


def forget_project(tx: Tx, project_id: str) -> None:
    """The credentials that speak for a project go with it."""
    tx.delete(credentials, credentials.c.project_id == project_id)
