"""`pileus sim`: how a running control plane does with thousands of hosts and servers, which it simulates.

Prints what was measured; at the end its servers and hosts are gone again.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil

import pileus.cloud as cloud
from pileus.cli.client import Client
from pileus.core.context import system_caller
from pileus.core.db import Database
from pileus.node.swarm import Swarm
from pileus.operate import state
from pileus.operate.options import OptionError
from pileus.services.compute.rules import admit
from pileus.services.compute.rules import hosts as rules

PREFIX = "swarm-"
TOKEN = "a simulated host's token"
IDLE = 30.0
"""Seconds over which idle hosts are watched."""
QUOTAS = dict.fromkeys(("instances", "cores", "ram", "server_groups"), -1)


class Result(msgspec.Struct):
    hosts: int
    register_seconds: float
    idle_cpu: float
    """Cores that the control plane and its database take while all hosts only wait."""
    connections: int
    servers: int
    boots_per_second: float
    """From the first request until the last server is ACTIVE."""
    post_p50: float
    post_p99: float
    """Milliseconds of POST /servers."""
    active_p50: float
    active_p99: float
    """Milliseconds from the request to ACTIVE."""
    list_p50: float
    list_p99: float
    """Milliseconds of GET /servers/detail?limit=100."""
    failed: int
    memory_mb: float
    """Of the control plane's processes, proportional set size."""


def run(state_dir: Path, hosts: int, servers: int, clients: int, say: Callable[[str], None]) -> Result:
    found = state.running(state_dir)
    if found is None:
        raise OptionError(f"Pileus is not running in {state_dir}: start it by 'pileus up --sim --database URL'.")
    if found.settings.mode != "sim":
        raise OptionError("Simulated hosts would take servers from the real ones: use a cloud in sim mode.")
    cloud.services()
    db = Database(found.settings.database_url)
    names = [f"{PREFIX}{number:05}" for number in range(1, hosts + 1)]
    with db.write() as tx:
        for name in names:
            admit(tx, name, TOKEN)
    load = Load(found.settings.url, Client(state_dir), clients)
    try:
        with _swarm(state_dir, found.settings.url, hosts):
            began = time.monotonic()
            load.wait_for_hosts(names)
            registered = time.monotonic() - began
            say(f"{hosts} hosts registered in {registered:.1f} s.")
            watched = _Watched(found.pid)
            before = watched.cpu_seconds()
            time.sleep(IDLE)
            idle, connections = (watched.cpu_seconds() - before) / IDLE, watched.connections()
            say(f"Idle: {idle:.2f} cores, {connections} connections.")
            measured = load.run(servers)
            result = Result(
                hosts=hosts, register_seconds=registered, idle_cpu=idle, connections=connections, servers=servers,
                memory_mb=watched.memory_mb(), **measured,
            )  # fmt: skip
            load.clear()
            return result
    finally:
        with db.write() as tx:
            for name in names:
                rules.delete(tx, system_caller(), rules.host_of(tx, name))
        db.close()


@contextmanager
def _swarm(state_dir: Path, url: str, hosts: int) -> Iterator[None]:
    """The hosts, in a process of their own."""
    with (state_dir / "log" / "swarm.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pileus.operate.many", url, str(hosts)], stdout=log, stderr=log, cwd="/"
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


class _Watched:
    """The serving process, its children but for host agents, and the PostgreSQL on this machine."""

    def __init__(self, pid: int) -> None:
        self._serving = psutil.Process(pid)

    def _processes(self) -> list[psutil.Process]:
        database = [each for each in psutil.process_iter(["name"]) if each.info["name"] == "postgres"]
        return [self._serving, *database]

    def cpu_seconds(self) -> float:
        total = 0.0
        for process in self._processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def connections(self) -> int:
        return len(self._serving.net_connections("tcp"))

    def memory_mb(self) -> float:
        return float(self._serving.memory_full_info().pss) / 1e6


