"""The database: engine, read() and write() transactions, after-commit wake-ups. The only file that knows the SQL dialect."""

from __future__ import annotations

import sqlite3
import threading
import time
import typing
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql import Executable, Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from pileus.core import built
from pileus.core.errors import Conflict

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of all services."""

S = TypeVar("S", bound=msgspec.Struct)
Id = sa.String(64)
Time = sa.DateTime()
"""Naive UTC."""


class Json(TypeDecorator[Any]):
    """Any JSON value, stored as text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else msgspec.json.decode(value)


def new_id() -> str:
    """A dashed UUID, as all services but identity use."""
    return str(uuid.uuid4())


def new_hex_id() -> str:
    """A UUID without dashes, as identity uses."""
    return uuid.uuid4().hex


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


_HOLD = sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.bindparam("name", type_=sa.Text), 0)))


class Waker(Protocol):
    def signal(self, topics: Iterable[str]) -> None: ...


class Tx:
    """One transaction. Statements go through it; nobody but dispatch and the reconcilers opens or commits one."""

    def __init__(self, take: Callable[[], Connection], begin: str | None, writable: bool) -> None:
        self._take, self._begin, self.writable = take, begin, writable
        self.taken: Connection | None = None
        """Its connection, once something was asked."""
        self._has_begun = False
        self.now = now()
        self.topics: dict[str, None] = {}
        self.memo: dict[Any, Any] = {}
        """What was computed once for this transaction; gone with it."""

    @property
    def connection(self) -> Connection:
        """Begins the transaction where it has not begun yet."""
        return self.begin()

    def begin(self) -> Connection:
        connection = self._taken()
        if not self._has_begun:
            if self._begin is not None:
                _command(connection, self._begin)
            connection.begin()
            self._has_begun = True
        return connection

    def commit(self) -> None:
        """Ends what has begun. Where that fails SQLAlchemy would give the connection back with its transaction still open."""
        if self.taken is None:
            return
        try:
            if self._has_begun and self._begin is not None:
                _command(self.taken, "COMMIT")
            self.taken.commit()
        except DBAPIError:
            self.roll_back()
            raise

    def roll_back(self) -> None:
        if self.taken is not None:
            self.taken.rollback()
            self._has_begun = False

    def _taken(self) -> Connection:
        if self.taken is None:
            self.taken = self._take()
        return self.taken

    def execute(self, statement: Executable, values: Any = None) -> Any:
        """`values` are of a statement that was built once."""
        quick = self._quickly(statement, values)
        return quick.result() if quick is not None else self.connection.execute(statement, values)

    def rows(self, kind: type[S], statement: Select[Any], values: Mapping[str, Any] | None = None) -> list[S]:
        """The rows as structs; the columns are matched by name, quickest where they are its first fields. `values` are of a statement that was built once."""
        quick = self._quickly(statement, values)
        if quick is not None:
            names, found, _ = quick
        else:
            result = self.connection.execute(statement, values)
            names, found = tuple(result.keys()), result.all()
        if names == kind.__struct_fields__[: len(names)]:
            return [kind(*row) for row in found]
        return [kind(**dict(zip(names, row, strict=True))) for row in found]

    def long_rows(self, kind: type[S], statement: Select[Any], values: Mapping[str, Any] | None = None) -> list[S]:
        """As `rows`, for many and wide ones, whose columns are the struct's first, none of them bytes or a float.

        SQLite makes one JSON of each: to decode that takes half the time that its driver takes for the single values.
        """
        if self.connection.dialect.name != "sqlite":
            return self.rows(kind, statement, values)
        columns = statement.selected_columns
        as_json = sa.func.json_array(*(sa.func.json(c) if isinstance(c.type, Json) else c for c in columns))
        found = self.scalars(statement.with_only_columns(as_json, maintain_column_froms=True), values)
        return [kind(*row) for row in _decoder(kind, tuple(columns.keys())).decode(f"[{','.join(found)}]")]

    def _quickly(self, statement: Executable, values: Any) -> built.Outcome | None:
        """None, and nothing done, where only SQLAlchemy can: the text is given, or depends on the values."""
        if not isinstance(values, Mapping) or isinstance(statement, sa.TextClause):
            return None
        connection = self.connection
        found = built.built(statement, connection.dialect)
        return found.run(connection, values) if found.is_whole else None

    def tuples(self, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """What a statement that was built once finds, as the driver gives it: for rows of two or three columns."""
        return built.built(statement, self.connection.dialect).run(self.connection, values).rows

    def row(self, kind: type[S], statement: Select[Any], values: Mapping[str, Any] | None = None) -> S | None:
        found = self.rows(kind, statement, values)
        return found[0] if found else None

    def scalar(self, statement: Executable) -> Any:
        return self.connection.execute(statement).scalar()

    def quick_scalar(self, sql: str) -> Any:
        """The first value that a fixed statement without parameters gives, past SQLAlchemy: for what every request asks.

        Asked first, it stands before a reading transaction's snapshot: many requests need no more than it.
        """
        rows = built.ask(self._taken(), sql, ()).rows
        return rows[0][0] if rows else None

    def scalars(self, statement: Executable, values: Mapping[str, Any] | None = None) -> list[Any]:
        return list(self.connection.execute(statement, values).scalars().all())

    def insert(self, table: sa.Table, values: msgspec.Struct | Mapping[str, Any], conflict: str | None = None) -> None:
        """Raises Conflict with the sentence `conflict` (formatted with the values) where a unique constraint is hit."""
        plain = _plain(values)
        with _told(conflict, plain):
            self._insert(table, plain, new=False)

    def insert_new(self, table: sa.Table, values: msgspec.Struct | Mapping[str, Any]) -> bool:
        """False, and nothing changed, where a row with one of its unique keys is there (or was just committed)."""
        return self._insert(table, _plain(values), new=True) > 0

    def _insert(self, table: sa.Table, values: dict[str, Any], new: bool) -> int:
        """How many rows there are more."""
        connection = self.connection
        return built.insert(connection.dialect, table, tuple(values), new).run(connection, values).changed

    def insert_all(self, table: sa.Table, rows: Sequence[msgspec.Struct | Mapping[str, Any]]) -> None:
        if len(rows) == 1:
            self._insert(table, _plain(rows[0]), new=False)
        elif rows:
            many = [_plain(row) for row in rows]
            connection = self.connection
            built.insert(connection.dialect, table, tuple(many[0]), False).run_many(connection, many)

    def change(self, table: sa.Table, row_id: str, values: Mapping[str, Any], conflict: str | None = None) -> int:
        """`update` of the row with that `id`, quicker: to plain values."""
        connection = self.connection
        quick = built.change(connection.dialect, table, tuple(values))
        with _told(conflict, values):
            return quick.run(connection, {**values, "key": row_id}).changed

    def update(
        self, table: sa.Table, where: sa.ColumnElement[bool], values: Mapping[str, Any], conflict: str | None = None
    ) -> int:
        """How many rows were changed; with `where` as condition this is compare-and-set."""
        with _told(conflict, values):
            return int(self.connection.execute(table.update().where(where).values(**values)).rowcount)

    def delete(self, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
        return int(self.connection.execute(table.delete().where(where)).rowcount)

    def upsert(self, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Insert the row, or update it where the key (primary or unique) exists."""
        connection = self.connection
        built.upsert(connection.dialect, table, tuple(key), tuple(values)).run(connection, {**key, **values})

    def database_time(self) -> datetime:
        """What the clock says that all processes share: the database's own, naive UTC."""
        if self.connection.dialect.name == "sqlite":
            return now()
        found: datetime = self.scalar(sa.select(sa.func.timezone("utc", sa.func.clock_timestamp())))
        return found

    def hold(self, name: str) -> None:
        """Until the end of the transaction, nobody else gets past this for the same name."""
        if self.connection.dialect.name == "postgresql":  # SQLite has one writer
            self.execute(_HOLD, {"name": name})

    def wake(self, topic: str) -> None:
        """After commit, whoever waits for `topic` looks again."""
        self.topics[topic] = None


@cache
def _decoder(kind: type[msgspec.Struct], names: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Of many rows with the first fields of a struct; SQLite writes 0 and 1 for false and true."""
    assert names == kind.__struct_fields__[: len(names)], f"{kind.__name__} must begin with the columns in their order"
    hints = typing.get_type_hints(kind, include_extras=True)
    row: Any = tuple[tuple(hints[name] for name in names)]  # type: ignore[misc]
    return msgspec.json.Decoder(list[row], strict=False)


def _command(connection: Connection, sql: str) -> None:
    """Begin or end a transaction, past all that SQLAlchemy does but its errors. Raises DBAPIError."""
    try:
        built.driver(connection.dialect.name).command(connection, sql)
    except connection.dialect.loaded_dbapi.Error as error:
        raise built.told(connection, sql, error) from error


@contextmanager
def _told(conflict: str | None, values: Mapping[str, Any]) -> Iterator[None]:
    """Raises Conflict with that sentence, formatted with the values, where a unique constraint is hit."""
    try:
        yield
    except IntegrityError as error:
        if conflict is None or not is_unique_violation(error):
            raise
        raise Conflict(conflict.format(**values)) from None


def _plain(values: msgspec.Struct | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(values, msgspec.Struct):
        return {name: getattr(values, name) for name in values.__struct_fields__}
    return dict(values)


def is_unique_violation(error: IntegrityError) -> bool:
    code = getattr(error.orig, "sqlstate", None)
    return code == "23505" if code else "UNIQUE constraint" in str(error.orig) or "PRIMARY KEY" in str(error.orig)


def is_reference_violation(error: IntegrityError) -> bool:
    code = getattr(error.orig, "sqlstate", None)
    return code == "23503" if code else "FOREIGN KEY constraint" in str(error.orig)


def is_transient(error: DBAPIError) -> bool:
    """Serialisation failures and lost connections: the same transaction may succeed when run again."""
    code = getattr(error.orig, "sqlstate", None)
    return code in ("40001", "40P01") or error.connection_invalidated


class Uncertain(DBAPIError):
    """The connection was lost while a commit was under way: it has happened or not, and must not be tried again unseen."""


_AWAY = frozenset({None, "53300", "57P01", "57P02", "57P03"})
"""SQLSTATEs of a PostgreSQL that has no connection to give, or ends, or starts; none: it could not be reached."""


def is_away(error: SQLAlchemyError) -> bool:
    """Whether the database could not be asked, rather than that it refused something."""
    if isinstance(error, PoolTimeout | Uncertain):
        return True
    if not isinstance(error, DBAPIError):
        return False
    known = hasattr(error.orig, "sqlstate")
    return error.connection_invalidated or (
        known and isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", "") in _AWAY
    )


NOTICED: Mapping[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 4000,
    "options": "-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=2 -c tcp_user_timeout=4000",
}
"""What libpq is told so that both ends notice within some 4 s that the other is gone without a word.

By default PostgreSQL takes two hours: for so long a machine whose power was cut would keep its locks.
"""
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_FRESH = 1.0
"""Seconds for which a connection that worked is taken to work still: to ask costs a round trip."""


class Database:
    """`url` as SQLAlchemy writes it: sqlite:////path/pileus.db or postgresql+psycopg://..."""

    def __init__(self, url: str, waker: Waker | None = None, pool_size: int = 24) -> None:
        self.url = url
        self.waker = waker
        self.is_sqlite = url.startswith("sqlite")
        self._writer = threading.Lock()
        options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 16, "pool_timeout": 30}
        # the connection used last is the next: its statements are prepared, its server process is warm
        options["pool_use_lifo"] = True
        # drivers begin no transaction by themselves: read() and write() do
        if self.is_sqlite:
            options["connect_args"] = {"isolation_level": None, "check_same_thread": False, "timeout": 30}
        else:
            own = NOTICED.keys() - sa.make_url(url).query.keys()
            # those that come often are prepared by core/libpq.py; psycopg forgets all that are prepared at each rollback
            ways = {"autocommit": True, "prepare_threshold": None}
            options["connect_args"] = ways | {name: NOTICED[name] for name in own}
        self.engine: Engine = sa.create_engine(url, hide_parameters=True, **options)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
        else:
            event.listen(self.engine, "checkin", _note_return)
            event.listen(self.engine, "checkout", _must_be_alive)

    @contextmanager
    def read(self, consistent: bool = True) -> Iterator[Tx]:
        """Takes a connection, and begins, when something is asked: many requests ask nothing, or one thing that is kept.

        `consistent`: all that is asked sees one moment. Without it each statement sees its own, and two round trips are
        saved: for who asks for few rows, and would notice a change between them by a revision that was read first.
        """
        begin = "BEGIN" if self.is_sqlite else _BEGIN_READING
        tx = Tx(self.engine.connect, begin if consistent else None, writable=False)
        try:
            yield tx
        except DBAPIError:
            tx.roll_back()
            raise
        finally:
            if tx.taken is not None:
                with tx.taken as connection:
                    if connection.invalidated:
                        tx.roll_back()
                    else:
                        tx.commit()

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """One transaction that commits at the end of the block and rolls back on any exception."""
        tx = None
        try:
            with self._one_writer(), self.engine.connect() as connection:
                try:
                    # on PostgreSQL it begins at its first statement: each of BEGIN and COMMIT takes a round trip
                    tx = Tx(lambda: connection, "BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN", writable=True)
                    if self.is_sqlite:
                        tx.begin()
                    yield tx
                except BaseException:
                    connection.rollback()
                    raise
                _commit(tx)
        except Uncertain:
            self._wake(tx)
            raise
        self._wake(tx)

    def _wake(self, tx: Tx | None) -> None:
        """Whoever waits for what the transaction has changed, or may have."""
        if tx is not None and tx.topics and self.waker is not None:
            self.waker.signal(tx.topics)

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        """SQLite has one writer: threads of this process queue here, fairly, instead of at the file."""
        if not self.is_sqlite:
            yield
            return
        with self._writer:
            yield

    def create_tables(self) -> None:
        with self.write() as tx:
            metadata.create_all(tx.connection)

    def close(self) -> None:
        self.engine.dispose()


def _commit(tx: Tx) -> None:
    """Raises Uncertain where nobody can say whether it has happened."""
    try:
        tx.commit()
    except DBAPIError as error:
        if is_away(error):
            raise Uncertain(None, None, error.orig or error, hide_parameters=True) from error
        raise


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "cache_size=-2000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _note_return(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["returned"] = time.monotonic()


def _must_be_alive(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """A connection that was not used for a while may be gone: then the pool makes another."""
    if time.monotonic() - record.info.get("returned", time.monotonic()) < _FRESH:
        return
    try:
        connection.execute("SELECT 1")
        connection.commit()
    except connection.OperationalError:
        raise DisconnectionError from None


def among(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """column IN :ids, for a statement that is built once and executed with {"ids": [texts]}, however many: building costs more than asking."""
    return _Among(column, sa.bindparam("ids", type_=_Texts()))


class _Texts(TypeDecorator[Any]):
    """Many texts as one value: an array, or JSON for SQLite, which has none."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(sa.ARRAY(sa.Text) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        ids = list(value)
        return ids if dialect.name == "postgresql" else msgspec.json.encode(ids).decode()


class _Among(FunctionElement[bool]):
    inherit_cache = True
    type = sa.Boolean()

    def self_group(self, against: Any = None) -> Any:
        """A condition as it is: SQLAlchemy would write `= 1` after it for SQLite, which then takes no index."""
        return self


@compiles(_Among)
def _among(element: _Among, compiler: SQLCompiler, **more: Any) -> str:
    column, ids = (compiler.process(each, **more) for each in element.clauses)
    if compiler.dialect.name == "postgresql":
        return f"{column} = ANY ({ids})"
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 (both are parts that SQLAlchemy made)


def matches(column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """column = v for one value, column IN (...) for several."""
    return column == values[0] if len(values) == 1 else column.in_(values)


__all__ = [
    "Database",
    "Id",
    "Json",
    "Time",
    "Tx",
    "among",
    "matches",
    "metadata",
    "new_hex_id",
    "new_id",
    "now",
]
