"""A commit in one process wakes who waits in another."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pileus.core.db import Database
from pileus.core.spread import LONGEST, Spread, payloads
from pileus.core.watch import Watch
from tests.support.postgres import drop_database, new_url


class Process:
    """What one process has: a Watch, and a database that tells of its commits."""

    def __init__(self, url: str) -> None:
        self.watch = Watch()
        self.spread = Spread(url, self.watch)
        self.db = Database(url, self.spread, pool_size=2)

    def close(self) -> None:
        self.spread.close()
        self.db.close()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    made = new_url("postgresql", tmp_path)
    yield made
    drop_database(made)


@pytest.fixture
def here(url: str) -> Iterator[Process]:
    made = Process(url)
    yield made
    made.close()


@pytest.fixture
def there(url: str) -> Iterator[Process]:
    made = Process(url)
    yield made
    made.close()


def test_a_commit_here_wakes_who_waits_there(here: Process, there: Process) -> None:
    async def wait() -> int:
        seen = there.watch.count("host:a")
        await asyncio.to_thread(commit, here, "host:a")
        return await there.watch.wait("host:a", seen, 20) - seen

    assert asyncio.run(wait()) > 0


def commit(process: Process, topic: str) -> None:
    with process.db.write() as tx:
        tx.wake(topic)


def test_after_a_lost_connection_everybody_looks_again(here: Process, there: Process, url: str) -> None:
    woken = threading.Event()
    with there.watch.listening("host:a", woken.set):
        commit(here, "host:a")
        assert woken.wait(20)
        woken.clear()
        with here.db.read() as tx:
            database = tx.quick_scalar("SELECT current_database()")
        with psycopg.connect(make(url), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (database,),
            )
        assert woken.wait(20), "the listener did not come back"
        woken.clear()
        here.spread.signal(["host:a"])
        assert woken.wait(20), "notifications do not arrive any more"


def make(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=300), max_size=80))
def test_every_topic_arrives_once_in_payloads_that_postgresql_takes(topics: list[str]) -> None:
    made = list(payloads("me", topics))
    assert all(len(payload.encode()) <= LONGEST for payload in made)
    assert [topic for payload in made for topic in payload.split("\n")[1:]] == topics
