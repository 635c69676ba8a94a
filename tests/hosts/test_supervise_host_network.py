"""The host's part of the network: refusals before anything is done, set-up that may be repeated."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from pileus.supervise import host_network, ovs, process
from pileus.supervise.host_network import BadInterface, ExternalNetwork
from pileus.supervise.supervisor import Supervisor
from tests.hosts.supervise_host import own_network, own_state

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def network() -> Iterator[None]:
    """A host with two free cards, and one that serves its address and default route."""
    with own_network(), IPRoute() as ip:
        for name, peer in (("card0", "peer0"), ("card1", "peer1")):
            ip.link("add", ifname=name, kind="veth", peer={"ifname": peer})
            ip.link("set", index=ip.link_lookup(ifname=name)[0], state="up")
        card = ip.link_lookup(ifname="card0")[0]
        ip.addr("add", index=card, address="192.0.2.7", prefixlen=24)
        ip.route("add", dst="default", gateway="192.0.2.1")
        yield


@pytest.fixture
def state() -> Iterator[Path]:
    with own_state() as path:
        supervisor = Supervisor(path, ovs.daemons(path))
        supervisor.start()
        yield path
        supervisor.release()


def addresses(name: str) -> list[str]:
    with IPRoute() as ip:
        index = ip.link_lookup(ifname=name)[0]
        return [str(address.get_attr("IFA_ADDRESS")) for address in ip.get_addr(index=index)]


def test_w03_a_wrong_interface_is_refused_with_those_that_exist() -> None:
    with pytest.raises(BadInterface) as refused:
        host_network.check_interface("eth7", "--external-interface")
    text = str(refused.value)
    assert "--external-interface is 'eth7'" in text
    assert "card0: " in text
    assert "192.0.2.7/24" in text


def test_w04_an_interface_that_carries_the_host_is_not_joined_to_a_bridge(state: Path) -> None:
    with pytest.raises(BadInterface, match=r"address 192\.0\.2\.7/24, the default IPv4 route"):
        host_network.set_up(state, [ExternalNetwork("external", interface="card0")])
    assert ovs.vsctl(state, "list-br") == ""
    assert "192.0.2.7" in addresses("card0")


def test_set_up_twice_is_as_once_and_an_uplink_joins(state: Path) -> None:
    external = ExternalNetwork("external", "br-up", ("198.51.100.1/24", "2001:db8::1/64"), "card1", masquerade=True)
    for _ in range(2):
        host_network.set_up(state, [external])
    assert ovs.vsctl(state, "list-ports", "br-up") == "card1"
    assert addresses("br-up").count("198.51.100.1") == 1
    assert "2001:db8::1" in addresses("br-up")
    assert host_network.table(state).count("masquerade") == 2
    mappings = ovs.vsctl(state, "get", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings")
    assert mappings == '"external:br-up"'


def test_a_bridge_that_was_there_is_there_again_when_the_switch_has_it(state: Path) -> None:
    ovs.ensure_bridge(state, "br-up")
    switch = process.of_daemon(state, "ovs-vswitchd", "ovs-vswitchd")
    assert switch
    switch.signal(signal.SIGKILL)
    ovs.ensure_bridge(state, "br-up")
    asked = ["ovs-ofctl", "show", f"unix:{ovs.run_dir(state)}/br-up.mgmt"]
    assert subprocess.run(asked, capture_output=True).returncode == 0


def test_without_masquerading_no_rule_stays(state: Path) -> None:
    addresses = ("198.51.100.1/24",)
    host_network.set_up(state, [ExternalNetwork("external", addresses=addresses, masquerade=True)])
    host_network.set_up(state, [ExternalNetwork("external", addresses=addresses)])
    assert host_network.table(state) == ""


def test_clear_gives_forwarding_back(state: Path) -> None:
    forwarding = Path("/proc/sys/net/ipv4/ip_forward")
    before = forwarding.read_text()
    host_network.set_up(state, [ExternalNetwork("external", addresses=("198.51.100.1/24",), masquerade=True)])
    assert forwarding.read_text() == "1\n"
    host_network.clear(state)
    assert forwarding.read_text() == before
    assert host_network.table(state) == ""
