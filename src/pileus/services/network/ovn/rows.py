"""Rows of an OVSDB database as plain values: what is, what should be, and the difference of the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

Key = tuple[str, str]
"""A table's name, and the row's name in that table: the Pileus id, with a suffix where one id makes several rows."""

IDENTITY = "pileus"
"""The key in external_ids that holds a row's name. Rows without it are not ours."""

CHILDREN: Mapping[str, str] = {
    "Logical_Switch.ports": "Logical_Switch_Port",
    "Logical_Switch.dns_records": "DNS",
    "Logical_Switch_Port.dhcpv4_options": "DHCP_Options",
    "Logical_Switch_Port.dhcpv6_options": "DHCP_Options",
    "Logical_Router.ports": "Logical_Router_Port",
    "Logical_Router.nat": "NAT",
    "Logical_Router.static_routes": "Logical_Router_Static_Route",
    "Logical_Router_Port.gateway_chassis": "Gateway_Chassis",
    "Port_Group.ports": "Logical_Switch_Port",
    "Port_Group.acls": "ACL",
}
"""The columns that refer to other rows of ours, with the table they refer to."""


class Row(msgspec.Struct):
    """One row. A column that is not there is empty; sets are frozensets. `refs` holds names of other rows."""

    table: str
    name: str
    columns: dict[str, Any]
    refs: dict[str, set[str]] = {}

    def refer(self, column: str, row: Row) -> None:
        self.refs.setdefault(column, set()).add(row.name)


class Rows(dict[Key, Row]):
    def add(self, table: str, name: str, /, **columns: Any) -> Row:
        """A new row; empty values are the same as none."""
        columns["external_ids"] = {IDENTITY: name}
        row = Row(table, name, {column: value for column, value in columns.items() if not is_empty(value)})
        self[table, name] = row
        return row


def is_empty(value: Any) -> bool:
    """False and 0 are values; None, empty text, sets and maps are not."""
    return value is None or (not value and not isinstance(value, int))


class Update(msgspec.Struct):
    """What changes in a row that stays: None empties a column."""

    table: str
    name: str
    columns: dict[str, Any]
    refer: dict[str, set[str]]
    forget: dict[str, set[str]]


class Changes(msgspec.Struct):
    """Inserted rows carry their refs; references to deleted rows are forgotten by updates of those that stay."""

    insert: list[Row]
    update: list[Update]
    delete: list[Key]

    def __bool__(self) -> bool:
        return bool(self.insert or self.update or self.delete)

    def count(self) -> dict[str, int]:
        return {"inserted": len(self.insert), "updated": len(self.update), "deleted": len(self.delete)}


def diff(actual: Mapping[Key, Row], desired: Mapping[Key, Row]) -> Changes:
    """What makes `actual` the same as `desired`."""
    changes = Changes([], [], [key for key in actual if key not in desired])
    for key, row in desired.items():
        before = actual.get(key)
        if before is None:
            changes.insert.append(row)
        elif before.columns != row.columns or before.refs != row.refs:
            changes.update.append(_update(before, row))
    return changes


def _update(before: Row, after: Row) -> Update:
    columns = {name: value for name, value in after.columns.items() if before.columns.get(name) != value}
    columns |= {name: None for name in before.columns if name not in after.columns}
    return Update(
        table=after.table,
        name=after.name,
        columns=columns,
        refer=_more(after.refs, before.refs),
        forget=_more(before.refs, after.refs),
    )


def _more(refs: Mapping[str, set[str]], than: Mapping[str, set[str]]) -> dict[str, set[str]]:
    more = {column: names - than.get(column, set()) for column, names in refs.items()}
    return {column: names for column, names in more.items() if names}


def applied(changes: Changes, rows: Mapping[Key, Row]) -> Rows:
    """`rows` after the changes: what a database that holds `rows` holds afterwards."""
    after = Rows({key: row for key, row in rows.items() if key not in set(changes.delete)})
    for update in changes.update:
        before = after[update.table, update.name]
        columns = {**before.columns, **update.columns}
        refs = {
            column: before.refs.get(column, set()) - update.forget.get(column, set()) | update.refer.get(column, set())
            for column in {*before.refs, *update.refer}
        }
        after[update.table, update.name] = Row(
            update.table,
            update.name,
            {name: value for name, value in columns.items() if value is not None},
            {column: names for column, names in refs.items() if names},
        )
    for row in changes.insert:
        after[row.table, row.name] = row
    return after
