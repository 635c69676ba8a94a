"""Migrations: applied twice without harm; a fresh schema equals the tables; a newer database is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pileus import cloud
from pileus.core import schema
from pileus.core.db import Database, metadata
from tests.support import postgres


@pytest.fixture(params=postgres.DATABASES)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    assert cloud.services()
    if request.param == "postgresql" and not postgres.available():
        pytest.skip("needs PostgreSQL")
    url = postgres.new_database() if request.param == "postgresql" else f"sqlite:///{tmp_path}/pileus.db"
    made = Database(url)
    yield made
    made.close()


def differences(db: Database) -> list[object]:
    with db.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def test_a_fresh_schema_equals_the_tables(db: Database) -> None:
    assert schema.upgrade(db) == len(schema.migrations())
    assert differences(db) == []


def test_applied_twice(db: Database) -> None:
    first = schema.upgrade(db)
    assert schema.upgrade(db) == first
    assert differences(db) == []


def test_a_newer_database_is_refused_and_left_alone(db: Database) -> None:
    newest = schema.upgrade(db)
    with db.write() as tx:
        tx.update(schema.VERSION, schema.VERSION.c.version == newest, {"version": newest + 1})
    with pytest.raises(schema.NewerSchema, match=f"has schema {newest + 1}"):
        schema.upgrade(db)


def test_a_failed_migration_changes_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    broken = types.ModuleType("broken")

    def upgrade(op: object) -> None:
        from sqlalchemy import Column, Integer

        op.create_table("half", Column("id", Integer, primary_key=True))  # type: ignore[attr-defined]
        raise RuntimeError("power cut")

    broken.upgrade = upgrade  # type: ignore[attr-defined]
    newest = schema.upgrade(db)
    monkeypatch.setitem(sys.modules, "pileus.core.migrations.9999_broken", broken)
    steps = schema.migrations()
    monkeypatch.setattr(schema, "migrations", lambda: [*steps, "9999_broken"])
    with pytest.raises(RuntimeError, match="power cut"):
        schema.upgrade(db)
    assert differences(db) == []
    with db.read() as tx:
        assert schema.version(tx) == newest
