"""The cloud of the long run, of many processes, and what is done to it."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import sqlalchemy as sa

from tests.crash.soak_tenant import Book
from tests.processes.processes import Processes
from tests.support.command import free_port, until
from tests.support.postgres import Server
from tests.support.user import User

HOSTS = 4
DISK_MB = 320
_CUTS = """
table inet soak {
  set broken { type inet_service; }
  set silent { type inet_service; }
  chain out {
    type filter hook output priority 0;
    ip saddr 127.0.0.1 tcp dport @broken reject with tcp reset
    ip saddr 127.0.0.1 tcp dport @silent drop
  }
}
"""
"""Clients come from another address: only processes of the cloud are cut off."""


class SoakCloud(Processes):
    """`up` with several simulated hosts at `first`, `api --processes 2` at `second`, two controllers."""

    def __init__(self, directory: Path, database: str, isolated: bool) -> None:
        """`isolated`: the state directory may get a small disk of its own."""
        super().__init__(directory, database)
        self.pileus.state_dir.mkdir()
        self._isolated = isolated
        if isolated:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "tmpfs", str(self.pileus.state_dir)]
            subprocess.run(mount, check=True)
        self._running: dict[str, tuple[ExitStack, psutil.Process]] = {}

    def up(self) -> None:
        port = self.first.rsplit(":")[-1]
        self.pileus.ok("up", "--sim", "--sim-hosts", str(HOSTS), "--database", self.database, "--port", port)

    def start(self) -> None:
        self.up()
        for name in ("api", "controller-1", "controller-2"):
            self.begin(name)
        until(lambda: self.answers(self.second), 90, "the second API answers")
        until(lambda: User(self.pileus.state_dir).hosts_up(HOSTS), 90, "the hosts are up")

    def begin(self, name: str) -> None:
        words = ["api", "--port", self.second.rsplit(":")[-1], "--processes", "2"] if name == "api" else ["controller"]
        stack = ExitStack()
        self._running[name] = stack, psutil.Process(stack.enter_context(self.more(*words)).pid)

    def kill(self, name: str) -> None:
        """And what it has started."""
        stack, process = self._running.pop(name)
        for each in (process, *process.children()):
            each.kill()
        stack.close()

    def workers(self) -> list[psutil.Process]:
        return self._running["api"][1].children()

    def serving(self) -> psutil.Process:
        return psutil.Process(int(json.loads((self.pileus.state_dir / "run/pileus.json").read_text())["pid"]))

    def agent(self) -> psutil.Process | None:
        for child in self.serving().children():
            try:
                if "pileus.node" in child.cmdline():
                    return child
            except psutil.Error:
                continue
        return None

    def hosts(self) -> list[str]:
        return sorted(folder.name for folder in (self.pileus.state_dir / "sim").iterdir())

    def knobs(self, host: str, **values: object) -> None:
        folder = self.pileus.state_dir / "sim" / host
        new = folder / "knobs.new"
        new.write_text(json.dumps(values))
        new.replace(folder / "knobs.json")

    def guests(self) -> list[Path]:
        return list((self.pileus.state_dir / "sim").glob("*/guests/*.json"))

    def image_files(self) -> list[Path]:
        return [file for file in (self.pileus.state_dir / "images").rglob("*") if file.is_file()]

    def close(self) -> None:
        for stack, _ in self._running.values():
            stack.close()
        super().close()
        if self._isolated:
            subprocess.run(["umount", str(self.pileus.state_dir)], check=True)


class Faults:
    """One after the other, until told to stop; each has ended, and what it ended runs again, before the next.

    `postgres`: the cluster, where it is ours to restart. `isolated`: we have a network and mounts of our own.
    """

    def __init__(
        self, cloud: SoakCloud, book: Book, dice: random.Random, postgres: Server | None, isolated: bool
    ) -> None:
        self.cloud, self._book, self._dice, self._postgres = cloud, book, dice, postgres
        self.kinds: list[Callable[[], None]] = [
            self.kill_api, self.kill_worker, self.kill_all_workers, self.kill_controller, *[self.kill_agent] * 2,
            *[self.turn_knobs] * 3, self.hang_agent,
        ]  # fmt: skip
        if postgres is not None:
            self.kinds += [self.restart_database, self.crash_database, self.database_away]
        if isolated:
            subprocess.run(["nft", "-f", "-"], input=_CUTS, text=True, check=True)
            self.kinds += [self.fill_disk, self.reset_agents, self.silence_agents]
            if postgres is not None:
                self.kinds += [self.reset_database, self.silence_database]

    def storm(self, seconds: float, stop: threading.Event) -> None:
        until_ = time.monotonic() + seconds
        deck: list[Callable[[], None]] = []
        while time.monotonic() < until_ and not stop.is_set():
            if not deck:
                deck = self._dice.sample(self.kinds, len(self.kinds))
            stop.wait(self._dice.uniform(0.5, 3.0))
            self.one(deck.pop())

    def one(self, fault: Callable[[], None]) -> None:
        name = fault.__name__.replace("_", " ")
        print(f"{time.strftime('%H:%M:%S')} fault: {name}", flush=True)
        self._book.trouble_begins(name)
        try:
            fault()
            until(
                lambda: self.cloud.answers(self.cloud.first) and self.cloud.answers(self.cloud.second),
                60,
                f"after {name}",
            )
        finally:
            self._book.trouble_ends()

    def kill_api(self) -> None:
        """And its controller; the host agent notices and ends, or is ended by the next."""
        serving = self.cloud.serving()
        serving.kill()
        until(lambda: not serving.is_running() or serving.status() == psutil.STATUS_ZOMBIE)
        self.cloud.up()

    def kill_worker(self) -> None:
        until(lambda: len(self.cloud.workers()) == 2)
        self._dice.choice(self.cloud.workers()).kill()

    def kill_all_workers(self) -> None:
        self.cloud.kill("api")
        until(lambda: not self.cloud.answers(self.cloud.second))
        self.cloud.begin("api")

    def kill_controller(self) -> None:
        name = self._dice.choice(["controller-1", "controller-2"])
        self.cloud.kill(name)
        self.cloud.begin(name)

    def kill_agent(self) -> None:
        until(lambda: self.cloud.agent() is not None)
        agent = self.cloud.agent()
        if agent is not None:
            agent.kill()
            until(lambda: self.cloud.agent() not in (None, agent))

    def hang_agent(self) -> None:
        """It does nothing for a while, and goes on."""
        agent = self.cloud.agent()
        if agent is not None:
            agent.suspend()
            time.sleep(self._dice.uniform(1, 4))
            agent.resume()

    def turn_knobs(self) -> None:
        host = self._dice.choice(self.cloud.hosts())
        verbs = ["ensure_disk", "start", "define", "shut_down", "destroy", "reboot", "pause", "resume", "suspend", "attach_nic",
                 "detach_nic", "remove", "reset_disk"]  # fmt: skip
        values: dict[str, object] = self._dice.choice(
            [
                {"slow": self._dice.uniform(0.1, 1.0)},
                {"fail_at": {self._dice.choice(verbs): "the soak wills it"}},
                {"vanish": True},
                {"lie": self._dice.choice(["running", "stopped", "paused", "crashed", "suspended"])},
                {"keep_nics": True},
            ]
        )
        print(f"         {host}: {values}", flush=True)
        self.cloud.knobs(host, **values)
        time.sleep(self._dice.uniform(1, 5))
        self.cloud.knobs(host)

    def restart_database(self) -> None:
        self._stop_database("fast", 0)

    def crash_database(self) -> None:
        self._stop_database("immediate", 0)

    def database_away(self) -> None:
        self._stop_database("fast", self._dice.uniform(2, 6))

    def _stop_database(self, mode: str, seconds: float) -> None:
        assert self._postgres is not None
        self._postgres.stop(mode)
        time.sleep(seconds)
        self._postgres.start()

    def fill_disk(self) -> None:
        """The state directory's; the database has another."""
        file = self.cloud.pileus.state_dir / "full"
        with file.open("wb", buffering=0) as filler, suppress_full():
            free = os.statvfs(file)
            os.posix_fallocate(filler.fileno(), 0, free.f_bavail * free.f_frsize)
            while True:
                filler.write(bytes(512))
        time.sleep(self._dice.uniform(1, 4))
        file.unlink()

    def reset_agents(self) -> None:
        self._cut("broken", self.cloud.first, 0.2, 3)

    def silence_agents(self) -> None:
        self._cut("silent", self.cloud.first, 1, 6)

    def reset_database(self) -> None:
        self._cut("broken", self.cloud.database, 0.05, 2)

    def silence_database(self) -> None:
        self._cut("silent", self.cloud.database, 0.5, 4)

    def _cut(self, how: str, url: str, least: float, most: float) -> None:
        element = ["element", "inet", "soak", how, f"{{ {sa.make_url(url).port} }}"]
        subprocess.run(["nft", "add", *element], check=True)
        time.sleep(self._dice.uniform(least, most))
        subprocess.run(["nft", "delete", *element], check=True)


@contextmanager
def suppress_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def postgres_by_tcp() -> tuple[Server, str]:
    """A cluster that listens on loopback, with an empty database."""
    port = free_port()
    server = Server("-c", "listen_addresses=127.0.0.1", "-c", f"port={port}")
    url = f"postgresql+psycopg://pileus@127.0.0.1:{port}/cloud"
    engine = sa.create_engine(url.replace("/cloud", "/postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE cloud"))
    engine.dispose()
    return server, url
