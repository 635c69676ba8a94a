"""Users at work, for half a minute: no errors, and nothing of it stays."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes.processes import Processes

pytestmark = pytest.mark.slow
EVERYTHING = {
    "servers": "/compute/v2.1/servers?all_tenants=1",
    "flavors": "/compute/v2.1/flavors?is_public=none",
    "keypairs": "/compute/v2.1/os-keypairs",
    "images": "/image/v2/images",
    "networks": "/network/v2.0/networks",
    "ports": "/network/v2.0/ports",
    "routers": "/network/v2.0/routers",
    "floatingips": "/network/v2.0/floatingips",
    "security_groups": "/network/v2.0/security-groups",
    "projects": "/identity/v3/projects",
    "users": "/identity/v3/users",
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path, "sqlite://")
    try:
        made.pileus.ok("up", "--sim", "--port", made.first.rsplit(":")[-1])
        yield made
    finally:
        made.close()


def everything(cloud: Processes) -> dict[str, list[str]]:
    token = cloud.token(cloud.first)
    found: dict[str, list[Any]] = {
        kind: cloud.call("GET", cloud.first, path, token).json()[kind] for kind, path in EVERYTHING.items()
    }
    return {kind: sorted(each.get("id", str(each)) for each in several) for kind, several in found.items()}


def test_nothing_fails_under_load_and_nothing_stays(cloud: Processes, tmp_path: Path) -> None:
    openrc = (line.removeprefix("export ").split("=", 1) for line in (cloud.pileus.state_dir / "openrc").open())
    given = {name: value.strip().strip("'") for name, value in openrc}
    cloud.token(cloud.first)
    before = everything(cloud)
    told = tmp_path / "load.json"
    command = [sys.executable, "-m", "bench.load", "--seconds", "30", "--json", str(told)]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(told.read_text())
    assert found["problems"] == []
    assert {found["figures"][name]["value"] for name in ("answers with 5xx", "errors")} == {0}
    assert {row["name"] for row in found["rows"]} >= {
        "server create -> ACTIVE",
        "floating IP associate",
        "image delete",
    }
    assert everything(cloud) == before
    assert "agree" in cloud.pileus.ok("audit")
