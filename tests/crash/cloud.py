"""The cloud under test: `pileus up` with a probe in each of its processes, and what a user has in it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from pileus.doctor import audit
from pileus.doctor.findings import Finding
from pileus.doctor.patient import Patient
from pileus.operate import state
from tests.crash import machine, world
from tests.crash.probe.crash_probe import LOOKING
from tests.crash.steps import Control
from tests.crash.world import Row
from tests.support import postgres
from tests.support.command import Command, free_port, until
from tests.support.user import User

PATIENCE = 60.0
GUEST = bytes.fromhex("fb f4 ba04ae 66ed 6685c0 74f5 ba08ae 66ef ebee").ljust(510, b"\0") + b"\x55\xaa"
"""A boot sector. At each tick of the clock it gives up the PCI devices that QEMU asks for (ports 0xae04 and 0xae08)."""


class Cloud:
    """Simulated, or `real`: with libvirt and OVN, in this network namespace."""

    def __init__(self, directory: Path, database: str = "sqlite", real: bool = False) -> None:
        self.database, self.real = database, real
        self.pileus = Command(directory / "home", directory / "state")
        self.control = Control(directory / "control")
        environment = self.pileus.environment
        environment |= self.control.environment(self.state_dir, environment.get("PYTHONPATH", ""))
        config = directory / "cloud.toml"
        config.write_text("token_hours = 24.0\n")
        self.words = [*([] if real else ["--sim"]), "--port", str(free_port()), "--config", str(config)]
        self.url = f"sqlite:///{self.state_dir}/pileus.db"
        if database == "postgresql":
            self.url = postgres.new_database()
            environment["PILEUS_CRASH_POSTGRES"] = str(postgres.server() / "data")
            self.words += ["--database", self.url]
        self.up()
        self.user, self.eye = User(self.state_dir), User(self.state_dir)
        self.eye.http.headers["User-Agent"] = LOOKING
        until(lambda: self.eye.hosts_up(1))
        self.image, self.other_image = self._image("tiny", GUEST), self._image("other", GUEST + b"other")
        self.flavor = self.user.flavor()
        self.network = self.user.network()
        self.public = self.user.public()
        self._warm_up()

    def _image(self, name: str, data: bytes) -> str:
        wish = {"name": name, "disk_format": "raw", "container_format": "bare"}
        image = str(self.user.http.post("/image/v2/images", json=wish).json()["id"])
        assert self.put(f"/image/v2/images/{image}/file", data).status_code == 204
        return image

    def put(self, path: str, data: bytes) -> httpx.Response:
        return self.user.http.put(path, content=data, headers={"Content-Type": "application/octet-stream"})

    def _warm_up(self) -> None:
        """What the first server of a project makes for good is there then."""
        server = self.user.server(self.image, self.flavor, self.network)["id"]
        self.user.wait(server, "ACTIVE")
        self.user.call("DELETE", f"/compute/servers/{server}")
        until(lambda: self.user.gone(server))

    @property
    def state_dir(self) -> Path:
        return self.pileus.state_dir

    def up(self) -> None:
        self.pileus.ok("up", *self.words)

    def api(self) -> int | None:
        """The serving process, if it lives."""
        found = state.running(self.state_dir)
        return found.pid if found else None

    def revive(self) -> bool:
        """Start again what does not come back by itself: the database and the serving process. Whether one was gone."""
        was_gone = False
        if self.database == "postgresql" and not postgres.shared().is_running():
            postgres.shared().start()
            was_gone = True
        if self.api() is None:
            self.up()
            was_gone = True
        return was_gone

    def restart(self) -> None:
        """Kill the serving process, and with it its agent."""
        self.revive()
        process = psutil.Process(self.api())
        process.kill()
        process.wait(10)
        self.revive()

    def looked(self, path: str) -> Any:
        """The body of a GET, asked as often as it takes while something is away; None for 404."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self.eye.call("GET", path)
                if answer.status_code in (200, 404):
                    return answer.json() if answer.status_code == 200 else None
                reason = answer.text
            except httpx.TransportError as error:
                reason = str(error)
            assert time.monotonic() < deadline, f"GET {path}: {reason}"
            self.revive()
            time.sleep(0.05)

    def row(self, table: str, key: str) -> Row:
        """What no client is told."""
        return next(row for row in world.Database(self.url).rows()[table].values() if row["id"] == key)

    def things(self, names: world.Names) -> world.Facts:
        """What there is besides rows."""
        return machine.things(self.state_dir, names) if self.real else world.files(self.state_dir, names)

    def audit(self) -> list[Finding]:
        patient = Patient(self.state_dir)
        try:
            return audit.audit(patient)
        finally:
            patient.close()

    def close(self) -> None:
        self.pileus("down", "--purge")
        if self.database == "postgresql":
            postgres.drop_database(self.url)
