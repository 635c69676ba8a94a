"""`pileus database move`: a cloud outgrows its SQLite file and goes on in a PostgreSQL. Guests do not notice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

import pileus.cloud as cloud
from pileus.core import schema
from pileus.core.db import Database, Json, metadata
from pileus.operate import state, up
from pileus.operate.down import stop_serving
from pileus.operate.options import OptionError

SETTLED = {schema.VERSION.name}
"""Tables that the migrations fill by themselves."""


class Moved(msgspec.Struct):
    rows: int
    tables: int
    gap: float
    """Seconds in which the API did not answer; 0 where it was not running."""


def move(file: Path, url: str, say: Callable[[str], None]) -> Moved:
    """Copy all rows of the file into the empty database at `url`, and let the cloud of its directory go on there.

    Raises OptionError; then the cloud runs on with its file, and the database is as empty as before.
    """
    state_dir = file.parent
    _check_source(file)
    _check_target(url)
    running = state.running(state_dir)
    target = Database(url)
    began, served = time.monotonic(), running is not None
    try:
        schema.upgrade(target)
        if served:
            say("The API stops; guests go on.")
            began = time.monotonic()
            stop_serving(state_dir)
        count = copy(file, target)
    except BaseException as error:
        _empty(target)
        if running is not None:
            up.up(running.settings)
        if isinstance(error, SQLAlchemyError | psycopg.Error):
            raise OptionError(f"The rows could not be copied, and the cloud goes on with {file}: {error}") from None
        raise
    finally:
        target.close()
    state.remember(state_dir, {"database": url})
    file.rename(file.with_name(file.name + ".moved"))
    say(f"{count} rows are in the new database; {file.name} is kept as {file.name}.moved.")
    if running is None:
        return Moved(count, len(tables()), 0)
    up.up(msgspec.structs.replace(running.settings, database=url))
    return Moved(count, len(tables()), time.monotonic() - began)


def _check_source(file: Path) -> None:
    if not file.is_file():
        raise OptionError(f"{file} is not there: the database of a cloud is STATE/pileus.db.")
    if not state.is_ours(file.parent):
        raise OptionError(f"{file.parent} is not a state directory of Pileus: the file to move is STATE/pileus.db.")
    source = Database(f"sqlite:///{file}")
    try:
        schema.check(source)
    except schema.OtherSchema as error:
        raise OptionError(str(error)) from None
    finally:
        source.close()


def _check_target(url: str) -> None:
    if not url.startswith("postgresql+psycopg://"):
        raise OptionError(
            f"'{url.rsplit('@', maxsplit=1)[-1]}' is not postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME."
        )
    try:
        engine = sa.create_engine(url, hide_parameters=True)
        with engine.connect() as connection:
            found = sa.inspect(connection).get_table_names()
            encoding = connection.scalar(sa.text("SHOW server_encoding"))
        engine.dispose()
    except SQLAlchemyError as error:
        raise OptionError(f"The new database does not answer: {getattr(error, 'orig', error)}") from None
    if found:
        raise OptionError(
            f"The new database is not empty: it has {len(found)} tables ({', '.join(sorted(found)[:3])}, ...). "
            "Make one for Pileus alone: createdb --encoding=UTF8 pileus"
        )
    if encoding != "UTF8":
        raise OptionError(f"The new database has the encoding {encoding}: make one with --encoding=UTF8.")


def tables() -> list[sa.Table]:
    """All tables, those that others refer to first."""
    cloud.services()
    return [table for table in metadata.sorted_tables if table.name not in SETTLED]


def copy(file: Path, target: Database) -> int:
    """How many rows were copied: all of them in one transaction, or none."""
    total = 0
    source = Database(f"sqlite:///{file}")
    try:
        with source.read() as old, target.write() as new:
            for table in tables():
                columns = [_raw(column) for column in table.columns]
                rows = old.execute(sa.select(*columns).execution_options(yield_per=1000))
                count = _copy_in(new.connection.connection.driver_connection, table, rows)
                expected = old.scalar(sa.select(sa.func.count()).select_from(table))
                if count != expected:
                    raise OptionError(f"{table.name}: {count} of {expected} rows were copied.")
                total += count
                _go_on_counting(new.connection, table)
    finally:
        source.close()
    return total


def _raw(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """JSON as the text that it is stored as."""
    return sa.type_coerce(column, sa.Text).label(column.name) if isinstance(column.type, Json) else column


def _copy_in(connection: Any, table: sa.Table, rows: Iterator[Any]) -> int:
    quoted = psycopg.sql.SQL("COPY {} ({}) FROM STDIN").format(
        psycopg.sql.Identifier(table.name),
        psycopg.sql.SQL(", ").join(psycopg.sql.Identifier(column.name) for column in table.columns),
    )
    count = 0
    with connection.cursor() as cursor, cursor.copy(quoted) as copying:
        for row in rows:
            copying.write_row(row)
            count += 1
    return count


def _go_on_counting(connection: sa.Connection, table: sa.Table) -> None:
    """Numbers that the database gives go on after the highest that was copied."""
    column = table.autoincrement_column
    if column is None:
        return
    sequence = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, column.name)))
    highest = connection.scalar(sa.select(sa.func.max(column)))
    if sequence is not None and highest is not None:
        connection.execute(sa.select(sa.func.setval(sequence, highest)))


def _empty(target: Database) -> None:
    """What a move that failed had made is gone again."""
    try:
        cloud.services()
        with target.write() as tx:
            metadata.drop_all(tx.connection)
    except SQLAlchemyError:
        pass  # it went away in the middle of the move: what it has of ours is named at the next try
