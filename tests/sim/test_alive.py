"""A host that asks for its spec lives; one that can't be looked at does not ask."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from pileus.core.config import Settings
from pileus.core.db import Database, Tx
from pileus.services.compute.rules import alive, hosts
from pileus.services.compute.rules.alive import Alive
from pileus.services.compute.store import hosts as store
from pileus.services.network.store import chassis
from tests.behaviour.compute.setup import host


def test_those_who_ask_are_noted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alive, "TOGETHER", 0.01)
    db = Database(f"sqlite:///{tmp_path}/pileus.db")
    db.create_tables()
    with db.write() as tx:
        for name in ("a", "b", "silent"):
            hosts.register(tx, host(name, 4), Settings())
        long_ago = tx.now - timedelta(minutes=10)
        for name in ("a", "b", "silent"):
            store.update(tx, name, {"last_seen": long_ago})

    async def ask() -> None:
        waiting = Alive()
        for name in ("a", "b", "a"):
            waiting.note(db, name)
        assert waiting._writing is not None
        await waiting._writing

    asyncio.run(ask())
    with db.read() as tx:
        assert up(tx) == {"a", "b"}
        assert chassis.any_there(tx)
    db.close()


def up(tx: Tx) -> set[str]:
    return {row.name for row in store.find(tx) if hosts.is_up(row, tx.now)}
