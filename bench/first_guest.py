"""The numbers of the first guest: how quick the API is, how small the processes are.

usage: python -m bench.first_guest [--json OUT]

Starts clouds of its own with simulated hosts, in temporary directories. Each figure is given as p50 and p99 over a
connection that is kept open, with the CPU time that the cloud's processes used for one operation.
"""

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.cloud import Body, Client, Cloud

from pileus.services.identity import passwords

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


def beside_a_hash(name: str, times: int, act: Callable[[], Any]) -> None:
    """p50 in ms of the password's hash, of what contains one, and of what that takes more; in turn, as machines vary."""
    hashed, hashes, acts = passwords.hashed("x" * 20), [], []
    for _ in range(times):
        began = time.perf_counter()
        passwords.verify(hashed, "x" * 20)
        between = time.perf_counter()
        act()
        hashes.append(1000 * (between - began))
        acts.append(1000 * (time.perf_counter() - between))
    more = [whole - hash_ for hash_, whole in zip(hashes, acts, strict=True)]
    tell(name, "ms", hash=statistics.median(hashes), p50=statistics.median(acts), more=statistics.median(more))


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
    beside_a_hash("token issue", 200, lambda: client.call("POST", "/identity/v3/auth/tokens", cloud.login_body()))
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
