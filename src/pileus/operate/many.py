"""`pileus sim`: how a running control plane does with thousands of hosts and servers, which it simulates.

Prints what was measured; at the end its servers and hosts are gone again.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import psutil

import pileus.cloud as cloud
from pileus.cli.client import Client
from pileus.core.context import system_caller
from pileus.core.db import Database
from pileus.core.errors import NotFound
from pileus.operate import state
from pileus.operate.load import NAME, PATIENCE, Load
from pileus.operate.options import OptionError
from pileus.services.compute.rules import admit
from pileus.services.compute.rules import hosts as rules
from pileus.services.compute.store import hosts as store

PREFIX = f"{NAME}-"
LOG = "swarm.log"
TOKEN = "a simulated host's token"
BUCKET = re.compile(r'^pileus_claim_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


class Wish(msgspec.Struct):
    """What is to be measured."""

    hosts: Sequence[int]
    """One measurement for each number."""
    servers: int
    clients: int
    idle: float = 60.0
    """Seconds over which idle hosts are watched: in 60 each asks once or twice, and a fifth of them report."""
    more: Sequence[str] = ()
    """URLs of further `pileus api`, which hosts and clients use too."""
    together: int = 1
    """Servers that one request makes."""
    keep: bool = False
    """Leave everything: to take away 100,000 servers takes as long as to make them."""


class Result(msgspec.Struct):
    """Times in milliseconds, CPU in cores or in milliseconds for one boot, memory in MB (proportional set size)."""

    hosts: int
    register_seconds: float
    idle_cpu: float
    """The control plane while all hosts only wait."""
    idle_cpu_database: float
    idle_cpu_swarm: float
    """What the simulated hosts themselves take; no part of the cloud."""
    connections: int
    kb_per_host: float
    """What the control plane's memory has grown by, for each host that waits."""
    servers: int
    boots_per_second: float
    """From the first request until the last server is ACTIVE."""
    boot_cpu: float
    """Of the control plane, for one boot."""
    boot_cpu_database: float
    boot_cpu_swarm: float
    """Of the simulated hosts and of the clients."""
    claim_p50: float
    claim_p99: float
    """To choose a host and claim its room, in the server."""
    post_p50: float
    post_p99: float
    active_p50: float
    active_p99: float
    """From the request to ACTIVE."""
    list_p50: float
    list_p99: float
    """A detailed list of all servers of one tenant, who has up to 100."""
    failed: int
    memory_mb: float


def run(state_dir: Path, wish: Wish, say: Callable[[str], None]) -> Iterator[Result]:
    """Raises OptionError where the cloud can't be measured."""
    found = state.running(state_dir)
    if found is None:
        raise OptionError(f"Pileus is not running in {state_dir}: start it by 'pileus up --sim --database URL'.")
    if found.settings.mode != "sim":
        raise OptionError("Simulated hosts would take servers from the real ones: use a cloud in sim mode.")
    if found.settings.url.startswith("https"):
        raise OptionError("The hosts are simulated without TLS: use a cloud that listens on loopback.")
    cloud.services()
    token = found.settings.metrics_token_file.read_text().strip()
    db = Database(found.settings.database_url)
    try:
        for hosts in wish.hosts:
            yield _Measurement(state_dir, db, [found.settings.url, *wish.more], wish, hosts, token, say).run()
    finally:
        db.close()


