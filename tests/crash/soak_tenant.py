"""A project's client, who writes down what it was told, and what a look at its project must show."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.crash.ledger import Entry, Ledger, Violation
from tests.support.monkey import Monkey
from tests.support.user import User, url_of

PATIENCE = 60.0
"""Seconds in which a question must get an answer, whatever happens."""
GRACE = 5.0
"""Seconds after a fault in which what it has cut off may still fail."""
MOST_WRONG = 40
"""With so much wrong a run ends early."""
LISTS = {
    "servers": "/compute/servers/detail?limit=1000",
    "ports": "/network/ports",
    "floatingips": "/network/floatingips",
    "os-keypairs": "/compute/os-keypairs",
    "images": "/image/images?owner={project}&limit=1000",
}
LIMITS = {"servers": 6, "floatingips": 4, "ports": 25}
"""Of a project: low enough that its clients reach them."""
CLIENTS_ADDRESS = "127.0.0.2"
"""Where clients come from: what is cut off for hosts and processes is not cut off for them."""


class Unanswered(Exception):
    """The connection was lost, or the control plane said that it is away."""


class Book:
    """Of the whole run: what was done, what went wrong, when there was trouble. Thread-safe."""

    def __init__(self) -> None:
        self.operations: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.quiet_times: list[float] = []
        self.longest_away = 0.0
        self.quiet = threading.Event()
        self._troubles: list[list[float]] = []
        self._lock = threading.Lock()

    def wrong(self, *found: Violation) -> None:
        with self._lock:
            for each in found if not self.hopeless else ():
                print(f"WRONG at {time.strftime('%H:%M:%S')}: {each}", flush=True)
            self.violations += found

    @property
    def hopeless(self) -> bool:
        return len(self.violations) > MOST_WRONG

    def trouble_begins(self, kind: str) -> None:
        with self._lock:
            self.faults[kind] += 1
            self._troubles.append([time.monotonic(), float("inf")])

    def trouble_ends(self) -> None:
        with self._lock:
            self._troubles[-1][1] = time.monotonic() + GRACE

    def in_trouble(self, began: float, ended: float) -> bool:
        with self._lock:
            return any(start <= ended and began <= end for start, end in reversed(self._troubles))

    def note(self, what: str, outcome: str, began: float) -> None:
        with self._lock:
            self.operations[what, outcome] += 1
            if self.quiet.is_set():
                self.quiet_times.append(time.monotonic() - began)

    def away(self, seconds: float) -> None:
        with self._lock:
            self.longest_away = max(self.longest_away, seconds)


class Tenant(User):
    """Asks any of the cloud's addresses; lists until it gets an answer, does everything else once."""

    def __init__(self, state_dir: Path, who: dict[str, str], urls: list[str], ledger: Ledger, book: Book) -> None:
        super().__init__(state_dir, **who)
        self.limits = LIMITS
        self._urls, self.ledger, self._book = urls, ledger, book
        self._dice = random.Random(ledger.project)
        self._failing_since: float | None = None
        self.http = httpx.Client(
            headers=self.http.headers, timeout=PATIENCE, transport=httpx.HTTPTransport(local_address=CLIENTS_ADDRESS)
        )

    def call(self, method: str, path: str, json: Any = None) -> httpx.Response:
        with self.ledger.request(method, path, json) as request:
            answer = self._ask(method, path, json=json)
            request.answered(answer)
            return answer

    def send(self, path: str, data: bytes) -> httpx.Response:
        with self.ledger.request("PUT", path, None) as request:
            octets = {"Content-Type": "application/octet-stream"}
            answer = self._ask("PUT", path, content=data, headers=octets)
            request.answered(answer)
            return answer

    def get(self, path: str) -> Any:
        return self.read(path).json()

    def read(self, path: str) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(Unanswered):
                answer = self._ask("GET", path)
                if answer.status_code != 200:
                    self._wrong(f"GET answered {answer.status_code}: {answer.text[:300]}", path, answer)
                answer.raise_for_status()
                return answer
            if time.monotonic() > deadline:
                self._book.wrong(Violation(f"no answer within {PATIENCE:.0f} s", f"GET {path}", "none"))
                raise Unanswered
            time.sleep(0.05)

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Raises Unanswered. What is no honest answer is written down."""
        what, began = f"{method} {_kind(path, more.get('json'))}", time.monotonic()
        try:
            answer = self.http.request(method, self._dice.choice(self._urls) + url_of(path), **more)
        except httpx.TransportError as error:
            self._book.note(what, "lost", began)
            self._failing(began)
            if not self._book.in_trouble(began, time.monotonic()):
                self._wrong(f"the connection was lost while all was well: {error!r}", f"{method} {path}", None)
            raise Unanswered from None
        self._book.note(what, str(answer.status_code), began)
        if answer.status_code == 401 or (answer.status_code >= 500 and answer.status_code != 503):
            self._wrong(f"answered {answer.status_code}: {answer.text[:300]}", f"{method} {path}", answer)
        if answer.status_code == 503 and not self._book.in_trouble(began, time.monotonic()):
            self._wrong(f"answered 503 while all was well: {answer.text[:300]}", f"{method} {path}", answer)
        if answer.status_code >= 500:
            self._failing(began)
            if answer.status_code == 503 and method == "GET":
                raise Unanswered
        else:
            self._succeeded()
        return answer

    def _wrong(self, text: str, resource: str, answer: httpx.Response | None) -> None:
        request_id = answer.headers.get("x-openstack-request-id", "none") if answer is not None else "none"
        self._book.wrong(Violation(text, resource, request_id))

    def _failing(self, began: float) -> None:
        if self._failing_since is None:
            self._failing_since = began

    def _succeeded(self) -> None:
        if self._failing_since is not None:
            self._book.away(time.monotonic() - self._failing_since)
            self._failing_since = None

    def look(self, exact: bool = False) -> None:
        """Compare what the project has with what its clients were told."""
        for kind, path in LISTS.items():
            before = self.ledger.snapshot(kind)
            listed = self.get(path.format(project=self.project))["keypairs" if kind == "os-keypairs" else kind]
            own = [each for each in listed if not each.get("device_owner", "").startswith("network:")]
            self._book.wrong(*self.ledger.judge(kind, before, own, exact))
            if len(listed) > self.limits.get(kind, len(listed)):
                text = f"the project has {len(listed)} {kind}, and its limit is {self.limits[kind]}"
                self._book.wrong(Violation(text, f"project {self.project}", "none"))

    def look_closely(self, admin: User) -> None:
        """When nobody is at work and everything has settled. How quotas are used only an administrator sees."""
        self.look(exact=True)
        self._book.wrong(*self._usage(admin), *self._floating_ips(), *self._images())

    def _usage(self, admin: User) -> Iterator[Violation]:
        servers = self.get(LISTS["servers"])["servers"]
        well = [each for each in servers if each["status"] != "ERROR"]  # the others may have no host, and so no room
        limits = self.get("/compute/limits")["limits"]["absolute"]
        network = admin.get(f"/network/quotas/{self.project}/details")["quota"]
        ports, floating = (len(self.get(LISTS[kind])[kind]) for kind in ("ports", "floatingips"))
        wanted = {
            "instances": (limits["totalInstancesUsed"], len(servers), len(servers)),
            "cores": (limits["totalCoresUsed"], _sum(well, "vcpus"), _sum(servers, "vcpus")),
            "MiB of memory": (limits["totalRAMUsed"], _sum(well, "ram"), _sum(servers, "ram")),
            "ports": (network["port"]["used"], ports, ports),
            "floating IPs": (network["floatingip"]["used"], floating, floating),
        }
        for name, (said, least, most) in wanted.items():
            if not least <= said <= most:
                text = f"{said} {name} are said to be in use, and {least} to {most} are"
                yield Violation(text, f"project {self.project}", "none")

    def _floating_ips(self) -> Iterator[Violation]:
        ports = {each["id"] for each in self.get(LISTS["ports"])["ports"]}
        for each in self.get(LISTS["floatingips"])["floatingips"]:
            led = self.ledger.leads.pop(each["id"], {each["port_id"]})
            where = f"floatingips {each['id']} {each['floating_ip_address']}"
            if each["port_id"] is not None and each["port_id"] not in ports:
                yield Violation(f"leads to port {each['port_id']}, which is not there", where, "none")
            if each["port_id"] not in led and each["port_id"] is not None:
                yield Violation(f"leads to port {each['port_id']}; it was asked to lead to {led}", where, "none")

    def _images(self) -> Iterator[Violation]:
        for entry in self.ledger.of("images", "there"):
            if entry.data is None:
                continue
            yield from self._image(entry)

    def _image(self, entry: Entry) -> Iterator[Violation]:
        where = f"images {entry.id} {entry.name}"
        status = self.get(f"/image/images/{entry.id}")["status"]
        if status != "active":
            yield Violation(f"its data were taken and it is {status}", where, entry.request_id)
        elif self.read(f"/image/images/{entry.id}/file").content != entry.data:
            yield Violation("its data are not what was sent", where, entry.request_id)


class SoakMonkey(Monkey):
    """One that goes on when it gets no answer."""

    user: Tenant

    def step(self) -> None:
        with suppress(Unanswered):
            self.dice.choice(self.acts)()
        if self.dice.random() < 0.04:
            with suppress(Unanswered):
                self.user.look()


def _sum(servers: list[Any], resource: str) -> int:
    return sum(each["flavor"][resource] for each in servers)


_ID = re.compile(r"/[^/]*\d[^/]*(?=/|$)")


def _kind(path: str, body: Any) -> str:
    """The path without ids, and which action."""
    bare = _ID.sub("/ID", path.partition("?")[0])
    return f"{bare} {next(iter(body))}" if bare.endswith("/action") else bare
