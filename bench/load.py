"""Users at work for minutes: does a cloud stay as quick, as small and as faultless as it was in the first one?

    . openrc; python -m bench.load [--minutes 10] [--clients 16] [--json OUT]
              [--server-pids 1,2 | --server-pid-dir DIR] [--database URL]
    python -m bench.load --start sqlite|postgresql     # on a simulated cloud of its own

Drives any OpenStack cloud by plain HTTP: OS_* variables (of an administrator) say which, the catalog says where. What
it makes it removes. With the cloud's processes (their ids, or a directory of pid files) it tells their CPU time,
memory (PSS) and open files too, with --database (a SQLAlchemy URL) the database's size. Ends with 1 where an answer was
an error or something is left.
"""

import argparse
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.cloud import started
from bench.report import Report
from bench.session import Cloud, Session, Unexpected
from bench.users import Material, User, left, project
from bench.watched import Processes, database_mb, slope

COMPOUND = ("server create -> ACTIVE", "server delete -> gone")
"""Several requests and waiting: told for themselves, but no part of what is said of requests."""

STEADY = {"p50_ms": "p50", "p99_ms": "p99", "srv_ms": "CPU time"}


class Done(NamedTuple):
    what: str
    at: float
    seconds: float


class Load:
    """Clients in threads, and what they saw."""

    def __init__(self, clients: int, material: Material, seed: int) -> None:
        self._material, self._seed = material, seed
        self._lock = threading.Lock()
        self._done: list[Done] = []
        self.statuses: Counter[int | None] = Counter()
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(clients)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Each ends what it has begun."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        dice = random.Random(f"{self._seed}-{number}")
        user = None
        while not self._stop.is_set():
            try:
                if user is None:
                    session = Session(self._material.cloud, self._material.credentials, self._note)
                    user = User(self._material, session, dice, self._compound)
                user.act()
            except Unexpected as error:
                with self._lock:
                    self.errors.append(str(error))
                # a cloud that is gone is not asked a thousand times a second
                self._stop.wait(0.1)
        if user is not None:
            user.session.close()

    def _note(self, what: str, seconds: float, status: int | None) -> None:
        with self._lock:
            self._done.append(Done(what, time.perf_counter(), seconds))
            self.statuses[status] += 1

    def _compound(self, what: str, seconds: float) -> None:
        with self._lock:
            self._done.append(Done(what, time.perf_counter(), seconds))

    def taken(self) -> list[Done]:
        """What was done since it was asked last."""
        with self._lock:
            found, self._done = self._done, []
        return found


def run(given: argparse.Namespace, environment: Mapping[str, str], processes: Processes, database: str | None) -> int:
    cloud = Cloud(environment, given.timeout, not given.insecure)
    report = Report(given.json, label=given.label, auth_url=cloud.auth_url, args=vars(given))
    administrator = Session(cloud, cloud.administrator)
    name = f"load-{int(time.time()):x}"
    with project(cloud, administrator, name, report.problems) as material:
        load = Load(given.clients, material, given.seed)
        seconds = given.seconds or 60 * given.minutes
        periods = 3 if seconds < 180 else round(seconds / 60)
        report.head("load")
        load.start()
        try:
            memory = watch(load, report, given.clients, seconds / periods, periods, processes, database)
        finally:
            load.stop()
        report.problems += [f"left: {each}" for each in left(Session(cloud, material.credentials))]
    judge(load, report, memory, seconds / periods)
    report.save()
    return 1 if report.problems else 0


def watch(
    load: Load, report: Report, clients: int, length: float, periods: int, processes: Processes, database: str | None
) -> dict[str, list[float]]:
    """A row for each period; then one for each kind of request. Returns the memory at each period's end."""
    every: dict[str, list[float]] = {}
    memory: dict[str, list[float]] = {}
    errors, start, first = 0, processes.now(), processes.now()
    for number in range(1, periods + 1):
        time.sleep(max(0.0, first.at + number * length - time.perf_counter()))
        end = processes.now()
        done = load.taken()
        for each in done:
            every.setdefault(each.what, []).append(each.seconds)
        more: dict[str, Any] = {}
        if processes.known:
            used = processes.memory()
            for program, size in used.items():
                memory.setdefault(program, []).append(size)
            more = {"pss_MB": sum(used.values()), "files": processes.files(), "pss_of": used}
        if database:
            more["database_MB"] = database_mb(database)
        report.add(
            f"minute {number}" if length == 60 else f"{(number - 1) * length:.0f} to {number * length:.0f} s",
            [each.seconds for each in done if each.what not in COMPOUND], end.at - start.at, clients,
            len(load.errors) - errors, processes.between(start, end), **more,
        )  # fmt: skip
        errors, start = len(load.errors), end
    report.head("requests")
    for what in sorted(every):
        report.add(what, every[what], start.at - first.at, clients)
    return memory


def judge(load: Load, report: Report, memory: dict[str, list[float]], length: float) -> None:
    """What a cloud promises: figures, and the problems that there were."""
    report.head("in all")
    minutes = [row for row in report.rows if row["section"] == "load"]
    for column, name in STEADY.items():
        first, last = (row.get(column) or 0.0 for row in (minutes[0], minutes[-1]))
        if first:
            report.figure(f"{name} of the last minute, of the first", last / first, "times")
    failures = sum(count for status, count in load.statuses.items() if status is not None and status >= 500)
    report.figure("answers with 5xx", failures, "")
    report.figure("errors", len(load.errors), "")
    for program, sizes in memory.items():
        # until the second minute caches and pools fill
        settled = sizes[2:] if len(sizes) > 4 else sizes
        report.figure(f"memory growth, {program}", slope(settled) * 60 / length, "MB a minute")
    if "database_MB" in minutes[-1]:
        report.figure("database", minutes[-1]["database_MB"], "MB")
    answers = ", ".join(f"{status or 'none'}: {count}" for status, count in sorted(load.statuses.items(), key=str))
    print(f"answers: {answers}")
    seen = Counter(load.errors)
    report.problems += [f"{count} times: {error}" for error, count in seen.most_common(20)]
    for problem in report.problems:
        print(f"problem: {problem[:500]}")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--seconds", type=float, help="instead: a short run, in three parts")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write rows and figures there")
    parser.add_argument("--label", default="", help="what the file shall say of this run")
    parser.add_argument("--timeout", type=float, default=300, help="seconds until an answer counts as none")
    parser.add_argument("--insecure", action="store_true", help="take any certificate")
    parser.add_argument("--server-pids", default="", help="ids of the cloud's processes, with commas between")
    parser.add_argument("--server-pid-dir", type=Path, help="a directory of files that begin with such an id")
    parser.add_argument("--database", help="the SQLAlchemy URL of the cloud's database")
    parser.add_argument("--start", choices=("sqlite", "postgresql"), help="a simulated cloud of its own")
    return parser


def main() -> int:
    given = arguments().parse_args()
    if given.start:
        with started(given.start) as own:
            return run(given, own.environment, Processes(own.pids), own.database)
    if "OS_AUTH_URL" not in os.environ:
        sys.exit("OS_AUTH_URL and the like say which cloud: read its openrc first, or use --start.")
    pids = [int(word) for word in given.server_pids.split(",") if word]
    return run(given, os.environ, Processes(pids, given.server_pid_dir), given.database)


if __name__ == "__main__":
    sys.exit(main())
