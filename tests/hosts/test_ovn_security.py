"""What security groups let through, and what never leaves a guest's port, on real OVN with real packets."""

from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DHCP6_Advertise
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, LLC, STP, Dot3, Ether
from scapy.packet import Packet, Raw

from pileus.services.network import tables as t
from tests.support.cloud import Cloud, Office
from tests.support.lab import Guest, until
from tests.support.packets import BROADCAST, answers, connects, listening, received, silent

pytestmark = pytest.mark.real
MARK = b"marked by the test"


class Pair:
    """Two guests of one network: a at .20 in the first group, b at .21 in the second."""

    def __init__(self, cloud: Cloud, first: tuple[str, ...], second: tuple[str, ...], **fields: object) -> None:
        self.office = office = Office(cloud)
        with cloud.rows() as rows:
            groups = {"open": office.open}
            self.port_a, self.port_b = (
                rows.port(
                    office.network,
                    (office.subnet, f"10.0.0.{number}"),
                    groups=tuple(groups.get(name, name) for name in names),
                    **(fields if number == 20 else {}),
                )
                for number, names in ((20, first), (21, second))
            )
        self.a = cloud.guest(self.port_a, "10.0.0.20/24", "10.0.0.1")
        self.b = cloud.guest(self.port_b, "10.0.0.21/24", "10.0.0.1")


def rule_of(cloud: Cloud, **fields: object) -> str:
    """A group with this one rule."""
    with cloud.rows() as rows:
        group = rows.group()
        rows.rule(group, **fields)  # type: ignore[arg-type]
    return group


def test_without_rules_nothing_comes_in_or_goes_out(cloud: Cloud) -> None:
    with cloud.rows() as rows:
        empty = rows.group()
    pair = Pair(cloud, (empty,), ("open",))
    assert silent(pair.a, "10.0.0.21")
    assert silent(pair.b, "10.0.0.20")
    answers(pair.b, "10.0.0.1")


def test_answers_come_back_without_a_rule_of_their_own(cloud: Cloud) -> None:
    egress = rule_of(cloud, direction="egress")
    pair = Pair(cloud, (egress,), ("open",))
    answers(pair.a, "10.0.0.21")
    assert silent(pair.b, "10.0.0.20")


def test_only_the_ports_of_a_rule_are_open(cloud: Cloud) -> None:
    web = rule_of(cloud, protocol="tcp", port_range_min=80, port_range_max=81)
    pair = Pair(cloud, (web,), ("open",))
    with ExitStack() as stack:
        for port in (79, 80, 81, 82):
            stack.enter_context(listening(pair.a, port))
        for port in (80, 81):
            until(lambda port=port: connects(pair.b, "10.0.0.20", port), what=f"port {port}")  # type: ignore[misc]
        assert not any(connects(pair.b, "10.0.0.20", port, 0.5) for port in (79, 82))
    assert silent(pair.b, "10.0.0.20")


def test_a_rule_of_icmp_lets_pings_in(cloud: Cloud) -> None:
    pair = Pair(cloud, (rule_of(cloud, protocol="icmp", port_range_min=8, port_range_max=0),), ("open",))
    answers(pair.b, "10.0.0.20")
    with listening(pair.a, 80):
        assert not connects(pair.b, "10.0.0.20", 80, 0.5)


def test_a_rule_for_a_prefix_lets_in_whom_it_names(cloud: Cloud) -> None:
    office = rule_of(cloud, remote_ip_prefix="10.0.0.20/31")
    pair = Pair(cloud, (office,), ("open",))
    answers(pair.b, "10.0.0.20")
    assert silent(cloud.lab, "10.0.0.20")


def test_a_rule_for_a_group_follows_the_groups_members(cloud: Cloud) -> None:
    with cloud.rows() as rows:
        friends, group = rows.group(), rows.group()
        rows.rule(group, remote_group_id=friends)
    pair = Pair(cloud, (group,), ("open",))
    assert silent(pair.b, "10.0.0.20")
    with cloud.rows() as rows:
        rows.tx.insert(t.port_security_groups, {"port_id": pair.port_b, "security_group_id": friends})
    answers(pair.b, "10.0.0.20")
    with cloud.rows() as rows:
        member = t.port_security_groups.c
        rows.tx.delete(t.port_security_groups, (member.port_id == pair.port_b) & (member.security_group_id == friends))
    assert silent(pair.b, "10.0.0.20")


def test_a_rule_for_an_address_group_follows_the_groups_addresses(cloud: Cloud) -> None:
    with cloud.rows() as rows:
        addresses, group = rows.address_group("10.9.0.0/16"), rows.group()
        rows.rule(group, remote_address_group_id=addresses)
    pair = Pair(cloud, (group,), ("open",))
    assert silent(pair.b, "10.0.0.20")
    with cloud.rows() as rows:
        rows.tx.update(t.address_groups, t.address_groups.c.id == addresses, {"addresses": ["10.0.0.21/32"]})
    answers(pair.b, "10.0.0.20")


