"""Long operations, as a user asks for them. None of them names a step."""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import msgspec

from tests.crash.cloud import Cloud
from tests.support.command import until


class Question(msgspec.Struct):
    """One request; where its answer was lost, `taken` says whether it has to be asked again."""

    ask: Callable[[], httpx.Response]
    taken: Callable[[], bool]
    later: set[int] = set()
    """Refusals after which it is asked again: what was lost is still being found out."""


class Operation:
    """`prepare` makes what it needs; `questions` are asked in their order; `clean` takes all of it away."""

    name: str
    tolerated: str = r"$^"
    """A pattern of facts that may be unlike the uninterrupted run's."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def prepare(self) -> None: ...

    @abstractmethod
    def questions(self) -> Sequence[Question]: ...

    @abstractmethod
    def is_done(self) -> bool: ...

    def has_failed(self) -> bool:
        """Whether it ended, and not as asked: then the user is told, and does what `cure` does."""
        return False

    def cure(self) -> Sequence[Question]:
        return ()

    @abstractmethod
    def clean(self) -> None: ...

    # what several of them do

    def server(self, name: str) -> Any:
        return self.cloud.looked(f"/compute/servers/{self.ids[name]}")["server"]

    @property
    def ids(self) -> dict[str, str]:
        """Of servers, by name."""
        found = self.cloud.looked("/compute/servers")["servers"]
        return {server["name"]: server["id"] for server in found}

    def boot(self, name: str, nics: int = 1) -> str:
        networks = [{"uuid": self.cloud.network}] * nics
        server = self.cloud.user.server(
            self.cloud.image, self.cloud.flavor, "", name=name, networks=networks, adminPass="a-password"
        )
        self.cloud.user.wait(server["id"], "ACTIVE")
        until(lambda: all(port["status"] == "ACTIVE" for port in self.ports(server["id"])), what="the ports are wired")
        self._name_ports(name, server["id"])
        return str(server["id"])

    def _name_ports(self, name: str, server_id: str) -> None:
        """By their order in the server: those made in one second have none of their own."""
        attached = self.cloud.looked(f"/compute/servers/{server_id}/os-interface")["interfaceAttachments"]
        for number, each in enumerate(attached, start=1):
            wish = {"port": {"name": f"{name}-{number}"}}
            answer = self.cloud.user.call("PUT", f"/network/ports/{each['port_id']}", wish)
            assert answer.status_code == 200, answer.text

    def ports(self, server_id: str) -> list[Any]:
        found: list[Any] = self.cloud.looked(f"/network/ports?device_id={server_id}")["ports"]
        return found

    def port(self, server_id: str) -> str:
        """The first that it got."""
        return str(
            self.cloud.looked(f"/compute/servers/{server_id}/os-interface")["interfaceAttachments"][0]["port_id"]
        )

    def floating_ip(self, port: str) -> str:
        """A new one, which leads to the port."""
        made = self.cloud.user.made(
            "/network/floatingips", "floatingip", floating_network_id=self.cloud.public, port_id=port
        )
        path = f"/network/floatingips/{made['id']}"
        until(lambda: self.cloud.looked(path)["floatingip"]["status"] == "ACTIVE", what="the floating IP is ACTIVE")
        return str(made["id"])

    def is_active(self, name: str) -> bool:
        shown = self.server(name) if name in self.ids else None
        return shown is not None and shown["status"] == "ACTIVE" and shown["OS-EXT-STS:task_state"] is None

    def reboot(self, name: str) -> Question:
        """By force: what a user does about a server in ERROR."""
        server = self.ids[name]
        return Question(
            lambda: self.cloud.user.act(server, "reboot", {"type": "HARD"}), lambda: not self._in_error(name)
        )

    def _in_error(self, name: str) -> bool:
        return name in self.ids and self.server(name)["status"] == "ERROR"

    def delete_servers(self) -> None:
        ids = self.ids
        for server in ids.values():
            self.cloud.user.call("DELETE", f"/compute/servers/{server}")
        until(lambda: not self.ids, 60, "the servers are deleted")


class MakesAGuest(Operation):
    """It ends with the server `one`; where that is in ERROR, a hard reboot brings it there."""

    def has_failed(self) -> bool:
        return self._in_error("one")

    def cure(self) -> Sequence[Question]:
        return [self.reboot("one")]

    def clean(self) -> None:
        self.delete_servers()


class Boot(MakesAGuest):
    name = "boot"

    def questions(self) -> Sequence[Question]:
        user, cloud = self.cloud.user, self.cloud
        wish = {
            "name": "one", "imageRef": cloud.image, "flavorRef": cloud.flavor, "networks": [{"uuid": cloud.network}],
            "adminPass": "a-password",
        }  # fmt: skip
        return [Question(lambda: user.call("POST", "/compute/servers", {"server": wish}), lambda: "one" in self.ids)]

    def is_done(self) -> bool:
        return self.is_active("one")


class Delete(Operation):
    """Of a server with a floating IP."""

    name = "delete"

    def prepare(self) -> None:
        self._server = self.boot("one")
        self._floating = self.floating_ip(self.port(self._server))

    def questions(self) -> Sequence[Question]:
        return [Question(lambda: self.cloud.user.call("DELETE", f"/compute/servers/{self._server}"), self._is_leaving)]

    def _is_leaving(self) -> bool:
        return "one" not in self.ids or self.server("one")["OS-EXT-STS:task_state"] == "deleting"

    def is_done(self) -> bool:
        return "one" not in self.ids

    def clean(self) -> None:
        self.cloud.user.call("DELETE", f"/network/floatingips/{self._floating}")
        self.delete_servers()


class Rebuild(MakesAGuest):
    """From another image."""

    name = "rebuild"

    def prepare(self) -> None:
        self._server = self.boot("one")

    def questions(self) -> Sequence[Question]:
        wish = {"imageRef": self.cloud.other_image, "adminPass": "a-password"}
        return [Question(lambda: self.cloud.user.act(self._server, "rebuild", wish), self._is_other)]

    def _is_other(self) -> bool:
        return bool(self.server("one")["image"]["id"] == self.cloud.other_image)

    def is_done(self) -> bool:
        return self._is_other() and self.is_active("one")


class Attach(Operation):
    """A second interface."""

    name = "attach"

    def prepare(self) -> None:
        self._server = self.boot("one")

    def questions(self) -> Sequence[Question]:
        wish = {"interfaceAttachment": {"net_id": self.cloud.network}}
        path = f"/compute/servers/{self._server}/os-interface"
        return [Question(lambda: self.cloud.user.call("POST", path, wish), lambda: len(self.ports(self._server)) == 2)]

    def is_done(self) -> bool:
        return [port["status"] for port in self.ports(self._server)] == ["ACTIVE"] * 2

    def clean(self) -> None:
        self.delete_servers()


class Detach(Operation):
    """Of one of two interfaces, with the floating IP that leads there."""

    name = "detach"

    def prepare(self) -> None:
        self._server = self.boot("one", nics=2)
        self._port = self.port(self._server)
        self._floating = self.floating_ip(self._port)

    def questions(self) -> Sequence[Question]:
        path = f"/compute/servers/{self._server}/os-interface/{self._port}"
        return [Question(lambda: self.cloud.user.call("DELETE", path), lambda: len(self.ports(self._server)) == 1)]

    def is_done(self) -> bool:
        return len(self.ports(self._server)) == 1

    def clean(self) -> None:
        self.cloud.user.call("DELETE", f"/network/floatingips/{self._floating}")
        self.delete_servers()


class FloatingIpMove(Operation):
    """From one server to another."""

    name = "floating-ip"

    def prepare(self) -> None:
        self._floating = self.floating_ip(self.port(self.boot("one")))
        self._target = self.port(self.boot("two"))

    def questions(self) -> Sequence[Question]:
        path, wish = f"/network/floatingips/{self._floating}", {"floatingip": {"port_id": self._target}}
        return [
            Question(lambda: self.cloud.user.call("PUT", path, wish), lambda: self._shown["port_id"] == self._target)
        ]

    @property
    def _shown(self) -> Any:
        return self.cloud.looked(f"/network/floatingips/{self._floating}")["floatingip"]

    def is_done(self) -> bool:
        return (self._shown["port_id"], self._shown["status"]) == (self._target, "ACTIVE")

    def clean(self) -> None:
        self.cloud.user.call("DELETE", f"/network/floatingips/{self._floating}")
        self.delete_servers()


class ImageImport(Operation):
    """Bytes are staged, then imported."""

    name = "import"
    DATA = b"imported" * 10_000

    def prepare(self) -> None:
        self._image = str(uuid.uuid4())

    def questions(self) -> Sequence[Question]:
        wish = {"id": self._image, "name": "imported", "disk_format": "raw", "container_format": "bare"}
        create = Question(lambda: self.cloud.user.call("POST", "/image/images", wish), lambda: self._shown is not None)
        return [create, self._stage(), self._import()]

    def _stage(self) -> Question:
        path = f"/image/v2/images/{self._image}/stage"
        return Question(lambda: self.cloud.put(path, self.DATA), self._is_staged, {409})

    def _import(self) -> Question:
        path, wish = f"/image/v2/images/{self._image}/import", {"method": {"name": "glance-direct"}}
        return Question(lambda: self.cloud.user.http.post(path, json=wish), self._is_taken)

    def cure(self) -> Sequence[Question]:
        return [self._import()]

    @property
    def _shown(self) -> Any:
        return self.cloud.looked(f"/image/images/{self._image}")

    def _is_staged(self) -> bool:
        return self.cloud.row("image_image", self._image)["staged"] is not None

    def _is_taken(self) -> bool:
        return bool(self.cloud.looked(f"/image/images/{self._image}/tasks")["tasks"])

    def is_done(self) -> bool:
        return bool(self._shown["status"] == "active")

    def has_failed(self) -> bool:
        """What is staged waits for another import."""
        return bool(self._shown["status"] == "uploading")

    def clean(self) -> None:
        self.cloud.user.call("DELETE", f"/image/images/{self._image}")


class KeyRotation(Operation):
    """`pileus rotate-keys`, of a cloud that keeps secrets; who sees it end by a signal runs it again."""

    name = "rotate-keys"
    SECRETS = ("one", "two", "three")

    @property
    def tolerated(self) -> str:  # type: ignore[override]
        """Who runs it again has one key more of each kind: the older ones go when no token can need them."""
        return r"^too much: \+ identity_(token|seal)_key " if self._asked > 1 else r"$^"

    def prepare(self) -> None:
        self._made, self._asked = {}, 0
        for text in self.SECRETS:
            wish = {"credential": {"type": "certificate", "blob": text, "user_id": self.cloud.user.id}}
            answer = self.cloud.user.call("POST", "/identity/v3/credentials", wish)
            assert answer.status_code == 201, answer.text
            self._made[answer.json()["credential"]["id"]] = text

    def questions(self) -> Sequence[Question]:
        return [Question(self._rotate, lambda: False)]

    def _rotate(self) -> httpx.Response:
        self._asked += 1
        done = self.cloud.pileus("rotate-keys")
        request = httpx.Request("POST", "command://pileus/rotate-keys")
        if done.returncode < 0:
            raise httpx.ReadError(f"ended by signal {-done.returncode}", request=request)
        return httpx.Response(500 if done.returncode else 200, text=done.stdout + done.stderr, request=request)

    def is_done(self) -> bool:
        found = {key: self.cloud.looked(f"/identity/v3/credentials/{key}")["credential"]["blob"] for key in self._made}
        assert found == self._made, f"secrets were {self._made} and are {found}"
        return len({self.cloud.row("identity_credential", key)["blob"].split(":")[0] for key in found}) == 1

    def clean(self) -> None:
        for credential in self._made:
            self.cloud.user.call("DELETE", f"/identity/v3/credentials/{credential}")


OPERATIONS: dict[str, type[Operation]] = {
    each.name: each for each in (Boot, Delete, Rebuild, Attach, Detach, FloatingIpMove, ImageImport, KeyRotation)
}
ON_HOSTS = ("boot", "delete", "rebuild", "attach", "detach", "floating-ip")
"""Those that libvirt and OVN do something for."""
