"""Wake-ups in every process that shares one PostgreSQL: LISTEN and NOTIFY carry what Watch does within one process.

A notification may be lost with its connection, so that whoever waits looks again by timer too; after a lost connection
everything is woken.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psycopg
import sqlalchemy as sa
import structlog
from psycopg.conninfo import make_conninfo

from pileus.core.db import NOTICED
from pileus.core.watch import Watch

log = structlog.get_logger("pileus.spread")
CHANNEL = "pileus"
LONGEST = 7500
"""Bytes of a payload; PostgreSQL takes fewer than 8,000."""
RETRY = 0.5
"""Seconds until a lost connection is tried again."""
PATIENCE = 1.0
"""Seconds that a listener waits before it looks whether it should end."""


Connection = psycopg.Connection[Any]


class Spread:
    """Signals reach the Watch of this process at once, and those of the others by the database at `url`."""

    def __init__(self, url: str, watch: Watch) -> None:
        self._database = make_conninfo(**dict(_libpq(url)))
        self._watch = watch
        self._self = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._due: dict[str, None] = {}
        self._filled = threading.Condition()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, args=(work, name), name=name, daemon=True)
            for work, name in ((self._tell, "tell other processes"), (self._hear, "hear other processes"))
        ]
        for thread in self._threads:
            thread.start()

    def signal(self, topics: Iterable[str]) -> None:
        wanted = list(topics)
        self._watch.signal(wanted)
        with self._filled:
            self._due.update(dict.fromkeys(wanted))
            self._filled.notify()

    def close(self) -> None:
        self._stop.set()
        with self._filled:
            self._filled.notify()
        for thread in self._threads:
            thread.join(timeout=5)

    def _keep(self, work: Callable[[Connection], None], name: str) -> None:
        """Do the work again on a new connection whenever it loses the one it had."""
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._database, autocommit=True) as connection:
                    work(connection)
            except psycopg.Error as error:
                if not self._stop.is_set():
                    log.warning("the database is away", thread=name, reason=str(error).strip())
                self._stop.wait(RETRY)

    def _tell(self, connection: Connection) -> None:
        # Nothing durable is written, so no commit of it need wait for the disk.
        connection.execute("SET synchronous_commit = off")
        while not self._stop.is_set():
            with self._filled:
                self._filled.wait_for(lambda: self._due or self._stop.is_set())
                due = list(self._due)
                self._due.clear()
            try:
                for payload in payloads(self._self, due):
                    connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
            except psycopg.Error:
                with self._filled:
                    self._due.update(dict.fromkeys(due))
                raise

    def _hear(self, connection: Connection) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        self._watch.signal_all()
        while not self._stop.is_set():
            for notification in connection.notifies(timeout=PATIENCE):
                sender, _, topics = notification.payload.partition("\n")
                if sender != self._self:
                    self._watch.signal(topics.split("\n"))


def payloads(sender: str, topics: Iterable[str]) -> Iterator[str]:
    """One line for the sender, one a topic; as many payloads as their length needs."""
    lines, size = [sender], len(sender)
    for topic in topics:
        length = len(topic.encode()) + 1
        if size + length > LONGEST and len(lines) > 1:
            yield "\n".join(lines)
            lines, size = [sender], len(sender)
        lines.append(topic)
        size += length
    if len(lines) > 1:
        yield "\n".join(lines)


def _libpq(url: str) -> Iterator[tuple[str, Any]]:
    """What libpq is told, out of what SQLAlchemy is."""
    parsed = sa.make_url(url)
    named = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        "password": parsed.password,
        "dbname": parsed.database,
    }
    for name, value in {**NOTICED, **named, **parsed.query}.items():
        if value is not None:
            yield name, str(value)