class _Measurement:
    """One row of the table."""

    def __init__(
        self,
        state_dir: Path,
        db: Database,
        urls: Sequence[str],
        wish: Wish,
        hosts: int,
        metrics_token: str,
        say: Callable[[str], None],
    ) -> None:
        self._state_dir, self._db, self._urls, self._wish, self._hosts = state_dir, db, urls, wish, hosts
        self._metrics_token, self._say = metrics_token, say
        self._names = [f"{PREFIX}{number:05}" for number in range(1, hosts + 1)]
        self._known: dict[str, float] = {}
        self._log = state_dir / "log" / LOG
        self._load = Load(urls, Client(state_dir), wish.clients, self._known, wish.together)

    def run(self) -> Result:
        with self._db.write() as tx:
            for name in self._names:
                admit(tx, name, TOKEN)
        try:
            with self._others_rest(), self._swarm() as swarm:
                result = self._measure(_Watched(swarm, self._urls, self._db))
                if not self._wish.keep:
                    asyncio.run(self._load.clear())
                return result
        finally:
            if not self._wish.keep:
                with self._db.write() as tx:
                    for name in self._names:
                        with suppress(NotFound):  # one that had not registered yet
                            rules.delete(tx, system_caller(), rules.host_of(tx, name))

    def _measure(self, watched: _Watched) -> Result:
        empty = watched.memory_mb()
        began = time.monotonic()
        wait_for_hosts(self._names, self._known, self._state_dir / "log")
        registered = time.monotonic() - began
        self._say(f"{self._hosts} hosts registered in {registered:.1f} s.")
        seconds = self._wish.idle
        idle, connections = self._share(watched, lambda: time.sleep(seconds), seconds), watched.connections()
        grown = (watched.memory_mb() - empty) * 1000 / self._hosts
        self._say(f"Idle: {idle.plane:.2f} cores, {idle.database:.2f} of the database, {connections} connections.")
        asyncio.run(self._load.prepare(self._wish.servers))
        before = self._claims()
        self._say(f"{self._wish.servers} servers are booted by {self._wish.clients} clients.")
        booted = []
        boot = self._share(
            watched, lambda: booted.append(asyncio.run(self._load.boot(self._wish.servers))), self._wish.servers / 1000
        )
        (done,) = booted
        after = self._claims()
        claims = {limit: count - before.get(limit, 0.0) for limit, count in after.items()}
        lists = asyncio.run(self._load.time_lists())
        return Result(
            hosts=self._hosts,
            register_seconds=registered,
            idle_cpu=idle.plane,
            idle_cpu_database=idle.database,
            idle_cpu_swarm=idle.swarm,
            connections=connections,
            kb_per_host=grown,
            servers=self._wish.servers,
            boots_per_second=(self._wish.servers - done.failed) / done.took if done.took else 0.0,
            boot_cpu=boot.plane,
            boot_cpu_database=boot.database,
            boot_cpu_swarm=boot.swarm,
            claim_p50=quantile(claims, 0.5) * 1000,
            claim_p99=quantile(claims, 0.99) * 1000,
            post_p50=_percentile(done.posts, 50),
            post_p99=_percentile(done.posts, 99),
            active_p50=_percentile(done.active, 50),
            active_p99=_percentile(done.active, 99),
            list_p50=_percentile(lists, 50),
            list_p99=_percentile(lists, 99),
            failed=done.failed,
            memory_mb=watched.memory_mb(),
        )

    @contextmanager
    def _others_rest(self) -> Iterator[None]:
        """Hosts that are not measured get no servers: nobody here hears when those run."""
        with self._db.write() as tx:
            others = [row.name for row in store.find(tx) if not row.name.startswith(PREFIX) and not row.disabled]
            for name in others:
                rules.set_disabled(tx, system_caller(), rules.host_of(tx, name), True, "pileus sim measures")
        try:
            yield
        finally:
            with self._db.write() as tx:
                for name in others:
                    rules.set_disabled(tx, system_caller(), rules.host_of(tx, name), False)

    def _share(self, watched: _Watched, act: Callable[[], None], units: float) -> Cpu:
        before = watched.cpu()
        act()
        after = watched.cpu()
        return Cpu(*((late - early) / units for early, late in zip(before, after, strict=True)))

    @contextmanager
    def _swarm(self) -> Iterator[psutil.Process]:
        """The hosts, in a process of their own, which says what runs."""
        command = [sys.executable, "-m", "pileus.node.swarm", TOKEN, PREFIX, str(self._hosts), *self._urls]
        with self._log.open("ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd="/", text=True)
        assert process.stdout is not None
        hearing = threading.Thread(target=self._hear, args=(process.stdout,), daemon=True)
        hearing.start()
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)
            hearing.join(10)

    def _hear(self, lines: Iterator[str]) -> None:
        for line in lines:
            name, _, at = line.partition(" ")
            self._known[name] = float(at)

    def _claims(self) -> dict[float, float]:
        """How many claims have taken up to so many seconds, of all APIs."""
        found: dict[float, float] = {}
        for url in self._urls:
            text = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {self._metrics_token}"}).text
            for limit, count in BUCKET.findall(text):
                found[float(limit)] = found.get(float(limit), 0.0) + float(count)
        return found


