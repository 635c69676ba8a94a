"""Groups and who is in them."""

from __future__ import annotations

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.errors import NotFound
from pileus.services.identity.drivers import Look, driver_for
from pileus.services.identity.rules import resources
from pileus.services.identity.rules.assignments import found_domain, must_not_outrank
from pileus.services.identity.rules.targets import home_domain
from pileus.services.identity.store import assignments, rows
from pileus.services.identity.store import directory as directory_store
from pileus.services.identity.store import users as store
from pileus.services.identity.types.users import GroupCreate, GroupRow, GroupUpdate, UserRow

_TAKEN = "There is a group '{name}' in this domain already."


def create(db: Database, settings: Settings, caller: Caller, body: GroupCreate) -> GroupRow:
    """Raises Conflict for the name, NotFound for the domain, and what its driver refuses."""
    with db.read() as tx:
        domain = found_domain(tx, home_domain(caller, body.domain_id))
        driver = driver_for(db, settings, tx, domain.id)
    description = body.description or ""
    group_id = driver.create_group(body.name, {**body.extra, "description": description})
    row = GroupRow(group_id, body.name, domain.id, description, body.extra)
    with db.write() as tx:
        stale = rows.find(tx, GroupRow, group_id)
        if stale is not None:
            _erase(tx, caller, stale)
        return resources.add(tx, caller, row, _TAKEN)


def update(db: Database, settings: Settings, caller: Caller, group: GroupRow, body: GroupUpdate) -> GroupRow:
    """Raises Conflict for the name, Forbidden for another domain, and what the domain's driver refuses."""
    resources.same_or_unset(group, body, "domain_id")
    with db.read() as tx:
        driver = driver_for(db, settings, tx, group.domain_id)
    driver.update_group(group, resources.wishes(body, group))
    with db.write() as tx:
        found = resources.find(tx, GroupRow, group.id)
        values = resources.wishes(body, found)
        if "description" in values:
            values["description"] = values["description"] or ""
        return resources.change(tx, caller, found, values, _TAKEN)


def delete(db: Database, settings: Settings, caller: Caller, group: GroupRow) -> None:
    """Raises what the domain's driver refuses."""
    with db.read() as tx:
        must_not_outrank(tx, caller, group)
        driver = driver_for(db, settings, tx, group.domain_id)
    driver.delete_group(group)
    with db.write() as tx:
        must_not_outrank(tx, caller, group)
        _erase(tx, caller, resources.find(tx, GroupRow, group.id))
        directory_store.forget(tx, group.id)


def _erase(tx: Tx, caller: Caller, group: GroupRow) -> None:
    assignments.forget(tx, actor_type="group", actor_id=group.id)
    resources.remove(tx, caller, group)


def add_member(db: Database, settings: Settings, caller: Caller, group: GroupRow, user: UserRow) -> None:
    """Raises what the group's driver refuses."""
    with db.read() as tx:
        must_not_outrank(tx, caller, group)
        driver = driver_for(db, settings, tx, group.domain_id)
    driver.add_member(group, user)
    with db.write() as tx:
        must_not_outrank(tx, caller, group)
        store.add_member(tx, group.id, user.id)


def remove_member(db: Database, settings: Settings, caller: Caller, group: GroupRow, user: UserRow) -> None:
    """Raises NotFound for who is not in it, and what the group's driver refuses."""
    with db.read() as tx:
        must_not_outrank(tx, caller, group)
        driver = driver_for(db, settings, tx, group.domain_id)
    driver.look(Look("group", group.id))
    with db.read() as tx:
        must_be_member(tx, group, user)
    driver.remove_member(group, user)
    with db.write() as tx:
        must_not_outrank(tx, caller, group)
        store.remove_member(tx, group.id, user.id)


def must_be_member(tx: Tx, group: GroupRow, user: UserRow) -> None:
    """Raises NotFound."""
    if not store.is_member(tx, group.id, user.id):
        raise NotFound(f"User {user.id} is not in group {group.id}.")
