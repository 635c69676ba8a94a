"""Statements that are built once and executed often: straight to the driver, with what SQLAlchemy made of them.

For each execution SQLAlchemy looks its statement up and makes a context and a result, which takes three times as long as
the driver itself. PostgreSQL is asked by libpq's own call (`core/libpq.py`), SQLite by a cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from typing import Any, NamedTuple, Protocol, TypeVarTuple, cast
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect, IteratorResult, Result
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable

Of = TypeVarTuple("Of")
Convert = Callable[[Any], Any]


class Found(NamedTuple):
    """As the driver gives it."""

    rows: Sequence[Sequence[Any]]
    kinds: Sequence[Any]
    """The columns' types, as the driver names them."""
    changed: int


class Driver(Protocol):
    """How statements with parameters by their place reach a database. Raises the errors of its DB-API."""

    def execute(self, connection: Connection, sql: str, values: Sequence[Any]) -> Found: ...

    def execute_many(self, connection: Connection, sql: str, many: Sequence[Sequence[Any]]) -> None: ...

    def command(self, connection: Connection, sql: str) -> None:
        """What begins or ends a transaction."""


class Outcome(NamedTuple):
    names: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    changed: int
    """How many rows a change has met."""

    def result(self) -> Result[Any]:
        return IteratorResult(SimpleResultMetaData(self.names), iter(self.rows))


