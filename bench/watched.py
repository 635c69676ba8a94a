"""The processes of a cloud on this machine: CPU time, memory, open files; and the size of its database."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import psutil
import psycopg
import sqlalchemy as sa

INTERPRETERS = ("python", "postgres")


class Moment(NamedTuple):
    at: float
    server: float
    """CPU seconds of the cloud's processes, of the whole machine, of this process."""
    machine: float
    client: float


class Processes:
    """Those of the given ids, their children and their sessions; without any, only the machine is watched."""

    def __init__(self, ids: Sequence[int] = (), directory: Path | None = None) -> None:
        self._ids, self._directory = set(ids), directory

    @property
    def known(self) -> bool:
        return bool(self._ids or self._directory)

    def found(self) -> list[psutil.Process]:
        roots = self._ids | set(self._from_files())
        running = {process.pid: process for process in psutil.process_iter(["ppid"])}

        def belongs(pid: int) -> bool:
            while pid in running:
                if pid in roots or _session(pid) in roots:
                    return True
                pid = running[pid].info["ppid"]
            return False

        return [process for pid, process in running.items() if pid != os.getpid() and belongs(pid)] if roots else []

    def _from_files(self) -> list[int]:
        if self._directory is None:
            return []
        words = [file.read_text(errors="replace").split() for file in self._directory.iterdir() if file.is_file()]
        return [int(first[0]) for first in words if first and first[0].isdigit()]

    def now(self) -> Moment:
        busy = psutil.cpu_times()
        own = os.times()
        server = 0.0
        for process in self.found():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            # of children that ended, too
            server += sum(times[:4])
        machine = sum(busy[:8]) - busy.idle - busy.iowait
        return Moment(perf_counter(), server, machine, own.user + own.system)

    def between(self, first: Moment, last: Moment) -> dict[str, float]:
        """In the words of the rows."""
        wall = max(last.at - first.at, 1e-9)
        machine, server, client = last.machine - first.machine, last.server - first.server, last.client - first.client
        cores = psutil.cpu_count() or 1
        found = {"client_cpu_s": client, "machine_busy_pct": 100 * machine / wall / cores}
        if self.known:
            found["server_cpu_s"] = server
            found["other_pct"] = max(0.0, 100 * (machine - server - client) / wall / cores)
        return found

    def memory(self) -> dict[str, float]:
        """MB (10^6 bytes) of proportional set size, by the name of the program."""
        found: dict[str, float] = {}
        for process in self.found():
            try:
                name = process.name()
                program = next((known for known in INTERPRETERS if name.startswith(known)), name)
                found[program] = found.get(program, 0.0) + process.memory_full_info().pss / 1e6
            except psutil.NoSuchProcess:
                continue
        return found

    def files(self) -> int:
        """Open descriptors, but for those of a SQLite database: its pool keeps as many connections as were needed once."""
        total = 0
        for process in self.found():
            try:
                of_database = [file for file in process.open_files() if Path(file.path).name.startswith("pileus.db")]
                total += process.num_fds() - len(of_database)
            except psutil.NoSuchProcess:
                continue
        return total


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def database_mb(database: str) -> float:
    """MB of a SQLAlchemy URL's database, as the database counts."""
    url = sa.make_url(database)
    if url.get_backend_name() == "sqlite":
        assert url.database is not None
        with sqlite3.connect(f"file:{url.database}?mode=ro", uri=True) as file:
            (pages,), (size,) = (
                file.execute("PRAGMA page_count").fetchone(),
                file.execute("PRAGMA page_size").fetchone(),
            )
        file.close()
        return float(pages * size) / 1e6
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return float(row[0]) / 1e6


def slope(values: Sequence[float]) -> float:
    """How much a value grows from one to the next, by least squares."""
    count = len(values)
    if count < 2:
        return 0.0
    middle, mean = (count - 1) / 2, sum(values) / count
    up = sum((number - middle) * (value - mean) for number, value in enumerate(values))
    return up / sum((number - middle) ** 2 for number in range(count))
