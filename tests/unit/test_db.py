"""Transactions: a reader sees one moment and writes nothing; connections that died are replaced."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from pileus.core import db as core
from pileus.core.db import Database
from pileus.core.errors import NotFound
from tests.support.postgres import DATABASES, new_url

COUNT = sa.text("SELECT count(*) FROM thing")
INSERT = sa.text("INSERT INTO thing VALUES (1)")


@pytest.fixture(params=DATABASES)
def db(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    found = Database(new_url(request.param, tmp_path))
    with found.write() as tx:
        tx.execute(sa.text("CREATE TABLE thing (id INTEGER)"))
    yield found
    found.close()


def test_a_reader_sees_one_moment(db: Database) -> None:
    with db.read() as reader:
        assert reader.quick_scalar("SELECT count(*) FROM thing") == 0
        assert reader.scalar(COUNT) == 0
        with db.write() as writer:
            writer.execute(INSERT)
        assert reader.scalar(COUNT) == 0
        assert reader.quick_scalar("SELECT count(*) FROM thing") == 0
    with db.read() as reader:
        assert reader.scalar(COUNT) == 1


def test_what_a_reader_leaves_open_is_closed(db: Database) -> None:
    with pytest.raises(DBAPIError), db.read() as reader:
        reader.scalar(sa.text("SELECT nonsense"))
    for _ in range(30):
        with db.read() as reader:
            assert reader.scalar(COUNT) == 0
    with db.write() as writer:
        writer.execute(INSERT)
    with db.read() as reader:
        assert reader.scalar(COUNT) == 1


def test_a_reader_writes_nothing(tmp_path: Path) -> None:
    found = Database(new_url("postgresql", tmp_path))
    with pytest.raises(DBAPIError, match="read-only"), found.read() as reader:
        reader.execute(sa.text("CREATE TABLE thing (id INTEGER)"))
    found.close()


def test_what_is_prepared_outlives_its_transaction(tmp_path: Path) -> None:
    """PostgreSQL plans a statement that comes often once, unless its connection is told to forget it."""
    found = Database(new_url("postgresql", tmp_path), pool_size=1)
    often = sa.select(sa.bindparam("given", type_=sa.Integer))
    for transaction in (found.read, found.write):
        for given in range(10):
            with suppress(NotFound), transaction() as tx:
                assert tx.execute(often, {"given": given}).scalar_one() == given
                raise NotFound("as a request is refused")
    with found.read() as tx:
        assert tx.scalar(sa.text("SELECT count(*) FROM pg_prepared_statements")) == 1
    found.close()


def test_a_connection_keeps_the_statements_that_were_asked_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pileus.core.libpq.KEPT", 3)
    found = Database(new_url("postgresql", tmp_path), pool_size=1)
    given = sa.bindparam("given", type_=sa.Integer)
    several = [sa.select(given.label(f"column_{number}")) for number in range(5)]
    with found.read() as tx:
        for _ in range(2):
            for number, statement in enumerate([several[0], *several]):
                assert tx.execute(statement, {"given": number}).scalar_one() == number
        names = tx.scalars(sa.text("SELECT name FROM pg_prepared_statements"))
    assert len(names) == 3
    found.close()


def test_what_asks_nothing_begins_nothing(tmp_path: Path) -> None:
    found = Database(new_url("postgresql", tmp_path), pool_size=1)
    for transaction in (found.read, found.write):
        with transaction() as tx:
            began = "SELECT now()"
            assert tx.quick_scalar(began) < tx.quick_scalar(began), "each statement is a transaction of its own"
            assert tx.scalar(sa.text("SELECT 1")) == 1
            assert tx.quick_scalar(began) == tx.quick_scalar(began)
    found.close()


def test_a_writer_that_fails_leaves_nothing(db: Database) -> None:
    with suppress(NotFound), db.write() as writer:
        writer.execute(INSERT)
        raise NotFound("as a request is refused")
    with db.read() as reader:
        assert reader.scalar(COUNT) == 0


def test_a_commit_that_fails_leaves_nothing_open(db: Database) -> None:
    """As on a full disk: the next to write is the same connection's."""
    with db.write() as tx:
        tx.execute(sa.text("CREATE TABLE whole (id INTEGER PRIMARY KEY)"))
        tx.execute(sa.text("CREATE TABLE part (of_id INTEGER REFERENCES whole DEFERRABLE INITIALLY DEFERRED)"))
    with pytest.raises(DBAPIError), db.write() as tx:
        tx.execute(sa.text("INSERT INTO part VALUES (1)"))
    with db.write() as tx:
        tx.execute(INSERT)
    with db.read() as reader:
        assert reader.scalar(COUNT) == 1
        assert reader.scalar(sa.text("SELECT count(*) FROM part")) == 0


def test_a_connection_that_died_unnoticed_is_told_by_its_error(tmp_path: Path) -> None:
    """So that the request is done again, with another one."""
    url = new_url("postgresql", tmp_path)
    found, other = Database(url, pool_size=1), Database(url)
    for transaction in (found.read, found.write):
        for ask in (lambda tx: tx.quick_scalar("SELECT 1"), lambda tx: tx.scalar(sa.text("SELECT 1"))):
            with transaction() as tx:
                assert ask(tx) == 1
            _end_all_others(other)
            with pytest.raises(DBAPIError) as failed, transaction() as tx:
                ask(tx)
            assert core.is_transient(failed.value)
    found.close()
    other.close()


def _end_all_others(db: Database) -> None:
    with db.write() as tx:
        mine = "datname = current_database() AND pid <> pg_backend_pid()"
        assert tx.scalar(sa.text(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {mine}"))


def test_a_connection_that_died_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_FRESH", 0.0)
    url = new_url("postgresql", tmp_path)
    found, other = Database(url), Database(url)
    with found.read() as tx:
        assert tx.scalar(sa.text("SELECT 1")) == 1
    _end_all_others(other)
    for _ in range(2):
        with found.read() as tx:
            assert tx.scalar(sa.text("SELECT 1")) == 1
    found.close()
    other.close()


def test_a_statement_stays_prepared_from_one_reading_transaction_to_the_next(tmp_path: Path) -> None:
    url = new_url("postgresql", tmp_path)
    db = Database(url, pool_size=1)
    for _ in range(10):
        with db.read() as tx:
            tx.scalar(sa.text("SELECT 1 + 1"))
    with db.read() as tx:
        found = tx.quick_scalar("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%1 + 1%'")
    assert found == 1
    db.close()
