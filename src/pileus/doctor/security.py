"""Would a packet pass a port's security groups? Pure; OVN's own answer is ovn-trace's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network

import msgspec

from pileus.services.network import protocols
from pileus.services.network.types.rows import SecurityGroupRuleRow

NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17}


class Packet(msgspec.Struct, frozen=True):
    """The first of a conversation that comes in: protocol icmp (an echo request), tcp or udp with its port."""

    source: str
    protocol: str
    port: int | None = None

    @property
    def version(self) -> int:
        return ip_address(self.source).version

    @property
    def number(self) -> int:
        return 58 if self.protocol == "icmp" and self.version == 6 else NUMBERS[self.protocol]

    def __str__(self) -> str:
        what = "ping" if self.protocol == "icmp" else f"{self.protocol.upper()} {self.port}"
        return f"{what} from {self.source}"


def letting_in(
    packet: Packet, rules: Sequence[SecurityGroupRuleRow], members: Mapping[str, Sequence[str]]
) -> SecurityGroupRuleRow | None:
    """The first rule that lets it in; None: it is dropped. `members`: group or address group -> addresses, networks."""
    return next((rule for rule in rules if _matches(rule, packet, members)), None)


def _matches(rule: SecurityGroupRuleRow, packet: Packet, members: Mapping[str, Sequence[str]]) -> bool:
    if rule.direction != "ingress" or rule.ethertype != f"IPv{packet.version}":
        return False
    return _protocol(rule, packet) and _remote(rule, packet, members)


def _protocol(rule: SecurityGroupRuleRow, packet: Packet) -> bool:
    if rule.protocol is None:
        return True
    number = protocols.number(rule.protocol, rule.ethertype)
    if number == 0:
        return True
    if number != packet.number:
        return False
    low, high = rule.port_range_min, rule.port_range_max
    if number in protocols.ICMP:
        echo = 8 if packet.version == 4 else 128
        return low in (None, echo) and high in (None, 0)
    return low is None or packet.port is None or low <= packet.port <= (low if high is None else high)


def _remote(rule: SecurityGroupRuleRow, packet: Packet, members: Mapping[str, Sequence[str]]) -> bool:
    source = ip_address(packet.source)
    if rule.remote_ip_prefix is not None:
        return source in ip_network(rule.remote_ip_prefix, strict=False)
    remote = rule.remote_group_id or rule.remote_address_group_id
    return remote is None or any(source in ip_network(each, strict=False) for each in members.get(remote, ()))
