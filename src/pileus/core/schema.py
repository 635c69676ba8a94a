"""Brings a database to the schema that this Pileus uses: its migrations in order, all of them or none."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import sqlalchemy as sa

from pileus.core.db import Database, Tx, metadata

VERSION = sa.Table("core_schema", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))
_FOLDER = Path(__file__).parent / "migrations"
_NAME = re.compile(r"^(\d{4})_\w+\.py$")


class OtherSchema(Exception):
    """The database is of another Pileus; the text says so to the operator."""


class NewerSchema(OtherSchema):
    """It was made by a later one."""


def migrations() -> list[str]:
    """Module names in order; the n-th leads to version n."""
    return sorted(file.stem for file in _FOLDER.iterdir() if _NAME.match(file.name))


def upgrade(db: Database) -> int:
    """The version after it. Raises NewerSchema, and changes nothing, where the database is ahead of this program."""
    steps = migrations()
    with db.write() as tx:
        have = version(tx)
        if have > len(steps):
            raise NewerSchema(
                f"The database {db.engine.url.render_as_string()} has schema {have}, and this Pileus knows {len(steps)}: "
                "start it with the version that made it, or a later one."
            )
        if have < len(steps):
            _run(tx, steps[have:])
            tx.delete(VERSION, VERSION.c.version != len(steps))
            tx.insert(VERSION, {"version": len(steps)})
    return len(steps)


def check(db: Database) -> None:
    """Raises OtherSchema where the database has not the schema that this Pileus uses; changes nothing."""
    with db.read() as tx:
        have, need = version(tx), len(migrations())
    if have == need:
        return
    name = db.engine.url.render_as_string()
    if have == 0:
        raise OtherSchema(f"The database {name} holds no cloud: make one in it by 'pileus up --database URL'.")
    raise OtherSchema(
        f"The database {name} has schema {have}, and this Pileus uses {need}: "
        f"start {'a later Pileus' if have > need else 'the new pileus up first, which upgrades it'}."
    )


def version(tx: Tx) -> int:
    """0 where there is nothing yet."""
    if not sa.inspect(tx.connection).has_table(VERSION.name):
        return 0
    return int(tx.scalar(sa.select(sa.func.max(VERSION.c.version))) or 0)


def _run(tx: Tx, steps: list[str]) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    operations = Operations(MigrationContext.configure(tx.connection))
    for step in steps:
        importlib.import_module(f"pileus.core.migrations.{step}").upgrade(operations)
