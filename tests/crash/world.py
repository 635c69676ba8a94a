"""A picture of a cloud that can be compared with that of another run: all rows, the hosts' files, the daemons' state.

Ids become names, times and addresses become words; what a restart alone changes is found by looking, not listed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

Row = dict[str, Any]
Rows = dict[str, dict[tuple[Any, ...], Row]]
"""table -> primary key -> row"""
Facts = Counter[str]

_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?![0-9a-f])")
_WORDS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?"), "TIME"),
    (re.compile(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b"), "MAC"),
    (re.compile(r"\b(10|172)\.\d+\.\d+\.\d+\b"), "ADDRESS"),
    (re.compile(r"\b(r|i|ami|instance|tap)-?[0-9a-f]{8}(-[0-9a-f]{2})?\b"), "NUMBER"),
    (re.compile(r"gAAAA[\w-]+=*|\d+:gAAAA[\w-]+=*"), "SEALED"),
    (re.compile(r"(?<![\w-])[\w-]{43}="), "KEY"),
)
UNLIKE = {
    "revision", "revision_number", "generation", "observed_generation", "deleting_revision", "digest", "number", "id_number",
    "boot_id", "hard_reboots", "reboots", "step", "log", "disks_made", "edition",
    "updated_at",
}  # fmt: skip
"""How often and when last something was looked at, tried, written or told: a run that was interrupted does so more often."""
MEASURED = {("compute_host", column) for column in ("used", "last_seen", "agent_url")}
"""(table, column) that a host says of itself and its machine."""
_SKIPPED_TABLES = {"core_lease", "core_migration", "core_note", "core_use"}


class Database:
    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        self._metadata = sa.MetaData()
        self._metadata.reflect(self._engine)

    def rows(self) -> Rows:
        """As of one moment."""
        found: Rows = {}
        with self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            for name, table in sorted(self._metadata.tables.items()):
                if name in _SKIPPED_TABLES:
                    continue
                keys = [column.name for column in table.primary_key] or [column.name for column in table.columns]
                rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                found[name] = {tuple(row[key] for key in keys): row for row in rows}
        return found


class Picture(NamedTuple):
    """Rows before an operation, and those that had been there before what it needs was made."""

    constant: Rows
    rows: Rows


class Names:
    """What ids are called: those that are there all the time by themselves, others by table, name and order."""

    def __init__(self, constant: Rows, *seen: Rows) -> None:
        rows = (row for table in constant.values() for row in table.values())
        self._constant = {
            value for row in rows for value in row.values() if isinstance(value, str) and _ID.fullmatch(value)
        }
        self._names: dict[str, str] = {}
        for rows in seen:
            for table, found in rows.items():
                self._learn(table, found)

    def _learn(self, table: str, rows: Mapping[tuple[Any, ...], Row]) -> None:
        for key, row in sorted(rows.items(), key=lambda each: (str(each[1].get("created_at")), each[0])):
            value = row.get("id", key[0])
            if not isinstance(value, str) or not _ID.fullmatch(value) or value in self._constant | self._names.keys():
                continue
            called = f"{table}:{row.get('name') or ''}"
            taken = sum(name.rsplit("#")[0] == called for name in self._names.values())
            self._names[value] = f"{called}#{taken + 1}"

    def text(self, text: str) -> str:
        def named(match: re.Match[str]) -> str:
            found = match[0]
            return found if found in self._constant else self._names.get(found, "ID")

        text = _ID.sub(named, text)
        for pattern, word in _WORDS:
            text = pattern.sub(word, text)
        return text

    def plain(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return "TIME"
        if isinstance(value, str):
            if value[:1] in "{[":
                try:
                    return self.plain(json.loads(value))
                except ValueError:
                    pass
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.plain(each) for key, each in value.items() if key not in UNLIKE}
        if isinstance(value, list | tuple):
            return [self.plain(each) for each in value]
        return value


Still = set[tuple[str, str]]
"""(table, column) that change where nothing is done."""


def changed_by_itself(before: Rows, after: Rows) -> Still:
    found: Still = {*MEASURED}
    for table, rows in after.items():
        for key, row in rows.items():
            old = before[table].get(key, {})
            found |= {(table, column) for column in old if old[column] != row[column]}
    return found


def difference(before: Rows, after: Rows, names: Names, still: Still) -> Facts:
    """What the time between has done to the rows, in words."""
    facts: Facts = Counter()
    for table, rows in after.items():
        olds = before[table]
        for key in rows.keys() - olds.keys():
            facts[f"+ {table} {_said(rows[key], names)}"] += 1
        for key in olds.keys() - rows.keys():
            facts[f"- {table} {_said(olds[key], names)}"] += 1
        for key in rows.keys() & olds.keys():
            row, old = rows[key], olds[key]
            new = {
                column: value
                for column, value in row.items()
                if value != old[column] and (table, column) not in still and column not in UNLIKE
            }
            if new:
                facts[f"~ {table} {names.plain(row.get('id', list(key)))} {_said(new, names)}"] += 1
    return facts


def _said(row: Row, names: Names) -> str:
    """Without its own id: who refers to it says its name."""
    return json.dumps(names.plain({column: value for column, value in row.items() if column != "id"}), sort_keys=True)


def files(state_dir: Path, names: Names) -> Facts:
    """What lies on the hosts' disks and in the image store: names, and contents where they are small."""
    facts: Facts = Counter()
    for folder in ("sim", "images", "instances"):
        for path in sorted((state_dir / folder).rglob("*")):
            if path.is_file():
                facts[f"file {names.text(str(path.relative_to(state_dir)))}: {_content(path, names)}"] += 1
    return facts


def _content(path: Path, names: Names) -> str:
    try:
        if path.suffix != ".json" or path.name == "ledger.json":
            return "" if path.suffix == ".json" else str(path.stat().st_size)
        return json.dumps(names.plain(json.loads(path.read_bytes())), sort_keys=True)
    except FileNotFoundError:
        return "gone"


def unlike(wanted: Facts, found: Facts) -> list[str]:
    """What is missing and what is too much, in words; of two facts that are much alike, only where they differ."""
    missing, much = sorted((wanted - found).elements()), sorted((found - wanted).elements())
    said = []
    for fact in missing:
        others = [other for other in much if _head(other) == _head(fact)]
        if not others:
            said.append(f"missing: {fact}")
            continue
        other = max(others, key=lambda other: len(_parts(other) & _parts(fact)))
        much.remove(other)
        lost, new = _parts(fact) - _parts(other), _parts(other) - _parts(fact)
        said.append(
            f"{_head(fact)}: {', '.join(sorted(new)) or 'nothing'}, instead of {', '.join(sorted(lost)) or 'nothing'}"
        )
    return said + [f"too much: {fact}" for fact in much]


def _head(fact: str) -> str:
    return " ".join(fact.split()[:2])


def _parts(fact: str) -> set[str]:
    return set(fact.split(", "))


__all__ = [
    "Database",
    "Facts",
    "Names",
    "Picture",
    "Rows",
    "Still",
    "changed_by_itself",
    "difference",
    "files",
    "unlike",
]
