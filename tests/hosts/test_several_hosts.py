"""Stories of several real hosts, with real guests on two of them. They run in this order, on one cloud."""

import os
import shutil
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from pileus.core.tls import Folder
from pileus.supervise import process
from tests.e2e.cloud import PATIENCE, Guest, until
from tests.hosts.several import SeveralHosts, pings, silence
from tests.support.hosts import lab_of

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ovn-northd"), reason="needs root, libvirt and OVN"),
]


CUT = float(os.environ.get("PILEUS_CUT_SECONDS", "15"))
"""How long a host does not reach the control plane; 60 in the long form."""
BACK = 5.0
"""Seconds within which an address answers again (W09, W10)."""
AWAY = 60 * float(os.environ.get("PILEUS_W24_MINUTES", "0"))
"""Seconds for which the control plane is away, at least; 10 minutes in the long form."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[SeveralHosts]:
    with lab_of(3) as lab:
        cloud = SeveralHosts(lab)
        cloud.start()
        for number in (1, 2):
            lab.join(number, "--external-interface", "eth1")
        cloud.prepare()
        yield cloud
        for host in lab.hosts:
            if host.is_open:
                host.pileus("down", "--purge")


@pytest.fixture(scope="module")
def guests(cloud: SeveralHosts) -> tuple[Guest, Guest]:
    """On host1 and host2, in one network."""
    return cloud.boot_on(1, "one"), cloud.boot_on(2, "two")


def inside(guest: Guest) -> str:
    return str(guest.port.fixed_ips[0]["ip_address"])


def uptime(guest: Guest) -> float:
    """Seconds since it came up."""
    return float(guest.run("cat /proc/uptime").split()[0])


def answered(guest: Guest, address: str) -> bool:
    """Whether the address answers the guest one ping."""
    return "yes" in guest.run(f"ping -c 1 -W 1 {address} > /dev/null && echo yes || echo no")


def test_w22_hosts_appear_by_themselves_and_take_guests(cloud: SeveralHosts, guests: tuple[Guest, Guest]) -> None:
    until(cloud.all_up, "not all hosts are up")
    assert [cloud.host_of(guest) for guest in guests] == ["host1", "host2"]


def test_the_agent_of_the_first_host_too_talks_to_the_control_plane_alone(cloud: SeveralHosts) -> None:
    first = cloud.lab.hosts[0]
    agent = f"https://{first.address}:8781/none/guests/none/console-log"
    for folder, opens in ((first.state_dir / "tls", True), (cloud.lab.hosts[1].state_dir / "tls", False)):
        with httpx.Client(verify=Folder(folder).client_context()) as client:
            if opens:
                assert client.get(agent, extensions={"sni_hostname": "host0"}).status_code == 404
            else:
                with pytest.raises(httpx.TransportError):
                    client.get(agent, extensions={"sni_hostname": "host0"})


def test_w05_guests_of_two_hosts_reach_each_other(guests: tuple[Guest, Guest]) -> None:
    for one, other in (guests, guests[::-1]):
        one.run(f"ping -c 3 -W 2 {inside(other)}")
        assert one.run(f"sleep 1 | nc -w 5 {inside(other)} 22 | head -c 4") == "SSH-"


def test_w07_what_the_mtu_says_passes_between_hosts(cloud: SeveralHosts, guests: tuple[Guest, Guest]) -> None:
    one, other = guests
    assert cloud.network.mtu == 1500 - 58
    mtu = int(one.run("cat /sys/class/net/eth0/mtu"))
    assert mtu == cloud.network.mtu
    one.run(f"ping -c 2 -W 2 -s {mtu - 28} {inside(other)}")
    megabytes = 4
    listening = f"(nc -l -p 5001 | md5sum > sum) & sleep 1; echo {megabytes}"
    other.run(f"nohup sh -c '{listening}' > /dev/null 2>&1 &")
    sent = one.run(
        f"sleep 2; dd if=/dev/urandom of=large bs=1M count={megabytes} 2> /dev/null; nc -w 30 {inside(other)} 5001 < large; md5sum < large"
    )
    until(lambda: other.run("cat sum").split()[:1] == sent.split()[:1], "what was sent did not arrive whole")


def test_guests_go_on_while_pileus_is_down_on_their_host(cloud: SeveralHosts, guests: tuple[Guest, Guest]) -> None:
    host = cloud.lab.hosts[1].pileus
    assert "1 guest goes on" in host.ok("down")
    guests[0].run(f"ping -c 3 -W 2 {inside(guests[1])}")
    host.ok("join")
    guests[0].act("reboot_server", "ACTIVE", "HARD")
    guests[0].run("true")


def test_w10_twenty_changes_of_floating_ips_leave_the_gateway_where_it_is(
    cloud: SeveralHosts, guests: tuple[Guest, Guest]
) -> None:
    place = cloud.gateway_of(cloud.router)
    assert place
    moving = cloud.api.network.create_ip(floating_network_id=cloud.public.id)
    for _ in range(10):
        for guest in guests:
            port = cloud.api.network.create_port(network_id=cloud.network.id)
            cloud.api.network.update_ip(moving, port_id=port.id)
            cloud.api.network.update_ip(moving, port_id=None)
            cloud.api.network.delete_port(port)
            until(lambda guest=guest: pings(guest.address), f"{guest.server.name} is not reached", BACK)  # type: ignore[misc]
    cloud.api.network.delete_ip(moving)
    until(lambda: cloud.gateway_of(cloud.router) == place, "the gateway is elsewhere", BACK)


def test_w10_outside_connectivity_is_back_when_the_gateway_host_is_lost(
    cloud: SeveralHosts, guests: tuple[Guest, Guest]
) -> None:
    # on a busy machine another host stands in for a moment; the first must not be the one that is lost
    until(lambda: cloud.gateway_of(cloud.router) != "host0", "the gateway does not come back from the first host")
    lost = cloud.gateway_of(cloud.router)
    other = next(guest for guest in guests if cloud.host_of(guest) != lost)
    until(lambda: pings(other.address), "it does not answer before")
    cloud.lab.hosts[int(lost[-1])].kill()
    assert silence(other.address, 15) < BACK
    assert cloud.gateway_of(cloud.router) != lost


def test_w23_a_host_that_comes_back_starts_its_guests(cloud: SeveralHosts, guests: tuple[Guest, Guest]) -> None:
    """The control plane is not touched. The story before has cut the host's power."""
    host = next(host for host in cloud.lab.hosts if not host.is_open)
    guest = next(guest for guest in guests if cloud.host_of(guest) == host.name)
    host.boot()
    assert uptime(guest) < 300
    guest.wait("ACTIVE")
    other = next(each for each in guests if each is not guest)
    guest.run(f"ping -c 3 -W 2 {inside(other)}")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_w25_libvirtd_is_lost_on_one_host_and_comes_back_by_itself(
    cloud: SeveralHosts, guests: tuple[Guest, Guest], how: signal.Signals
) -> None:
    """Guests do not notice, here or elsewhere, and what is asked for meanwhile is done."""
    one, other = guests
    host, boot = cloud.lab.hosts[1], one.boot_id()
    lost = process.of_daemon(host.state_dir, "libvirtd", "libvirtd")
    assert lost
    lost.signal(how)
    cloud.api.compute.reboot_server(one.server, "HARD")
    assert cloud.api.compute.get_server(other.id).status == "ACTIVE"
    other.run("true")
    until(lambda: (now := process.of_daemon(host.state_dir, "libvirtd", "libvirtd")) and now != lost, "it stays away")
    one.wait("ACTIVE")
    assert one.boot_id() != boot, "it was not started anew"
    one.run(f"ping -c 3 -W 2 {inside(other)}")
    assert "libvirtd" in host.pileus("status").stdout
    until(cloud.all_up, "not all hosts are up")


