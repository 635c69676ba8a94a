"""Thousands of simulated hosts in one process: each a coroutine that speaks the real contract and starts guests at once.

For measuring the control plane. Faults are simulated by `sim`, whose hosts run the real agent.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import msgspec

from pileus.node.client import TOKEN_HEADER
from pileus.node.desired import GuestSpec, GuestStatus, HostFacts, HostSpec, HostStatus

LONG_POLL = 50
AWAY = 1.0
"""Seconds before a host tries again when the control plane does not answer."""
AT_ONCE = 32
"""Hosts that register at the same time."""


class Swarm:
    def __init__(self, url: str, token: str, names: Sequence[str], vcpus: int = 32) -> None:
        self._url, self._token, self._names, self._vcpus = f"{url}/node/v1/hosts", token, names, vcpus
        self.registered = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        turn = asyncio.Semaphore(AT_ONCE)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=600),
            headers={TOKEN_HEADER: self._token, "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=None, sock_read=LONG_POLL + 60),
        ) as session:
            await asyncio.gather(*(self._live(session, name, turn) for name in self._names))

    async def _live(self, session: aiohttp.ClientSession, name: str, turn: asyncio.Semaphore) -> None:
        host = _Host(name)
        async with turn:
            await self._persist(lambda: self._send(session, "PUT", name, self._facts(name)))
        self.registered += 1
        while True:
            await self._persist(lambda: self._follow(session, host))

    async def _persist(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
                return
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(AWAY)

    async def _follow(self, session: aiohttp.ClientSession, host: _Host) -> None:
        """Wait for the next spec, become it, and say so."""
        wait = LONG_POLL if host.revision >= 0 else 0
        query = {"seen": str(host.revision), "wait": str(wait)}
        async with session.get(f"{self._url}/{host.name}/spec", params=query) as answer:
            if answer.status == 304:
                return
            answer.raise_for_status()
            spec = msgspec.json.decode(await answer.read(), type=HostSpec)
        status = host.become(spec)
        if status is not None:
            await self._send(session, "POST", f"{host.name}/status", status)
            host.told(status)
        host.revision = spec.revision

    async def _send(self, session: aiohttp.ClientSession, method: str, path: str, body: msgspec.Struct) -> None:
        async with session.request(method, f"{self._url}/{path}", data=msgspec.json.encode(body)) as answer:
            answer.raise_for_status()

    def _facts(self, name: str) -> HostFacts:
        return HostFacts(
            host=name,
            hypervisor_type="simulated",
            hypervisor_version=1,
            accelerator="none",
            accelerator_reason="simulated",
            vcpus=self._vcpus,
            memory_mb=self._vcpus * 4096,
            disk_gb=self._vcpus * 100,
            address="127.0.0.1",
            agent_url="",
        )


class _Host:
    def __init__(self, name: str) -> None:
        self.name, self.revision = name, -1
        self._told: dict[str, GuestStatus] = {}

    def become(self, spec: HostSpec) -> HostStatus | None:
        """What is to be told once all guests are as they should be; None where nothing is new."""
        now = {guest.id: _status(guest) for guest in spec.guests}
        gone = tuple(self._told.keys() - now.keys())
        news = tuple(status for status in now.values() if status != self._told.get(status.id))
        if not news and not gone and self.revision >= 0:
            return None
        full = self.revision < 0
        return HostStatus(host=self.name, revision=spec.revision, full=full, guests=news, gone=gone)

    def told(self, status: HostStatus) -> None:
        for guest_id in status.gone:
            self._told.pop(guest_id, None)
        self._told |= {guest.id: guest for guest in status.guests}


def _status(guest: GuestSpec) -> GuestStatus:
    return GuestStatus(
        id=guest.id,
        generation=guest.generation,
        state=guest.power,
        wired=tuple(nic.port_id for nic in guest.nics),
        reboots=guest.reboots,
        hard_reboots=guest.hard_reboots,
        rebuilds=guest.rebuilds,
    )
