"""Which users and groups are in a directory, and the rows that stand for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import sqlalchemy as sa

from pileus.core.db import Tx, matches
from pileus.services.identity.store import rows
from pileus.services.identity.tables import directory_entries, groups, memberships, users
from pileus.services.identity.types.base import Row
from pileus.services.identity.types.directory import EntryRow, Kind

R = TypeVar("R", bound=Row)
_c = directory_entries.c
_TABLES = {"user": users, "group": groups}


def entry(tx: Tx, row_id: str) -> EntryRow | None:
    return tx.row(EntryRow, sa.select(directory_entries).where(_c.id == row_id))


def entries(tx: Tx, domain_id: str, kind: Kind, name: str | None = None) -> list[EntryRow]:
    """All, or those whose rows have the name."""
    statement = sa.select(directory_entries).where(_c.domain_id == domain_id, _c.kind == kind)
    if name is not None:
        t = _TABLES[kind].c
        statement = statement.where(_c.id.in_(sa.select(t.id).where(t.domain_id == domain_id, t.name == name)))
    return tx.rows(EntryRow, statement)


def entries_by_id(tx: Tx, ids: Sequence[str]) -> dict[str, EntryRow]:
    found = tx.rows(EntryRow, sa.select(directory_entries).where(matches(_c.id, ids))) if ids else []
    return {each.id: each for each in found}


def rows_by_id(tx: Tx, kind: type[R], ids: Sequence[str]) -> dict[str, R]:
    found = rows.where(tx, kind, matches(kind.__table__.c.id, ids)) if ids else []
    return {each.id: each for each in found}


def others_named(tx: Tx, kind: type[R], domain_id: str, names: Mapping[str, str]) -> list[R]:
    """Rows of a domain that have one of the names though it is another's. `names`: whose each is."""
    if not names:
        return []
    found = rows.where(tx, kind, matches(kind.__table__.c.name, list(names)), domain_id=domain_id)
    return [row for row in found if names[row.name] != row.id]  # type: ignore[attr-defined]


def put(tx: Tx, wanted: EntryRow) -> None:
    values = {name: getattr(wanted, name) for name in wanted.__struct_fields__ if name != "id"}
    tx.upsert(directory_entries, {"id": wanted.id}, values)


def forget(tx: Tx, row_id: str) -> None:
    tx.delete(directory_entries, _c.id == row_id)


def present(kind: Kind) -> sa.ColumnElement[bool]:
    """A condition on users or groups: those that have not gone from a directory."""
    return _TABLES[kind].c.id.not_in(sa.select(_c.id).where((_c.kind == kind) & _c.gone))


def has_others(tx: Tx, domain_id: str) -> bool:
    """Whether the domain has a user or a group that no directory has."""
    known = sa.select(_c.id).where(_c.domain_id == domain_id)
    others = [sa.select(t.c.id).where((t.c.domain_id == domain_id) & t.c.id.not_in(known)) for t in _TABLES.values()]
    return any(tx.scalar(found.limit(1)) is not None for found in others)


def disable_users(tx: Tx, domain_id: str) -> None:
    """All that came from the domain's directory."""
    rows.touch(tx)
    tx.update(users, users.c.id.in_(sa.select(_c.id).where(_c.domain_id == domain_id)), {"enabled": False})


def users_with_handles(tx: Tx, domain_id: str, handles: Collection[str]) -> dict[str, str]:
    """Ids of users by what groups of the domain's directory name them; of those that are there and known."""
    of_domain = (_c.domain_id == domain_id) & (_c.kind == "user") & sa.not_(_c.gone)
    found: dict[str, str] = {}
    every = list(handles)
    for start in range(0, len(every), 500):
        some = matches(_c.handle, every[start : start + 500])
        found |= dict(tx.execute(sa.select(_c.handle, _c.id).where(of_domain, some)).all())
    return found


def members(tx: Tx, group_id: str) -> list[str]:
    return tx.scalars(sa.select(memberships.c.user_id).where(memberships.c.group_id == group_id))


def groups_of(tx: Tx, domain_id: str, user_id: str) -> list[str]:
    """Ids of the groups of the domain's directory that have the user, as far as rows know."""
    there = sa.select(_c.id).where((_c.domain_id == domain_id) & (_c.kind == "group"))
    mine = (memberships.c.user_id == user_id) & memberships.c.group_id.in_(there)
    return tx.scalars(sa.select(memberships.c.group_id).where(mine))
