"""Rows that stand for what is in a directory, brought in line with what was just read there.

Nothing is written where nothing has changed. What is no longer there keeps its row, disabled, and what was granted to it: a
wrong filter for an hour must not cost anybody their roles. Deleting it here takes all that away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import msgspec
import structlog

from pileus.core.db import Database, Tx
from pileus.services.identity.store import directory as store
from pileus.services.identity.store import rows
from pileus.services.identity.store import users as user_store
from pileus.services.identity.types.directory import Entry, EntryRow, GroupEntry, Kind, UserEntry, public_id
from pileus.services.identity.types.users import GroupRow, UserRow

log = structlog.get_logger("pileus.ldap")
AT_ONCE = 500
"""Entries in one transaction: others want to write too."""
Row = UserRow | GroupRow
ROWS: dict[Kind, type[Row]] = {"user": UserRow, "group": GroupRow}
Pair = tuple[str, str]
"""Group and user."""
T = TypeVar("T")


class Changes(msgspec.Struct):
    """What rows lack."""

    new: list[tuple[EntryRow, Row]]
    changed: list[tuple[Row, dict[str, Any]]]
    entries: list[EntryRow]
    """New ones, moved ones, those that came back and those that have gone."""
    displaced: list[Row]
    """They have a name that another has now."""

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.entries)


class Mirror:
    def __init__(self, db: Database, domain_id: str, fields: Mapping[Kind, frozenset[str]]) -> None:
        self._db, self._domain_id = db, domain_id
        self.fields = fields
        """Of a user or a group: those that the directory has, and nobody else."""

    def users(self, found: Sequence[UserEntry], asked: Collection[str] = ()) -> bool:
        return self._bring("user", found, asked)

    def groups(self, found: Sequence[GroupEntry], asked: Collection[str] = ()) -> bool:
        return self._bring("group", found, asked)

    def _bring(self, kind: Kind, found: Sequence[Entry], asked: Collection[str]) -> bool:
        """Whether rows changed. Of the ids that were `asked` for, those that were not found have gone."""
        there = {public_id(self._domain_id, kind, entry.local_id): entry for entry in found}
        changed = [self._done(partial(self._differences, kind=kind, pairs=part)) for part in _parts(there.items())]
        gone = [self._done(partial(self._gone, kind=kind, ids=part)) for part in _parts(set(asked) - set(there))]
        return any(changed) or any(gone)

    def _done(self, compare: Callable[[Tx], Changes]) -> bool:
        with self._db.read() as tx:
            if not compare(tx):
                return False
        with self._db.write() as tx:
            self._write(tx, compare(tx))
        return True

    def _differences(self, tx: Tx, kind: Kind, pairs: Sequence[tuple[str, Entry]]) -> Changes:
        found = dict(pairs)
        known = store.entries_by_id(tx, list(found))
        present = store.rows_by_id(tx, ROWS[kind], list(found))
        names = {entry.name: row_id for row_id, entry in found.items()}
        others = store.others_named(tx, ROWS[kind], self._domain_id, names)
        ours = store.entries_by_id(tx, [row.id for row in others])
        taken = {row.name for row in others if row.id not in ours}
        changes = Changes([], [], [], [row for row in others if row.id in ours])
        for row_id, entry in found.items():
            if entry.name in taken:
                log.warning("a name of a directory is taken here", domain=self._domain_id, kind=kind, id=entry.local_id)
                continue
            wanted = EntryRow(row_id, kind, self._domain_id, entry.local_id, entry.handle, gone=False)
            row = present.get(row_id)
            if row is None:
                changes.new.append((wanted, self._row(row_id, entry)))
                continue
            if known.get(row_id) != wanted:
                changes.entries.append(wanted)
            values = self._values(entry, row)
            differing = {name: value for name, value in values.items() if getattr(row, name) != value}
            if differing:
                changes.changed.append((row, differing))
        return changes

    def _gone(self, tx: Tx, kind: Kind, ids: Sequence[str]) -> Changes:
        known = [entry for entry in store.entries_by_id(tx, ids).values() if not entry.gone]
        users = store.rows_by_id(tx, UserRow, [entry.id for entry in known]) if kind == "user" else {}
        disabled: list[tuple[Row, dict[str, Any]]] = [
            (row, {"enabled": False}) for row in users.values() if row.enabled
        ]
        return Changes([], disabled, [msgspec.structs.replace(entry, gone=True) for entry in known], [])

    def _write(self, tx: Tx, changes: Changes) -> None:
        for row in changes.displaced:
            rows.update(tx, row, {"name": row.id})
        for entry, row in changes.new:
            if tx.insert_new(row.__table__, row):
                store.put(tx, entry)
        for row, values in changes.changed:
            rows.update(tx, row, values)
        for entry in changes.entries:
            store.put(tx, entry)
            if entry.gone and entry.kind == "group":
                for user_id in store.members(tx, entry.id):
                    user_store.remove_member(tx, entry.id, user_id)

    def _row(self, row_id: str, entry: Entry) -> Row:
        if isinstance(entry, UserEntry):
            project_id = entry.default_project_id
            return UserRow(
                row_id, entry.name, self._domain_id, entry.enabled, project_id, None, None, None, {}, entry.extra
            )
        assert isinstance(entry, GroupEntry)
        return GroupRow(row_id, entry.name, self._domain_id, entry.description, entry.extra)

    def _values(self, entry: Entry, row: Row) -> dict[str, Any]:
        own = self.fields["user" if isinstance(entry, UserEntry) else "group"]
        extra = {name: value for name, value in row.extra.items() if name not in own} | entry.extra
        found: dict[str, Any] = {"name": entry.name, "extra": extra}
        if isinstance(entry, UserEntry):
            found["enabled"] = entry.enabled
            if "default_project_id" in own:
                found["default_project_id"] = entry.default_project_id
        elif isinstance(entry, GroupEntry):
            found["description"] = entry.description
        return found

    # -- memberships

    def strangers(self, handles: Collection[str]) -> list[str]:
        """Those of the handles that no user is known by."""
        with self._db.read() as tx:
            return sorted(set(handles) - set(store.users_with_handles(tx, self._domain_id, handles)))

    def members(self, group_id: str, handles: Collection[str]) -> bool:
        """Whether rows changed; those who are not known yet become members when they are."""
        return self._join_and_leave(
            lambda tx: {(group_id, user_id) for user_id in store.members(tx, group_id)},
            lambda tx: {
                (group_id, user_id) for user_id in store.users_with_handles(tx, self._domain_id, handles).values()
            },
        )

    def groups_of(self, user_id: str, groups: Sequence[GroupEntry]) -> bool:
        ids = [public_id(self._domain_id, "group", group.local_id) for group in groups]
        return self._join_and_leave(
            lambda tx: {(group_id, user_id) for group_id in store.groups_of(tx, self._domain_id, user_id)},
            lambda tx: {(group_id, user_id) for group_id in ids},
        )

    def _join_and_leave(self, now: Callable[[Tx], set[Pair]], wanted: Callable[[Tx], set[Pair]]) -> bool:
        with self._db.read() as tx:
            if now(tx) == wanted(tx):
                return False
        with self._db.write() as tx:
            is_so, shall_be = now(tx), wanted(tx)
            for pair in shall_be - is_so:
                user_store.add_member(tx, *pair)
            for pair in is_so - shall_be:
                user_store.remove_member(tx, *pair)
        return True


def _parts(items: Iterable[T]) -> Iterator[list[T]]:
    every = iter(items)
    while part := list(islice(every, AT_ONCE)):
        yield part
