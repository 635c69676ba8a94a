"""Every row of identity that is a resource: find, list, write. A write moves the identity revision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from pileus.core import paging
from pileus.core.db import Tx, new_hex_id
from pileus.services.identity import tables
from pileus.services.identity.types.base import Pairs, Row

R = TypeVar("R", bound=Row)
T = TypeVar("T")
_MARK = str(sa.select(tables.revision.c.mark))
_NO = frozenset({"0", "false", "f", "no", "n", "off"})


def mark(tx: Tx) -> str:
    """The identity revision: another text after every change of anything that tokens are computed from; "" before the first."""
    found: str | None = tx.memo.get("identity mark")
    if found is None:
        found = tx.memo["identity mark"] = tx.quick_scalar(_MARK) or ""
    return found


def touch(tx: Tx) -> None:
    """Make every token computed so far be computed again, in every process."""
    if not tx.memo.setdefault("identity touched", False):
        tx.memo["identity touched"] = True
        tx.memo.pop("identity mark", None)
        tx.upsert(tables.revision, {"id": 1}, {"mark": new_hex_id()})
        tx.wake("identity")


def is_touched(tx: Tx) -> bool:
    """Whether this transaction has changed identity: what is computed in it may change again before its commit."""
    return bool(tx.memo.get("identity touched"))


def once(tx: Tx, key: object, ask: Callable[[], T]) -> T:
    """A reading transaction sees one moment, so it asks for each thing once."""
    if tx.writable:
        return ask()
    if key not in tx.memo:
        tx.memo[key] = ask()
    known: T = tx.memo[key]
    return known


def find(tx: Tx, kind: type[R], row_id: str) -> R | None:
    def ask() -> R | None:
        found = tx.execute(_by_id(kind), {"row_id": row_id}).first()
        return None if found is None else kind(*found)

    return once(tx, (kind, row_id), ask)


def know(tx: Tx, row: Row) -> None:
    """Let `find` take a row that was read before, at the revision that there still is."""
    tx.memo[type(row), row.id] = row


@cache
def _by_id(kind: type[Row]) -> sa.Select[Any]:
    """Built once: to build a statement takes longer than to run it."""
    columns = kind.__table__.c
    assert tuple(columns.keys()) == kind.__struct_fields__, f"{kind.__name__} must have the columns in their order"
    return sa.select(kind.__table__).where(columns.id == sa.bindparam("row_id"))


def where(tx: Tx, kind: type[R], *conditions: sa.ColumnElement[bool], **equal: Any) -> list[R]:
    """By name; `equal` are columns and their values."""
    columns = kind.__table__.c
    same = [columns[name] == value for name, value in equal.items()]
    order = columns.name if "name" in columns else columns.id
    return tx.rows(kind, sa.select(kind.__table__).where(*conditions, *same).order_by(order, columns.id))


def page(
    tx: Tx, kind: type[R], pairs: Pairs, *conditions: sa.ColumnElement[bool], **within: Any
) -> tuple[list[R], str | None]:
    """The rows that a query asks for, and the marker of the next page where there is one.

    `within` are columns and their values; None means any.
    """
    columns = kind.__table__.c
    same = [columns[name] == value for name, value in within.items() if value is not None]
    query = dict(pairs)
    limit = paging.limit_of(query["limit"]) if query.get("limit") else None
    sorts = paging.sorts_of(
        [value for key, value in pairs if key == "sort_key"],
        [value for key, value in pairs if key == "sort_dir"],
        ["id", *kind.__filters__],
    )
    statement = sa.select(kind.__table__).where(*conditions, *same, *filters(kind, pairs))
    default = [paging.Sort("name" if "name" in columns else "id")]
    wanted = paging.Page(None if limit is None else limit + 1, query.get("marker"), sorts)
    rows = tx.long_rows(kind, paging.paged(tx, statement, wanted, dict(columns), columns.id, default))
    if limit is None or len(rows) <= limit:
        return rows, None
    return rows[:limit], rows[limit - 1].id if limit else None


def filters(kind: type[Row], pairs: Pairs) -> list[sa.ColumnElement[bool]]:
    """name=x, name__contains=x, enabled=false, ... for the columns that the resource can be filtered by."""
    found: list[sa.ColumnElement[bool]] = []
    for key, value in pairs:
        name, _, comparison = key.partition("__")
        if name not in kind.__filters__:
            continue
        column = kind.__table__.c[name]
        if isinstance(column.type, sa.Boolean):
            found.append(column == sa.literal(value.lower() not in _NO))
        else:
            test = _COMPARISONS.get(comparison)
            if test is not None:
                found.append(test(column, value))
    return found


_COMPARISONS: Mapping[str, Any] = {
    "": lambda column, text: column == text,
    "contains": lambda column, text: column.contains(text, autoescape=True),
    "startswith": lambda column, text: column.startswith(text, autoescape=True),
    "endswith": lambda column, text: column.endswith(text, autoescape=True),
    "iexact": lambda column, text: sa.func.lower(column) == text.lower(),
    "icontains": lambda column, text: column.icontains(text, autoescape=True),
    "istartswith": lambda column, text: column.istartswith(text, autoescape=True),
    "iendswith": lambda column, text: column.iendswith(text, autoescape=True),
}


def insert(tx: Tx, row: Row, conflict: str | None = None) -> None:
    touch(tx)
    tx.insert(row.__table__, row, conflict)


def update(tx: Tx, row: R, values: Mapping[str, Any], conflict: str | None = None) -> R:
    """The row as it is afterwards."""
    touch(tx)
    if values:
        tx.update(row.__table__, row.__table__.c.id == row.id, values, conflict)
    return msgspec.structs.replace(row, **values)


def delete(tx: Tx, row: Row) -> None:
    touch(tx)
    tx.delete(row.__table__, row.__table__.c.id == row.id)
