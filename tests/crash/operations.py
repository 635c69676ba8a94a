"""Long operations, as a user asks for them. None of them names a step."""

from __future__ import annotations

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

    def boot(self, name: str) -> str:
        server = self.cloud.user.server(self.cloud.image, self.cloud.flavor, self.cloud.network, name=name)
        self.cloud.user.wait(server["id"], "ACTIVE")
        until(lambda: all(port["status"] == "ACTIVE" for port in self.ports(server["id"])), what="the ports are wired")
        return str(server["id"])

    def ports(self, server_id: str) -> list[Any]:
        found: list[Any] = self.cloud.looked(f"/network/ports?device_id={server_id}")["ports"]
        return found

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


class Boot(Operation):
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

    def has_failed(self) -> bool:
        return self._in_error("one")

    def cure(self) -> Sequence[Question]:
        return [self.reboot("one")]

    def clean(self) -> None:
        self.delete_servers()


OPERATIONS: dict[str, type[Operation]] = {each.name: each for each in (Boot,)}
