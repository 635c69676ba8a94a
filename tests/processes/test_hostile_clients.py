"""Clients that mean no good: others are answered meanwhile, limits end them, and what they took comes back."""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from bench import hostile

from pileus.core import connection
from pileus.services.identity.api import api as identity
from pileus.services.image.api import api as image
from tests.support.command import Command, free_port, until
from tests.support.live import PASSWORD, Live, with_identity

pytestmark = pytest.mark.slow
NAMES = [("keystone", "identity", "/identity"), ("glance", "image", "/image")]
MANY = {"idle connections": 1000}
KINDS = [kind for kind in hostile.KINDS if kind.act is not hostile.half_open]


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 4.0)
    monkeypatch.setattr(connection, "PATIENCE", 2.0)
    with with_identity([identity, image], NAMES) as made:
        yield made


def connections() -> int:
    gc.collect()
    return sum(isinstance(each, connection.Connection) for each in gc.get_objects())


def descriptors() -> int:
    """Of this process, those of the database's pool aside."""
    gc.collect()
    return sum(".db" not in os.path.realpath(each) for each in Path("/proc/self/fd").iterdir())


@contextmanager
def polite(live: Live) -> Iterator[httpx.Client]:
    user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    with httpx.Client(base_url=live.url, timeout=60) as client:
        answer = client.post("/identity/v3/auth/tokens", json=body)
        client.headers["x-auth-token"] = answer.headers["x-subject-token"]
        yield client


def target(live: Live, client: httpx.Client) -> hostile.Target:
    wish = {"name": "large", "disk_format": "raw", "container_format": "bare"}
    made = client.post("/image/v2/images", json=wish).json()["id"]
    data = f"/image/v2/images/{made}/file"
    headers = {"content-type": "application/octet-stream"}
    assert client.put(data, content=bytes(hostile.IMAGE), headers=headers).status_code == 204
    host, port = live.address
    return hostile.Target(host, port, "/identity/v3/auth/tokens", False, client.headers["x-auth-token"], data)


@contextmanager
def siege(kind: hostile.Kind, target: hostile.Target, count: int) -> Iterator[None]:
    """Entered when all are on their way. Each comes once, and stays until it is told, or made, to go."""
    came, stop = threading.Event(), threading.Event()

    async def one() -> None:
        try:
            await kind.act(hostile.Client(target))
        except OSError:
            pass

    async def everybody() -> None:
        tasks = [asyncio.create_task(one()) for _ in range(count)]
        came.set()
        while not stop.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(everybody()))
    thread.start()
    came.wait()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def half_open() -> None:
    """In a network namespace of its own: clients ask, and from then on their packets are lost."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    connection.PATIENCE = 2.0
    with with_identity([identity, image], NAMES) as live, polite(live) as client:
        place = target(live, client)
        held, files = connections(), descriptors()
        with siege(hostile.Kind(20, "half-open connections", hostile.half_open), place, 20):
            until(lambda: connections() >= held + 20, what="all have come")
            hostile.lose_packets()
            assert client.get("/image/v2/images").status_code == 200
            until(lambda: connections() <= held, 60, "all were cut off, and forgotten")
            assert client.get("/image/v2/images").status_code == 200
        until(lambda: descriptors() <= files, 30, "all descriptors are closed")


@pytest.mark.real
def test_clients_that_are_gone_without_a_word_are_noticed() -> None:
    command = [sys.executable, "-c", "from tests.processes import test_hostile_clients as here; here.half_open()"]
    done = subprocess.run(["unshare", "--net", *command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_others_are_answered_and_the_hostile_are_shown_the_door(live: Live, kind: hostile.Kind) -> None:
    with polite(live) as client:
        place = target(live, client)
        held, files = connections(), descriptors()
        with siege(kind, place, MANY.get(kind.name, 50)):
            for _ in range(50):
                assert client.get("/image/v2/images").status_code == 200
                assert httpx.get(f"{live.url}/identity/v3", timeout=60).status_code == 200
            until(lambda: connections() <= held, 60, "all hostile clients were cut off, and forgotten")
            assert client.get("/image/v2/images").status_code == 200
        until(lambda: descriptors() <= files, 30, "all descriptors are closed")


def test_more_clients_wait_than_a_shell_lets_a_process_have_files(tmp_path: Path) -> None:
    pileus = Command(tmp_path / "home", tmp_path / "state", ("prlimit", "--nofile=200:5000"))
    port = free_port()
    try:
        pileus.ok("up", "--sim", "--port", str(port))
        with ExitStack() as stack:
            for _ in range(300):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            assert httpx.get(f"http://127.0.0.1:{port}/identity/v3", timeout=30).status_code == 200
    finally:
        pileus("down", "--purge")
