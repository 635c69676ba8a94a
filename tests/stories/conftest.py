"""A simulated cloud of its own for a story."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.command import Command, free_port, own_host, until
from tests.support.user import User


@pytest.fixture
def pileus(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path / "home", tmp_path / "state")
    yield command
    command("down", "--purge")


@pytest.fixture
def host() -> Iterator[Command]:
    """The command on a host of its own, for real guests."""
    if os.geteuid() or not shutil.which("ovn-northd"):
        pytest.skip("needs root, libvirt and OVN")
    with own_host() as command:
        yield command


class Simulated:
    """A running cloud with simulated hosts, an image, a network behind a router, and its administrator."""

    def __init__(self, pileus: Command, hosts: int) -> None:
        self.pileus, self.port, self.hosts = pileus, str(free_port()), hosts
        self.up()
        self.user = User(pileus.state_dir)
        until(lambda: self.user.hosts_up(hosts))
        self.image, self.flavor = self.user.image(), self.user.flavor()
        self.network = self.user.network()

    def up(self) -> None:
        self.pileus.ok("up", "--sim", "--port", self.port, "--sim-hosts", str(self.hosts))

    def server(self, **more: Any) -> str:
        return str(self.user.server(self.image, self.flavor, self.network, **more)["id"])

    def knobs(self, host: str | None = None, **values: Any) -> None:
        """Turn the simulator's knobs of a host (of all hosts)."""
        for folder in (self.pileus.state_dir / "sim").iterdir():
            if host in (None, folder.name):
                new = folder / "knobs.new"
                new.write_text(json.dumps(values))
                new.replace(folder / "knobs.json")

    def api(self) -> int:
        """The serving process."""
        return int(json.loads((self.pileus.state_dir / "run/pileus.json").read_text())["pid"])

    def agent(self) -> int | None:
        for child in psutil.Process(self.api()).children():
            try:
                if "pileus.node" in child.cmdline():
                    return child.pid
            except psutil.ZombieProcess:
                continue
        return None

    def kill_agent(self) -> None:
        """It is started again by itself."""
        until(lambda: self.agent() is not None)
        os.kill(self.agent() or 0, signal.SIGKILL)

    def kill_api(self) -> None:
        """And start it again."""
        api = psutil.Process(self.api())
        api.kill()
        api.wait(10)
        self.up()


@pytest.fixture
def simulated(pileus: Command) -> Simulated:
    return Simulated(pileus, hosts=2)