class Load:
    """Servers of one project, made by `clients` at once."""

    def __init__(self, url: str, client: Client, clients: int) -> None:
        self._url, self._client, self._clients = f"{url}/compute/v2.1", client, clients
        self._image, self._network = "", ""
        flavors = client.get("compute", "/flavors")["flavors"]
        self._flavor = next(flavor["id"] for flavor in flavors if flavor["name"] == "m1.nano")

    def wait_for_hosts(self, names: Sequence[str]) -> None:
        last = names[-1]
        while True:
            services = self._client.get("compute", f"/os-services?binary=nova-compute&host={last}")["services"]
            everybody = len(self._client.get("compute", "/os-services?binary=nova-compute")["services"])
            if services and everybody >= len(names):
                return
            time.sleep(1.0)

    def run(self, servers: int) -> dict[str, Any]:
        return asyncio.run(self._run(servers))

    async def _run(self, servers: int) -> dict[str, Any]:
        async with self._session() as session:
            await self._prepare(session)
            began = time.monotonic()
            posts: list[float] = []
            started: dict[str, float] = {}
            rest = iter(range(servers))
            refused = 0

            async def client() -> None:
                nonlocal refused
                for number in rest:
                    at = time.monotonic()
                    body = {"name": f"s{number}", "imageRef": self._image, "flavorRef": self._flavor}
                    wish = {"server": {**body, "networks": [{"uuid": self._network}]}}
                    async with session.post(f"{self._url}/servers", json=wish) as answer:
                        found = await answer.json()
                    posts.append(time.monotonic() - at)
                    if answer.status == 202:
                        started[found["server"]["id"]] = at
                    else:
                        refused += 1

            watching = asyncio.create_task(self._watch(session, started, servers))
            await asyncio.gather(*(client() for _ in range(self._clients)))
            active, failed = await watching if started else ({}, 0)
            took = max(active.values(), default=began) - began
            times = [active[each] - started[each] for each in active]
            lists = [await self._time_list(session) for _ in range(50)]
        return {
            "boots_per_second": len(active) / took if took else 0.0,
            "failed": failed + refused,
            **_percentiles("post", posts),
            **_percentiles("active", times),
            **_percentiles("list", lists),
        }

    async def _watch(
        self, session: aiohttp.ClientSession, started: dict[str, float], servers: int
    ) -> tuple[dict[str, float], int]:
        """When each server became ACTIVE (to a quarter of a second), and how many never did."""
        active: dict[str, float] = {}
        failed: set[str] = set()
        deadline = time.monotonic() + 120
        while len(active) + len(failed) < servers and time.monotonic() < deadline:
            await asyncio.sleep(0.25)
            since = len(active) + len(failed)
            for status, found in (("ACTIVE", active), ("ERROR", failed)):
                for server in await self._of_status(session, status):
                    if server in found or server not in started:
                        continue
                    if status == "ACTIVE":
                        active[server] = time.monotonic()
                    else:
                        failed.add(server)
            if len(active) + len(failed) > since:
                deadline = time.monotonic() + 120
        return active, servers - len(active)

    async def _of_status(self, session: aiohttp.ClientSession, status: str) -> list[str]:
        """The newest thousand."""
        url = f"{self._url}/servers?status={status}&limit=1000&sort_key=created_at&sort_dir=desc"
        async with session.get(url) as answer:
            return [server["id"] for server in (await answer.json())["servers"]]

    async def _time_list(self, session: aiohttp.ClientSession) -> float:
        at = time.monotonic()
        async with session.get(f"{self._url}/servers/detail?limit=100") as answer:
            await answer.read()
        return time.monotonic() - at

    async def _prepare(self, session: aiohttp.ClientSession) -> None:
        root = self._url.removesuffix("/compute/v2.1")
        me = self._client.project_id
        await self._post(session, "PUT", f"{self._url}/os-quota-sets/{me}", {"quota_set": QUOTAS})
        await self._post(session, "PUT", f"{root}/network/v2.0/quotas/{me}", {"quota": {"port": -1}})
        image = {"name": PREFIX, "disk_format": "raw", "container_format": "bare"}
        self._image = (await self._post(session, "POST", f"{root}/image/v2/images", image))["id"]
        async with session.put(
            f"{root}/image/v2/images/{self._image}/file",
            data=b"\0" * 512,
            headers={"Content-Type": "application/octet-stream"},
        ) as answer:
            answer.raise_for_status()
        networks = f"{root}/network/v2.0"
        network = await self._post(session, "POST", f"{networks}/networks", {"network": {"name": PREFIX}})
        self._network = network["network"]["id"]
        subnet = {"network_id": self._network, "ip_version": 4, "cidr": "10.0.0.0/8"}
        await self._post(session, "POST", f"{networks}/subnets", {"subnet": subnet})

    async def _post(self, session: aiohttp.ClientSession, method: str, url: str, body: Any) -> Any:
        async with session.request(method, url, json=body) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise OptionError(f"{method} {url}: {answer.status} {text[:300]}")
            return msgspec.json.decode(text) if text else None

    def clear(self) -> None:
        asyncio.run(self._clear())

    async def _clear(self) -> None:
        """Servers first; what they hold goes with them."""
        root = self._url.removesuffix("/compute/v2.1")
        async with self._session() as session:
            while True:
                async with session.get(f"{self._url}/servers?limit=1000") as answer:
                    servers = [server["id"] for server in (await answer.json())["servers"]]
                if not servers:
                    break
                rest = iter(servers)

                async def client(rest: Iterator[str] = rest) -> None:
                    for server in rest:
                        async with session.delete(f"{self._url}/servers/{server}") as answer:
                            await answer.read()

                await asyncio.gather(*(client() for _ in range(self._clients)))
                await asyncio.sleep(0.5)
            for path in (f"network/v2.0/networks/{self._network}", f"image/v2/images/{self._image}"):
                async with session.delete(f"{root}/{path}") as answer:
                    await answer.read()

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), headers={"X-Auth-Token": self._client.token}
        )


def _percentiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else [0.0] * 99
    return {f"{name}_p50": cuts[49] * 1000, f"{name}_p99": cuts[98] * 1000}


if __name__ == "__main__":
    asyncio.run(Swarm(sys.argv[1], TOKEN, [f"{PREFIX}{number:05}" for number in range(1, int(sys.argv[2]) + 1)]).run())
