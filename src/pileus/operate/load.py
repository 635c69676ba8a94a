"""What clients do to a cloud that is measured: servers of many tenants, booted by several clients at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from pileus.cli.client import Client
from pileus.node.wire import Answer, Connection, Unanswered
from pileus.operate.options import OptionError

NAME = "swarm"
OF_ONE_TENANT = 100
"""Servers that one tenant has."""
PATIENCE = 120.0
"""Seconds without any server's becoming ACTIVE after which the rest is given up."""
LISTS = 200
QUOTAS = {"instances": 2 * OF_ONE_TENANT, "cores": 100 * OF_ONE_TENANT, "ram": 1 << 20}
"""Limits, though never reached: to count what is in use is part of a boot."""


class Tenant(msgspec.Struct):
    project_id: str
    token: str
    network_id: str


class Booted(msgspec.Struct):
    """Seconds of each thing measured, and how many servers did not become ACTIVE."""

    took: float
    posts: list[float]
    active: list[float]
    failed: int


class Load:
    """`known` says, for a server's id, since when the cloud knows that its guest runs (time.monotonic).

    `together` servers are made by one request.
    """

    def __init__(
        self, urls: Sequence[str], client: Client, clients: int, known: dict[str, float], together: int = 1
    ) -> None:
        self._urls, self._client, self._clients, self._known = urls, client, clients, known
        self._together = together
        self._image = ""
        self._tenants: list[Tenant] = []
        flavors = client.get("compute", "/flavors")["flavors"]
        self._flavor = next(flavor["id"] for flavor in flavors if flavor["name"] == "m1.nano")

    async def prepare(self, servers: int) -> None:
        """An image for all, and for each tenant a project, its limits, a network."""
        async with self._one() as call:
            roles = (await call("GET", "/identity/v3/roles?name=admin"))["roles"]
            users = (await call("GET", f"/identity/v3/users?name={self._client.auth['username']}"))["users"]
            image = {"name": NAME, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
            self._image = (await call("POST", "/image/v2/images", image))["id"]
            await call("PUT", f"/image/v2/images/{self._image}/file", b"\0" * 512)
        wanted = range(-(-servers // OF_ONE_TENANT))
        await self._each(wanted, lambda call, number: self._make_tenant(call, number, users[0]["id"], roles[0]["id"]))

    async def _make_tenant(self, call: Call, number: int, user: str, role: str) -> None:
        wish = {"name": f"{NAME}-{number:05}", "domain_id": "default"}
        project = (await call("POST", "/identity/v3/projects", {"project": wish}))["project"]["id"]
        await call("PUT", f"/identity/v3/projects/{project}/users/{user}/roles/{role}")
        token = await call.log_in(project)
        await call("PUT", f"/compute/v2.1/os-quota-sets/{project}", {"quota_set": QUOTAS})
        root = "/network/v2.0"
        network = (await call("POST", f"{root}/networks", {"network": {"name": NAME}}, token))["network"]["id"]
        subnet = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/16"}
        await call("POST", f"{root}/subnets", {"subnet": subnet}, token)
        self._tenants.append(Tenant(project, token, network))

    async def boot(self, servers: int) -> Booted:
        """The tenants in turn, until all servers are ACTIVE. Of those made together the first one's times are told."""
        began, before = time.monotonic(), set(self._known)
        started: dict[str, float] = {}
        posts: list[float] = []

        async def one(call: Call, number: int) -> None:
            tenant = self._tenants[number % len(self._tenants)]
            at = time.monotonic()
            wish = {"name": f"s{number}", "imageRef": self._image, "flavorRef": self._flavor}
            wish |= {"networks": [{"uuid": tenant.network_id}]}
            count = min(self._together, servers - number * self._together)
            wish |= {"min_count": count, "max_count": count}
            try:
                found = await call("POST", "/compute/v2.1/servers", {"server": wish}, tenant.token)
            except OptionError:
                return
            posts.append(time.monotonic() - at)
            started[found["server"]["id"]] = at

        await self._each(range(-(-servers // self._together)), one)
        await self._all_run(len(before) + servers)
        active = [self._known[each] - at for each, at in started.items() if each in self._known]
        last = max((at for each, at in self._known.items() if each not in before), default=began)
        return Booted(last - began, posts, active, servers - await self._count_active())

    async def _all_run(self, count: int) -> None:
        """Until so many are known, or for a while none more is."""
        have, since = len(self._known), time.monotonic()
        while have < count and time.monotonic() < since + PATIENCE:
            await asyncio.sleep(0.2)
            if len(self._known) > have:
                have, since = len(self._known), time.monotonic()

    async def _count_active(self) -> int:
        """As the API says it."""
        counts: list[int] = []

        async def one(call: Call, tenant: Tenant) -> None:
            answer = await call("GET", "/compute/v2.1/servers?status=ACTIVE&limit=1000", token=tenant.token)
            counts.append(len(answer["servers"]))

        await self._each(self._tenants, one)
        return sum(counts)

    async def time_lists(self) -> list[float]:
        """Seconds of a detailed list of all servers of one tenant, again and again."""
        times: list[float] = []
        async with self._one() as call:
            for number in range(LISTS):
                tenant = self._tenants[number % len(self._tenants)]
                at = time.monotonic()
                await call("GET", "/compute/v2.1/servers/detail?limit=1000", token=tenant.token)
                times.append(time.monotonic() - at)
        return times

    async def clear(self) -> None:
        """Servers first; what they hold goes with them."""
        await self._each(self._tenants, self._clear_tenant)
        if self._image:
            async with self._one() as call:
                await call("DELETE", f"/image/v2/images/{self._image}")

    async def _clear_tenant(self, call: Call, tenant: Tenant) -> None:
        root = "/network/v2.0"
        while servers := (await call("GET", "/compute/v2.1/servers?limit=1000", token=tenant.token))["servers"]:
            for server in servers:
                await call("DELETE", f"/compute/v2.1/servers/{server['id']}", token=tenant.token, missing=True)
            await asyncio.sleep(0.2)
        await call("DELETE", f"{root}/networks/{tenant.network_id}", token=tenant.token)
        await call("DELETE", f"{root}/quotas/{tenant.project_id}", missing=True)
        await call("DELETE", f"/compute/v2.1/os-quota-sets/{tenant.project_id}")
        groups = await call("GET", f"{root}/security-groups?project_id={tenant.project_id}")
        for group in groups["security_groups"]:
            await call("DELETE", f"{root}/security-groups/{group['id']}")
        await call("DELETE", f"/identity/v3/projects/{tenant.project_id}")

    async def _each(self, things: Iterable[Any], act: Callable[[Call, Any], Awaitable[None]]) -> None:
        """`act` on each of them, by all clients at once."""
        rest = iter(things)

        async def client(number: int) -> None:
            async with self._one(number) as call:
                for thing in rest:
                    await act(call, thing)

        await asyncio.gather(*(client(number) for number in range(self._clients)))

    @asynccontextmanager
    async def _one(self, number: int = 0) -> AsyncIterator[Call]:
        call = Call(self._urls[number % len(self._urls)], self._client.token)
        try:
            yield call
        finally:
            call.close()


class Call:
    """One client of the API, by default as the administrator."""

    def __init__(self, url: str, token: str) -> None:
        self._connection, self._token = Connection(url), token

    async def __call__(
        self, method: str, path: str, body: Any = None, token: str | None = None, missing: bool = False
    ) -> Any:
        """The decoded body. Raises OptionError where the API refuses; with `missing`, 404 is none of that."""
        answer = await self._ask(method, path, body, token or self._token)
        if answer.status >= 300 and not (missing and answer.status == 404):
            raise OptionError(f"{method} {path}: {answer.status} {answer.body[:300].decode(errors='replace')}")
        return msgspec.json.decode(answer.body) if answer.body and answer.status < 300 else None

    async def log_in(self, project_id: str) -> str:
        """A token of the same user for another project."""
        identity = {"methods": ["token"], "token": {"id": self._token}}
        body = {"auth": {"identity": identity, "scope": {"project": {"id": project_id}}}}
        answer = await self._ask("POST", "/identity/v3/auth/tokens", body, self._token)
        return answer.header("x-subject-token")

    async def _ask(self, method: str, path: str, body: Any, token: str) -> Answer:
        headers = {"X_Auth_Token": token}
        if isinstance(body, bytes):
            headers["Content_Type"] = "application/octet-stream"
        else:
            body = b"" if body is None else msgspec.json.encode(body)
        try:
            return await self._connection.ask(method, path, body, **headers)
        except Unanswered as error:
            raise OptionError(str(error)) from None

    def close(self) -> None:
        self._connection.close()
