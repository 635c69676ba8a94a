"""W21: "No valid host was found", and nobody could say why. W26: a guest stuck in a task for ever."""

import pytest

from tests.stories.conftest import Simulated
from tests.support.command import until

pytestmark = pytest.mark.slow


def test_w21_the_fault_lists_what_each_filter_removed_with_numbers(simulated: Simulated) -> None:
    user = simulated.user
    names = [host["hypervisor_hostname"] for host in user.get("/compute/os-hypervisors/detail")["hypervisors"]]
    service = next(
        each["id"] for each in user.get("/compute/os-services")["services"]
        if each["binary"] == "nova-compute" and each["host"] == names[0]
    )  # fmt: skip
    answer = user.call("PUT", f"/compute/os-services/{service}", {"status": "disabled", "disabled_reason": "new disks"})
    assert answer.status_code == 200, answer.text
    unlimited = user.call("PUT", f"/compute/os-quota-sets/{user.project}", {"quota_set": {"ram": -1}})
    assert unlimited.status_code == 200, unlimited.text
    flavor = user.made("/compute/flavors", "flavor", name="vast", vcpus=1, ram=3_000_000, disk=1)["id"]
    server = user.server(simulated.image, flavor, simulated.network)["id"]
    shown = user.wait(server, "ERROR")
    message = shown["fault"]["message"]
    assert message.startswith("No valid host was found. Of 2 hosts")
    assert f"enabled removed 1 ({names[0]}: it is disabled: new disks)" in message
    assert f"capacity removed 1 ({names[1]}:" in message
    assert "3000000" in message
    assert "262144" in message


def test_w26_a_failed_step_ends_the_task_and_a_hard_reboot_cures(simulated: Simulated) -> None:
    user = simulated.user
    server = simulated.server()
    user.wait(server, "ACTIVE")
    simulated.knobs(fail_at={"reboot": "the guest's disk is gone"})
    assert user.act(server, "reboot", {"type": "SOFT"}).status_code == 202
    until(lambda: user.show(server)["OS-EXT-STS:task_state"] is None, what="the failed reboot ends")
    simulated.knobs()
    assert user.act(server, "reboot", {"type": "HARD"}).status_code == 202
    user.wait(server, "ACTIVE")


def test_w26_a_hanging_task_is_left_by_reset_state_and_a_hard_reboot(simulated: Simulated) -> None:
    user = simulated.user
    server = simulated.server()
    user.wait(server, "ACTIVE")
    simulated.knobs(slow=5.0)
    assert user.act(server, "suspend").status_code == 202
    assert user.act(server, "os-resetState", {"state": "active"}).status_code == 202
    shown = user.show(server)
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("ACTIVE", None)
    simulated.knobs()
    assert user.act(server, "reboot", {"type": "HARD"}).status_code == 202
    user.wait(server, "ACTIVE")
    assert user.act(server, "pause").status_code == 202
    user.wait(server, "PAUSED")


@pytest.mark.parametrize("step", ["ensure_disk", "start"])
def test_w26_a_failed_boot_says_why_and_can_be_cured_and_deleted(simulated: Simulated, step: str) -> None:
    user = simulated.user
    simulated.knobs(fail_at={step: "the disk is full"})
    servers = [simulated.server(), simulated.server()]
    for server in servers:
        assert "the disk is full" in user.wait(server, "ERROR")["fault"]["message"]
    simulated.knobs()
    assert user.act(servers[0], "reboot", {"type": "HARD"}).status_code == 202
    user.wait(servers[0], "ACTIVE")
    for server in servers:
        assert user.call("DELETE", f"/compute/servers/{server}").status_code == 204
        until(lambda server=server: user.gone(server))  # type: ignore[misc]
    assert "agree" in simulated.pileus.ok("audit")


def test_w26_a_vanished_guest_is_said_and_a_hard_reboot_brings_it_back(simulated: Simulated) -> None:
    user = simulated.user
    server = simulated.server()
    user.wait(server, "ACTIVE")
    host = user.show(server)["OS-EXT-SRV-ATTR:host"]
    (simulated.pileus.state_dir / f"sim/{host}/guests/{server}.json").unlink()
    simulated.kill_agent()
    done = simulated.pileus("audit")
    assert done.returncode == 1
    assert f"{host} has no such guest" in done.stdout.replace("\n", " ")
    assert user.act(server, "reboot", {"type": "HARD"}).status_code == 202
    user.wait(server, "ACTIVE")
    assert "agree" in simulated.pileus.ok("audit")
