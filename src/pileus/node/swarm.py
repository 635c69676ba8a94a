"""Thousands of simulated hosts in one process: each a coroutine that speaks the real contract and starts guests at once.

For measuring the control plane. Faults are simulated by `sim`, whose hosts run the real agent.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from pileus.core.files import raise_open_files
from pileus.node.agent import LONG_POLL
from pileus.node.client import TOKEN_HEADER
from pileus.node.desired import GuestSpec, GuestStatus, HostFacts, HostSpec, HostStatus
from pileus.node.wire import Connection, Unanswered

AWAY = 1.0
"""Seconds before a host tries again when the control plane does not answer."""
AT_ONCE = 32
"""Hosts that register at the same time."""


class Swarm:
    """Hosts with `names`, who take turns with the APIs at `urls`.

    `on_known` hears each host's name once it has registered, and each guest's id once the control plane knows that it runs.
    """

    def __init__(
        self,
        urls: Sequence[str],
        token: str,
        names: Sequence[str],
        vcpus: int = 32,
        on_known: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._urls, self._token, self._names, self._vcpus = urls, token, names, vcpus
        self._on_known = on_known

    async def run(self) -> None:
        """Until it is cancelled."""
        raise_open_files()
        turn = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._live(number, name, turn) for number, name in enumerate(self._names)))

    async def _live(self, number: int, name: str, turn: asyncio.Semaphore) -> None:
        url = self._urls[number % len(self._urls)]
        host = _Host(name, Connection(url, **{TOKEN_HEADER: self._token}), self._on_known)
        async with turn:
            await _persist(lambda: host.register(self._facts(name)))
        self._on_known(name)
        while True:
            await _persist(host.follow)

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


async def _persist(act: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await act()
            return
        except Unanswered:
            await asyncio.sleep(AWAY)


class _Host:
    def __init__(self, name: str, connection: Connection, on_known: Callable[[str], None]) -> None:
        self.name, self.revision = name, -1
        self._connection, self._on_known = connection, on_known
        self._path = f"/node/v1/hosts/{name}"
        self._told: dict[str, GuestStatus] = {}
        self._interval = HostSpec(host=name, revision=0).status_interval
        # as if it had run for long: hosts that register together do not report together for ever
        self._reported = time.monotonic() - random.uniform(0, self._interval)

    async def register(self, facts: HostFacts) -> None:
        await self._ask("PUT", self._path, msgspec.json.encode(facts))

    async def follow(self) -> None:
        """Wait for the next spec, become it, and say so; say now and then that nothing is new."""
        wait = LONG_POLL if self.revision >= 0 else 0
        body = await self._ask("GET", f"{self._path}/spec?seen={self.revision}&wait={wait}")
        if not body:
            if time.monotonic() - self._reported >= self._interval:
                await self._report(HostStatus(host=self.name, revision=self.revision))
            return
        spec = msgspec.json.decode(body, type=HostSpec)
        self._interval = spec.status_interval
        status = self.become(spec)
        if status is not None:
            await self._report(status)
            self.told(status)
        self.revision = spec.revision

    async def _report(self, status: HostStatus) -> None:
        await self._ask("POST", f"{self._path}/status", msgspec.json.encode(status))
        self._reported = time.monotonic()

    async def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        answer = await self._connection.ask(method, path, body)
        if answer.status >= 400:
            raise Unanswered(f"{method} {path}: {answer.status}")
        return answer.body

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
        for guest in status.guests:
            if guest.id not in self._told:
                self._on_known(guest.id)
            self._told[guest.id] = guest


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


def main(token: str, prefix: str, count: int, urls: Sequence[str]) -> None:
    """Hosts until the process is ended; a line `NAME SECONDS` (of the machine's monotonic clock) for each that is known."""
    import uvloop

    names = [f"{prefix}{number:05}" for number in range(1, count + 1)]

    def known(name: str) -> None:
        sys.stdout.write(f"{name} {time.monotonic():.4f}\n")
        sys.stdout.flush()

    async def run() -> None:
        """It ends with the process that wanted it, however that ends."""
        parent, hosts = os.getppid(), asyncio.create_task(Swarm(urls, token, names, on_known=known).run())
        while os.getppid() == parent:
            await asyncio.wait([hosts], timeout=1.0)
        hosts.cancel()

    uvloop.run(run())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
