"""The long random run itself; `soak.py` is its command."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from tests.crash.ledger import Ledger, Violation
from tests.crash.soak_faults import Faults, SoakCloud, postgres_by_tcp
from tests.crash.soak_rush import Rush
from tests.crash.soak_tenant import LIMITS, Book, SoakMonkey, Tenant
from tests.support.command import until
from tests.support.user import User

ROUND = 60.0
"""Seconds of faults between two looks."""
QUIET = 10.0
"""Seconds without faults in which latencies are measured, before the first round."""
SETTLES = 90.0
"""Seconds in which everything must be as it should after the last fault."""
RUSHES = 4
"""Every so many rounds is one with a rush."""
TRACED = 5
"""Requests of which the trace is printed."""
PASSWORD = "soaked-through"


class Soak:
    def __init__(self, cloud: SoakCloud, faults: Faults, book: Book, clients: int, seed: int) -> None:
        self.cloud, self.faults, self.book, self.seed = cloud, faults, book, seed
        self.admin = User(cloud.pileus.state_dir)
        self.image, self.flavor = self.admin.image(), self.admin.flavor()
        self._share_image()
        projects = [self._project(number) for number in range(max(1, clients // 2) + 1)]
        self.ledgers = [Ledger(project) for project, _ in projects]
        self._who = [who for _, who in projects]
        self.tenants = [self._tenant(number) for number in range(len(projects) - 1)]
        self.networks = [tenant.network() for tenant in self.tenants]
        self.looks = 0
        self.monkeys = [self._monkey(number, clients) for number in range(clients)]
        self.rush = Rush(self.admin, self._rushing(), self.image)

    def _share_image(self) -> None:
        patch = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        wish = [{"op": "replace", "path": "/visibility", "value": "public"}]
        answer = self.admin.http.patch(f"/image/v2/images/{self.image}", json=wish, headers=patch)
        assert answer.status_code == 200, answer.text

    def _project(self, number: int) -> tuple[str, dict[str, str]]:
        admin, name = self.admin, f"soak-{number}"
        project = admin.made("/identity/v3/projects", "project", name=name)["id"]
        user = admin.made("/identity/v3/users", "user", name=name, password=PASSWORD)["id"]
        role = admin.get("/identity/v3/roles?name=member")["roles"][0]["id"]
        assert admin.call("PUT", f"/identity/v3/projects/{project}/users/{user}/roles/{role}").status_code == 204
        compute = {"quota_set": {"instances": LIMITS["servers"], "cores": -1, "ram": -1}}
        assert admin.call("PUT", f"/compute/os-quota-sets/{project}", compute).status_code == 200
        network = {"quota": {"floatingip": LIMITS["floatingips"], "port": LIMITS["ports"]}}
        assert admin.call("PUT", f"/network/quotas/{project}", network).status_code == 200
        return project, {"username": name, "password": PASSWORD, "project_name": name}

    def _tenant(self, number: int) -> Tenant:
        urls = [self.cloud.first, self.cloud.second]
        return Tenant(self.cloud.pileus.state_dir, self._who[number], urls, self.ledgers[number], self.book)

    def _rushing(self) -> Tenant:
        """The last project is the rush's, and has no limits."""
        tenant = self._tenant(-1)
        tenant.limits = {}
        return tenant

    def _monkey(self, number: int, clients: int) -> SoakMonkey:
        of = number % len(self.tenants)
        seed = self.seed * clients + number
        return SoakMonkey(self._tenant(of), self.image, self.flavor, self.networks[of], seed, f"c{number}")

    def run(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        self.book.quiet.set()
        self._work(lambda _: time.sleep(min(QUIET, seconds / 6)))
        self.book.quiet.clear()
        while (left := ends - time.monotonic()) > 0 and not self.book.hopeless:
            if self.looks % RUSHES == 0:
                self.rush.begin()
            self._work(lambda stop, left=left: self.faults.storm(min(ROUND, left), stop))  # type: ignore[misc]
            self.rush.end()
            self.calm()
        self.clear()

    def _work(self, meanwhile: Callable[[threading.Event], None]) -> None:
        """All clients do things while something else is done; then they have done their last."""
        stop = threading.Event()
        with ThreadPoolExecutor(len(self.monkeys)) as pool:
            for monkey in self.monkeys:
                pool.submit(self._client, monkey, stop)
            try:
                meanwhile(stop)
            finally:
                stop.set()

    def _client(self, monkey: SoakMonkey, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                monkey.step()
            except Exception:
                self.book.wrong(Violation(traceback.format_exc(), "a client", "none"))
                return

    def calm(self) -> None:
        """No faults, no clients: all settles, and nothing is other than it was said to be."""
        self.looks += 1
        for number, monkey in enumerate(self.monkeys):
            monkey.user = self._tenant(number % len(self.tenants))  # tokens end
        self.tenants = [self._tenant(number) for number in range(len(self.tenants))]
        self.admin = User(self.cloud.pileus.state_dir)
        self.rush.tenant = self._rushing()
        began = time.monotonic()
        try:
            until(lambda: not self._unsettled(), SETTLES)
        except AssertionError:
            self.book.wrong(*self._unsettled())
        print(f"settled after {time.monotonic() - began:.1f} s", flush=True)
        for tenant in self.tenants:
            tenant.look_closely(self.admin)
        self.rush.tenant.look(exact=True)
        self.book.wrong(*self.rush.judge(self.admin))
        seen: dict[tuple[str, str], str] = {}
        for ledger in self.ledgers:
            for (kind, id_), entry in ledger.entries.items():
                if (
                    entry.state == "there"
                    and kind != "os-keypairs"
                    and seen.setdefault((kind, id_), ledger.project) != ledger.project
                ):
                    self.book.wrong(Violation("is in two projects", f"{kind} {id_}", entry.request_id))
        self._audit()

    def _unsettled(self) -> list[Violation]:
        """Servers whose task has not ended, and what is deleted and not gone."""
        found = []
        for server in self.admin.get("/compute/servers/detail?all_tenants=1&limit=1000")["servers"]:
            task, status = server["OS-EXT-STS:task_state"], server["status"]
            if task is not None or status in ("BUILD", "DELETED"):
                where = f"servers {server['id']} {server['name']} on {server['OS-EXT-SRV-ATTR:host']}"
                asked = self.admin.get(f"/compute/servers/{server['id']}/os-instance-actions")["instanceActions"]
                last = asked[0]["request_id"] if asked else "none"
                found.append(Violation(f"its task {task} does not end; it is {status}", where, last))
        for ledger in self.ledgers:
            leaving = {entry.id: entry for entry in ledger.of("servers", "leaving")}
            for id_ in leaving.keys() & {
                server["id"] for server in self.admin.get("/compute/servers?all_tenants=1&limit=1000")["servers"]
            }:
                found.append(Violation("is deleted and does not go", f"servers {id_}", leaving[id_].request_id))
        return found

    def _audit(self) -> None:
        done = self.cloud.pileus("audit")
        if done.returncode:
            self.book.wrong(Violation(f"pileus audit:\n{done.stdout}{done.stderr}", "the cloud", "none"))

    def clear(self) -> None:
        """Delete everything: nothing of it is left in rows, on hosts, on disk."""
        for tenant in self.tenants:
            self._clear_project(tenant)
        until(
            lambda: self.admin.get("/compute/servers?all_tenants=1")["servers"] == [], SETTLES, "all servers are gone"
        )
        until(lambda: not self.cloud.guests(), SETTLES, "all guests are gone")
        assert self.admin.call("DELETE", f"/image/images/{self.image}").status_code == 204
        until(lambda: not self.cloud.image_files(), SETTLES, "all image files are gone")
        for tenant in self.tenants:
            tenant.look_closely(self.admin)
        self._audit()
        left = {
            "floating IPs": self.admin.get("/network/floatingips")["floatingips"],
            "ports of servers": self.admin.get("/network/ports?device_owner=compute:nova")["ports"],
        }
        with self.cloud.engine.connect() as connection:
            left["allocations"] = connection.execute(sa.text("SELECT consumer_id FROM placement_allocation")).all()
            used = sa.text("SELECT provider_id, resource_class, used FROM placement_inventory WHERE used <> 0")
            left["used inventories"] = connection.execute(used).all()
        for noun, found in left.items():
            if found:
                self.book.wrong(Violation(f"{len(found)} are left: {found[:5]}", noun, "none"))

    def _clear_project(self, tenant: Tenant) -> None:
        for kind, path in (
            ("servers", "/compute/servers"), ("floatingips", "/network/floatingips"), ("ports", "/network/ports"),
            ("images", "/image/images"), ("os-keypairs", "/compute/os-keypairs"),
        ):  # fmt: skip
            for entry in tenant.ledger.of(kind, "there"):
                answer = tenant.call("DELETE", f"{path}/{entry.id}")
                if answer.status_code not in (202, 204):
                    self.book.wrong(Violation(f"can't be deleted: {answer.text}", f"{kind} {entry.id}", "none"))


def report(book: Book, seed: int, seconds: float, looks: int) -> None:
    print(f"\nsoak: seed {seed}, {seconds:.0f} s, {looks} looks at everything")
    by_kind: dict[str, list[str]] = defaultdict(list)
    for (what, outcome), count in sorted(book.operations.items()):
        by_kind[what].append(f"{outcome}: {count}")
    for what, outcomes in sorted(by_kind.items()):
        print(f"  {what:60} {', '.join(outcomes)}")
    print("faults: " + ", ".join(f"{name} {count}" for name, count in sorted(book.faults.items())))
    print(f"longest time that a client got no answer: {book.longest_away:.1f} s")
    if len(book.quiet_times) > 100:
        cut = statistics.quantiles(book.quiet_times, n=100)
        print(
            f"latency in the quiet: p50 {cut[49] * 1000:.1f} ms, p99 {cut[98] * 1000:.1f} ms ({len(book.quiet_times)} requests)"
        )
    for each in book.violations:
        print(f"WRONG: {each}")
    print(f"soak: {len(book.violations)} wrong; repeat with --seed {seed}")


def traces(cloud: SoakCloud, violations: Iterable[Violation]) -> None:
    """What the logs and events say of what was wrong."""
    for request_id in list(dict.fromkeys(each.request_id for each in violations if each.request_id != "none"))[:TRACED]:
        print(f"\npileus trace {request_id}\n{cloud.pileus('trace', request_id).stdout}")


def keep_logs(cloud: SoakCloud, folder: Path) -> None:
    kept = folder / "logs"
    shutil.copytree(cloud.pileus.state_dir / "log", kept)
    for log in cloud.pileus.home.glob("*.log"):
        shutil.copy(log, kept)
    print(f"the logs are in {kept}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--database")
    parser.add_argument("--isolated", action="store_true", help="network and mounts are our own")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended
    print(f"soak: seed {given.seed}", flush=True)
    book, began = Book(), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="pileus-soak-"))
    with ExitStack() as stack:
        if given.isolated:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        postgres, url = None, given.database
        if url is None:
            postgres, url = postgres_by_tcp()
            stack.callback(postgres.close)
        cloud = SoakCloud(folder, url, given.isolated)
        stack.callback(cloud.close)
        cloud.start()
        soak = Soak(
            cloud,
            Faults(cloud, book, random.Random(given.seed), postgres, given.isolated),
            book,
            given.clients,
            given.seed,
        )
        try:
            soak.run(given.minutes * 60)
        except Exception:
            book.wrong(Violation(traceback.format_exc(), "the run", "none"))
        report(book, given.seed, time.monotonic() - began, soak.looks)
        if book.violations:
            traces(cloud, book.violations)
            keep_logs(cloud, folder)
    if not book.violations:
        shutil.rmtree(folder)
    return 1 if book.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
