"""A connection to one OVSDB database whose tables are kept in memory (RFC 7047), by Open vSwitch's own library."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from ovs.db.idl import Idl, Transaction
from ovs.poller import Poller
from ovs.stream import Stream
from ovsdbapp.backend.ovs_idl import idlutils

from pileus.core.tls import Folder

PATIENCE = 10.0


class NoAnswer(OSError):
    """The database does not answer in time."""


class Refused(OSError):
    """The database refused a transaction; the text is its own."""


def show(tls: Folder) -> None:
    """By which certificate this process is known at addresses with ssl:, and what it believes there; for all connections."""
    Stream.ssl_set_private_key_file(str(tls.key))
    Stream.ssl_set_certificate_file(str(tls.certificate))
    Stream.ssl_set_ca_cert_file(str(tls.authority))


class Database:
    """`tables` maps each table to the columns that are kept in memory. To be used from one thread at a time.

    The connection is made when it is first needed and made again when it was lost.
    """

    def __init__(self, connection: str, name: str, tables: Mapping[str, Iterable[str]]) -> None:
        self.connection = connection
        self._name = name
        self._tables = {table: sorted(columns) for table, columns in tables.items()}
        self._idl: Any = None
        self.changed: set[UUID] = set()
        """Rows that came or changed since somebody emptied this set."""

    def refresh(self) -> None:
        """Take in what the server has sent. Raises NoAnswer."""
        if self._idl is None:
            self._connect()
        self._idl.run()
        self.wait_until(lambda: bool(self._idl._session.is_connected() and self._idl.state == Idl.IDL_S_MONITORING))
        while self._idl.run():
            pass

    def rows(self, table: str) -> Mapping[UUID, Any]:
        found: Mapping[UUID, Any] = self._idl.tables[table].rows
        return found

    def table(self, table: str) -> Any:
        return self._idl.tables[table]

    def columns(self, table: str) -> Mapping[str, Any]:
        """The columns' types, by name."""
        return {name: column.type for name, column in self._idl.tables[table].columns.items()}

    def commit(self, write: Callable[[Any], None]) -> None:
        """One transaction with what `write` does to it. Raises Refused, NoAnswer."""
        transaction = Transaction(self._idl)
        try:
            write(transaction)
            status = self._finish(transaction)
        except BaseException:
            transaction.abort()
            raise
        if status == Transaction.TRY_AGAIN:
            raise NoAnswer(f"the transaction on {self.connection} lost its connection")
        if status not in (Transaction.SUCCESS, Transaction.UNCHANGED):
            raise Refused(f"{self.connection} refused a transaction: {transaction.get_error()}")

    def wait_until(self, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Raises NoAnswer if the condition does not come true."""
        deadline = time.monotonic() + patience
        while not condition():
            self._block(deadline)
            self._idl.run()

    def close(self) -> None:
        if self._idl is not None:
            self._idl.close()
            self._idl = None

    def _connect(self) -> None:
        try:
            schema = idlutils.get_schema_helper(self.connection, self._name)
        except Exception as error:  # the library raises a bare Exception here
            raise NoAnswer(f"{self._name} at {self.connection}: {error}") from None
        for table, columns in self._tables.items():
            schema.register_columns(table, columns)
        self._idl = _Watched(self.connection, schema, self.changed)

    def _finish(self, transaction: Any) -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            status: str = transaction.commit()
            if status != Transaction.INCOMPLETE:
                return status
            self._block(deadline)
            self._idl.run()

    def _block(self, deadline: float) -> None:
        """Until something arrives. Raises NoAnswer after the deadline."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoAnswer(f"{self._name} at {self.connection} does not answer")
        poller = Poller()
        self._idl.wait(poller)
        poller.timer_wait(left * 1000)
        poller.block()


class _Watched(Idl):  # type: ignore[misc]
    def __init__(self, connection: str, schema: Any, changed: set[UUID]) -> None:
        self._changed_rows = changed
        super().__init__(connection, schema, leader_only=False)  # what passes a database on leads none

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        self._changed_rows.add(row.uuid)
