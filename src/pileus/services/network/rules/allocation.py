"""Which addresses a port gets."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pileus.core.body import UNSET, Unset
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.services.network import addresses
from pileus.services.network.rules.subnets import is_automatic
from pileus.services.network.store import addresses as store
from pileus.services.network.store import subnets as subnet_store
from pileus.services.network.types.ports import FixedIpWish
from pileus.services.network.types.rows import PortRow, SubnetRow

MAX_FIXED_IPS = 50


def allocate(
    tx: Tx, port: PortRow, on_network: Sequence[SubnetRow], wanted: Sequence[FixedIpWish] | Unset | None
) -> None:
    """Take the addresses that a new port asks for, or one of each IP version, of its network's subnets.

    Raises BadRequest for an address that doesn't fit, NotFound for a subnet, Conflict for a taken address or a full subnet.
    """
    subnets = [s for s in on_network if _serves(s, port)]
    if wanted is UNSET:
        for version in (4, 6):
            _take_of_any(tx, port, [s for s in subnets if s.ip_version == version and not is_automatic(s)])
    else:
        assert not isinstance(wanted, Unset)
        if not wanted:
            return
        _check_count(wanted)
        for wish in wanted:
            take(tx, port, wish)
    automatic = [subnet for subnet in subnets if is_automatic(subnet)]
    if automatic and not port.device_owner.startswith("network:"):
        held = {row.subnet_id for row in store.of_ports(tx, [port.id])[port.id]}
        for subnet in automatic:
            if subnet.id not in held:
                take(tx, port, FixedIpWish(subnet_id=subnet.id))


def reallocate(tx: Tx, port: PortRow, wanted: Sequence[FixedIpWish]) -> None:
    """Give a port the addresses that are wanted now; those of before that fit a wish are kept."""
    _check_count(wanted)
    held = store.of_ports(tx, [port.id])[port.id]
    kept, rest = [], []
    for wish in sorted(wanted, key=lambda w: w.ip_address is UNSET):
        fitting = [
            row
            for row in held
            if row not in kept
            and wish.ip_address in (UNSET, row.ip_address)
            and wish.subnet_id in (UNSET, row.subnet_id)
        ]
        if fitting:
            kept.append(fitting[0])
        else:
            rest.append(wish)
    for row in held:
        if row not in kept:
            store.release(tx, port.id, row.subnet_id, row.ip_address)
    for wish in rest:
        take(tx, port, wish)


def take_one_more(tx: Tx, port: PortRow) -> str:
    """The next address of a subnet that serves the port, IPv4 before IPv6. Raises BadRequest where there is none, Conflict
    where all are full."""
    subnets = [s for s in subnet_store.of_networks(tx, [port.network_id]) if _serves(s, port) and not is_automatic(s)]
    if not subnets:
        raise BadRequest(
            f"Network {port.network_id} has no subnet that could give port {port.id} an address.", code="InvalidInput"
        )
    return _take_of_any(tx, port, sorted(subnets, key=lambda subnet: subnet.ip_version))


def take(tx: Tx, port: PortRow, wish: FixedIpWish) -> str:
    """The address taken."""
    subnet = _subnet(tx, port, wish)
    if is_automatic(subnet) and not port.device_owner.startswith("network:"):
        return _take_automatic(tx, port, subnet, wish)
    if isinstance(wish.ip_address, str):
        text = str(ipaddress.ip_address(wish.ip_address))
        _take_exactly(tx, port, subnet, text)
        return text
    return _take_of_any(tx, port, [subnet])


def _check_count(wanted: Sequence[FixedIpWish]) -> None:
    if len(wanted) > MAX_FIXED_IPS:
        raise BadRequest(f"A port has at most {MAX_FIXED_IPS} fixed_ips, got {len(wanted)}.", code="InvalidInput")
    given = [wish.ip_address for wish in wanted if wish.ip_address is not UNSET]
    if len(set(given)) != len(given):
        raise BadRequest("Invalid input for fixed_ips: an address is there twice.", code="InvalidInput")


def _serves(subnet: SubnetRow, port: PortRow) -> bool:
    """A subnet with service types serves only devices whose owner begins with one of them."""
    return not subnet.service_types or any(port.device_owner.startswith(t) for t in subnet.service_types)


def _subnet(tx: Tx, port: PortRow, wish: FixedIpWish) -> SubnetRow:
    """The subnet of a wish: the one it names, or the one that contains its address."""
    subnets = subnet_store.of_networks(tx, [port.network_id])
    at = addresses.address(wish.ip_address, "fixed_ips.ip_address") if isinstance(wish.ip_address, str) else None
    if isinstance(wish.subnet_id, str):
        named = [subnet for subnet in subnets if subnet.id == wish.subnet_id]
        if not named:
            if subnet_store.exists(tx, wish.subnet_id):
                raise BadRequest(
                    f"Invalid input for fixed_ips: subnet {wish.subnet_id} is not of network {port.network_id}.",
                    code="InvalidInput",
                )
            raise NotFound(f"Subnet {wish.subnet_id[:64]} could not be found.", code="SubnetNotFound")
        if at is not None and at not in ipaddress.ip_network(named[0].cidr):
            raise BadRequest(
                f"IP address {at} is not of subnet {named[0].id} ({named[0].cidr}).", code="InvalidIpForSubnet"
            )
        return named[0]
    if at is None:
        raise BadRequest(
            "Invalid input for fixed_ips: each has a subnet_id, an ip_address or both.", code="InvalidInput"
        )
    for subnet in subnets:
        if at in ipaddress.ip_network(subnet.cidr):
            return subnet
    raise BadRequest(
        f"IP address {at} is not of any subnet of network {port.network_id}"
        f" ({', '.join(subnet.cidr for subnet in subnets) or 'it has none'}).",
        code="InvalidIpForNetwork",
    )


def _take_automatic(tx: Tx, port: PortRow, subnet: SubnetRow, wish: FixedIpWish) -> str:
    made = str(addresses.eui64(addresses.cidr(subnet.cidr, "cidr"), port.mac_address))
    if isinstance(wish.ip_address, str) and str(ipaddress.ip_address(wish.ip_address)) != made:
        raise BadRequest(
            f"IPv6 address {wish.ip_address} can't be chosen on subnet {subnet.id}: guests make theirs,"
            f" {made} for MAC {port.mac_address}.",
            code="AllocationOnAutoAddressSubnet",
        )
    _take_exactly(tx, port, subnet, made)
    return made


def _take_exactly(tx: Tx, port: PortRow, subnet: SubnetRow, text: str) -> None:
    network = ipaddress.ip_network(subnet.cidr)
    if (
        int(ipaddress.ip_address(text)) not in addresses.hosts(network)
        and port.device_owner != "network:router_interface"
    ):
        raise BadRequest(
            f"IP address {text} is the network or broadcast address of subnet {subnet.id} ({subnet.cidr}).",
            code="InvalidIpForSubnet",
        )
    if not store.take(tx, subnet.id, text, port.id):
        holder = store.holder(tx, port.network_id, text)
        raise Conflict(
            f"IP address {text} already allocated in subnet {subnet.id}: port {holder} has it.",
            code="IpAddressAlreadyAllocated",
        )


def _take_of_any(tx: Tx, port: PortRow, subnets: Sequence[SubnetRow]) -> str:
    """The next address of the first subnet with one left; "" where there are no subnets to choose from."""
    for subnet in subnets:
        for pool in addresses.ranges(subnet.allocation_pools):
            while (found := store.next_of(tx, subnet.id, subnet.ip_version, pool)) is not None:
                if store.take(tx, subnet.id, found, port.id):
                    return found
    if subnets:
        raise Conflict(
            f"No more IP addresses available: all pools of {', '.join(f'{s.cidr} ({s.id})' for s in subnets)} are taken.",
            code="IpAddressGenerationFailure",
        )
    return ""
