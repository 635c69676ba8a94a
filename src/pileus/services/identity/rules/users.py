"""Users, their passwords, and groups of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx, new_hex_id
from pileus.core.errors import BadRequest, NotFound, Unauthorized
from pileus.services.identity import passwords
from pileus.services.identity.rules import compliance, factors, resources
from pileus.services.identity.rules.assignments import found_domain, must_not_outrank
from pileus.services.identity.rules.login import REFUSED
from pileus.services.identity.rules.targets import home_domain
from pileus.services.identity.store import assignments, federation, rows
from pileus.services.identity.store import compliance as compliance_store
from pileus.services.identity.store import users as store
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.identity.types.users import (
    Federated,
    GroupCreate,
    GroupRow,
    GroupUpdate,
    PasswordChange,
    UserCreate,
    UserRow,
    UserUpdate,
)

_TAKEN = "There is a user '{name}' in this domain already."
_GROUP_TAKEN = "There is a group '{name}' in this domain already."


def accepted(settings: Settings, password: str | None) -> str | None:
    """The hash of a new password. Raises BadRequest for a weak one. Takes a while: call it outside of any transaction."""
    if password is None:
        return None
    compliance.must_be_strong(settings, password)
    return passwords.hashed(password)


def create_user(tx: Tx, settings: Settings, caller: Caller, body: UserCreate, password_hash: str | None) -> UserRow:
    """Raises Conflict for the name, NotFound for the domain."""
    domain = found_domain(tx, home_domain(caller, body.domain_id))
    _no_domain_as_default(tx, body.default_project_id)
    options = resources.wishes(body)["options"]
    factors.must_be_known(options.get("multi_factor_auth_rules", ()))
    row = UserRow(
        new_hex_id(),
        body.name,
        domain.id,
        body.enabled,
        body.default_project_id,
        None,
        None,
        None,
        options,
        body.extra,
        last_active_at=tx.now,
    )
    if password_hash is not None:
        row = msgspec.structs.replace(row, **compliance.set_by_other(tx, settings, options, password_hash))
    resources.add(tx, caller, row, _TAKEN)
    _link(tx, row, body.federated or ())
    return row


def update_user(
    tx: Tx, settings: Settings, caller: Caller, user_id: str, body: UserUpdate, password_hash: str | None
) -> UserRow:
    """A new password ends the tokens that the user has; it or `enabled` ends a lock-out.

    Raises Conflict for the name, Forbidden for another domain.
    """
    user = resources.find(tx, UserRow, user_id)
    must_not_outrank(tx, caller, user)
    resources.same_or_unset(user, body, "domain_id")
    values: dict[str, Any] = resources.wishes(body, user)
    if values.get("default_project_id"):
        _no_domain_as_default(tx, values["default_project_id"])
    options = values.get("options", user.options)
    factors.must_be_known(options.get("multi_factor_auth_rules", ()))
    if "password" in values:
        del values["password"]
        compliance.remember(tx, settings, user)
        values |= {"password_hash": None, "tokens_valid_after": tx.now}
        if password_hash is not None:
            values |= compliance.set_by_other(tx, settings, options, password_hash)
    if "federated" in values:
        del values["federated"]
        federation.unlink(tx, user.id)
        _link(tx, user, body.federated or ())
    if values.get("enabled"):
        values["last_active_at"] = tx.now
    if values.get("enabled") or password_hash is not None:
        compliance_store.forget_failures(tx, user.id)
    return resources.change(tx, caller, user, values, _TAKEN)


def _link(tx: Tx, user: UserRow, wanted: Iterable[Federated]) -> None:
    """Let identity providers vouch for the user. Raises BadRequest for a protocol that is not there."""
    for provider in wanted:
        for one in provider.protocols:
            protocol = federation.protocol(tx, provider.idp_id, one.protocol_id)
            if protocol is None:
                raise BadRequest(f"Identity provider {provider.idp_id} has no protocol '{one.protocol_id}'.")
            federation.link(tx, protocol.id, one.unique_id, user.id)


def _no_domain_as_default(tx: Tx, project_id: str | None) -> None:
    """A default project need not be there yet, but it must not be a domain."""
    project = rows.find(tx, ProjectRow, project_id) if project_id else None
    if project is not None and project.is_domain:
        raise BadRequest(f"default_project_id {project_id} is a domain; it must be a project.")


def delete_user(tx: Tx, caller: Caller, user: UserRow) -> None:
    must_not_outrank(tx, caller, user)
    assignments.forget(tx, actor_type="user", actor_id=user.id)
    compliance_store.forget_failures(tx, user.id)
    resources.remove(tx, caller, user)


def change_password(db: Database, settings: Settings, caller: Caller, user_id: str, body: PasswordChange) -> None:
    """A user's own change, which needs no token: it may be needed to get one. Raises Unauthorized, BadRequest."""
    with db.read() as tx:
        user = rows.find(tx, UserRow, user_id)
        barred = compliance.is_locked(tx, settings, user) or user is None or not user.enabled
    if not passwords.verify(user.password_hash if user else None, body.original_password) or barred:
        compliance.failed(db, settings, user)
        raise Unauthorized(REFUSED)
    assert user is not None
    if user.options.get("lock_password"):
        raise BadRequest(f"The password of user {user.id} is locked (option lock_password).")
    if body.password == body.original_password:
        raise BadRequest("The new password must differ from the old one.")
    with db.read() as tx:
        compliance.must_be_old_enough(tx, settings, user)
        before = compliance_store.old_password_hashes(tx, user_id, max(settings.unique_last_password_count - 1, 0))
    compliance.must_be_new(settings, body.password, before)
    new_hash = accepted(settings, body.password)
    assert new_hash is not None
    with db.write() as tx:
        found = resources.find(tx, UserRow, user_id)
        if found.password_hash != user.password_hash or compliance.is_locked(tx, settings, found):
            raise Unauthorized(REFUSED)
        compliance.remember(tx, settings, found)
        compliance_store.forget_failures(tx, user_id)
        resources.change(tx, caller, found, compliance.chosen(tx, settings, found.options, new_hash))


def create_group(tx: Tx, caller: Caller, body: GroupCreate) -> GroupRow:
    domain = found_domain(tx, home_domain(caller, body.domain_id))
    row = GroupRow(new_hex_id(), body.name, domain.id, body.description or "", body.extra)
    return resources.add(tx, caller, row, _GROUP_TAKEN)


def update_group(tx: Tx, caller: Caller, group: GroupRow, body: GroupUpdate) -> GroupRow:
    resources.same_or_unset(group, body, "domain_id")
    values = resources.wishes(body, group)
    if "description" in values:
        values["description"] = values["description"] or ""
    return resources.change(tx, caller, group, values, _GROUP_TAKEN)


def delete_group(tx: Tx, caller: Caller, group: GroupRow) -> None:
    must_not_outrank(tx, caller, group)
    assignments.forget(tx, actor_type="group", actor_id=group.id)
    resources.remove(tx, caller, group)


def add_member(tx: Tx, caller: Caller, group: GroupRow, user: UserRow) -> None:
    must_not_outrank(tx, caller, group)
    store.add_member(tx, group.id, user.id)


def remove_member(tx: Tx, caller: Caller, group: GroupRow, user: UserRow) -> None:
    must_not_outrank(tx, caller, group)
    if not store.remove_member(tx, group.id, user.id):
        raise NotFound(f"User {user.id} is not in group {group.id}.")


def must_be_member(tx: Tx, group: GroupRow, user: UserRow) -> None:
    if not store.is_member(tx, group.id, user.id):
        raise NotFound(f"User {user.id} is not in group {group.id}.")
