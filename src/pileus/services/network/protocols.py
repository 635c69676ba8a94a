"""IP protocols of security group rules: names, numbers, and what their port range means."""

from __future__ import annotations

NUMBERS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
WITH_PORTS = frozenset({6, 17, 33, 132, 136})
ICMP = frozenset({1, 58})
IPV6_ONLY = frozenset({"ipv6-encap", "ipv6-frag", "icmpv6", "ipv6-icmp", "ipv6-nonxt", "ipv6-opts", "ipv6-route"})


def number(protocol: str, ethertype: str) -> int | None:
    """The number of a protocol given by name or number; None for one that is not known.

    `icmp` in an IPv6 rule is ICMPv6.
    """
    if protocol.isascii() and protocol.isdigit():
        value = int(protocol)
        found = value if value <= 255 else None
    else:
        found = NUMBERS.get(protocol)
    return 58 if found == 1 and ethertype == "IPv6" else found
