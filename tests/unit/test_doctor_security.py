"""Which security group rule lets a packet in."""

from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pileus.doctor.security import Packet, letting_in
from pileus.services.network.types.rows import SecurityGroupRuleRow


def rule(**fields: Any) -> SecurityGroupRuleRow:
    at = datetime(2026, 1, 1)  # noqa: DTZ001
    values = {
        "id": "r", "project_id": "p", "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4",
        "protocol": None, "port_range_min": None, "port_range_max": None, "remote_ip_prefix": None,
        "remote_group_id": None, "remote_address_group_id": None, "description": "", "created_at": at,
        "updated_at": at, "revision_number": 1,
    }  # fmt: skip
    return SecurityGroupRuleRow(**{**values, **fields})


PING = Packet("192.0.2.7", "icmp")
SSH = Packet("192.0.2.7", "tcp", 22)


def passes(packet: Packet, **fields: Any) -> bool:
    return (
        letting_in(packet, [rule(**fields)], {"friends": ["192.0.2.7"], "others": ["192.0.2.8", "10.0.0.0/8"]})
        is not None
    )


def test_no_rules_let_nothing_in() -> None:
    assert letting_in(PING, [], {}) is None


def test_direction_and_version() -> None:
    assert passes(PING)
    assert not passes(PING, direction="egress")
    assert not passes(PING, ethertype="IPv6")
    assert passes(Packet("2001:db8::1", "icmp"), ethertype="IPv6", protocol="icmp")
    assert passes(Packet("2001:db8::1", "icmp"), ethertype="IPv6", protocol="ipv6-icmp", port_range_min=128)


def test_protocols_by_name_and_number() -> None:
    assert passes(PING, protocol="icmp")
    assert passes(PING, protocol="1")
    assert passes(PING, protocol="0")
    assert not passes(PING, protocol="tcp")
    assert passes(SSH, protocol="6", port_range_min=1, port_range_max=65535)
    assert not passes(PING, protocol="icmp", port_range_min=0)


def test_remotes() -> None:
    assert passes(SSH, remote_group_id="friends")
    assert not passes(SSH, remote_group_id="others")
    assert not passes(SSH, remote_group_id="unknown")
    assert passes(Packet("10.1.2.3", "tcp", 22), remote_address_group_id="others")


@given(low=st.integers(1, 65535), width=st.integers(0, 65535), port=st.integers(1, 65535))
def test_a_range_lets_in_its_ports_alone(low: int, width: int, port: int) -> None:
    high = min(low + width, 65535)
    packet = Packet("192.0.2.7", "tcp", port)
    assert passes(packet, protocol="tcp", port_range_min=low, port_range_max=high) == (low <= port <= high)


@given(source=st.ip_addresses(v=4), network=st.ip_addresses(v=4), length=st.integers(0, 32))
def test_a_prefix_lets_in_its_addresses_alone(source: Any, network: Any, length: int) -> None:
    prefix = ip_network(f"{network}/{length}", strict=False)
    assert passes(Packet(str(source), "icmp"), remote_ip_prefix=str(prefix)) == (ip_address(source) in prefix)
