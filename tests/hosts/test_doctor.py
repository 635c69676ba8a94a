"""`pileus doctor` beside a real guest whose way is broken in one place after the other; `pileus down` beside it too."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pileus.node.vm import tap_name
from tests.hosts.supervise_host import own_network, own_state
from tests.support.command import Command, links, processes_of, until
from tests.support.user import User

pytestmark = pytest.mark.real
IMAGE = Path(os.environ.get("PILEUS_GUEST_IMAGE", "/var/cache/pileus/guest.qcow2"))


class Ward:
    """A cloud with one guest that answers."""

    def __init__(self, command: Command) -> None:
        self.pileus, self.state_dir = command, command.state_dir
        command.ok("up")
        self.user = user = User(self.state_dir)
        until(user.hosts_up)
        self.network = user.network("10.5.0.0/24")
        self.group = user.get(f"/network/security-groups?name=default&project_id={user.project}")["security_groups"][0][
            "id"
        ]
        self.rules = [self.rule(protocol="icmp"), self.rule(protocol="tcp", port_range_min=22, port_range_max=22)]
        self.server = str(user.server(self._image(), user.flavor("m1.tiny"), self.network)["id"])
        user.wait(self.server, "ACTIVE", seconds=120)
        self.port = user.get(f"/network/ports?device_id={self.server}")["ports"][0]["id"]
        floating = user.made("/network/floatingips", "floatingip", floating_network_id=user.public(), port_id=self.port)
        self.address = floating["floating_ip_address"]
        until(self.answers, 120, "the guest answers")

    def _image(self) -> str:
        wish = {"name": "guest", "disk_format": "qcow2", "container_format": "bare"}
        image = self.user.http.post("/image/v2/images", json=wish).json()["id"]
        octets = {"Content-Type": "application/octet-stream"}
        self.user.http.put(f"/image/v2/images/{image}/file", content=IMAGE.read_bytes(), headers=octets)
        return str(image)

    def rule(self, **fields: object) -> str:
        wish = {"security_group_id": self.group, "direction": "ingress", "ethertype": "IPv4", **fields}
        return str(self.user.made("/network/security-group-rules", "security_group_rule", **wish)["id"])

    def answers(self) -> bool:
        return subprocess.run(["ping", "-c1", "-W1", self.address], capture_output=True).returncode == 0

    def explained(self, status: int, *words: str) -> str:
        """What the doctor says, once it is all of this."""
        deadline = time.monotonic() + 60
        while True:
            done = self.pileus("doctor", "server", self.server)
            if done.returncode == status and all(each in done.stdout for each in words):
                return done.stdout
            assert time.monotonic() < deadline, f"{done.stdout}{done.stderr}"

    def domain(self) -> str:
        numbers = {
            each["id"]: each["OS-EXT-SRV-ATTR:instance_name"]
            for each in self.user.get("/compute/servers/detail")["servers"]
        }
        return str(numbers[self.server])

    def virsh(self, *words: str) -> None:
        uri = f"qemu:///system?socket={self.state_dir}/run/libvirt/libvirt-sock"
        script = "import libvirt, sys; getattr(libvirt.open(sys.argv[1]).lookupByName(sys.argv[2]), sys.argv[3])()"
        subprocess.run([sys.executable, "-c", script, uri, self.domain(), *words], check=True)

    def vsctl(self, *words: str) -> str:
        command = ["ovs-vsctl", f"--db=unix:{self.state_dir}/run/openvswitch/db.sock", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def ward() -> Iterator[Ward]:
    if os.geteuid() or not shutil.which("ovn-northd") or not IMAGE.exists():
        pytest.skip(f"needs root, OVN, libvirt and the guest image {IMAGE}")
    with own_network(), own_state() as state:
        command = Command(state / "home", state / "pileus")
        state.chmod(0o711)
        try:
            yield Ward(command)
        finally:
            command("down", "--purge")


def test_a_server_that_answers(ward: Ward) -> None:
    said = ward.explained(
        0,
        f"{ward.address}: It leads to 10.5.0.",
        f"flow outside to {ward.address}: icmp from 172.24.4.1 to {ward.address} comes out at {ward.port}",
        "OVN answers with router 10.5.0.1",
        "The guest speaks of its address 10.5.0.",
    )
    assert "✗" not in said


def test_the_whole_is_well(ward: Ward) -> None:
    done = ward.pileus("doctor")
    assert done.returncode == 0, done.stdout
    assert "✗" not in done.stdout
    assert "Its northbound database is as the rows say." in done.stdout
    assert "agree" in ward.pileus.ok("audit")


def test_no_rule_lets_a_ping_in(ward: Ward) -> None:
    assert ward.user.call("DELETE", f"/network/security-group-rules/{ward.rules[0]}").status_code == 204
    until(lambda: not ward.answers())
    ward.explained(
        1,
        "No rule of the groups default lets in ping from 172.24.4.1.",
        f"openstack security group rule create --protocol icmp {ward.group}",
        "no security group rule lets it in",
        f"Rule {ward.rules[1]} lets in TCP 22",
    )
    ward.rules[0] = ward.rule(protocol="icmp")
    until(ward.answers)


def test_somebody_paused_the_guest(ward: Ward) -> None:
    ward.virsh("suspend")
    ward.explained(1, "The guest is paused.")
    ward.virsh("resume")
    until(ward.answers)


def test_somebody_unplugged_the_guest(ward: Ward) -> None:
    tap = tap_name(ward.server, ward.port)
    ward.vsctl("del-port", "br-int", tap)
    until(lambda: not ward.answers())
    ward.explained(1, "No interface in Open vSwitch is the port's.", f"openstack server reboot --hard {ward.server}")
    assert ward.user.act(ward.server, "reboot", {"type": "HARD"}).status_code == 202
    ward.user.wait(ward.server, "ACTIVE")
    until(ward.answers, 120)


def test_down_leaves_guests_and_says_so_and_their_network_answers(ward: Ward) -> None:
    assert "Pileus is down; 1 guest goes on" in ward.pileus.ok("down")
    until(ward.answers)
    assert "1 guest goes on" in ward.pileus("status").stdout
    controller = next(
        each
        for each in json.loads((ward.state_dir / "run/daemons.json").read_text())
        if each["name"] == "ovn-controller"
    )
    os.kill(controller["pid"], signal.SIGKILL)
    done = ward.pileus("doctor")
    assert done.returncode == 1
    assert "daemon ovn-controller: It does not run, and guests do." in done.stdout
    ward.pileus.ok("up")
    until(ward.answers)
    ward.user = User(ward.state_dir)
    ward.user.wait(ward.server, "ACTIVE")


def test_killed_and_up_again(ward: Ward) -> None:
    os.kill(json.loads((ward.state_dir / "run/pileus.json").read_text())["pid"], signal.SIGKILL)
    until(ward.answers)
    ward.pileus.ok("up")
    ward.user = User(ward.state_dir)
    ward.user.wait(ward.server, "ACTIVE")
    until(ward.answers)
    until(lambda: ward.pileus("doctor").returncode == 0, what="the doctor finds all well")


def test_down_with_guests_ends_all_and_up_brings_them_back(ward: Ward) -> None:
    assert "no guest runs" in ward.pileus.ok("down", "--guests")
    assert processes_of(ward.state_dir) == []
    assert links(ward.pileus) == ["lo"]
    ward.pileus.ok("up")
    ward.user = User(ward.state_dir)
    until(ward.answers, 120, "the guest answers again")
    ward.user.wait(ward.server, "ACTIVE")
    assert "agree" in ward.pileus.ok("audit")
