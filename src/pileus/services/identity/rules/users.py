"""Users and their passwords."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, Unauthorized
from pileus.services.identity import passwords
from pileus.services.identity.drivers import Driver, driver_for
from pileus.services.identity.rules import compliance, factors, resources
from pileus.services.identity.rules.assignments import found_domain, must_not_outrank
from pileus.services.identity.rules.login import REFUSED
from pileus.services.identity.rules.targets import home_domain
from pileus.services.identity.store import assignments, federation, rows
from pileus.services.identity.store import compliance as compliance_store
from pileus.services.identity.store import directory as directory_store
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.identity.types.users import Federated, PasswordChange, UserCreate, UserRow, UserUpdate

_TAKEN = "There is a user '{name}' in this domain already."


def accepted(settings: Settings, password: str | None) -> str | None:
    """The hash of a new password. Raises BadRequest for a weak one. Takes a while: call it outside of any transaction."""
    if password is None:
        return None
    compliance.must_be_strong(settings, password)
    return passwords.hashed(password)


def create_user(db: Database, settings: Settings, caller: Caller, body: UserCreate) -> UserRow:
    """Raises Conflict for the name, NotFound for the domain, and what its driver refuses."""
    options = resources.wishes(body)["options"]
    with db.read() as tx:
        domain = found_domain(tx, home_domain(caller, body.domain_id))
        _must_be_possible(tx, body.default_project_id, options)
        driver = driver_for(db, settings, tx, domain.id)
    password_hash = None if driver.keeps_passwords else accepted(settings, body.password)
    fields = {**body.extra, "default_project_id": body.default_project_id}
    user_id = driver.create_user(body.name, body.enabled, body.password, fields)
    row = UserRow(
        user_id,
        body.name,
        domain.id,
        body.enabled,
        body.default_project_id,
        None,
        None,
        None,
        options,
        body.extra,
    )
    with db.write() as tx:
        row.last_active_at = None if driver.keeps_passwords else tx.now
        if password_hash is not None:
            row = msgspec.structs.replace(row, **compliance.set_by_other(tx, settings, options, password_hash))
        _forget_namesake(tx, caller, user_id)
        resources.add(tx, caller, row, _TAKEN)
        _link(tx, row, body.federated or ())
    return row


def _forget_namesake(tx: Tx, caller: Caller, user_id: str) -> None:
    """Who had gone from a directory before somebody was made there with the same id is somebody else."""
    stale = rows.find(tx, UserRow, user_id)
    if stale is not None:
        _forget(tx, caller, stale)


def update_user(db: Database, settings: Settings, caller: Caller, user: UserRow, body: UserUpdate) -> UserRow:
    """A new password ends the tokens that the user has; it or `enabled` ends a lock-out.

    Raises Conflict for the name, Forbidden for another domain, and what the domain's driver refuses.
    """
    resources.same_or_unset(user, body, "domain_id")
    wishes = resources.wishes(body, user)
    with db.read() as tx:
        must_not_outrank(tx, caller, user)
        _must_be_possible(tx, wishes.get("default_project_id"), wishes.get("options", user.options))
        driver = driver_for(db, settings, tx, user.domain_id)
    password_hash = None if driver.keeps_passwords else accepted(settings, wishes.get("password"))
    driver.update_user(user, wishes)
    with db.write() as tx:
        found = resources.find(tx, UserRow, user.id)
        must_not_outrank(tx, caller, found)
        values = resources.wishes(body, found)
        if "password" in values:
            del values["password"]
            compliance.remember(tx, settings, found)
            values |= {"password_hash": None, "tokens_valid_after": tx.now}
            if password_hash is not None:
                options = values.get("options", found.options)
                values |= compliance.set_by_other(tx, settings, options, password_hash)
        if "federated" in values:
            del values["federated"]
            federation.unlink(tx, user.id)
            _link(tx, user, body.federated or ())
        if values.get("enabled") and not driver.keeps_passwords:
            values["last_active_at"] = tx.now
        if values.get("enabled") or password_hash is not None:
            compliance_store.forget_failures(tx, user.id)
        return resources.change(tx, caller, found, values, _TAKEN)


def _link(tx: Tx, user: UserRow, wanted: Iterable[Federated]) -> None:
    """Let identity providers vouch for the user. Raises BadRequest for a protocol that is not there."""
    for provider in wanted:
        for one in provider.protocols:
            protocol = federation.protocol(tx, provider.idp_id, one.protocol_id)
            if protocol is None:
                raise BadRequest(f"Identity provider {provider.idp_id} has no protocol '{one.protocol_id}'.")
            federation.link(tx, protocol.id, one.unique_id, user.id)


def _must_be_possible(tx: Tx, default_project_id: str | None, options: Mapping[str, Any]) -> None:
    """A default project need not be there yet, but it must not be a domain. Raises BadRequest."""
    factors.must_be_known(options.get("multi_factor_auth_rules", ()))
    project = rows.find(tx, ProjectRow, default_project_id) if default_project_id else None
    if project is not None and project.is_domain:
        raise BadRequest(f"default_project_id {default_project_id} is a domain; it must be a project.")


def delete_user(db: Database, settings: Settings, caller: Caller, user: UserRow) -> None:
    """Raises what the domain's driver refuses."""
    with db.read() as tx:
        must_not_outrank(tx, caller, user)
        driver = driver_for(db, settings, tx, user.domain_id)
    driver.delete_user(user)
    with db.write() as tx:
        erase(tx, caller, resources.find(tx, UserRow, user.id))


