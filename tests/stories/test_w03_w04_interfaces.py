"""W03: eth1 typed for eth0. W04: one card for the host's address and the bridge's port, and ARP replies lost for days."""

import subprocess

import pytest

from tests.support.command import Command, links, processes_of

pytestmark = pytest.mark.real


def ip(host: Command, *words: str) -> None:
    subprocess.run([*host.prefix, "ip", *words], check=True)


@pytest.fixture
def cards(host: Command) -> Command:
    """A host with two cards: eth0 with its address, card1 without."""
    for name in ("eth0", "card1"):
        ip(host, "link", "add", name, "type", "veth", "peer", "name", f"far-{name}")
    ip(host, "address", "add", "192.0.2.10/24", "dev", "eth0")
    ip(host, "link", "set", "eth0", "up")
    ip(host, "link", "set", "far-eth0", "up")
    return host


def refused(host: Command, interface: str) -> str:
    before = links(host)
    said = host.refused("up", "--external-interface", interface)
    assert f"external_interface is '{interface}'" in said
    assert processes_of(host.state_dir) == []
    assert not host.state_dir.exists()
    assert links(host) == before
    return said


def test_w03_an_interface_that_does_not_exist(cards: Command) -> None:
    said = refused(cards, "eth1")
    assert "no such interface" in said
    assert "  eth0: up, 192.0.2.10/24" in said
    assert "  card1: down, no address" in said


def test_w04_an_interface_that_carries_the_hosts_address(cards: Command) -> None:
    said = refused(cards, "eth0")
    assert "carries this host's address 192.0.2.10/24" in said


def test_w04_an_interface_that_carries_the_default_route(cards: Command) -> None:
    ip(cards, "link", "set", "card1", "up")
    ip(cards, "route", "add", "default", "dev", "card1")
    assert "the default IPv4 route" in refused(cards, "card1")


def test_w04_an_interface_of_nobody_else_is_taken_and_given_back(cards: Command) -> None:
    before = links(cards)
    cards.ok("up", "--external-interface", "card1")
    ports = subprocess.run(
        ["ovs-vsctl", f"--db=unix:{cards.state_dir}/run/openvswitch/db.sock", "list-ports", "br-ex"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "card1" in ports.split()
    cards.ok("down", "--purge")
    assert links(cards) == before