def wait_for_hosts(names: Collection[str], known: Mapping[str, float], logs: Path) -> None:
    """Until all have registered, by what they heard themselves: a list of thousands, again and again, would be a load.

    Raises OptionError where for a while none more does.
    """
    missing, since = set(names), time.monotonic()
    while missing:
        time.sleep(0.5)
        if missing & known.keys():
            missing, since = missing - known.keys(), time.monotonic()
        elif time.monotonic() > since + PATIENCE:
            raise OptionError(
                f"{len(missing)} of {len(names)} hosts have not registered, and for {PATIENCE:.0f} s none has: "
                f"{logs / LOG} and the cloud's log in {logs} say why."
            )


class Cpu(msgspec.Struct):
    """Of the control plane, its database, and of those who measure."""

    plane: float
    database: float
    swarm: float

    def __iter__(self) -> Iterator[float]:
        return iter((self.plane, self.database, self.swarm))


class _Watched:
    """The processes that serve the API, their database's where it is a PostgreSQL on this machine, and those that measure."""

    def __init__(self, swarm: psutil.Process, urls: Sequence[str], db: Database) -> None:
        self._swarm = [swarm, psutil.Process()]
        self._plane = [process for url in urls for process in _listening(urlsplit(url).port)]
        self._postgres = _postgres(db)

    def cpu(self) -> Cpu:
        database = [self._postgres, *self._postgres.children(recursive=True)] if self._postgres else []
        return Cpu(_cpu(self._plane), _cpu(database), _cpu(self._swarm))

    def connections(self) -> int:
        return sum(each.status == psutil.CONN_ESTABLISHED for one in self._plane for each in one.net_connections("tcp"))

    def memory_mb(self) -> float:
        return sum(float(each.memory_full_info().pss) for each in self._plane) / 1e6


def _listening(port: int | None) -> list[psutil.Process]:
    pids = {
        each.pid
        for each in psutil.net_connections("tcp")
        if each.status == "LISTEN" and tuple(each.laddr)[1:] == (port,)
    }
    return [psutil.Process(pid) for pid in pids if pid]


def _postgres(db: Database) -> psutil.Process | None:
    """The first process of the database's server, if it runs here."""
    if db.is_sqlite:
        return None
    with db.read() as tx:
        try:
            parent = psutil.Process(tx.quick_scalar("SELECT pg_backend_pid()")).parent()
        except psutil.NoSuchProcess:
            return None
    return parent if parent and parent.name() == "postgres" else None


def _cpu(processes: Sequence[psutil.Process]) -> float:
    """Seconds since they began."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def quantile(counts: dict[float, float], part: float) -> float:
    """Seconds below which that part of a histogram lies (upper limit -> how many up to it), as Prometheus estimates it."""
    limits = sorted(counts)
    wanted = part * counts[limits[-1]] if limits else 0.0
    low = below = 0.0
    for limit in limits:
        if counts[limit] >= wanted > 0:
            inside = counts[limit] - below
            return low if limit == float("inf") else low + (limit - low) * (wanted - below) / inside
        low, below = limit, counts[limit]
    return 0.0


def _percentile(seconds: Sequence[float], percent: int) -> float:
    """In milliseconds."""
    return statistics.quantiles(seconds, n=100)[percent - 1] * 1000 if len(seconds) > 1 else 0.0


COLUMNS = (
    ("hosts", "hosts", 0),
    ("idle: cores", "idle_cpu", 2),
    ("database", "idle_cpu_database", 2),
    ("connections", "connections", 0),
    ("kB/host", "kb_per_host", 0),
    ("boots/s", "boots_per_second", 0),
    ("CPU ms/boot", "boot_cpu", 1),
    ("database", "boot_cpu_database", 1),
    ("measuring", "boot_cpu_swarm", 1),
    ("claim p50", "claim_p50", 1),
    ("p99 ms", "claim_p99", 1),
    ("ACTIVE p50", "active_p50", 0),
    ("p99 ms", "active_p99", 0),
    ("list of 100: p50", "list_p50", 0),
    ("p99 ms", "list_p99", 0),
    ("failed", "failed", 0),
    ("MB", "memory_mb", 0),
)


def heading() -> str:
    """Of a table in Markdown."""
    return f"| {' | '.join(name for name, _, _ in COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def line(result: Result) -> str:
    return f"| {' | '.join(f'{getattr(result, field):.{digits}f}' for _, field, digits in COLUMNS)} |"
