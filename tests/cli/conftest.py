"""The unmodified `openstack` client against a simulated cloud: its own shell, in this process, a command a call."""

import contextlib
import io
import json
import logging
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openstackclient.shell import OpenStackShell

from tests.support.command import Command, free_port


class Client:
    """`openstack("server list")` gives what it printed as JSON; `openstack.text(...)` is for commands that print no such."""

    def __init__(self, *always: str) -> None:
        self._always = always

    def but(self, *more: str) -> "Client":
        """The same with other options of the client's own."""
        return Client(*self._always, *more)

    def __call__(self, command: str) -> Any:
        printed = self.text(f"{command} -f json")
        return json.loads(printed) if printed.strip() else None

    def text(self, command: str) -> str:
        """What it printed; it ended with status 0."""
        status, out, err = self._run(command)
        assert status == 0, f"openstack {command}: status {status}\n{out}{err}"
        return out

    def refused(self, command: str) -> str:
        """What it said on stderr; it ended with another status than 0."""
        status, out, err = self._run(command)
        assert status != 0, f"openstack {command} was done:\n{out}"
        return err

    def _run(self, command: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = OpenStackShell().run([*self._always, *shlex.split(command)])
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else 1
        for handler in logging.getLogger().handlers[:]:
            logging.getLogger().removeHandler(handler)
        return status, out.getvalue(), err.getvalue()

    def server(self, name: str, status: str) -> Any:
        """A server as it is shown once it has the status."""
        return self.until(lambda: self(f"server show {name}"), lambda shown: shown["status"] == status)

    def until(self, ask: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 30.0) -> Any:
        deadline = time.monotonic() + seconds
        while not good(found := ask()):
            assert time.monotonic() < deadline, f"not so after {seconds} s: {found}"
            time.sleep(0.05)
        return found


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Its state directory."""
    directory = tmp_path_factory.mktemp("cli")
    pileus = Command(directory / "home", directory / "state")
    pileus.ok("up", "--sim", "--port", str(free_port()))
    yield directory / "state"
    pileus("down", "--purge")


@pytest.fixture(scope="session")
def openstack(cloud: Path) -> Iterator[Client]:
    """The administrator's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OS_CLIENT_CONFIG_FILE", str(cloud / "clouds.yaml"))
        patch.setenv("HOME", str(cloud))
        patch.setenv("COLUMNS", "200")
        yield Client("--os-cloud", "pileus")


@pytest.fixture(scope="session")
def image(openstack: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an image that boots."""
    file = tmp_path_factory.mktemp("image") / "disk.raw"
    file.write_bytes(b"\x00" * 4096)
    openstack(
        f"image create --disk-format raw --container-format bare --public boots --file {file}",
    )
    return "boots"


@pytest.fixture(scope="session")
def network(openstack: Client) -> str:
    """The name of a network with a subnet, on a router to the world."""
    openstack("network create office")
    openstack("subnet create office --network office --subnet-range 10.5.0.0/24 --dns-nameserver 9.9.9.9")
    openstack("router create office")
    openstack.text("router add subnet office office")
    openstack.text("router set office --external-gateway public")
    return "office"
