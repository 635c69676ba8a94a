"""W33: deleted instances left files, ports and allocations behind."""

import os

import pytest

from tests.stories.conftest import Simulated
from tests.support.command import until
from tests.support.monkey import Monkey

pytestmark = pytest.mark.slow
OPERATIONS = int(os.environ.get("PILEUS_W33_OPERATIONS", "1000"))
KILLS = 12


def test_w33_nothing_is_left_behind_after_random_operations_with_kills(simulated: Simulated) -> None:
    monkey = Monkey(simulated.user, simulated.image, simulated.flavor, simulated.network, seed=33)
    simulated.knobs(slow=0.01)
    for number in range(OPERATIONS):
        monkey.step()
        if number % (OPERATIONS // KILLS) == OPERATIONS // KILLS - 1:
            monkey.dice.choice([simulated.kill_agent, simulated.kill_api])()
    simulated.knobs()
    print(simulated.pileus.ok("audit"))
    user = simulated.user
    for server in user.get("/compute/servers")["servers"]:
        assert user.call("DELETE", f"/compute/servers/{server['id']}").status_code == 204
    until(lambda: user.get("/compute/servers")["servers"] == [], 60, "all servers are deleted")
    assert "agree" in simulated.pileus.ok("audit")
    assert user.get(f"/network/ports?network_id={simulated.network}&device_owner=compute:nova")["ports"] == []
    for host in user.get("/compute/os-hypervisors/detail")["hypervisors"]:
        assert list((simulated.pileus.state_dir / "sim" / host["hypervisor_hostname"] / "guests").iterdir()) == []
