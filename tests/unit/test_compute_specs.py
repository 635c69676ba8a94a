"""What a host is told when several processes look for it at once: a revision is one spec, and never an older one than the last."""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from pileus.core.config import Settings
from pileus.core.db import Database, Tx, now
from pileus.core.http import Request
from pileus.node.desired import HostSpec
from pileus.services.compute.rules import admit, hosts, specs
from pileus.services.compute.store import servers
from pileus.services.compute.store.servers import FlavorCopy, ImageCopy
from tests.behaviour.compute.setup import host
from tests.support import postgres

REQUEST = Request("GET", "/", "", {specs.TOKEN_HEADER: "secret"}, "", "", {}, b"", "", "req-1")
SERVER: dict[str, Any] = {
    "id": "s1",
    "project_id": "p1",
    "user_id": "u1",
    "name": "s1",
    "hostname": "s1",
    "reservation_id": "r-1",
    "launch_index": 0,
    "created_at": now(),
    "updated_at": now(),
    "power": "running",
    "generation": 1,
    "reboots": 0,
    "hard_reboots": 0,
    "rebuilds": 0,
    "flavor": FlavorCopy("f1", "tiny", 1, 64, 1),
    "image_id": "i1",
    "image": ImageCopy("i1", "", "raw", 1),
    "files": [],
    "config_drive": False,
    "disk_config": "MANUAL",
    "metadata": {},
    "tags": [],
    "nics": [],
    "scheduler_hints": {},
    "host": "a",
    "observed_generation": 0,
    "published": False,
    "vm_state": "building",
    "power_state": 0,
}


@pytest.fixture(params=postgres.DATABASES)
def processes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Database]]:
    """Two on one PostgreSQL; a SQLite file has one."""
    url = postgres.new_url(request.param, tmp_path)
    found = [Database(url) for _ in range(2 if request.param == "postgresql" else 1)]
    found[0].create_tables()
    with found[0].write() as tx:
        admit(tx, "a", "secret")
        hosts.register(tx, host("a"), Settings())
        servers.insert_server(tx, SERVER)
    yield found
    for db in found:
        db.close()


def change(tx: Tx) -> int:
    """The server's next generation."""
    server = servers.server_by_id(tx, "s1")
    assert server is not None
    servers.update_server(tx, server, {"generation": server.generation + 1})
    return server.generation


def look(db: Database) -> HostSpec:
    spec = specs.newer_spec(db, "a", REQUEST, -1)
    assert spec is not None
    return spec


def test_a_revision_is_one_spec(processes: list[Database]) -> None:
    def change_many(_: int) -> list[HostSpec]:
        for _ in range(30):
            with processes[0].write() as tx:
                change(tx)
        return []

    def look_often(number: int) -> list[HostSpec]:
        return [look(processes[number % len(processes)]) for _ in range(40)]

    with ThreadPoolExecutor(5) as pool:
        jobs = [pool.submit(change_many, 0), *(pool.submit(look_often, number) for number in range(4))]
        seen = [spec for job in jobs for spec in job.result(60)]
    by_revision: dict[int, set[bytes]] = defaultdict(set)
    for spec in seen:
        by_revision[spec.revision].add(msgspec.json.encode(spec, order="sorted"))
    assert {revision for revision, found in by_revision.items() if len(found) > 1} == set()
    generations = [(spec.revision, spec.guests[0].generation) for spec in seen]
    assert [generation for _, generation in sorted(generations)] == sorted(generation for _, generation in generations)
    assert look(processes[0]).guests[0].generation == 31


def test_who_has_looked_earlier_publishes_nothing_later(processes: list[Database]) -> None:
    if len(processes) < 2:
        pytest.skip("a SQLite file has one writer at a time")
    slow, quick = processes
    meanwhile: list[HostSpec] = []

    def overtake(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE compute_host_spec") and not meanwhile:
            with quick.write() as tx:
                change(tx)
            meanwhile.append(look(quick))

    first = look(quick)
    with slow.write() as tx:
        change(tx)
    sa.event.listen(slow.engine, "before_cursor_execute", overtake)
    found = look(slow)
    assert found == meanwhile[0]
    assert (found.revision, found.guests[0].generation) == (first.revision + 1, 3)


def test_a_server_is_published_with_the_first_spec_that_has_it(processes: list[Database]) -> None:
    look(processes[0])
    with processes[0].read() as tx:
        server = servers.server_by_id(tx, "s1")
    assert server is not None
    assert server.published
