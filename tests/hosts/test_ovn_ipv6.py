"""IPv6 as guests see it, on real OVN with real packets."""

from contextlib import closing

import pytest
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Advertise,
    DHCP6_InfoRequest,
    DHCP6_Reply,
    DHCP6_Request,
    DHCP6_Solicit,
    DHCP6OptClientId,
    DHCP6OptDNSServers,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
    DHCP6OptOptReq,
    DHCP6OptServerId,
)
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pileus.node.ovs import WiredPorts
from pileus.supervise import ovs
from tests.support.cloud import Cloud, Office
from tests.support.lab import Guest, until
from tests.support.packets import answers, received

pytestmark = pytest.mark.real


class Six:
    """A network with IPv4 and IPv6 behind one router."""

    def __init__(self, cloud: Cloud, mode: str, mtu: int = 1442) -> None:
        self.office = office = Office(cloud, mtu)
        with cloud.rows() as rows:
            self.subnet = rows.subnet(
                office.network, "2001:db8:1::/64", ipv6_ra_mode=mode, ipv6_address_mode=mode,
                dns_nameservers=["2001:4860:4860::8888"],
            )  # fmt: skip
            self.interface = rows.interface(office.router, office.network, (self.subnet, "2001:db8:1::1"))

    def guest(self, cloud: Cloud, number: int, address: str | None = None, plug: bool = True) -> Guest:
        mac = f"fa:16:3e:66:00:{number:02x}"
        address = address or f"2001:db8:1:0:f816:3eff:fe66:{number:x}"
        with cloud.rows() as rows:
            v4 = (self.office.subnet, f"10.0.0.{number}")
            port = rows.port(
                self.office.network, v4, (self.subnet, address), groups=(self.office.open,), mac_address=mac
            )
        return cloud.guest(port)


def lla(guest: Guest) -> str:
    first, *rest = bytes.fromhex(guest.mac.replace(":", ""))
    b = bytes([first ^ 2, *rest])
    return f"fe80::{b[0]:02x}{b[1]:02x}:{b[2]:02x}ff:fe{b[3]:02x}:{b[4]:02x}{b[5]:02x}"


def advertisement(guest: Guest) -> Packet:
    """The router's answer to a solicitation."""
    ask = Ether(src=guest.mac, dst="33:33:00:00:00:02") / IPv6(src=lla(guest), dst="ff02::2", hlim=255) / ICMPv6ND_RS()
    with closing(guest.wire()) as raw:

        def look() -> Packet | None:
            raw.send(bytes(ask / ICMPv6NDOptSrcLLAddr(lladdr=guest.mac)))
            return received(raw, lambda frame: ICMPv6ND_RA in frame, 0.5)

        return until(look, what="a router advertisement")


def ask_dhcp(guest: Guest, message: Packet, answer: type[Packet]) -> Packet:
    client = DHCP6OptClientId(duid=DUID_LL(lladdr=guest.mac))
    head = Ether(src=guest.mac, dst="33:33:00:01:00:02") / IPv6(src=lla(guest), dst="ff02::1:2")
    with closing(guest.wire()) as raw:

        def look() -> Packet | None:
            raw.send(bytes(head / UDP(sport=546, dport=547) / message / client / DHCP6OptOptReq(reqopts=[23, 24])))
            return received(raw, lambda frame: answer in frame, 0.5)

        return until(look, what=answer.__name__)


def test_slaac_gives_guests_the_address_that_their_port_has(cloud: Cloud) -> None:
    six = Six(cloud, "slaac", mtu=1400)
    a, b = six.guest(cloud, 0x20), six.guest(cloud, 0x21)
    said = advertisement(a)
    assert (said[ICMPv6ND_RA].M, said[ICMPv6ND_RA].O) == (0, 0)
    assert said[ICMPv6NDOptMTU].mtu == 1400
    assert (said[ICMPv6NDOptPrefixInfo].prefix, said[ICMPv6NDOptPrefixInfo].A) == ("2001:db8:1::", 1)
    for guest, number in ((a, 0x20), (b, 0x21)):
        guest.bounce()
        until(lambda: f"2001:db8:1:0:f816:3eff:fe66:{number:x}" in guest.addresses(), what="an address by SLAAC")  # noqa: B023
    answers(a, "2001:db8:1:0:f816:3eff:fe66:21")
    answers(a, "2001:db8:1::1")


