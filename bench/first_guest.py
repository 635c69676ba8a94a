"""The numbers of the first guest: how quick the API is, how small the processes are.

usage: python bench/first_guest.py [--json OUT]

Starts clouds of its own with simulated hosts, in temporary directories. Each figure is given as p50 and p99 over a
connection that is kept open, with the CPU time that the cloud's processes used for one operation.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from pileus.services.identity import passwords

Body = dict[str, Any]


class Cloud:
    """`pileus up --sim` in a directory of its own; `options` are more of the command's."""

    def __init__(self, port: int, *options: str) -> None:
        self.options = options
        self.state_dir = Path(tempfile.mkdtemp(prefix="pileus-bench-"))
        self.state_dir.rmdir()
        self.port = port
        self.token = ""
        self.answered_after = self.ready_after = 0.0

    def pileus(self, *arguments: str) -> None:
        home = {"HOME": tempfile.gettempdir()}
        command = [sys.executable, "-m", "pileus", arguments[0], "--state-dir", str(self.state_dir), *arguments[1:]]
        subprocess.run(command, check=True, env=os.environ | home, stdout=subprocess.DEVNULL)

    def __enter__(self) -> "Cloud":
        began = time.perf_counter()
        starting = threading.Thread(target=self.pileus, args=("up", "--sim", "--port", str(self.port), *self.options))
        starting.start()
        while not self._answers():
            time.sleep(0.005)
        self.answered_after = time.perf_counter() - began
        starting.join()
        self.ready_after = time.perf_counter() - began
        self.auth = yaml.safe_load((self.state_dir / "clouds.yaml").read_text())["clouds"]["pileus"]["auth"]
        return self

    def _answers(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/identity/v3")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        self.pileus("down", "--purge")

    def login_body(self) -> Body:
        user = {"name": "admin", "domain": {"id": "default"}, "password": self.auth["password"]}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}

    def processes(self) -> list[psutil.Process]:
        root = psutil.Process(json.loads((self.state_dir / "run" / "pileus.json").read_text())["pid"])
        return [root, *root.children(recursive=True)]

    def cpu(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())


