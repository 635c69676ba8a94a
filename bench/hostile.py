"""Hostile clients beside a polite one: how much longer does it wait for its answers?

    . openrc; python -m bench.hostile [--seconds 10] [--json OUT] [--server-pids 1,2 | --server-pid-dir DIR]
    sudo python -m bench.hostile --start sqlite|postgresql     # on a simulated cloud of its own

The polite client asks for lists and servers, now and then over a new connection. Each kind of hostile clients comes in
a process of its own; what is told is the polite one's latency without and with them, and the ratio. With --start all
happens in a network namespace of its own, where packets can be lost: without it, half-open connections are left out.
"""

import argparse
import asyncio
import multiprocessing
import os
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.cloud import started
from bench.report import Report
from bench.session import Cloud, Session
from bench.watched import Processes

INSIDE = "PILEUS_BENCH_INSIDE"
"""In the environment of a process that has a network namespace of its own."""
LOST = "127.0.0.66"
"""The address of clients whose packets are lost."""
IMAGE = 32 << 20
"""Bytes of an image: more than the buffers of a connection take."""
FEW = 10
SETTLE = 3.0
"""Seconds until hostile clients have come in force."""


class Target(NamedTuple):
    host: str
    port: int
    path: str
    """Of identity: where tokens are issued."""
    tls: bool
    token: str
    """The hostile have one too."""
    image: str
    """The path of an image's data."""


class Client:
    """One hostile connection at a time."""

    def __init__(self, target: Target) -> None:
        self.target = target

    async def connect(self, source: str | None = None, receive: int = 0) -> None:
        made = socket.socket(socket.AF_INET)
        if receive:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        if source:
            made.bind((source, 0))
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (self.target.host, self.target.port))
        context = ssl.create_default_context() if self.target.tls else None
        if context:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.reader, self.writer = await asyncio.open_connection(
            sock=made, limit=1, ssl=context, server_hostname=self.target.host if context else None
        )

    def head(self, method: str, *more: str, path: str | None = None) -> bytes:
        lines = [f"{method} {path or self.target.path} HTTP/1.1", f"Host: {self.target.host}", *more]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def download(self) -> bytes:
        return self.head("GET", f"X-Auth-Token: {self.target.token}", path=self.target.image) + b"\r\n"

    async def dribble(self, data: bytes) -> None:
        """A byte a second."""
        for each in data:
            self.writer.write(bytes([each]))
            await self.writer.drain()
            await asyncio.sleep(1.0)


async def slow_head(client: Client) -> None:
    await client.connect()
    await client.dribble(client.head("GET", "X-Slow: " + "s" * 1000))


async def slow_body(client: Client) -> None:
    await client.connect()
    client.writer.write(client.head("POST", "Content-Type: application/json", "Content-Length: 1000") + b"\r\n")
    await client.dribble(b"{" + b" " * 998 + b"}")


async def slow_reader(client: Client) -> None:
    """Asks for a large image, and takes a byte a second."""
    await client.connect(receive=2048)
    client.writer.write(client.download())
    while await client.reader.read(1):  # noqa: ASYNC110
        await asyncio.sleep(1.0)


async def idle(client: Client) -> None:
    await client.connect()
    await client.reader.read()


async def huge_head(client: Client) -> None:
    """A megabyte of headers, ten times a second."""
    await client.connect()
    client.writer.write(client.head("GET") + b"".join(b"X-%d: %s\r\n" % (n, b"h" * 1000) for n in range(1000)))
    try:
        while await client.reader.read(1024):
            pass
    finally:
        client.writer.close()
    await asyncio.sleep(0.1)


async def half_open(client: Client) -> None:
    """Has asked, and is gone without a word: its packets are lost once all have come."""
    await client.connect(source=LOST, receive=2048)
    client.writer.write(client.download())
    await client.writer.drain()
    await asyncio.sleep(3600)


class Kind(NamedTuple):
    count: int
    name: str
    act: Callable[[Client], Awaitable[None]]


KINDS = (
    Kind(200, "slow heads", slow_head),
    Kind(200, "slow bodies", slow_body),
    Kind(200, "slow readers", slow_reader),
    Kind(1000, "idle connections", idle),
    Kind(200, "half-open connections", half_open),
    Kind(10, "huge headers", huge_head),
)


