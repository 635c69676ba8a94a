"""PostgreSQL's statements by one call of libpq's each.

psycopg's cursor makes several, and lets go of the interpreter's lock at each: where other threads want it, each is a wait.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import count
from typing import Any

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult
from sqlalchemy.engine import Connection

from pileus.core.built import Found

_WELL = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})
_AT_ONCE = 100
"""Changes that are sent before their results are read: both ends would wait for ever with their buffers full."""


KEPT = 200
"""Statements that a connection keeps prepared: each takes its server process some 70 kB. A boot asks some 50."""


class Session:
    """One connection, and the statements that it has prepared. Raises psycopg.Error.

    Parameters go as text and without a type, which the statements name (`$1::VARCHAR`): so each is prepared once.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection, self._libpq = connection, connection.pgconn
        self._adapt = Transformer(connection)
        self._names: OrderedDict[str, bytes] = OrderedDict()
        self._numbers = count()

    def command(self, sql: str) -> None:
        """What can't be prepared: the begin and the end of transactions."""
        self._well(self._libpq.exec_(sql.encode()))

    def execute(self, sql: str, values: Sequence[Any]) -> Found:
        result = self._well(self._libpq.exec_prepared(self._name(sql), self._given(values)))
        self._adapt.set_pgresult(result)
        rows = self._adapt.load_rows(0, result.ntuples, tuple)
        return Found(rows, [result.ftype(n) for n in range(result.nfields)], result.command_tuples or 0)

    def execute_many(self, sql: str, many: Sequence[Sequence[Any]]) -> None:
        """A change with each of these values, without waiting for the one before."""
        name = self._name(sql)
        for at in range(0, len(many), _AT_ONCE):
            given = [self._given(values) for values in many[at : at + _AT_ONCE]]
            self._libpq.enter_pipeline_mode()
            try:
                for values in given:
                    self._libpq.send_query_prepared(name, values)
                self._libpq.pipeline_sync()
                results = self._results()
            finally:
                self._libpq.exit_pipeline_mode()
            for result in results:
                self._well(result)

    def _results(self) -> list[PGresult]:
        """Those of a pipeline, up to its end."""
        found: list[PGresult] = []
        while not self._connection.closed:
            result = self._libpq.get_result()
            if result is None:
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                break
            found.append(result)
        return found

    def _name(self, sql: str) -> bytes:
        """That of the prepared statement."""
        name = self._names.get(sql)
        if name is None:
            return self._prepared(sql)
        self._names.move_to_end(sql)
        return name

    def _prepared(self, sql: str) -> bytes:
        name = b"pileus_%d" % next(self._numbers)
        self._well(self._libpq.prepare(name, sql.encode()))
        self._names[sql] = name
        if len(self._names) > KEPT:
            _, longest_unused = self._names.popitem(last=False)
            self._well(self._libpq.exec_(b"DEALLOCATE " + longest_unused))
        return name

    def _given(self, values: Sequence[Any]) -> Any:
        return self._adapt.dump_sequence(values, [PyFormat.TEXT] * len(values))

    def _well(self, result: PGresult) -> PGresult:
        if result.status in _WELL:
            return result
        if self._connection.closed:
            raise psycopg.OperationalError(result.get_error_message().strip() or "The connection was lost.")
        raise error_from_result(result, self._connection.info.encoding)


class Libpq:
    """The driver of PostgreSQL: a session for each of psycopg's connections."""

    def execute(self, connection: Connection, sql: str, values: Sequence[Any]) -> Found:
        return _session(connection).execute(sql, values)

    def execute_many(self, connection: Connection, sql: str, many: Sequence[Sequence[Any]]) -> None:
        _session(connection).execute_many(sql, many)

    def command(self, connection: Connection, sql: str) -> None:
        _session(connection).command(sql)


def _session(connection: Connection) -> Session:
    found: Session | None = connection.info.get(Session)
    if found is None:
        raw: Any = connection.connection.dbapi_connection
        found = connection.info[Session] = Session(raw)
    return found
