"""Lists: limit, marker, sort and filter as data. Keys are declared, never interpolated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql import Select

from pileus.core.db import Tx
from pileus.core.errors import BadRequest

MAX = 1000


class Sort(msgspec.Struct, frozen=True):
    key: str
    descending: bool = False


class Page(msgspec.Struct, frozen=True):
    """What of a list is wanted. `marker` is the id of the last item of the page before."""

    limit: int | None = None
    marker: str | None = None
    sorts: tuple[Sort, ...] = ()
    backwards: bool = False


def limit_of(text: str | None, maximum: int = MAX) -> int:
    """Raises BadRequest unless `text` is a whole number of at least 0; more than the maximum gives the maximum."""
    if text is None:
        return maximum
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise BadRequest(f"limit must be a whole number of 0 or more, got '{text[:64]}'.")
    return min(int(text), maximum)


def sorts_of(
    keys: Sequence[str], directions: Sequence[str], allowed: Sequence[str], default: str = "asc"
) -> tuple[Sort, ...]:
    """Pairs of sort keys and directions; missing directions repeat the last one given."""
    if len(directions) > len(keys):
        raise BadRequest(f"There are {len(directions)} sort directions for {len(keys)} sort keys.")
    found = []
    for index, key in enumerate(keys):
        direction = directions[index] if index < len(directions) else (directions[-1] if directions else default)
        if key not in allowed:
            raise BadRequest(f"'{key[:64]}' is not a sort key here; possible are {', '.join(sorted(allowed))}.")
        if direction not in ("asc", "desc"):
            raise BadRequest(f"A sort direction is 'asc' or 'desc', got '{direction[:64]}'.")
        found.append(Sort(key, direction == "desc"))
    return tuple(found)


def paged(
    tx: Tx,
    statement: Select[Any],
    page: Page,
    columns: Mapping[str, sa.ColumnElement[Any]],
    id_column: sa.ColumnElement[Any],
    default: Sequence[Sort],
    missing: str = "The marker '{marker}' was not found.",
) -> Select[Any]:
    """`statement` in the page's order, from after its marker, of at most its limit.

    Keyset paging: the marker's own sort values are compared, NULLs sorting first. Raises BadRequest for an unknown marker.
    """
    sorts = [*(page.sorts or default)]
    order = [(columns[s.key], s.descending != page.backwards) for s in sorts]
    order.append((id_column, (sorts[-1].descending if sorts else False) != page.backwards))
    if page.marker is not None:
        inner = sa.select(*[column.label(f"m{i}") for i, (column, _) in enumerate(order)]).where(
            id_column == page.marker
        )
        found = tx.execute(inner).first()
        if found is None:
            raise BadRequest(missing.format(marker=page.marker[:64]))
        statement = statement.where(_after(order, tuple(found)))
    for column, descending in order:
        statement = statement.order_by(column.desc().nulls_last() if descending else column.asc().nulls_first())
    return statement.limit(page.limit) if page.limit is not None else statement


def _after(order: Sequence[tuple[sa.ColumnElement[Any], bool]], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """(c1 > v1) or (c1 = v1 and c2 > v2) or ..., with NULL before all values."""
    alternatives = []
    for index, (column, descending) in enumerate(order):
        value = values[index]
        if value is None:
            beyond: sa.ColumnElement[bool] = sa.false() if descending else column.is_not(None)
        elif descending:
            beyond = sa.or_(column < value, column.is_(None))
        else:
            beyond = column > value
        same = [c.is_(None) if v is None else c == v for (c, _), v in zip(order[:index], values[:index], strict=True)]
        alternatives.append(sa.and_(*same, beyond))
    return sa.or_(*alternatives)
