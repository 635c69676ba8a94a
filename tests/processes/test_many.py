"""`pileus sim`, small: every server it asks for becomes ACTIVE, and nothing of it stays."""

import json

import pytest

from tests.processes.processes import Processes

pytestmark = pytest.mark.slow


def test_hosts_come_servers_boot_and_all_go_again(cloud: Processes) -> None:
    found = json.loads(cloud.pileus.ok("sim", "--hosts", "20", "--guests", "40", "--idle", "1", "--json"))
    assert (found["hosts"], found["servers"], found["failed"]) == (20, 40, 0)
    assert found["boots_per_second"] > 0
    token = cloud.token(cloud.first)
    services = cloud.call("GET", cloud.first, "/compute/v2.1/os-services?binary=nova-compute", token).json()["services"]
    assert [service["status"] for service in services] == ["enabled"], "its own host alone"
    assert cloud.call("GET", cloud.first, "/compute/v2.1/servers", token).json()["servers"] == []
    assert cloud.call("GET", cloud.first, "/network/v2.0/ports?device_owner=compute:nova", token).json()["ports"] == []
    assert "agree" in cloud.pileus.ok("audit")
    mine = f"/compute/v2.1/servers?all_tenants=1&deleted=1&host={services[0]['host']}"
    assert cloud.call("GET", cloud.first, mine, token).json()["servers"] == [], "nobody hears when those run"


def test_a_curve_is_a_table(cloud: Processes) -> None:
    said = cloud.pileus.ok("sim", "--curve", "2,3", "--guests", "2", "--idle", "1")
    rows = [line.split("|")[1].strip() for line in said.splitlines() if line.startswith("|")]
    assert rows[-4:] == ["hosts", "---", "2", "3"]


def test_what_cannot_be_is_refused(cloud: Processes) -> None:
    assert "--curve 1,many" in cloud.pileus.refused("sim", "--curve", "1,many")
    cloud.pileus.ok("down")
    assert "is not running" in cloud.pileus.refused("sim", "--hosts", "2", "--guests", "2")
