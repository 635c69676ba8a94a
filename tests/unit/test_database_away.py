"""A database that is away: callers are told so, and nothing is done twice."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import DBAPIError

from pileus.core import errors
from pileus.core.db import Database, Tx, Uncertain, is_away
from pileus.core.dispatch import App
from pileus.core.http import Service
from pileus.core.paging import Page
from pileus.services.compute.store import servers
from tests.support import postgres
from tests.support.api import make_app

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not postgres.available(), reason="PostgreSQL is not installed")]
api = Service("toy", "/toy", errors.plain_shape)
calls: list[str] = []


@api.get("/things", public=True)
def count_things(tx: Tx) -> dict[str, int]:
    return {"things": tx.scalar(sa.text("SELECT count(*) FROM thing"))}


@api.post("/things", public=True)
def make_thing(tx: Tx, db: Database) -> None:
    """Its connection is lost before the commit."""
    calls.append("make")
    tx.execute(sa.text("INSERT INTO thing VALUES (1)"))
    mine = tx.scalar(sa.text("SELECT pg_backend_pid()"))
    with db.write() as other:
        other.execute(sa.text(f"SELECT pg_terminate_backend({mine}, 5000)"))


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    made = postgres.Server("-c", "listen_addresses=")
    yield made
    made.close()


@pytest.fixture
def app(server: postgres.Server) -> Iterator[App]:
    def prepare(db: Database) -> None:
        with db.write() as tx:
            tx.execute(sa.text("CREATE TABLE thing (id INTEGER)"))

    made = make_app([api], f"postgresql+psycopg://pileus@/postgres?host={server.directory}", prepare)
    yield made
    made.db.close()


def call(app: App, method: str) -> httpx.Response:
    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app.asgi), base_url="http://toy") as client:  # type: ignore[arg-type]
            return await client.request(method, "/toy/things")

    return asyncio.run(go())


def test_while_it_is_away_callers_are_told_so(server: postgres.Server, app: App) -> None:
    assert call(app, "GET").json() == {"things": 0}
    server.stop("fast")
    for _ in range(2):
        answer = call(app, "GET")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "The database does not answer" in answer.json()["error"]["message"]
    server.start()
    assert call(app, "GET").json() == {"things": 0}


class Woken:
    def __init__(self) -> None:
        self.topics: list[str] = []

    def signal(self, topics: Iterable[str]) -> None:
        self.topics += topics


def test_a_commit_whose_answer_is_lost_wakes_who_waits_for_it(
    server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has happened, and who asked finds it when he looks: it must go on from there without being asked again."""
    woken = Woken()
    db = Database(f"postgresql+psycopg://pileus@/postgres?host={server.directory}", woken)
    with db.write() as tx:
        tx.execute(sa.text("CREATE TABLE thing (id INTEGER)"))

    def cut(dialect: object, connection: Any) -> None:
        commit(dialect, connection)
        connection.dbapi_connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    def make() -> None:
        with db.write() as tx:
            tx.execute(sa.text("INSERT INTO thing VALUES (1)"))
            tx.wake("things")

    commit = DefaultDialect.do_commit
    with monkeypatch.context() as patch:
        patch.setattr(DefaultDialect, "do_commit", cut)
        with pytest.raises(Uncertain):
            make()
    with db.read() as tx:
        assert tx.scalar(sa.text("SELECT count(*) FROM thing")) == 1
    assert woken.topics == ["things"]
    db.close()


def test_a_commit_whose_outcome_nobody_knows_is_not_tried_again(app: App) -> None:
    calls.clear()
    answer = call(app, "POST")
    assert answer.status_code == 503, answer.text
    assert "may be done or not" in answer.json()["error"]["message"]
    assert calls == ["make"]
    assert call(app, "GET").json() == {"things": 0}


def test_a_filter_is_not_blamed_for_it(server: postgres.Server) -> None:
    db = Database(f"postgresql+psycopg://pileus@/postgres?host={server.directory}")
    db.create_tables()
    try:
        with db.read() as tx:
            assert servers.list_servers(tx, [], Page(10)) == []
            server.stop("fast")
            with pytest.raises(DBAPIError) as found:
                servers.list_servers(tx, [], Page(10))
        assert is_away(found.value)
    finally:
        db.close()