def test_a_host_that_was_cut_off_the_control_plane_does_what_was_asked_and_all_agree(
    cloud: SeveralHosts, guests: tuple[Guest, Guest]
) -> None:
    """Its guests reach those of the other host all the time."""
    one, other = guests
    gone = cloud.boot("gone", availability_zone="nova:host1")
    cloud.lab.wire.part(0, 1)
    cloud.api.compute.delete_server(gone.server)
    late = cloud.ask("late", availability_zone="nova:host1")
    ended = time.monotonic() + CUT
    while time.monotonic() < ended:
        one.run(f"ping -c 3 -W 2 {inside(other)}")
    assert cloud.api.compute.get_server(late.id).status == "BUILD"
    cloud.lab.wire.join(0, 1)
    late.wait("ACTIVE")
    cloud.api.compute.wait_for_delete(gone.server, interval=0.2, wait=PATIENCE)
    assert cloud.guests_on(1) == {one.id, late.id}
    late.delete()
    assert "agree" in cloud.pileus("audit")


def test_a_fixed_address_and_a_name_come_back_on_another_host(cloud: SeveralHosts, guests: tuple[Guest, Guest]) -> None:
    """The peers hold the old ARP entry and keep talking."""
    address = "10.20.0.77"
    wanted = [{"uuid": cloud.network.id, "fixed_ip": address}]
    for number in (1, 2):
        again = cloud.boot("again", availability_zone=f"nova:host{number}", networks=wanted)
        for peer in guests:
            until(lambda peer=peer: answered(peer, address), f"{peer.server.name} does not reach it on host{number}")  # type: ignore[misc]
            assert f"{address} " in (table := peer.run("cat /proc/net/arp"))
            assert str(again.port.mac_address) in table
        if number == 2:
            again.float()
            assert again.run("hostname").strip() == "again"
        again.delete()


