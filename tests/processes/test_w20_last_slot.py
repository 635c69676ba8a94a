"""W20: two schedulers gave the last free slot to two servers. Here: room for 50, 200 at once, two API processes."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.processes.processes import Processes
from tests.processes.test_processes import two_apis
from tests.support.command import until

pytestmark = pytest.mark.slow
ROOM, ASKED = 50, 200


def test_w20_as_many_run_as_there_is_room_for(cloud: Processes) -> None:
    with two_apis(cloud):
        token = cloud.token(cloud.first)

        def get(path: str) -> Any:
            return cloud.call("GET", cloud.first, path, token).json()

        image = cloud.image(cloud.first, token)
        flavor = flavor_for(cloud, token, get("/compute/v2.1/os-hypervisors/detail")["hypervisors"][0])

        def boot(number: int) -> int:
            url = (cloud.first, cloud.second)[number % 2]
            wish = {"name": f"s{number}", "imageRef": image, "flavorRef": flavor, "networks": "none"}
            return cloud.call("POST", url, "/compute/v2.1/servers", token, json={"server": wish}).status_code

        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(boot, range(ASKED))) == {202}

        def statuses() -> Counter[str]:
            return Counter(server["status"] for server in get("/compute/v2.1/servers/detail")["servers"])

        until(lambda: set(statuses()) <= {"ACTIVE", "ERROR"}, 60, "all have ended one way or the other")
        assert statuses() == {"ACTIVE": ROOM, "ERROR": ASKED - ROOM}
        servers = get("/compute/v2.1/servers/detail")["servers"]
        faults = {server["fault"]["message"] for server in servers if server["status"] == "ERROR"}
        assert all("MEMORY_MB" in fault for fault in faults), faults

        provider = get("/placement/resource_providers")["resource_providers"][0]["uuid"]
        used = get(f"/placement/resource_providers/{provider}/usages")["usages"]
        ram = get(f"/compute/v2.1/flavors/{flavor}")["flavor"]["ram"]
        assert used["MEMORY_MB"] == ROOM * ram
        with ThreadPoolExecutor(16) as pool:
            for server in servers:
                pool.submit(cloud.call, "DELETE", cloud.second, f"/compute/v2.1/servers/{server['id']}", token)
        until(lambda: not statuses(), 60, "all are gone")
        used = get(f"/placement/resource_providers/{provider}/usages")["usages"]
        assert set(used.values()) == {0}
    assert "agree" in cloud.pileus.ok("audit")


def flavor_for(cloud: Processes, token: str, hypervisor: dict[str, Any]) -> str:
    """One of which ROOM fit; and no quota is in its way."""
    project = cloud.call("GET", cloud.first, "/identity/v3/projects?name=admin", token).json()["projects"][0]["id"]
    quota = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    cloud.call("PUT", cloud.first, f"/compute/v2.1/os-quota-sets/{project}", token, json=quota)
    provider = hypervisor["id"]
    inventories = f"/placement/resource_providers/{provider}/inventories"
    memory = cloud.call("GET", cloud.first, inventories, token).json()["inventories"]["MEMORY_MB"]
    wish = {"name": "fiftieth", "vcpus": 1, "disk": 0, "ram": int(memory["total"] * memory["allocation_ratio"]) // ROOM}
    specs = {"resources:VCPU": "0"}
    flavor = cloud.call("POST", cloud.first, "/compute/v2.1/flavors", token, json={"flavor": wish}).json()["flavor"]
    path = f"/compute/v2.1/flavors/{flavor['id']}/os-extra_specs"
    assert cloud.call("POST", cloud.first, path, token, json={"extra_specs": specs}).status_code == 200
    return str(flavor["id"])
