"""Which address: pools, gateways, EUI-64, the next free one. Pure functions."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from pileus.core.errors import BadRequest
from pileus.services.network.types.rows import Pool

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Cidr = ipaddress.IPv4Network | ipaddress.IPv6Network
AUTOMATIC = ("slaac", "dhcpv6-stateless")
"""Address modes in which a guest makes its address of the prefix and its MAC."""


class Range(NamedTuple):
    """Both ends belong to it."""

    first: int
    last: int

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.first <= value <= self.last


def address(text: str, what: str) -> Ip:
    """Raises BadRequest (InvalidInput) naming `what` and the value."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise BadRequest(
            f"Invalid input for {what}: '{text[:64]}' is not a valid IP address.", code="InvalidInput"
        ) from None
    if "%" in text:
        raise BadRequest(f"Invalid input for {what}: '{text[:64]}' must have no zone.", code="InvalidInput")
    return found


def cidr(text: str, what: str) -> Cidr:
    """A network; bits right of the prefix are cleared. Raises BadRequest (InvalidInput)."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise BadRequest(
            f"Invalid input for {what}: '{text[:64]}' is not a valid network like 10.0.0.0/24 or fd00::/64.",
            code="InvalidInput",
        ) from None


def pack(value: Ip) -> str:
    """32 hex digits that sort as the addresses do."""
    return f"{int(value):032x}"


def hosts(network: Cidr) -> Range:
    """The addresses that a guest may have: without network and broadcast address where there is room for them."""
    first, last = int(network.network_address), int(network.broadcast_address)
    if last - first < 2:
        return Range(first, last)
    return Range(first + 1, last - 1 if network.version == 4 else last)


def default_gateway(network: Cidr) -> Ip:
    """The network's first address."""
    return type(network.network_address)(hosts(network).first)


def default_pools(network: Cidr, gateway: str | None) -> list[Pool]:
    """All host addresses but the gateway."""
    whole = hosts(network)
    kind = type(network.network_address)
    if gateway is None or int(kind(gateway)) not in whole:
        ranges = [whole]
    else:
        at = int(kind(gateway))
        ranges = [Range(whole.first, at - 1), Range(at + 1, whole.last)]
    return [Pool(start=str(kind(r.first)), end=str(kind(r.last))) for r in ranges if r.first <= r.last]


def ranges(pools: Iterable[Pool]) -> list[Range]:
    return [Range(int(ipaddress.ip_address(p["start"])), int(ipaddress.ip_address(p["end"]))) for p in pools]


def checked_pools(given: Sequence[Pool], network: Cidr) -> list[Pool]:
    """The pools in canonical form, sorted. Raises BadRequest if one is outside of the network, upside down or overlaps."""
    found = []
    for pool in given:
        start, end = address(pool["start"], "allocation_pools.start"), address(pool["end"], "allocation_pools.end")
        if start.version != network.version or end.version != network.version or int(start) > int(end):
            raise BadRequest(
                f"The allocation pool {pool['start']}-{pool['end']} is not a range of IPv{network.version} addresses.",
                code="InvalidAllocationPool",
            )
        usable = hosts(network)
        if int(start) not in usable or int(end) not in usable:
            raise BadRequest(
                f"The allocation pool {start}-{end} spans beyond the subnet {network}.",
                code="OutOfBoundsAllocationPool",
            )
        found.append((start, end))
    found.sort(key=lambda ends: int(ends[0]))
    for (a, b), (c, d) in pairwise(found):
        if int(c) <= int(b):
            raise BadRequest(
                f"The allocation pools {a}-{b} and {c}-{d} of the subnet {network} overlap.",
                code="OverlappingAllocationPools",
            )
    return [Pool(start=str(a), end=str(b)) for a, b in found]


def next_free(pool: Range, taken: Sequence[int]) -> int | None:
    """The address after the highest taken one, so that a freed one rests; the lowest gap where the pool's end is reached.

    `taken`: the addresses in use, sorted; those outside of the pool do not matter.
    """
    inside = [value for value in taken if value in pool]
    if not inside:
        return pool.first
    if inside[-1] < pool.last:
        return inside[-1] + 1
    expected = pool.first
    for value in inside:
        if value > expected:
            return expected
        expected = value + 1
    return None


def eui64(network: Cidr, mac: str) -> Ip:
    """The address that a host with this MAC makes in a /64 (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    interface = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return ipaddress.IPv6Address(int(network.network_address) | int.from_bytes(interface, "big"))


def new_mac() -> str:
    return "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))


def checked_mac(text: str, what: str = "mac_address") -> str:
    """Six octets as aa:bb:cc:dd:ee:ff. Raises BadRequest for anything else and for a group address."""
    digits = text.replace(":", "").replace("-", "").replace(".", "").lower()
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        octets = b""
    if len(octets) != 6 or len(digits) != 12 or octets == b"\0" * 6:
        raise BadRequest(f"Invalid input for {what}: '{text[:64]}' is not a valid MAC address.", code="InvalidInput")
    if octets[0] & 1:
        raise BadRequest(f"Invalid input for {what}: '{text[:64]}' is a group address.", code="InvalidInput")
    return octets.hex(":")


def free_prefix(prefixes: Iterable[str], taken: Iterable[str], length: int) -> str | None:
    """The first network of `length` bits within `prefixes` that overlaps with none of `taken`."""
    used = sorted(Range(int(n[0]), int(n[-1])) for n in map(ipaddress.ip_network, taken))
    for prefix in map(ipaddress.ip_network, sorted(prefixes, key=lambda p: int(ipaddress.ip_network(p)[0]))):
        if length < prefix.prefixlen:
            continue
        size = 1 << (prefix.max_prefixlen - length)
        at, last = int(prefix[0]), int(prefix[-1])
        for low, high in used:
            if high < at:
                continue
            if low >= at + size:
                break
            at = -(-(high + 1) // size) * size
        if at + size - 1 <= last:
            return f"{type(prefix.network_address)(at)}/{length}"
    return None