def test_w24_guests_go_on_while_the_control_plane_is_away(cloud: SeveralHosts, guests: tuple[Guest, Guest]) -> None:
    one, other = guests
    up, address = uptime(one), inside(other)
    cloud.pileus("down")
    ended = time.monotonic() + AWAY
    while True:
        one.run(f"ping -c 3 -W 2 {address}")
        one.run("sudo /bin/kill -USR1 $(cat /var/run/udhcpc.eth0.pid); sleep 2; ip addr show eth0 | grep -q 10.20")
        assert one.id in one.run("curl -s http://169.254.169.254/openstack/latest/meta_data.json")
        if time.monotonic() >= ended:
            break
    cloud.pileus(*cloud.lab.hosts[0].at_boot)
    cloud.connect()
    one.wait("ACTIVE")
    assert uptime(one) > up


def test_w09_a_floating_ip_that_moves_to_another_host_and_router_answers_again(
    cloud: SeveralHosts, guests: tuple[Guest, Guest]
) -> None:
    """The users hold the old ARP entry and keep talking. The new guest has the name of one that is gone."""
    gone, stays = guests
    gone.delete()
    network = cloud.network_of_its_own("moved", "10.22.0.0/24")
    new = cloud.boot_on(1, "one", networks=[{"uuid": network.id}])
    assert new.run("hostname").strip() == "one"
    floating = next(iter(cloud.api.network.ips(floating_ip_address=stays.address)))
    until(lambda: pings(stays.address), "it does not answer before")
    second = next(iter(cloud.api.network.ips(floating_ip_address=new.address)))
    cloud.api.network.delete_ip(second)
    cloud.api.network.update_ip(floating, port_id=new.port.id)
    assert silence(stays.address, 10) < BACK
    new.address = stays.address
    assert new.run("hostname").strip() == "one"


def test_a_removed_host_leaves_ovn_and_its_name_is_free(cloud: SeveralHosts, guests: tuple[Guest, Guest]) -> None:
    guests[1].delete()
    host = cloud.lab.hosts[2]
    host.kill()
    service = next(each for each in cloud.api.compute.services() if each.host == host.name)
    cloud.api.compute.delete_service(service)
    until(lambda: cloud.chassis() == {"host0", "host1"}, "OVN still knows it")
    host.open()
    host.pileus.ok("down", "--purge")
    assert not host.state_dir.exists()
    cloud.lab.join(2)
    until(lambda: cloud.chassis() == {"host0", "host1", "host2"}, "OVN does not know it again")