def test_dhcpv6_gives_the_ports_address(cloud: Cloud) -> None:
    six = Six(cloud, "dhcpv6-stateful")
    guest = six.guest(cloud, 0x20, "2001:db8:1::20")
    said = advertisement(guest)
    assert (said[ICMPv6ND_RA].M, said[ICMPv6NDOptPrefixInfo].A) == (1, 0)
    offer = ask_dhcp(guest, DHCP6_Solicit(trid=7) / DHCP6OptIA_NA(iaid=1), DHCP6_Advertise)
    server = DHCP6OptServerId(duid=offer[DHCP6OptServerId].duid)
    reply = ask_dhcp(guest, DHCP6_Request(trid=8) / server / offer[DHCP6OptIA_NA].copy(), DHCP6_Reply)
    assert reply[DHCP6OptIAAddress].addr == "2001:db8:1::20"
    assert reply[DHCP6OptDNSServers].dnsservers == ["2001:4860:4860::8888"]


def test_stateless_dhcpv6_tells_name_servers_only(cloud: Cloud) -> None:
    six = Six(cloud, "dhcpv6-stateless")
    guest = six.guest(cloud, 0x20)
    said = advertisement(guest)
    assert (said[ICMPv6ND_RA].M, said[ICMPv6ND_RA].O, said[ICMPv6NDOptPrefixInfo].A) == (0, 1, 1)
    reply = ask_dhcp(guest, DHCP6_InfoRequest(trid=7), DHCP6_Reply)
    assert reply[DHCP6OptDNSServers].dnsservers == ["2001:4860:4860::8888"]
    assert DHCP6OptIAAddress not in reply


def test_w16_several_prefixes_on_one_port(cloud: Cloud) -> None:
    six = Six(cloud, "slaac")
    office = six.office
    with cloud.rows() as rows:
        second = rows.subnet(office.network, "2001:db8:2::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
        rows.address(six.interface, second, "2001:db8:2::1")
        mine = [f"2001:db8:{n}:0:f816:3eff:fe66:20" for n in (1, 2)]
        port = rows.port(
            office.network, (six.subnet, mine[0]), (second, mine[1]), groups=(office.open,),
            mac_address="fa:16:3e:66:00:20",
        )  # fmt: skip
    guest = cloud.guest(port)
    guest.bounce()
    until(lambda: set(mine) <= set(guest.addresses()), what="an address of each prefix")
    answers(guest, "2001:db8:2::1")


def test_w12_a_guest_is_no_router(cloud: Cloud) -> None:
    six = Six(cloud, "slaac")
    a, b = six.guest(cloud, 0x20), six.guest(cloud, 0x21)
    head = Ether(src=a.mac, dst="33:33:00:00:00:01") / IPv6(src=lla(a), dst="ff02::1", hlim=255)
    rogue = head / ICMPv6ND_RA() / ICMPv6NDOptPrefixInfo(prefix="2001:db8:bad::", prefixlen=64)

    def is_rogue(frame: Packet) -> bool:
        return ICMPv6NDOptPrefixInfo in frame and frame[ICMPv6NDOptPrefixInfo].prefix == "2001:db8:bad::"

    def passes() -> bool:
        with closing(b.wire()) as listener, closing(a.wire()) as sender:
            sender.send(bytes(rogue))
            return received(listener, is_rogue, 0.3) is not None

    watcher = WiredPorts(ovs.connection(cloud.lab.state_dir), ovs.INTEGRATION_BRIDGE, lambda: None)
    try:
        until(lambda: not passes(), what="the guard")
        assert advertisement(b)[ICMPv6NDOptPrefixInfo].prefix == "2001:db8:1::"
        cloud.lab.kill("ovn-controller")
        cloud.lab.nbctl("--wait=hv", "sync")  # there is a new one; of flows that are not its own it has left none
        until(lambda: not passes(), what="the guard again")
        assert advertisement(b)[ICMPv6NDOptPrefixInfo].prefix == "2001:db8:1::"
    finally:
        watcher.close()
