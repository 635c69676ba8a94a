"""Makes the northbound database hold what it should: compare, then change what differs in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import msgspec

from pileus.services.network.ovn.ovsdb import Database, NoAnswer
from pileus.services.network.ovn.rows import (
    CHILDREN,
    IDENTITY,
    Changes,
    Key,
    Row,
    Rows,
    Update,
    diff,
    is_empty,
)

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "ACL": ("action", "direction", "match", "priority"),
    "Address_Set": ("addresses", "name"),
    "DHCP_Options": ("cidr", "options"),
    "DNS": ("records",),
    "Gateway_Chassis": ("chassis_name", "name", "priority"),
    "Logical_Router": ("enabled", "name", "nat", "options", "ports", "static_routes"),
    "Logical_Router_Port": (
        "enabled", "gateway_chassis", "ipv6_ra_configs", "mac", "name", "networks", "options",
    ),
    "Logical_Router_Static_Route": ("ip_prefix", "nexthop", "output_port"),
    "Logical_Switch": ("dns_records", "name", "ports"),
    "Logical_Switch_Port": (
        "addresses", "dhcpv4_options", "dhcpv6_options", "enabled", "name", "options", "port_security", "tag", "type",
    ),
    "NAT": ("external_ip", "logical_ip", "type"),
    "Port_Group": ("acls", "name", "ports"),
}  # fmt: skip
"""The tables and columns that Pileus writes, beside external_ids; it owns them in its rows."""

_UNIQUE_NAMES = ("Address_Set", "Gateway_Chassis", "Logical_Router_Port", "Logical_Switch_Port", "Port_Group")


class _Seen(msgspec.Struct):
    """A row of the database, converted. `refs` are still the other rows' numbers."""

    source: Any
    row: Row
    refs: dict[str, list[UUID]]


class _Unique:
    """Names that only one row of a table can have: a row that stands where we want one becomes ours, whatever it says."""

    def __init__(self, desired: Rows) -> None:
        self._desired = desired
        self._names: dict[Key, str] = {}

    def wanted(self, table: str, source: Any) -> str | None:
        """The row that we want to have this row's name."""
        if table not in _UNIQUE_NAMES:
            return None
        if not self._names:
            rows = (row for row in self._desired.values() if row.table in _UNIQUE_NAMES)
            self._names = {(row.table, row.columns["name"]): row.name for row in rows}
        return self._names.get((table, source.name))


class Northbound:
    """`connection` as Open vSwitch's tools take it: unix:/path, tcp:address:port, ssl:address:port."""

    def __init__(self, connection: str) -> None:
        tables = {table: (*columns, "external_ids") for table, columns in COLUMNS.items()}
        self._db = Database(connection, "OVN_Northbound", {**tables, "NB_Global": ("nb_cfg", "sb_cfg", "hv_cfg")})
        self._seen: dict[UUID, _Seen] = {}
        self._sources: dict[Key, Any] = {}

    def differences(self, desired: Rows) -> Changes:
        """What would make our rows those. Raises OSError."""
        self._db.refresh()
        return diff(self._actual(desired), desired)

    def synchronise(self, desired: Rows) -> Changes:
        """Make our rows those. Foreign rows stay, also where rows of ours refer to them. Raises OSError."""
        changes = self.differences(desired)
        if changes:
            self._db.commit(lambda transaction: self._write(transaction, changes))
        return changes

    def configuration(self) -> int:
        """The number of the last change."""
        return int(self._global().nb_cfg)

    def in_place(self, configuration: int, patience: float) -> bool:
        """Wait until every host has that change in its flows; False after `patience` seconds without."""
        try:
            self._db.wait_until(lambda: self._global().hv_cfg >= configuration, patience)
        except NoAnswer:
            return False
        return True

    def translated(self, configuration: int) -> bool:
        """The change is in the southbound database, where hosts take it from."""
        return bool(self._global().sb_cfg >= configuration)

    def close(self) -> None:
        self._db.close()

    def _global(self) -> Any:
        return next(iter(self._db.rows("NB_Global").values()))

    def _actual(self, desired: Rows) -> Rows:
        """Our rows as they are; a second row of the same name is ours too, under a name that nobody desires."""
        unique = _Unique(desired)
        seen = {source.uuid: self._look(source, unique) for source in self._all()}
        self._db.changed.clear()
        self._seen = {number: found for number, found in seen.items() if found is not None}
        actual = Rows()
        self._sources = {}
        names: dict[UUID, str] = {}
        for number, found in self._seen.items():
            row = found.row
            if (row.table, row.name) in actual:
                row = Row(row.table, f"{row.name}#{number}", row.columns)
            names[number] = row.name
            actual[row.table, row.name] = row
            self._sources[row.table, row.name] = found.source
        for number, found in self._seen.items():
            if found.refs:
                row = actual[found.row.table, names[number]]
                refs = {column: {names[n] for n in numbers if n in names} for column, numbers in found.refs.items()}
                row.refs = {column: members for column, members in refs.items() if members}
        return actual

    def _all(self) -> Iterator[Any]:
        for table in COLUMNS:
            yield from self._db.rows(table).values()

    def _look(self, source: Any, unique: _Unique) -> _Seen | None:
        """The row converted, from memory if it did not change; None if it is not ours."""
        found = self._seen.get(source.uuid)
        if found and found.source is source and source.uuid not in self._db.changed:
            return found
        table = source._table.name
        name = source.external_ids.get(IDENTITY) or unique.wanted(table, source)
        if name is None:
            return None
        row, refs = Row(table, name, {}), {}
        types = self._db.columns(table)
        for column in (*COLUMNS[table], "external_ids"):
            value = source._data[column].to_python(lambda number, _: number)
            if f"{table}.{column}" in CHILDREN:
                refs[column] = value
            elif not is_empty(value := _plain(types[column], value)):
                row.columns[column] = value
        return _Seen(source, row, refs)

    def _write(self, transaction: Any, changes: Changes) -> None:
        sources = dict(self._sources)
        for row in changes.insert:
            source = sources[row.table, row.name] = transaction.insert(self._db.table(row.table))
            for column, value in row.columns.items():
                setattr(source, column, _raw(value))
        for row in changes.insert:
            for column, names in row.refs.items():
                table = CHILDREN[f"{row.table}.{column}"]
                setattr(sources[row.table, row.name], column, [sources[table, name] for name in names])
        for update in changes.update:
            self._update(update, sources)
        for key in changes.delete:
            sources[key].delete()
        self._global().increment("nb_cfg")

    def _update(self, update: Update, sources: Mapping[Key, Any]) -> None:
        source = sources[update.table, update.name]
        types = self._db.columns(update.table)
        for column, value in update.columns.items():
            setattr(source, column, _emptied(types[column]) if value is None else _raw(value))
        for column in {*update.refer, *update.forget}:
            table = CHILDREN[f"{update.table}.{column}"]
            refer = [sources[table, name] for name in update.refer.get(column, ())]
            if types[column].n_max == 1:
                setattr(source, column, refer)
                continue
            for child in refer:
                source.addvalue(column, child)
            for name in update.forget.get(column, ()):
                source.delvalue(column, sources[table, name])


def _plain(kind: Any, value: Any) -> Any:
    """As `Rows` has it: optional values are values or None, sets are frozensets."""
    if kind.is_map():
        return value
    if kind.is_optional():
        return value[0] if value else None
    return frozenset(value) if kind.is_set() else value


def _raw(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def _emptied(kind: Any) -> Any:
    if kind.is_map():
        return {}
    return [] if kind.is_set() or kind.is_optional() else ""