def test_stateless_groups_need_a_rule_for_each_direction(cloud: Cloud) -> None:
    with cloud.rows() as rows:
        group = rows.group(stateful=False)
        rows.rule(group, "ingress", protocol="icmp")
        rows.rule(group, "egress", protocol="icmp")
    pair = Pair(cloud, (group,), ("open",))
    answers(pair.b, "10.0.0.20")


def sees(pair: Pair, frame: Packet, matches: Callable[[Packet], bool]) -> bool:
    """Whether b receives what a sends."""
    with closing(pair.b.wire()) as listener, closing(pair.a.wire()) as sender:
        for _ in range(3):
            sender.send(bytes(frame))
        return received(listener, matches, 0.5) is not None


def passes(pair: Pair, frame: Packet) -> None:
    """At the first try on a machine that is not busy."""
    until(lambda: sees(pair, frame, marked), what="the frame")


def marked(frame: Packet) -> bool:
    return MARK in bytes(frame)


def ip(guest: Guest, source: str, mac: str | None = None) -> Packet:
    return Ether(src=mac or guest.mac, dst=BROADCAST) / IP(src=source, dst="10.0.0.21") / UDP(dport=9) / Raw(MARK)


def test_w12_frames_that_are_not_the_ports_own_never_leave_it(cloud: Cloud) -> None:
    pair = Pair(cloud, ("open",), ("open",))
    a = pair.a
    passes(pair, ip(a, "10.0.0.20"))
    assert not sees(pair, ip(a, "10.0.0.99"), marked), "another's address"
    assert not sees(pair, ip(a, "10.0.0.20", "fa:16:3e:99:99:99"), marked), "another's MAC"
    arp = Ether(src=a.mac, dst=BROADCAST) / ARP(op=2, hwsrc=a.mac, psrc="10.0.0.1", pdst="10.0.0.21")
    assert not sees(pair, arp, lambda f: ARP in f and f[ARP].psrc == "10.0.0.1"), "the router's address by ARP"
    v6 = Ether(src=a.mac, dst="33:33:00:00:00:01") / IPv6(src="fe80::1", dst="ff02::1") / UDP(dport=9) / Raw(MARK)
    assert not sees(pair, v6, marked), "an IPv6 address that the port has not"


def test_w12_bridge_protocols_never_leave_a_port(cloud: Cloud) -> None:
    for secured in (True, False):
        pair = Pair(cloud, ("open",) if secured else (), ("open",), port_security_enabled=secured)
        passes(pair, ip(pair.a, "10.0.0.20"))
        bpdu = Dot3(src=pair.a.mac, dst="01:80:c2:00:00:00") / LLC() / STP()
        assert not sees(pair, bpdu, lambda f: f.dst == "01:80:c2:00:00:00"), f"port security {secured}"
        pair.a.unplug()
        pair.b.unplug()


def test_w12_a_guest_is_no_dhcp_server(cloud: Cloud) -> None:
    pair = Pair(cloud, ("open",), ("open",))
    a = pair.a
    offer = BOOTP(op=2, yiaddr="10.0.0.66") / DHCP(options=[("message-type", "offer"), "end"]) / Raw(MARK)
    v4 = Ether(src=a.mac, dst=BROADCAST) / IP(src="10.0.0.20", dst="255.255.255.255") / UDP(sport=67, dport=68) / offer
    assert not sees(pair, v4, marked)
    head = Ether(src=a.mac, dst="33:33:00:01:00:02") / IPv6(src="fe80::1", dst="ff02::1:2")
    assert not sees(pair, head / UDP(sport=547, dport=546) / DHCP6_Advertise() / Raw(MARK), marked)


def test_allowed_address_pairs_are_allowed_and_reached(cloud: Cloud) -> None:
    pairs = [
        {"ip_address": "10.0.0.50", "mac_address": ""},
        {"ip_address": "10.0.0.64/28", "mac_address": ""},
        {"ip_address": "10.0.0.51", "mac_address": "fa:16:3e:51:51:51"},
    ]
    pair = Pair(cloud, ("open",), ("open",), allowed_address_pairs=pairs)
    passes(pair, ip(pair.a, "10.0.0.50"))
    passes(pair, ip(pair.a, "10.0.0.70"))
    passes(pair, ip(pair.a, "10.0.0.51", "fa:16:3e:51:51:51"))
    assert not sees(pair, ip(pair.a, "10.0.0.52"), marked)
    pair.a.configure("10.0.0.50/32")
    answers(pair.b, "10.0.0.50")


def test_without_port_security_everything_passes(cloud: Cloud) -> None:
    pair = Pair(cloud, (), ("open",), port_security_enabled=False)
    passes(pair, ip(pair.a, "10.0.0.99", "fa:16:3e:99:99:99"))
    pair.a.configure("10.0.0.77/24")
    answers(pair.b, "10.0.0.77")
    answers(pair.b, "10.0.0.20")
