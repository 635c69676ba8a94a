"""Transactions: a reader sees one moment and writes nothing; connections that died are replaced."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from pileus.core import db as core
from pileus.core.db import Database
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


def test_a_connection_that_died_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_FRESH", 0.0)
    url = new_url("postgresql", tmp_path)
    found, other = Database(url), Database(url)
    with found.read() as tx:
        assert tx.scalar(sa.text("SELECT 1")) == 1
    with other.write() as tx:
        mine = "datname = current_database() AND pid <> pg_backend_pid()"
        assert tx.scalar(sa.text(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {mine}"))
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
