"""Lists of any noun: what a caller sees of it, filtered, sorted and cut into pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa

from pileus.core.db import Json, Time, Tx, matches
from pileus.core.errors import BadRequest
from pileus.core.paging import Page, Sort, paged
from pileus.services.network.tables import tags

R = TypeVar("R", bound=msgspec.Struct)
Condition = Callable[[Sequence[str], str | None], sa.ColumnElement[bool]]
"""(values asked for, the caller's project) -> which rows have one of them."""


class Collection(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """A noun's table, and the names under which its columns can be asked for."""

    table: sa.Table
    row: type[R]
    seen_by: Callable[[str | None], sa.ColumnElement[bool]]
    """What a project sees that is not an administrator's."""
    columns: Mapping[str, sa.ColumnElement[Any]]
    """Attribute -> column, to sort and filter by."""
    conditions: Mapping[str, Condition] = {}
    """Attributes that are no columns, to filter by."""


def columns_of(table: sa.Table, **other_names: str) -> dict[str, sa.ColumnElement[Any]]:
    """All plain columns by the API's names; `other_names`: column -> attribute where they differ."""
    found: dict[str, sa.ColumnElement[Any]] = {
        other_names.get(column.name, column.name): column
        for column in table.columns
        if not isinstance(column.type, Json)
    }
    if "project_id" in found:
        found["tenant_id"] = found["project_id"]
    return found


def listed(
    tx: Tx,
    collection: Collection[R],
    project_id: str | None,
    everything: bool,
    filters: Mapping[str, Sequence[str]],
    page: Page,
) -> list[R]:
    """The rows of a page in the order that was asked for. Raises BadRequest for a filter or marker that is not known."""
    table = collection.table
    statement = sa.select(table)
    if not everything:
        statement = statement.where(collection.seen_by(project_id))
    for name, values in filters.items():
        statement = statement.where(_condition(collection, name, values, project_id))
    default = [Sort("created_at")] if "created_at" in collection.columns else []
    rows = tx.rows(
        collection.row,
        paged(tx, statement, page, collection.columns, table.c.id, default, "Marker {marker} not found."),
    )
    return rows[::-1] if page.backwards else rows


def _condition(
    collection: Collection[Any], name: str, values: Sequence[str], project_id: str | None
) -> sa.ColumnElement[bool]:
    if name in collection.conditions:
        return collection.conditions[name](values, project_id)
    if name in _TAG_FILTERS:
        return _tagged(collection.table.c.id, name, [tag for text in values for tag in text.split(",") if tag])
    column = collection.columns.get(name)
    if column is None or isinstance(column.type, Time.__class__):
        known = sorted({*collection.columns, *collection.conditions})
        raise BadRequest(f"'{name[:64]}' is not an attribute to filter by; possible are {', '.join(known)}.")
    return equals(column, values, name)


_TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")


def _tagged(id_column: sa.ColumnElement[Any], name: str, wanted: Sequence[str]) -> sa.ColumnElement[bool]:
    if not wanted:
        return sa.true()
    having = sa.select(tags.c.resource_id).where(matches(tags.c.tag, wanted))
    if not name.endswith("any"):
        having = having.group_by(tags.c.resource_id).having(sa.func.count() == len(set(wanted)))
    return id_column.not_in(having) if name.startswith("not") else id_column.in_(having)


def equals(column: sa.ColumnElement[Any], values: Sequence[str], name: str) -> sa.ColumnElement[bool]:
    """Whether the column has one of the values, which are texts of a query."""
    if isinstance(column.type, sa.Boolean):
        return column.in_([flag(value, name) for value in values])
    if isinstance(column.type, sa.Integer):
        return column.in_([_whole(value, name) for value in values])
    given = [value for value in values if value != ""]
    found = column.in_(given) if given else sa.false()
    return found if len(given) == len(values) else sa.or_(found, column.is_(None), column == "")


def flag(text: str, name: str) -> bool:
    lower = text.lower()
    if lower not in ("true", "false", "1", "0"):
        raise BadRequest(f"'{text[:64]}' cannot be converted to boolean, for the filter {name}.")
    return lower in ("true", "1")


def has(condition: sa.ColumnElement[bool], values: Sequence[str], name: str) -> sa.ColumnElement[bool]:
    """`condition` or its opposite, as the values of a boolean filter ask for."""
    wanted = {flag(value, name) for value in values}
    if len(wanted) == 2:
        return sa.true()
    return condition if True in wanted else sa.not_(condition)


def _whole(text: str, name: str) -> int:
    try:
        found = int(text)
    except ValueError:
        found = 1 << 31
    if abs(found) >= 1 << 31:
        raise BadRequest(f"'{text[:64]}' is not a whole number, for the filter {name}.")
    return found