class Built:
    """One statement for one dialect."""

    def __init__(self, statement: Any, dialect: Dialect, columns: Sequence[str] | None = None) -> None:
        """`columns`: the parameters of an INSERT or UPDATE without values of its own."""
        compiled: Any = statement.compile(dialect=_writing(dialect), column_keys=columns)
        self.is_whole = not compiled.post_compile_params and not compiled.literal_execute_params
        """Whether its text is the same for all values; that of `IN` with as many as are given is not."""
        self._sql = str(compiled)
        self._order: list[str] = compiled.positiontup or []
        self._driver = driver(dialect.name)
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._encode = {
            name: convert
            for name, bind in compiled.binds.items()
            if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        shown = list(statement.exported_columns)
        self._names = tuple(str(column.key) for column in shown)
        self._types = [column.type for column in shown]
        self._dialect = dialect
        self._decode: list[tuple[int, Convert]] | None = None
        self._errors = dialect.loaded_dbapi.Error

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Outcome:
        """Raises DBAPIError as SQLAlchemy would."""
        plain = self._plain(values)
        self._tell(connection, plain, False)
        found = ask(connection, self._sql, plain)
        return Outcome(self._names, self._decoded(found), found.changed)

    def run_many(self, connection: Connection, many: Sequence[Mapping[str, Any]]) -> None:
        """A change with each of these values. Raises as `run` does."""
        plain = [self._plain(values) for values in many]
        self._tell(connection, plain, True)
        try:
            self._driver.execute_many(connection, self._sql, plain)
        except self._errors as error:
            raise told(connection, self._sql, error) from error

    def _plain(self, values: Mapping[str, Any]) -> list[Any]:
        """The parameters as the driver takes them."""
        given = {**self._fixed, **values}
        for name, encode in self._encode.items():
            given[name] = encode(given[name])
        return [given[name] for name in self._order]

    def _tell(self, connection: Connection, plain: Any, many: bool) -> None:
        """Who listens to an engine's statements hears these too."""
        for listener in connection.dispatch.before_cursor_execute:
            listener(connection, None, self._sql, plain, None, many)

    def _decoded(self, found: Found) -> Sequence[Sequence[Any]]:
        if not self._names:
            return ()
        if self._decode is None:
            self._decode = self._converts(found.kinds)
        if not self._decode:
            return found.rows
        rows = [list(row) for row in found.rows]
        for place, decode in self._decode:
            for row in rows:
                row[place] = decode(row[place])
        return rows

    def _converts(self, kinds: Sequence[Any]) -> list[tuple[int, Convert]]:
        """How the driver's values of some types become ours, by column."""
        found = [
            ours.dialect_impl(self._dialect).result_processor(self._dialect, kind)
            for ours, kind in zip(self._types, kinds, strict=True)
        ]
        return [(place, convert) for place, convert in enumerate(found) if convert is not None]


def ask(connection: Connection, sql: str, values: Sequence[Any]) -> Found:
    """What a text gives, with its parameters by their place. Raises DBAPIError."""
    try:
        return driver(connection.dialect.name).execute(connection, sql, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise told(connection, sql, error) from error


def told(connection: Connection, sql: str, error: Exception) -> DBAPIError:
    """A driver's error as SQLAlchemy tells it, which learns of a connection that is gone."""
    dialect, cursor = connection.dialect, cast(Any, None)
    gone = dialect.is_disconnect(error, connection.connection.dbapi_connection, cursor)  # type: ignore[arg-type]
    if gone:
        connection.exec_driver_sql("SELECT 1")  # fails too, and so the pool learns of it
    told = DBAPIError.instance(sql, None, error, dialect.loaded_dbapi.Error, True, gone, dialect)
    assert isinstance(told, DBAPIError)
    return told


class _Cursors:
    """The driver of SQLite."""

    def execute(self, connection: Connection, sql: str, values: Sequence[Any]) -> Found:
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(sql, values)
            if cursor.description is None:
                return Found((), (), cursor.rowcount)
            return Found(cursor.fetchall(), [column[1] for column in cursor.description], cursor.rowcount)

    def execute_many(self, connection: Connection, sql: str, many: Sequence[Sequence[Any]]) -> None:
        with closing(connection.connection.cursor()) as cursor:
            cursor.executemany(sql, many)

    def command(self, connection: Connection, sql: str) -> None:
        self.execute(connection, sql, ())


@cache
def driver(dialect: str) -> Driver:
    if dialect == "postgresql":
        from pileus.core import libpq  # psycopg takes as long to import as the rest of core

        return libpq.Libpq()
    return _Cursors()


def _writing(dialect: Dialect) -> Dialect:
    """How its statements are written: with parameters by their place."""
    if dialect.name != "postgresql":
        return dialect
    from sqlalchemy.dialects import postgresql

    found: Dialect = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    return found


_known: dict[str, WeakKeyDictionary[Any, Built]] = {}


def built(statement: Executable, dialect: Dialect) -> Built:
    """What is known of a statement that will come again: it is kept as long as the statement is."""
    known = _known.setdefault(dialect.name, WeakKeyDictionary())
    found = known.get(statement)
    if found is None:
        found = known[statement] = Built(statement, dialect)
    return found


def _once(make: Callable[[Dialect, *Of], Built]) -> Callable[[Dialect, *Of], Built]:
    """There are as many as tables, and ways to write to them."""
    known: dict[tuple[Any, ...], Built] = {}

    def found(dialect: Dialect, *of: *Of) -> Built:
        key = (dialect.name, *of)
        if key not in known:
            known[key] = make(dialect, *of)
        return known[key]

    return found


@_once
def insert(dialect: Dialect, table: sa.Table, columns: tuple[str, ...], new: bool) -> Built:
    """`new`: nothing is done where a row with one of its unique keys is there."""
    statement: Any = dialect_insert(dialect.name)(table).on_conflict_do_nothing() if new else table.insert()
    return Built(statement.inline(), dialect, columns)


@_once
def upsert(dialect: Dialect, table: sa.Table, key: tuple[str, ...], columns: tuple[str, ...]) -> Built:
    """INSERT, or UPDATE of `columns` where a row with the key is there."""
    statement = dialect_insert(dialect.name)(table).inline()
    if columns:
        news = {name: statement.excluded[name] for name in columns}
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=news)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    return Built(statement, dialect, (*key, *columns))


@_once
def change(dialect: Dialect, table: sa.Table, columns: tuple[str, ...]) -> Built:
    """UPDATE of the row whose `id` is the parameter `key`."""
    return Built(table.update().where(table.c.id == sa.bindparam("key")), dialect, columns)


def dialect_insert(name: str) -> Any:
    if name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    return insert