def erase(tx: Tx, caller: Caller, user: UserRow) -> None:
    """Delete the row of a user and what was given to it, wherever else the user is. Raises Forbidden."""
    must_not_outrank(tx, caller, user)
    _forget(tx, caller, user)
    directory_store.forget(tx, user.id)


def _forget(tx: Tx, caller: Caller, user: UserRow) -> None:
    assignments.forget(tx, actor_type="user", actor_id=user.id)
    compliance_store.forget_failures(tx, user.id)
    resources.remove(tx, caller, user)


def change_password(db: Database, settings: Settings, caller: Caller, user_id: str, body: PasswordChange) -> None:
    """A user's own change, which needs no token: it may be needed to get one. Raises Unauthorized, BadRequest."""
    with db.read() as tx:
        user = rows.find(tx, UserRow, user_id)
        barred = compliance.is_locked(tx, settings, user) or user is None or not user.enabled
        driver = driver_for(db, settings, tx, user.domain_id if user else "")
    if user is not None and driver.keeps_passwords:
        _change_elsewhere(db, settings, caller, driver, user, body)
        return
    if not passwords.verify(user.password_hash if user else None, body.original_password) or barred:
        compliance.failed(db, settings, user)
        raise Unauthorized(REFUSED)
    assert user is not None
    _must_differ(user, body)
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


def _must_differ(user: UserRow, body: PasswordChange) -> None:
    if user.options.get("lock_password"):
        raise BadRequest(f"The password of user {user.id} is locked (option lock_password).")
    if body.password == body.original_password:
        raise BadRequest("The new password must differ from the old one.")


def _change_elsewhere(
    db: Database, settings: Settings, caller: Caller, driver: Driver, user: UserRow, body: PasswordChange
) -> None:
    """The same for a password that only the domain's driver knows."""
    with db.read() as tx:
        locked = compliance.is_locked(tx, settings, user)
    found = driver.sign_on(user, None, body.original_password)
    if found is None or not found.enabled or locked:
        compliance.failed(db, settings, user)
        raise Unauthorized(REFUSED)
    _must_differ(found, body)
    driver.update_user(found, {"password": body.password})
    with db.write() as tx:
        resources.change(tx, caller, resources.find(tx, UserRow, user.id), {"tokens_valid_after": tx.now})