def besiege(kind: int, target: Target, stop: Event) -> None:
    """In a process of its own, until told to stop. Who is cut off comes again."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    async def one() -> None:
        while True:
            try:
                await KINDS[kind].act(Client(target))
            except (OSError, ssl.SSLError):
                await asyncio.sleep(1.0)

    async def everybody() -> None:
        clients = [asyncio.create_task(one()) for _ in range(KINDS[kind].count)]
        while not stop.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        for client in clients:
            client.cancel()

    asyncio.run(everybody())


def polite(session: Session, seconds: float) -> list[float]:
    """How long each answer took."""
    spent: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if len(spent) % 10 == 9:
            session.close()
        began = time.perf_counter()
        if len(spent) % 2:
            session.call("compute", "GET", "/flavors/detail")
        else:
            session.call("network", "GET", "/networks")
        spent.append(time.perf_counter() - began)
        time.sleep(0.002)
    return spent


def run(given: argparse.Namespace, environment: dict[str, str], processes: Processes, own: bool) -> int:
    cloud = Cloud(environment, verified=not given.insecure)
    session = Session(cloud, cloud.administrator)
    report = Report(given.json, label=given.label, auth_url=cloud.auth_url, args=vars(given))
    place = urlsplit(f"{cloud.auth_url}/auth/tokens")
    port = place.port or (443 if place.scheme == "https" else 80)
    image = session.call(
        "image", "POST", "/images", {"name": "hostile", "disk_format": "raw", "container_format": "bare"}
    )
    data = f"/images/{image['id']}/file"
    session.call("image", "PUT", data, bytes(IMAGE))
    path = urlsplit(session.endpoints["image"] + data).path
    target = Target(place.hostname or "", port, place.path, place.scheme == "https", session.token, path)
    report.head("hostile clients")
    polite(session, 1.0)
    for number, kind in enumerate(KINDS):
        if kind.act is half_open and not own:
            print(f"{kind.name}: left out, as packets can be lost only in a network namespace of its own (--start)")
            continue
        alone = _row(report, f"before {kind.name}", session, given.seconds, processes)
        stop = multiprocessing.get_context("spawn").Event()
        siege = multiprocessing.get_context("spawn").Process(target=besiege, args=(number, target, stop))
        siege.start()
        time.sleep(SETTLE)
        if kind.act is half_open:
            lose_packets()
        try:
            beside = _row(report, f"beside {kind.count} {kind.name}", session, given.seconds, processes)
        finally:
            stop.set()
            siege.join()
        if processes.known:
            report.figure(f"{kind.name}: descriptors are back after", _back(processes, alone["files"]), "s")
        for percent, told in (("p50_ms", "p50 beside them, of alone"), ("p99_ms", "p99 beside them, of alone")):
            report.figure(f"{kind.name}: {told}", beside[percent] / alone[percent], "times")
    session.call("image", "DELETE", f"/images/{image['id']}")
    report.save()
    return 0


def _row(report: Report, name: str, session: Session, seconds: float, processes: Processes) -> dict[str, float]:
    began = processes.now()
    spent = polite(session, seconds)
    end = processes.now()
    more = {"files": processes.files(), "pss_MB": sum(processes.memory().values())} if processes.known else {}
    return report.add(name, spent, end.at - began.at, 1, 0, processes.between(began, end), **more)


def _back(processes: Processes, files: float) -> float:
    """Seconds until the cloud has no more open files than it had, but for a few; at most five minutes."""
    began = time.perf_counter()
    while processes.files() > files + FEW and time.perf_counter() - began < 300:
        time.sleep(0.2)
    return time.perf_counter() - began


def lose_packets() -> None:
    """From now on, all from and to LOST."""
    chain = f"type filter hook input priority 0\nip saddr {LOST} drop\nip daddr {LOST} drop\n"
    rules = f"table ip lost {{\nchain input {{\n{chain}}}\n}}\n"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="for each measurement")
    parser.add_argument("--json", type=Path, help="write rows and figures there")
    parser.add_argument("--label", default="", help="what the file shall say of this run")
    parser.add_argument("--insecure", action="store_true", help="take any certificate")
    parser.add_argument("--server-pids", default="", help="ids of the cloud's processes, with commas between")
    parser.add_argument("--server-pid-dir", type=Path, help="a directory of files that begin with such an id")
    parser.add_argument("--start", choices=("sqlite", "postgresql"), help="a simulated cloud of its own")
    given = parser.parse_args()
    if given.start is None:
        if "OS_AUTH_URL" not in os.environ:
            sys.exit("OS_AUTH_URL and the like say which cloud: read its openrc first, or use --start.")
        pids = [int(word) for word in given.server_pids.split(",") if word]
        return run(given, dict(os.environ), Processes(pids, given.server_pid_dir), own=False)
    if INSIDE not in os.environ:
        command = ["unshare", "--net", sys.executable, "-m", "bench.hostile", *sys.argv[1:]]
        return subprocess.run(command, env=os.environ | {INSIDE: "yes"}).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with started(given.start) as own:
        return run(given, own.environment, Processes(own.pids), own=True)


if __name__ == "__main__":
    sys.exit(main())