class Client:
    """One connection, kept open."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._http = http.client.HTTPConnection("127.0.0.1", cloud.port)

    def call(
        self, method: str, path: str, body: Body | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {"X-Auth-Token": self.cloud.token, "Content-Type": "application/json", **headers}
        self._http.request(method, path, json.dumps(body) if body is not None else None, sent)
        answer = self._http.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def json(self, method: str, path: str, body: Body | None = None, **headers: str) -> Any:
        status, _, raw = self.call(method, path, body, **headers)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {raw[:300]!r}")
        return json.loads(raw) if raw else None


results: dict[str, Body] = {}


def tell(name: str, unit: str, **figures: float) -> None:
    results[name] = {"unit": unit, **figures}
    print(f"{name:44} " + "  ".join(f"{key} {value:9.3f}" for key, value in figures.items()) + f"  {unit}", flush=True)


def timed(cloud: Cloud, name: str, times: int, act: Callable[[], Any]) -> None:
    """p50 and p99 in ms, and the cloud's CPU time for one."""
    for _ in range(max(5, times // 10)):
        act()
    before, spent = cloud.cpu(), []
    for _ in range(times):
        began = time.perf_counter()
        act()
        spent.append(1000 * (time.perf_counter() - began))
    cpu = 1000 * (cloud.cpu() - before) / times
    spent.sort()
    tell(name, "ms", p50=statistics.median(spent), p99=spent[int(0.99 * (len(spent) - 1))], cpu=cpu)


def start_times() -> None:
    answered, ready = [], []
    for number in range(5):
        with Cloud(18900 + number) as cloud:
            answered.append(cloud.answered_after)
            ready.append(cloud.ready_after)
    tell("pileus up --sim to first answer", "s", p50=statistics.median(answered), max=max(answered))
    tell("pileus up --sim to hosts that take guests", "s", p50=statistics.median(ready), max=max(ready))


def identity(cloud: Cloud, client: Client) -> None:
    status, headers, _ = client.call("POST", "/identity/v3/auth/tokens", cloud.login_body())
    assert status == 201, status
    cloud.token = headers.get("X-Subject-Token") or headers["x-subject-token"]
    hashed = passwords.hashed("x" * 20)
    spent = []
    for _ in range(20):
        began = time.perf_counter()
        passwords.verify(hashed, "x" * 20)
        spent.append(1000 * (time.perf_counter() - began))
    tell("password hash", "ms", p50=statistics.median(spent))
    timed(cloud, "token issue", 100, lambda: client.call("POST", "/identity/v3/auth/tokens", cloud.login_body()))
    subject = {"X-Subject-Token": cloud.token}
    timed(cloud, "token validation", 1000, lambda: client.call("GET", "/identity/v3/auth/tokens?nocatalog", **subject))
    timed(
        cloud, "token validation, with catalog", 500, lambda: client.call("GET", "/identity/v3/auth/tokens", **subject)
    )


@contextmanager
def boot_material(client: Client) -> Iterator[Body]:
    """A server's body: image, flavor, network; quotas wide enough."""
    compute = "/compute/v2.1"
    project = client.json("GET", "/identity/v3/projects?name=admin")["projects"][0]["id"]
    wide = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    client.json("PUT", f"{compute}/os-quota-sets/{project}", wide)
    client.json("PUT", f"/network/v2.0/quotas/{project}", {"quota": {"port": -1}})
    flavor = client.json("POST", f"{compute}/flavors", {"flavor": {"name": "bench", "ram": 64, "vcpus": 1, "disk": 1}})[
        "flavor"
    ]
    image = client.json("POST", "/image/v2/images", {"name": "bench", "disk_format": "raw", "container_format": "bare"})
    client._http.request(
        "PUT",
        f"/image/v2/images/{image['id']}/file",
        b"x" * 4096,
        {"X-Auth-Token": client.cloud.token, "Content-Type": "application/octet-stream"},
    )
    client._http.getresponse().read()
    network = client.json("POST", "/network/v2.0/networks", {"network": {"name": "bench"}})["network"]
    subnet = {"subnet": {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/16"}}
    client.json("POST", "/network/v2.0/subnets", subnet)
    yield {"name": "bench", "imageRef": image["id"], "flavorRef": flavor["id"], "networks": [{"uuid": network["id"]}]}


def boot(cloud: Cloud, server: Body, count: int, clients: int) -> list[str]:
    """Create servers from several clients at once; returns when all are ACTIVE."""
    ids: list[str] = []
    lock, left = threading.Lock(), iter(range(count))

    def work() -> None:
        client = Client(cloud)
        while True:
            with lock:
                if next(left, None) is None:
                    return
            made = client.json("POST", "/compute/v2.1/servers", {"server": server})
            with lock:
                ids.append(made["server"]["id"])

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client, waiting = Client(cloud), set(ids)
    deadline = time.monotonic() + 120
    while waiting:
        states = {
            s["id"]: s["status"] for s in client.json("GET", "/compute/v2.1/servers/detail?limit=1000")["servers"]
        }
        waiting = {each for each in waiting if states.get(each) != "ACTIVE"}
        bad = [each for each in waiting if states.get(each) == "ERROR"]
        if bad or time.monotonic() > deadline:
            raise RuntimeError(f"{len(waiting)} servers are not ACTIVE: {[states.get(each) for each in waiting][:5]}")
    return ids


def compute(cloud: Cloud, client: Client) -> None:
    with boot_material(client) as server:
        began = time.perf_counter()
        ids = boot(cloud, server, 50, 16)
        tell("50 servers, 16 clients, until all ACTIVE", "s", total=time.perf_counter() - began)
        ids += boot(cloud, server, 150, 16)
        version = {"OpenStack-API-Version": "compute 2.96"}
        timed(cloud, "server show", 1000, lambda: client.call("GET", f"/compute/v2.1/servers/{ids[7]}", **version))
        timed(
            cloud,
            "detailed list of 200 servers",
            100,
            lambda: client.call("GET", "/compute/v2.1/servers/detail", **version),
        )
        answer = client.json("GET", "/compute/v2.1/servers/detail", **version)
        assert len(answer["servers"]) == 200, len(answer["servers"])


def memory(cloud: Cloud) -> None:
    pss = sum(process.memory_full_info().pss for process in cloud.processes())
    tell("all Pileus processes, 200 simulated guests", "MB PSS", total=pss / 1e6)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    given = parser.parse_args()
    start_times()
    with Cloud(18950) as cloud:
        client = Client(cloud)
        identity(cloud, client)
        compute(cloud, client)
        memory(cloud)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
