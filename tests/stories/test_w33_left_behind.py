"""W33: deleted instances left files, ports and allocations behind."""

import os
import random
from collections.abc import Callable

import httpx
import pytest

from tests.stories.conftest import Simulated
from tests.support.command import until

pytestmark = pytest.mark.slow
OPERATIONS = int(os.environ.get("PILEUS_W33_OPERATIONS", "1000"))
KILLS = 12


class Monkey:
    """Does what users do, in any order; a refusal (4xx) is an answer like another."""

    def __init__(self, cloud: Simulated, seed: int) -> None:
        self.cloud, self.user, self.dice = cloud, cloud.user, random.Random(seed)
        self.public = cloud.user.public()
        self.acts: list[Callable[[], httpx.Response | None]] = [
            *[self.create] * 4, *[self.delete] * 3, *[self.power] * 6, self.rebuild, self.plug, self.unplug,
            self.make_floating, self.lead_floating, self.drop_floating, self.drop_port,
        ]  # fmt: skip

    def step(self) -> None:
        answer = self.dice.choice(self.acts)()
        if answer is not None:
            assert answer.status_code < 500, f"{answer.request.method} {answer.request.url}: {answer.text}"

    def some(self, path: str, noun: str) -> str | None:
        found = [each["id"] for each in self.user.get(path)[noun]]
        return self.dice.choice(sorted(found)) if found else None

    def a_server(self) -> str | None:
        return self.some("/compute/servers", "servers")

    def create(self) -> httpx.Response:
        wish = {
            "name": "m", "imageRef": self.cloud.image, "flavorRef": self.cloud.flavor,
            "networks": [{"uuid": self.cloud.network}] * self.dice.choice([1, 1, 2]),
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
        return self.user.act(server, "rebuild", {"imageRef": self.cloud.image}) if server else None

    def plug(self) -> httpx.Response | None:
        server = self.a_server()
        body = {"interfaceAttachment": {"net_id": self.cloud.network}}
        return self.user.call("POST", f"/compute/servers/{server}/os-interface", body) if server else None

    def unplug(self) -> httpx.Response | None:
        server = self.a_server()
        port = self.some(f"/network/ports?device_id={server}", "ports") if server else None
        return self.user.call("DELETE", f"/compute/servers/{server}/os-interface/{port}") if port else None

    def drop_port(self) -> httpx.Response | None:
        port = self.some(f"/network/ports?network_id={self.cloud.network}", "ports")
        return self.user.call("DELETE", f"/network/ports/{port}") if port else None

    def make_floating(self) -> httpx.Response:
        wish = {"floating_network_id": self.public}
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


def test_w33_nothing_is_left_behind_after_random_operations_with_kills(simulated: Simulated) -> None:
    monkey = Monkey(simulated, seed=33)
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
