"""A small cloud in process for tests of servers: an image, a network, flavors, and hosts that the test plays."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import sqlalchemy as sa

from pileus.core.db import Database, Tx
from pileus.node.desired import GuestSpec, GuestStatus, HostFacts, HostSpec, HostStatus
from pileus.services.compute import rules as compute
from pileus.services.compute.api import api
from pileus.services.compute.api.console import console_pages
from pileus.services.compute.api.node import api as node_api
from pileus.services.compute.tables.flavors import flavors
from pileus.services.image.tables import images, properties
from tests.support.api import make_app
from tests.support.network_rows import Rows
from tests.support.personas import PROJECT

IMAGE = "aaaaaaaa-0000-4000-8000-000000000001"
NETWORK = "aaaaaaaa-0000-4000-8000-000000000002"
SUBNET = "aaaaaaaa-0000-4000-8000-000000000003"
FLAVOR, BIG_FLAVOR = "1", "2"
HOST, HOST_TOKEN = "h1", "the-token-of-h1"
SERVICES = [api, node_api, console_pages]
GIB = 1 << 30


def prepare(db: Database) -> None:
    """First rows: an image, a network of the usual project, two flavors; host h1 is let in, but has not registered."""
    with db.write() as tx:
        _image(tx)
        rows = Rows(tx)
        rows.network(id=NETWORK, project_id=PROJECT)
        tx.execute(sa.text("UPDATE network_network SET name = 'private' WHERE id = :id"), {"id": NETWORK})
        pool = [{"start": "10.0.0.10", "end": "10.0.0.200"}]
        rows.subnet(NETWORK, "10.0.0.0/24", id=SUBNET, project_id=PROJECT, allocation_pools=pool)
        for flavor_id, name, vcpus, ram, disk in ((FLAVOR, "m1.nano", 1, 128, 1), (BIG_FLAVOR, "m1.huge", 1, 4096, 1)):
            tx.insert(
                flavors,
                {
                    "id": flavor_id, "name": name, "vcpus": vcpus, "ram": ram, "disk": disk, "ephemeral": 0, "swap": 0,
                    "rxtx_factor": 1.0, "is_public": True, "description": None, "extra_specs": {"hw:watchdog": "none"},
                    "created_at": tx.now, "updated_at": None,
                },
            )  # fmt: skip
        compute.admit(tx, HOST, HOST_TOKEN)


def _image(tx: Tx) -> None:
    tx.insert(
        images,
        {
            "id": IMAGE, "name": "tiny", "status": "active", "visibility": "public", "owner": PROJECT,
            "disk_format": "qcow2", "container_format": "bare", "size": 1 << 20, "virtual_size": 1 << 27,
            "checksum": "c", "sha512": "5" * 128, "protected": False, "os_hidden": False, "min_disk": 0,
            "min_ram": 64, "created_at": tx.now, "updated_at": tx.now, "upload": None, "staged": None,
        },
    )  # fmt: skip
    tx.insert(properties, {"image_id": IMAGE, "name": "hw_disk_bus", "value": "virtio"})


class Cloud:
    """Clients of it, and its hosts."""

    def __init__(self, url: str | None = None) -> None:
        self.app = make_app(SERVICES, url, prepare)
        self.db = self.app.db

    def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        token: str | None = "project-member",
        version: str = "2.100",
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """To compute where the path does not begin with another service's."""
        sent = {"X-Auth-Token": token} if token else {}
        sent |= {"OpenStack-API-Version": f"compute {version}", **(headers or {})}
        if not path.startswith(("/node", "/console")):
            path = "/compute/v2.1" + path
        if content is None and json is not None:
            content = msgspec.json.encode(json)
        return asyncio.run(self._send(method, path, sent, content))

    async def _send(self, method: str, path: str, headers: dict[str, str], content: bytes | None) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app.asgi)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as client:
            return await client.request(method, path, headers=headers, content=content)

    def host(self, name: str = HOST, **facts: Any) -> Host:
        """A host that is let in and has registered."""
        token = HOST_TOKEN if name == HOST else f"the-token-of-{name}"
        with self.db.write() as tx:
            compute.admit(tx, name, token)
        host = Host(self, name, token)
        host.register(**facts)
        return host

    def create(self, name: str = "s", token: str = "project-member", version: str = "2.100", **wish: Any) -> Any:
        """The body of a successful POST /servers."""
        answer = self.create_answer(name, token, version, **wish)
        assert answer.status_code == 202, answer.text
        return answer.json()["server"]

    def create_answer(
        self, name: str = "s", token: str = "project-member", version: str = "2.100", **wish: Any
    ) -> httpx.Response:
        hints = wish.pop("hints", None)
        body = {"name": name, "imageRef": IMAGE, "flavorRef": FLAVOR, "networks": [{"uuid": NETWORK}], **wish}
        whole = {"server": {key: value for key, value in body.items() if value is not None}}
        if hints is not None:
            whole["os:scheduler_hints"] = hints
        return self.call("POST", "/servers", whole, token, version)

    def show(self, server_id: str, token: str = "project-member", version: str = "2.100") -> Any:
        answer = self.call("GET", f"/servers/{server_id}", token=token, version=version)
        assert answer.status_code == 200, answer.text
        return answer.json()["server"]

    def act(self, server_id: str, action: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.call("POST", f"/servers/{server_id}/action", {action: body}, **more)

    def active(self, host: Host, **wish: Any) -> Any:
        """A server that its host has started."""
        made = self.create(**wish)
        host.settle()
        shown = self.show(made["id"])
        assert shown["status"] == "ACTIVE", shown
        return shown


class Host:
    """A host's agent, played step by step. `guests` is what is there."""

    def __init__(self, cloud: Cloud, name: str, token: str) -> None:
        self.cloud, self.name, self.token = cloud, name, token
        self.spec = HostSpec(host=name, revision=-1)
        self.guests: dict[str, GuestStatus] = {}

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        headers = {"X-Pileus-Host-Token": self.token}
        return self.cloud.call(
            method, f"/node/v1/hosts/{self.name}{path}", None, None, headers=headers, content=content
        )

    def register(self, **facts: Any) -> None:
        known = {
            "host": self.name, "hypervisor_type": "simulated", "hypervisor_version": 1, "accelerator": "tcg",
            "accelerator_reason": "a test", "vcpus": 4, "memory_mb": 2048, "disk_gb": 50, "address": "127.0.0.1",
            "agent_url": "http://127.0.0.1:1",
        }  # fmt: skip
        answer = self.send("PUT", "", HostFacts(**{**known, **facts}))
        assert answer.status_code == 200, answer.text

    def fetch(self) -> HostSpec:
        answer = self.send("GET", f"/spec?seen={self.spec.revision}&wait=0")
        if answer.status_code != 304:
            assert answer.status_code == 200, answer.text
            self.spec = msgspec.json.decode(answer.content, type=HostSpec)
        return self.spec

    def guest(self, server_id: str) -> GuestSpec:
        """What the host was last told of a guest."""
        return next(guest for guest in self.fetch().guests if guest.id == server_id)

    def report(self, *guests: GuestStatus, **more: Any) -> None:
        answer = self.send(
            "POST", "/status", HostStatus(host=self.name, revision=self.spec.revision, guests=guests, **more)
        )
        assert answer.status_code == 204, answer.text

    def settle(self) -> None:
        """Bring every guest to its spec and say so."""
        spec = self.fetch()
        wanted = {guest.id: self.done(guest) for guest in spec.guests}
        gone = tuple(sorted(set(self.guests) - set(wanted)))
        self.guests = wanted
        self.report(*wanted.values(), gone=gone)

    def done(self, guest: GuestSpec, **more: Any) -> GuestStatus:
        """The report of a guest that is as its spec says."""
        values = {
            "id": guest.id, "generation": guest.generation, "state": guest.power,
            "wired": tuple(nic.port_id for nic in guest.nics) if guest.power in ("running", "paused") else (),
            "reboots": guest.reboots, "hard_reboots": guest.hard_reboots, "rebuilds": guest.rebuilds,
        }  # fmt: skip
        return GuestStatus(**{**values, **more})
