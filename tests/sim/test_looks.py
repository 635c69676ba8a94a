"""A host that asks again is looked for in the rows only where it may have missed something."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
import sqlalchemy as sa

from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Database
from pileus.core.dispatch import App
from pileus.core.watch import Watch
from pileus.node.desired import HostSpec
from pileus.services.compute.api import node
from pileus.services.compute.rules import admit, hosts, looks
from tests.behaviour.compute.setup import host
from tests.support.command import until


class Plane:
    """The hosts' API over a database whose statements on servers are counted."""

    def __init__(self, db: Database) -> None:
        self.watch, self.reads, self.known = Watch(), 0, 0
        db.waker = self.watch
        self.app = App([node.api], db, self.watch, lambda *_: system_caller())
        sa.event.listen(db.engine, "before_cursor_execute", self._count)

    def _count(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self.reads += "JOIN compute_server" in statement
        self.known += "FROM compute_host_spec" in statement

    async def ask(self, seen: int, wait: float = 0.0) -> tuple[int, int]:
        """Status, and the revision of the spec or of the one that was seen."""
        transport = httpx.ASGITransport(self.app.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as client:
            answer = await client.get(
                "/node/v1/hosts/a/spec",
                params={"seen": seen, "wait": wait},
                headers={"X-Pileus-Host-Token": "secret"},
                timeout=30,
            )
        if answer.status_code >= 400:
            return answer.status_code, seen
        if answer.status_code == 304:
            return 304, seen
        return answer.status_code, msgspec.json.decode(answer.content, type=HostSpec).revision


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database(f"sqlite:///{tmp_path}/pileus.db")
    db.create_tables()
    with db.write() as tx:
        admit(tx, "a", "secret")
        hosts.register(tx, host("a", 4), Settings())
    yield db
    db.close()


def test_who_asks_again_is_not_looked_for_again(db: Database) -> None:
    plane = Plane(db)

    async def go() -> None:
        status, revision = await plane.ask(-1)
        assert (status, plane.reads) == (200, 1)
        for _ in range(3):
            assert await plane.ask(revision) == (304, revision)
        assert plane.reads == 1
        plane.watch.signal(["host:a"])
        assert await plane.ask(revision) == (304, revision)
        assert plane.reads == 2, "it may have missed something"
        plane.watch.signal_all()
        assert await plane.ask(revision) == (304, revision)
        assert plane.reads == 3, "wake-ups may have been lost"
        status, _ = await plane.ask(revision - 1)
        assert (status, plane.reads) == (200, 4), "it has another revision"

    asyncio.run(go())


def test_a_lost_wake_up_is_made_good_by_time(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = Plane(db)

    async def go() -> None:
        _, revision = await plane.ask(-1)
        monkeypatch.setattr(looks, "AGAIN", 0.0)
        await plane.ask(revision)
        assert plane.reads == 2

    asyncio.run(go())


def test_a_removed_host_is_refused_at_once(db: Database) -> None:
    plane = Plane(db)

    async def go() -> None:
        _, revision = await plane.ask(-1)
        with db.write() as tx:
            admit(tx, "a", "another")
        transport = httpx.ASGITransport(plane.app.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as client:
            answer = await client.get(
                f"/node/v1/hosts/a/spec?seen={revision}", headers={"X-Pileus-Host-Token": "secret"}
            )
        assert answer.status_code == 403

    asyncio.run(go())


def test_hosts_that_ask_together_are_read_together(db: Database) -> None:
    plane = Plane(db)

    async def go() -> None:
        _, revision = await plane.ask(-1)
        before = plane.known
        assert await asyncio.gather(*(plane.ask(revision) for _ in range(8))) == [(304, revision)] * 8
        assert plane.known - before < 8

    asyncio.run(go())


def test_a_host_that_is_removed_while_it_waits_gets_no_spec(db: Database) -> None:
    plane = Plane(db)

    async def go() -> None:
        _, revision = await plane.ask(-1)
        waiting = asyncio.create_task(plane.ask(revision, wait=20.0))
        await asyncio.to_thread(until, lambda: bool(plane.watch._waiters), what="it waits")
        with db.write() as tx:
            hosts.delete(tx, system_caller(), hosts.host_of(tx, "a"))
            admit(tx, "a", "another")
        assert await waiting == (403, revision)

    asyncio.run(go())
