"""W06: "sometimes the new VM gets no address; a hard reboot fixes it." Lightly, with simulated hosts: ACTIVE is wired."""

import pytest

from tests.stories.conftest import Simulated
from tests.support.command import until

pytestmark = pytest.mark.slow
BOOTS = 10


def test_w06_an_active_server_has_active_ports_with_addresses(simulated: Simulated) -> None:
    user = simulated.user
    servers = [simulated.server(name=f"s{number}") for number in range(BOOTS)]
    waiting = set(servers)

    def all_active() -> bool:
        for server in sorted(waiting):
            shown = user.show(server)
            assert shown["status"] in ("BUILD", "ACTIVE"), shown
            if shown["status"] == "ACTIVE":
                waiting.discard(server)
                (port,) = user.get(f"/network/ports?device_id={server}")["ports"]
                assert port["status"] == "ACTIVE"
                (address,) = shown["addresses"]["private"]
                assert address["addr"] == port["fixed_ips"][0]["ip_address"]
        return not waiting

    until(all_active, 60)
    addresses = {user.show(server)["addresses"]["private"][0]["addr"] for server in servers}
    assert len(addresses) == BOOTS
