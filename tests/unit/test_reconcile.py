"""Reconcilers run on signal and timer, under a lease that one process at a time holds."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pileus.core import reconcile
from pileus.core.db import Database
from pileus.core.reconcile import Controller, Reconciler
from pileus.core.watch import Watch
from tests.support.postgres import drop_database, new_url


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/pileus.db")
    made.create_tables()
    yield made
    made.close()


class Counter:
    def __init__(self, fail: int = 0) -> None:
        self.runs, self.fail = 0, fail
        self.moved = threading.Condition()

    def __call__(self) -> None:
        with self.moved:
            self.runs += 1
            self.moved.notify_all()
        if self.runs <= self.fail:
            raise RuntimeError("not yet")

    def until(self, runs: int) -> None:
        with self.moved:
            assert self.moved.wait_for(lambda: self.runs >= runs, 20), self.runs


def controller(db: Database, watch: Watch, run: Callable[[], None], owner: str, interval: float = 60.0) -> Controller:
    made = Controller(db, watch, [Reconciler("work", run, topics=("thing",), interval=interval)])
    made.owner = owner
    made.start()
    return made


def test_at_start_and_on_each_signal(db: Database) -> None:
    watch, counter = Watch(), Counter()
    running = controller(db, watch, counter, "a")
    counter.until(1)
    watch.signal(["other"])
    watch.signal(["thing"])
    counter.until(2)
    running.stop()
    assert counter.runs == 2


def test_on_its_timer_and_again_after_a_failure(db: Database) -> None:
    counter = Counter(fail=2)
    running = controller(db, Watch(), counter, "a", interval=0.1)
    counter.until(5)
    running.stop()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Database]:
    made = Database(new_url("postgresql", tmp_path))
    made.create_tables()
    yield made
    made.close()
    drop_database(made.url)


def test_what_one_cannot_do_another_does_and_alone_it_tries_again(
    shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "LEASE", reconcile.LEASE / 10)
    watch, first, second = Watch(), Counter(fail=1000), Counter()
    one = controller(shared, watch, first, "a", interval=0.05)
    first.until(2 * reconcile._TRIES)
    two = controller(shared, watch, second, "b", interval=0.05)
    second.until(2)
    one.stop()
    two.stop()


def test_one_at_a_time_and_the_next_takes_over(shared: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    db = shared
    monkeypatch.setattr(reconcile, "LEASE", reconcile.LEASE / 10)
    watch, first, second = Watch(), Counter(), Counter()
    one = controller(db, watch, first, "a")
    first.until(1)
    two = controller(db, watch, second, "b")
    watch.signal(["thing"])
    first.until(2)
    assert second.runs == 0
    began = time.monotonic()
    one.stop()
    second.until(1)
    assert time.monotonic() - began < 5
    two.stop()
