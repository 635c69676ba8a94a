"""Users and groups of a domain that are in an LDAP directory, and the rows that stand for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pileus.core.db import Database
from pileus.core.errors import BadRequest, NotFound
from pileus.services.identity.drivers.ldap_directory import Directory
from pileus.services.identity.drivers.mirror import Mirror
from pileus.services.identity.drivers.protocol import Look
from pileus.services.identity.store import directory as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.directory import Entry, EntryRow, Kind, public_id
from pileus.services.identity.types.domain_config import LdapOptions
from pileus.services.identity.types.users import GroupRow, UserRow

E = TypeVar("E", bound=Entry)
_directories: dict[str, tuple[LdapOptions, Directory]] = {}
"""By domain, with the options that they were made for: they keep connections."""
_lock = threading.Lock()


def _directory(domain_id: str, options: LdapOptions) -> Directory:
    with _lock:
        known = _directories.get(domain_id)
        if known is not None and known[0] == options:
            return known[1]
        if known is not None:
            known[1].close()
        made = Directory(domain_id, options)
        _directories[domain_id] = (options, made)
        return made


class LdapDriver:
    keeps_passwords = True

    def __init__(self, db: Database, domain_id: str, options: LdapOptions) -> None:
        self._db, self._domain_id = db, domain_id
        self._directory = _directory(domain_id, options)
        self._mirror = Mirror(db, domain_id, self._directory.fields)

    # -- what is there

    def look(self, what: Look) -> bool:
        if what.id is not None:
            return self._look_at_one(what.kind, what.id)
        known = self._entries(what.kind, what.name)
        asked = [entry.id for entry in known]
        renamed = [entry.local_id for entry in known] if what.name is not None else []
        if what.kind == "user":
            return self._mirror.users(self._named_or_known(self._directory.users, what.name, renamed), asked)
        return self._mirror.groups(self._named_or_known(self._directory.groups, what.name, renamed), asked)

    @staticmethod
    def _named_or_known(ask: Callable[..., list[E]], name: str | None, local_ids: list[str]) -> list[E]:
        """Those of a name, and those who were known by it: they may have another one now."""
        found = {entry.local_id: entry for entry in ask(name)}
        others = [local_id for local_id in local_ids if local_id not in found]
        return [*found.values(), *(ask(ids=others) if others else ())]

    def _look_at_one(self, kind: Kind, row_id: str) -> bool:
        """Raises NotFound for what was in the directory and is not any more."""
        entry = self._known(row_id)
        if entry is None:
            return False
        changed = self._look_at_user(entry) if kind == "user" else self._look_at_group(entry)
        self._present(row_id, kind)
        return changed

    def _look_at_user(self, entry: EntryRow) -> bool:
        found = self._directory.users(ids=[entry.local_id])
        changed = self._mirror.users(found, asked=[entry.id])
        for user in found:
            changed = self._look_at_groups_of(entry.id, user.handle) or changed
        return changed

    def _look_at_groups_of(self, user_id: str, handle: str) -> bool:
        groups = self._directory.groups(member=handle)
        changed = self._mirror.groups(groups)
        return self._mirror.groups_of(user_id, groups) or changed

    def _look_at_group(self, entry: EntryRow) -> bool:
        found = self._directory.groups(ids=[entry.local_id])
        changed = self._mirror.groups(found, asked=[entry.id])
        for group in found:
            strangers = self._directory.users_named(self._mirror.strangers(group.members))
            changed = self._mirror.users(strangers) or changed
            changed = self._mirror.members(entry.id, group.members) or changed
        return changed

    def visit(self) -> None:
        users, groups = self._entries("user"), self._entries("group")
        self._mirror.users(
            self._directory.users(ids=[entry.local_id for entry in users]), [entry.id for entry in users]
        )
        found = self._directory.groups(ids=[entry.local_id for entry in groups])
        self._mirror.groups(found, [entry.id for entry in groups])
        for group in found:
            self._mirror.members(public_id(self._domain_id, "group", group.local_id), group.members)

    def sign_on(self, user: UserRow | None, name: str | None, password: str) -> UserRow | None:
        entry = self._known(user.id) if user is not None else None
        found = self._directory.sign_on(password, name, entry.local_id if entry is not None else None)
        if found is None:
            return None
        user_id = public_id(self._domain_id, "user", found.local_id)
        self._mirror.users([found])
        if self._known(user_id) is None:
            return None
        self._look_at_groups_of(user_id, found.handle)
        with self._db.read() as tx:
            return rows.find(tx, UserRow, user_id)

    def _entries(self, kind: Kind, name: str | None = None) -> list[EntryRow]:
        with self._db.read() as tx:
            return store.entries(tx, self._domain_id, kind, name)

    def _known(self, row_id: str) -> EntryRow | None:
        with self._db.read() as tx:
            return store.entry(tx, row_id)

    # -- changes

    def create_user(self, name: str, enabled: bool, password: str | None, fields: Mapping[str, Any]) -> str:
        return self._note("user", self._directory.create_user(name, enabled, password, fields))

    def update_user(self, user: UserRow, values: Mapping[str, Any]) -> None:
        changes = self._of_directory("user", user, values, ("name", "enabled", "password"))
        if changes:
            self._directory.update_user(self._local_id(user), changes)

    def delete_user(self, user: UserRow) -> None:
        entry = self._known(user.id)
        if entry is not None and not entry.gone:
            self._directory.delete_user(entry.local_id)

    def create_group(self, name: str, fields: Mapping[str, Any]) -> str:
        return self._note("group", self._directory.create_group(name, fields))

    def update_group(self, group: GroupRow, values: Mapping[str, Any]) -> None:
        changes = self._of_directory("group", group, values, ("name",))
        if changes:
            self._directory.update_group(self._local_id(group), changes)

    def delete_group(self, group: GroupRow) -> None:
        entry = self._known(group.id)
        if entry is not None and not entry.gone:
            self._directory.delete_group(entry.local_id)

    def add_member(self, group: GroupRow, user: UserRow) -> None:
        self._directory.add_member(self._local_id(group), self._local_id(user))

    def remove_member(self, group: GroupRow, user: UserRow) -> None:
        self._directory.remove_member(self._local_id(group), self._local_id(user))

    def _note(self, kind: Kind, local_id: str) -> str:
        """The id of what was just made."""
        row_id = public_id(self._domain_id, kind, local_id)
        handle = self._directory.handle(kind, local_id)
        with self._db.write() as tx:
            store.put(tx, EntryRow(row_id, kind, self._domain_id, local_id, handle, gone=False))
        return row_id

    def _of_directory(
        self, kind: Kind, row: UserRow | GroupRow, values: Mapping[str, Any], always: tuple[str, ...]
    ) -> dict[str, Any]:
        """Of the values that change, those that the directory has."""
        given = {**values.get("extra", {}), **values}
        own = {name: given[name] for name in (*always, *self._directory.fields[kind]) if name in given}
        now = {**row.extra, **{name: getattr(row, name) for name in row.__struct_fields__}}
        return {name: value for name, value in own.items() if name == "password" or value != now.get(name)}

    def _local_id(self, row: UserRow | GroupRow) -> str:
        """Raises NotFound, BadRequest."""
        if row.domain_id != self._domain_id:
            raise BadRequest(
                f"The {row.__noun__} {row.id} is of domain {row.domain_id}; groups of domain {self._domain_id} are in a "
                "directory and have members from there alone."
            )
        return self._present(row.id, row.__noun__).local_id

    def _present(self, row_id: str, noun: str) -> EntryRow:
        entry = self._known(row_id)
        if entry is None or entry.gone:
            raise NotFound(f"Could not find {noun}: the directory of domain {self._domain_id} does not have {row_id}.")
        return entry
