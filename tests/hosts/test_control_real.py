"""Real guests under a control plane on two machines: either may be lost, and what users ask for is done by the other."""

import os
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import openstack
import pytest
import yaml

from pileus.operate import state
from tests.e2e.cloud import Guest
from tests.hosts.pair import PROXY, Pair, pair_in
from tests.hosts.several import SeveralHosts, silence
from tests.support.command import until
from tests.support.hosts import lab_of

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("ovn-northd") or not shutil.which("haproxy"),
        reason="needs root, libvirt, OVN and Debian's haproxy",
    ),
]
TAKEN_OVER = 10.0
"""Seconds: 4, and what a busy machine takes."""


class BehindProxy(SeveralHosts):
    """The first host has OVN's databases and the way out, the second is of the control plane alone, the third has guests."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(pair.lab)
        self.pair = pair

    def start(self) -> None:
        images = self.lab.folder / "images"
        images.mkdir()
        store = f'[image_stores.shared]\ntype = "file"\ndirectory = "{images}"\ndefault = true\n'
        self.pair.up("--external-interface", "eth1", options=store)
        self.pair.proxy()
        self.pair.join()
        with (self.pair.second.control.state_dir / "pileus.toml").open("a") as options:
            options.write(store)
        self.pair.begin()
        host = self.lab.hosts[2]
        host.pileus.ok("join", self.pair.hosts_url, "--token", self.lab.token())
        self.connect()

    def connect(self) -> None:
        entry: dict[str, Any] = yaml.safe_load((self.state_dir / "clouds.yaml").read_text())
        cloud = entry["clouds"]["pileus"]
        cloud["auth"]["auth_url"] = f"https://{PROXY}/identity/v3"
        cloud["cacert"] = str(self.pair.trusted)
        file = self.lab.folder / "clouds.yaml"
        file.write_text(yaml.safe_dump(entry))
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(file)
        self.api = openstack.connect(cloud="pileus")

    def prepare(self) -> None:
        super(SeveralHosts, self).prepare()

    def taken_over(self, works: set[str], by: str) -> bool:
        return self.pair.owners() == dict.fromkeys(works, by)


@pytest.fixture(scope="module")
def cloud() -> Iterator[BehindProxy]:
    with lab_of(3) as lab, pair_in(lab) as pair:
        cloud = BehindProxy(pair)
        cloud.start()
        cloud.prepare()
        yield cloud


@pytest.fixture(scope="module")
def guest(cloud: BehindProxy) -> Guest:
    return cloud.boot_on(2, "before")


def test_the_first_machines_pileus_is_killed_and_the_second_boots_and_floats(cloud: BehindProxy, guest: Guest) -> None:
    """OVN's databases stay: the second machine's controller writes them by TLS."""
    works, first = {*cloud.pair.owners()}, cloud.pair.first
    running = state.running(first.state_dir)
    assert running
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: cloud.taken_over(works, "host1"), TAKEN_OVER)
    new = cloud.boot_on(2, "by the second")
    new.run(f"ping -c 3 -W 2 {guest.port.fixed_ips[0]['ip_address']}")
    new.delete()
    assert silence(guest.address, 10) < 5, "its network does not go on"
    cloud.pileus(*first.at_boot)


def test_the_second_machine_loses_its_power_and_the_first_boots_and_floats(cloud: BehindProxy, guest: Guest) -> None:
    works = {*cloud.pair.owners()}
    cloud.pair.second.kill()
    until(lambda: cloud.taken_over(works, "host0"), TAKEN_OVER)
    cloud.connect()
    new = cloud.boot_on(2, "by the first")
    floating = next(iter(cloud.api.network.ips(floating_ip_address=guest.address)))
    cloud.api.network.delete_ip(next(iter(cloud.api.network.ips(floating_ip_address=new.address))))
    cloud.api.network.update_ip(floating, port_id=new.port.id)
    new.address = guest.address
    until(lambda: new.run("hostname").strip() == "by-the-first", 180)
    assert "agree" in cloud.pileus("audit")
