"""Statements that are built once give and take what SQLAlchemy would have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pileus.core.db import Database, Json, Time, among
from pileus.core.errors import Conflict
from tests.support.postgres import DATABASES, new_url

things = sa.Table(
    "thing",
    sa.MetaData(),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), unique=True),
    sa.Column("at", Time),
    sa.Column("parts", Json),
    sa.Column("is_whole", sa.Boolean),
    sa.Column("share", sa.Float),
)
AT = datetime.fromisoformat("2026-01-02T03:04:05.678901")
ROWS = [
    {"id": "a", "name": "one 100%", "at": AT, "parts": {"x": [1, None]}, "is_whole": True, "share": 0.5},
    {"id": "b", "name": None, "at": None, "parts": None, "is_whole": False, "share": None},
    {"id": "c", "name": "é'\"", "at": AT, "parts": [], "is_whole": None, "share": 2.0},
]


class Thing(msgspec.Struct):
    id: str
    name: str | None
    at: datetime | None
    parts: Any
    is_whole: bool | None
    share: float | None


@pytest.fixture(params=DATABASES)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    db = Database(new_url(request.param, tmp_path))
    with db.write() as tx:
        things.metadata.create_all(tx.connection)
        tx.insert_all(things, ROWS)
    yield db
    db.close()


def all_of(db: Database) -> list[dict[str, Any]]:
    """As SQLAlchemy reads them."""
    with db.read() as tx:
        return [dict(row._mapping) for row in tx.execute(sa.select(things).order_by(things.c.id))]


def test_what_is_written_is_what_is_read(db: Database) -> None:
    assert all_of(db) == ROWS
    with db.read() as tx:
        found = tx.rows(Thing, sa.select(things).where(among(things.c.id)).order_by(things.c.id), {"ids": ["a", "c"]})
        assert [msgspec.structs.asdict(one) for one in found] == [ROWS[0], ROWS[2]]
        named = sa.select(things.c.id).where(things.c.name == sa.bindparam("wanted"), things.c.name.like("%100%"))
        assert tx.execute(named, {"wanted": "one 100%"}).scalars().all() == ["a"]
        assert tx.execute(named, {"wanted": "two"}).first() is None


def test_rows_among_some_are_found_by_the_index(tmp_path: Path) -> None:
    db = Database(new_url("sqlite", tmp_path))
    with db.write() as tx:
        things.metadata.create_all(tx.connection)
        wanted = sa.select(things.c.id).where(among(things.c.name), things.c.at.is_(None))
        text = str(wanted.compile(dialect=tx.connection.dialect))
        plan = [row[3] for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", ('["a"]',))]
    assert any("SEARCH thing USING INDEX" in step for step in plan), plan
    db.close()


def test_a_change_an_upsert_and_what_is_there_already(db: Database) -> None:
    with db.write() as tx:
        assert tx.change(things, "b", {"parts": [1], "is_whole": True}) == 1
        assert tx.change(things, "none", {"share": 1.0}) == 0
        tx.upsert(things, {"id": "c"}, {"share": 3.0})
        tx.upsert(things, {"id": "a"}, {})
        assert not tx.insert_new(things, ROWS[0])
        assert tx.insert_new(things, ROWS[0] | {"id": "d", "name": "four"})
    assert [(row["parts"], row["is_whole"], row["share"]) for row in all_of(db)[1:]] == [
        ([1], True, None),
        ([], None, 3.0),
        ({"x": [1, None]}, True, 0.5),
    ]


def test_a_refusal_says_what_it_is_and_nothing_is_changed(db: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError), db.write() as tx:
        tx.insert_all(things, [{**ROWS[1], "id": "d"}, ROWS[0]])
    with pytest.raises(Conflict, match="one 100% is there"), db.write() as tx:
        tx.change(things, "b", {"name": "one 100%"}, conflict="{name} is there")
    assert all_of(db) == ROWS


def test_who_listens_hears_every_statement(db: Database) -> None:
    heard: list[str] = []
    sa.event.listen(db.engine, "before_cursor_execute", lambda *given: heard.append(given[2].split()[0]))
    with db.write() as tx:
        tx.insert(things, {"id": "d"})
        tx.change(things, "d", {"name": "four"})
        tx.rows(Thing, sa.select(things).where(things.c.id == sa.bindparam("wanted")), {"wanted": "d"})
        tx.delete(things, things.c.id == "d")
    assert heard == ["INSERT", "UPDATE", "SELECT", "DELETE"]


class Narrow(msgspec.Struct):
    """What `long_rows` can give: no float."""

    id: str
    name: str | None
    at: datetime | None
    parts: Any
    is_whole: bool | None
    more: str = "not a column"


_NARROW = sa.select(things.c.id, things.c.name, things.c.at, things.c.parts, things.c.is_whole)


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.none(),
                st.sampled_from(["null", "true", "1", "[1]", '"', "\\u0041", AT.isoformat()]),
                st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30),
            ),
            st.one_of(st.none(), st.datetimes(datetime.fromisoformat("0001-01-02"))),
            st.recursive(st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.just('é"\n'), st.lists),
            st.one_of(st.none(), st.booleans()),
        ),
        max_size=4,
        unique_by=lambda row: object() if row[0] is None else row[0],
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_long_lists_are_what_short_ones_are(db: Database, made: list[tuple[Any, ...]]) -> None:
    wide = things.c.name, things.c.at, things.c.parts, things.c.is_whole
    wanted = _NARROW.where(things.c.share == 7).order_by(things.c.id.desc()).limit(3)
    with db.write() as tx:
        tx.delete(things, things.c.share == 7)
        for number, row in enumerate(made):
            values = dict(zip((column.name for column in wide), row, strict=True))
            tx.insert(things, {"id": f"{number}", **values, "share": 7.0})
    with db.read() as tx:
        found = tx.long_rows(Narrow, wanted)
        assert found == tx.rows(Narrow, wanted)
        assert [row.id for row in found] == [f"{number}" for number in range(len(made))][::-1][:3]


def test_the_columns_of_a_long_list_are_the_first_of_its_rows(db: Database) -> None:
    with db.read() as tx:
        assert tx.long_rows(Narrow, _NARROW.where(sa.exists().where(things.c.id == "a")).order_by(things.c.id)) == [
            Narrow("a", "one 100%", AT, {"x": [1, None]}, True),
            Narrow("b", None, None, None, False),
            Narrow("c", "é'\"", AT, [], None),
        ]


def test_narrow_rows_come_as_they_are(db: Database) -> None:
    asked = sa.select(things.c.id, things.c.name).where(among(things.c.id)).order_by(things.c.id)
    with db.read() as tx:
        assert [tuple(row) for row in tx.tuples(asked, {"ids": ["c", "b"]})] == [("b", None), ("c", "é'\"")]
