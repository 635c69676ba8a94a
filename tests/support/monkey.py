"""Does what users of one project do, in any order; a refusal (4xx) is an answer like another."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import httpx

from tests.support.user import User

Act = Callable[[], httpx.Response | None]


class Monkey:
    """`image`, `flavor` and `network` are what its servers are made of; all that it makes has a name of its own."""

    def __init__(self, user: User, image: str, flavor: str, network: str, seed: int, name: str = "m") -> None:
        self.user, self.image, self.flavor, self.network = user, image, flavor, network
        self.dice, self._name, self._numbers = random.Random(seed), name, itertools.count(1)
        self.public = user.public()
        self.acts: list[Act] = [
            *[self.create] * 4, *[self.delete] * 3, *[self.power] * 6, self.rebuild, self.plug, self.unplug,
            self.make_floating, self.lead_floating, self.drop_floating, self.make_port, self.drop_port,
            self.make_keypair, self.drop_keypair, self.make_image, self.drop_image,
        ]  # fmt: skip

    def step(self) -> None:
        answer = self.dice.choice(self.acts)()
        if answer is not None:
            assert answer.status_code < 500, f"{answer.request.method} {answer.request.url}: {answer.text}"

    def name(self) -> str:
        return f"{self._name}-{next(self._numbers)}"

    def all(self, path: str, noun: str) -> list[Any]:
        return self.user.get(path)[noun]  # type: ignore[no-any-return]

    def some(self, path: str, noun: str) -> str | None:
        found = [each["id"] for each in self.all(path, noun)]
        return self.dice.choice(sorted(found)) if found else None

    def a_server(self) -> str | None:
        return self.some("/compute/servers", "servers")

    def create(self) -> httpx.Response:
        wish = {
            "name": self.name(), "imageRef": self.image, "flavorRef": self.flavor,
            "networks": [{"uuid": self.network}] * self.dice.choice([1, 1, 2]),
        }  # fmt: skip
        return self.user.call("POST", "/compute/servers", {"server": wish})

    def delete(self) -> httpx.Response | None:
        server = self.a_server()
        return self.user.call("DELETE", f"/compute/servers/{server}") if server else None

    def power(self) -> httpx.Response | None:
        server = self.a_server()
        actions = ["os-stop", "os-start", "pause", "unpause", "suspend", "resume"]
        action, body = self.dice.choice(
            [*((name, None) for name in actions), ("reboot", {"type": "HARD"}), ("reboot", {"type": "SOFT"})]
        )
        return self.user.act(server, action, body) if server else None

    def rebuild(self) -> httpx.Response | None:
        server = self.a_server()
        return self.user.act(server, "rebuild", {"imageRef": self.image}) if server else None

    def plug(self) -> httpx.Response | None:
        server = self.a_server()
        body = {"interfaceAttachment": {"net_id": self.network}}
        return self.user.call("POST", f"/compute/servers/{server}/os-interface", body) if server else None

    def unplug(self) -> httpx.Response | None:
        server = self.a_server()
        port = self.some(f"/network/ports?device_id={server}", "ports") if server else None
        return self.user.call("DELETE", f"/compute/servers/{server}/os-interface/{port}") if port else None

    def make_port(self) -> httpx.Response:
        wish = {"network_id": self.network, "name": self.name()}
        return self.user.call("POST", "/network/ports", {"port": wish})

    def drop_port(self) -> httpx.Response | None:
        port = self.some(f"/network/ports?network_id={self.network}", "ports")
        return self.user.call("DELETE", f"/network/ports/{port}") if port else None

    def make_floating(self) -> httpx.Response:
        wish = {"floating_network_id": self.public, "description": self.name()}
        return self.user.call("POST", "/network/floatingips", {"floatingip": wish})

    def lead_floating(self) -> httpx.Response | None:
        floating = self.some("/network/floatingips", "floatingips")
        server = self.a_server()
        port = self.some(f"/network/ports?device_id={server}", "ports") if server else None
        body = {"floatingip": {"port_id": port}}
        return self.user.call("PUT", f"/network/floatingips/{floating}", body) if floating and port else None

    def drop_floating(self) -> httpx.Response | None:
        floating = self.some("/network/floatingips", "floatingips")
        return self.user.call("DELETE", f"/network/floatingips/{floating}") if floating else None

    def make_keypair(self) -> httpx.Response:
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEq0fOPB2W1VzYIXpSrsyqA5hTZr1TxBOTQTDIFnUeqR"
        return self.user.call("POST", "/compute/os-keypairs", {"keypair": {"name": self.name(), "public_key": key}})

    def drop_keypair(self) -> httpx.Response | None:
        found = sorted(each["keypair"]["name"] for each in self.all("/compute/os-keypairs", "keypairs"))
        return self.user.call("DELETE", f"/compute/os-keypairs/{self.dice.choice(found)}") if found else None

    def make_image(self) -> httpx.Response:
        """With data, which are its name."""
        name = self.name()
        wish = {"name": name, "disk_format": "raw", "container_format": "bare"}
        answer = self.user.call("POST", "/image/images", wish)
        return (
            self.user.send(f"/image/images/{answer.json()['id']}/file", name.encode()) if answer.is_success else answer
        )

    def drop_image(self) -> httpx.Response | None:
        found = self.all(f"/image/images?owner={self.user.project}&limit=1000", "images")
        images = sorted(each["id"] for each in found if each["id"] != self.image)
        return self.user.call("DELETE", f"/image/images/{self.dice.choice(images)}") if images else None
