"""The numbers of images: bytes in and out, the list, and what an import costs everybody else.

usage: python -m bench.image [--json OUT] [--gib N] [--dir DIR]

Starts a cloud of its own with simulated hosts, in a directory of DIR (the disk that is measured), and talks to it as a
local client: a bare socket, as Python's http.client and json take 3 ms of a long list for themselves. Each transfer is
done several times; the best is given, as other work on the machine only ever slows it.

An upload is written past the page cache, so the first download of an image comes from the disk: beside it stands how
quickly the disk gives the same bytes to a program that does nothing else. The next download comes from memory.
"""

import argparse
import http.client
import json
import mmap
import multiprocessing
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import psutil
import yaml
from tests.support.command import free_port

MIB, GIB = 1 << 20, 1 << 30
ROUNDS = 3


class Cloud:
    def __init__(self, directory: Path | None) -> None:
        self.state_dir = Path(tempfile.mkdtemp(prefix="pileus-bench-", dir=directory))
        self.state_dir.rmdir()
        self.port = free_port()

    def pileus(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "pileus", arguments[0], "--state-dir", str(self.state_dir), *arguments[1:]]
        subprocess.run(command, check=True, env=os.environ | {"HOME": tempfile.gettempdir()}, stdout=subprocess.DEVNULL)

    def __enter__(self) -> "Cloud":
        self.pileus("up", "--sim", "--port", str(self.port))
        auth = yaml.safe_load((self.state_dir / "clouds.yaml").read_text())["clouds"]["pileus"]["auth"]
        user = {"name": auth["username"], "domain": {"id": "default"}, "password": auth["password"]}
        scope = {"project": {"name": auth["project_name"], "domain": {"id": "default"}}}
        wish = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        connection = self.connection()
        connection.request("POST", "/identity/v3/auth/tokens", json.dumps(wish), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        self.token = answer.headers["X-Subject-Token"]
        self.process = self._serving()
        return self

    def __exit__(self, *_: object) -> None:
        self.pileus("down", "--purge")

    def _serving(self) -> psutil.Process:
        """The process that answers."""
        for found in psutil.net_connections("tcp4"):
            if found.laddr and found.laddr.port == self.port and found.status == "LISTEN" and found.pid:
                return psutil.Process(found.pid)
        raise RuntimeError("nobody listens")

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def call(self, method: str, path: str, body: Any = None, connection: Any = None) -> Any:
        connection = connection or self.connection()
        headers = {"X-Auth-Token": self.token, "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        raw = answer.read()
        assert answer.status < 300, (method, path, answer.status, raw[:300])
        return json.loads(raw) if raw else None

    def image(self) -> str:
        wish = {"name": "bench", "disk_format": "raw", "container_format": "bare"}
        return str(self.call("POST", "/image/v2/images", wish)["id"])

    def upload(self, image: str, data: mmap.mmap, size: int, path: str = "file") -> float:
        """Seconds."""
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", self.port)) as out:
            head = [f"PUT /image/v2/images/{image}/{path} HTTP/1.1", "Host: bench", f"X-Auth-Token: {self.token}"]
            head += ["Content-Type: application/octet-stream", f"Content-Length: {size}", "", ""]
            out.sendall("\r\n".join(head).encode())
            view = memoryview(data)
            for start in range(0, size, len(data)):
                out.sendall(view[: min(len(data), size - start)])
            answer = out.recv(4096)
        assert b" 204 " in answer.split(b"\r\n")[0], answer
        return time.perf_counter() - began

    def get(self, into: socket.socket, path: str) -> Iterator[memoryview]:
        """The answer's body, piece by piece; the next piece takes the place of the one before."""
        head = [f"GET {path} HTTP/1.1", "Host: bench", f"X-Auth-Token: {self.token}", "", ""]
        into.sendall("\r\n".join(head).encode())
        start = b""
        while b"\r\n\r\n" not in start:
            start += into.recv(65536)
        told, _, first = start.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", told, re.IGNORECASE)
        assert told[9:12] == b"200", told
        assert length is not None, told
        yield memoryview(first)
        left, buffer = int(length[1]) - len(first), memoryview(bytearray(MIB))
        while left:
            got = into.recv_into(buffer[:left])
            left -= got
            yield buffer[:got]

    def download(self, image: str, size: int) -> float:
        """Seconds."""
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", self.port)) as into:
            got = sum(map(len, self.get(into, f"/image/v2/images/{image}/file")))
        assert got == size
        return time.perf_counter() - began

    def read_alone(self) -> float:
        """Seconds in which the disk gives the bytes of the one image that there is."""
        (file,) = (each for each in (self.state_dir / "images").iterdir() if len(each.name) == 128)
        buffer = mmap.mmap(-1, 16 * MIB)
        began = time.perf_counter()
        with open(os.open(file, os.O_RDONLY | os.O_DIRECT), "rb", buffering=0) as data:
            while data.readinto(buffer):
                pass
        return time.perf_counter() - began


class Watched:
    """What a process takes while entered: memory at most, more than before, in MiB; CPU time in seconds."""

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._stop, self.most, self.cpu = process, threading.Event(), 0.0, 0.0

    def __enter__(self) -> "Watched":
        before = self._process.memory_info().rss
        self._cpu = sum(self._process.cpu_times()[:2])

        def watch() -> None:
            while not self._stop.wait(0.02):
                self.most = max(self.most, (self._process.memory_info().rss - before) / MIB)

        self._thread = threading.Thread(target=watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.cpu = sum(self._process.cpu_times()[:2]) - self._cpu


def transfers(cloud: Cloud, data: mmap.mmap, size: int) -> dict[str, float]:
    into, out, from_disk, alone, memory_in, memory_out, cpu_in, cpu_out = [], [], [], [], [], [], [], []
    for _ in range(ROUNDS):
        image = cloud.image()
        with Watched(cloud.process) as watched:
            into.append(size / cloud.upload(image, data, size) / 1e6)
        memory_in.append(watched.most)
        cpu_in.append(watched.cpu * 1e9 / size)
        alone.append(size / cloud.read_alone() / 1e6)
        from_disk.append(size / cloud.download(image, size) / 1e6)
        with Watched(cloud.process) as watched:
            out.append(size / cloud.download(image, size) / 1e6)
        memory_out.append(watched.most)
        cpu_out.append(watched.cpu * 1e9 / size)
        cloud.call("DELETE", f"/image/v2/images/{image}")
    return {
        "upload MB/s": max(into),
        "download MB/s": max(out),
        "download from the disk MB/s": max(from_disk),
        "the disk alone MB/s": max(alone),
        "CPU s for 1 GB up": min(cpu_in),
        "CPU s for 1 GB down": min(cpu_out),
        "memory of an upload MiB": min(memory_in),
        "memory of a download MiB": min(memory_out),
    }


def listing(cloud: Cloud, count: int = 1000) -> dict[str, float]:
    connection = cloud.connection()
    for number in range(count):
        wish = {"name": f"image-{number}", "disk_format": "raw", "container_format": "bare", "os_distro": "debian"}
        cloud.call("POST", "/image/v2/images", {**wish, "tags": ["bench"]}, connection)
    times = []
    wire = socket.create_connection(("127.0.0.1", cloud.port))
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(40):
        began = time.perf_counter()
        raw = b"".join(map(bytes, cloud.get(wire, f"/image/v2/images?limit={count}")))
        times.append((time.perf_counter() - began) * 1000)
        assert len(json.loads(raw)["images"]) == count
    return {"list of 1,000 images ms p50": statistics.median(times), "list of 1,000 images ms best": min(times)}


def beside_an_import(cloud: Cloud, data: mmap.mmap, size: int) -> dict[str, float]:
    """p99 of a GET elsewhere: idle, and while an import of `size` bytes runs from upload to its end.

    In turn, as the machine may be another one a minute later; of the pair whose ratio is the median.
    """

    def bring_in() -> None:
        image = cloud.image()
        cloud.upload(image, data, size, "stage")
        cloud.call("POST", f"/image/v2/images/{image}/import", {"method": {"name": "glance-direct"}})
        while cloud.call("GET", f"/image/v2/images/{image}")["status"] != "active":
            time.sleep(0.02)
        cloud.call("DELETE", f"/image/v2/images/{image}")

    p99_while(cloud, lambda: time.sleep(1.0))
    pairs = [(p99_while(cloud, lambda: time.sleep(4.0)), p99_while(cloud, bring_in)) for _ in range(ROUNDS)]
    idle, busy = sorted(pairs, key=lambda pair: pair[1] / pair[0])[ROUNDS // 2]
    return {"GET idle ms p99": idle, "GET beside an import ms p99": busy, "times as long": busy / idle}


def p99_while(cloud: Cloud, act: Callable[[], None]) -> float:
    """Of another client, a process of its own as clients are: a thread would wait for the interpreter that uploads."""
    stop, (found, tell) = multiprocessing.Event(), multiprocessing.Pipe(duplex=False)
    other = multiprocessing.Process(target=keep_asking, args=(cloud, stop, tell), daemon=True)
    other.start()
    act()
    stop.set()
    took: list[float] = found.recv()
    other.join()
    return statistics.quantiles(took, n=100)[98]


def keep_asking(cloud: Cloud, stop: Event, tell: Connection) -> None:
    """ms of each GET."""
    connection, took = cloud.connection(), []
    while not stop.is_set():
        began = time.perf_counter()
        cloud.call("GET", "/compute/v2.1/flavors", connection=connection)
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(0.002)
    tell.send(took)


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--gib", type=float, default=2.0)
    parser.add_argument("--dir", type=Path, default=None)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    size = int(given.gib * GIB)
    data = mmap.mmap(-1, 16 * MIB)
    data.write(os.urandom(len(data)))
    with Cloud(given.dir) as cloud:
        found = transfers(cloud, data, size)
        found |= beside_an_import(cloud, data, size)
        found |= listing(cloud)
    for name, value in found.items():
        print(f"{name:32} {value:10.2f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
