"""Subnets: addressing, gateways, pools, DHCP, IPv6 modes."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pileus.core.body import UNSET, Unset
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict
from pileus.services.network import addresses, tables
from pileus.services.network.rules import access, metadata, quotas, subnetpools
from pileus.services.network.store import addresses as address_store
from pileus.services.network.store import common, nouns
from pileus.services.network.store import ports as port_store
from pileus.services.network.store import subnets as store
from pileus.services.network.types.common import given
from pileus.services.network.types.rows import NetworkRow, Pool, RouteEntry, SubnetRow
from pileus.services.network.types.subnets import SubnetCreate, SubnetUpdate


def visible_subnet(tx: Tx, caller: Caller, subnet_id: str) -> SubnetRow:
    return access.visible(tx, caller, nouns.SUBNETS, subnet_id, "Subnet")


def network_of(tx: Tx, subnet: SubnetRow) -> NetworkRow:
    found = common.find(tx, tables.networks, NetworkRow, subnet.network_id)
    assert found is not None
    return found


def create_subnet(tx: Tx, caller: Caller, network: NetworkRow, wish: SubnetCreate) -> SubnetRow:
    """Raises BadRequest (InvalidInput, ...) or Conflict (OverQuota, GatewayConflictWithAllocationPools, ...)."""
    project_id = access.owner(caller, wish.project_id, wish.tenant_id)
    quotas.check(tx, project_id, "subnet")
    cidr, pool_id = _cidr(tx, caller, network, wish)
    ra_mode, address_mode = _ipv6_modes(wish, cidr)
    _check_dhcp(cidr, wish.enable_dhcp)
    _check_overlap(tx, network, cidr)
    gateway = _gateway(cidr, wish.gateway_ip)
    row = SubnetRow(
        id=new_id(),
        project_id=project_id,
        network_id=network.id,
        name=wish.name,
        ip_version=wish.ip_version,
        cidr=str(cidr),
        gateway_ip=gateway,
        enable_dhcp=wish.enable_dhcp,
        ipv6_ra_mode=ra_mode,
        ipv6_address_mode=address_mode,
        allocation_pools=_pools(cidr, gateway, wish.allocation_pools),
        dns_nameservers=_dns(wish.dns_nameservers),
        host_routes=routes(wish.host_routes or [], "host_routes", wish.ip_version),
        service_types=wish.service_types or [],
        dns_publish_fixed_ip=wish.dns_publish_fixed_ip,
        subnetpool_id=pool_id,
        description=wish.description or "",
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=0,
    )
    tx.insert(tables.subnets, row)
    common.touch(tx, tables.networks, network.id)
    metadata.ensure(tx, network)
    if is_automatic(row):
        _address_ports(tx, row, cidr)
    tx.wake("network")
    return row


def update_subnet(tx: Tx, caller: Caller, subnet: SubnetRow, body: SubnetUpdate) -> SubnetRow:
    """Raises Conflict where a router uses the old gateway, or the new one is in a pool."""
    cidr = addresses.cidr(subnet.cidr, "cidr")
    values = given(body, "name", "enable_dhcp", "service_types", "dns_publish_fixed_ip")
    if body.description is not UNSET:
        values["description"] = body.description or ""
    if body.dns_nameservers is not UNSET:
        values["dns_nameservers"] = _dns(body.dns_nameservers)
    if body.host_routes is not UNSET:
        values["host_routes"] = routes(body.host_routes or [], "host_routes", subnet.ip_version)
    if body.gateway_ip is not UNSET:
        values["gateway_ip"] = _gateway(cidr, body.gateway_ip)
        if values["gateway_ip"] != subnet.gateway_ip:
            _check_gateway_free(tx, subnet)
    gateway = values.get("gateway_ip", subnet.gateway_ip)
    if body.allocation_pools is not UNSET:
        values["allocation_pools"] = _pools(cidr, gateway, body.allocation_pools)
    elif "gateway_ip" in values:
        _check_pools(subnet.allocation_pools, gateway)
    if body.enable_dhcp is not UNSET and body.enable_dhcp != subnet.enable_dhcp:
        _check_dhcp(cidr, body.enable_dhcp is True)
        if not body.enable_dhcp and (subnet.ipv6_ra_mode or subnet.ipv6_address_mode):
            raise BadRequest(
                "Invalid input for enable_dhcp: a subnet with ipv6_ra_mode or ipv6_address_mode needs it.",
                code="InvalidInput",
            )
    new = common.change(tx, tables.subnets, subnet, values)
    metadata.ensure(tx, network_of(tx, new))
    tx.wake("network")
    return new


def delete_subnet(tx: Tx, caller: Caller, subnet: SubnetRow) -> None:
    """Raises Conflict (SubnetInUse) where a port has one of its addresses that doesn't go with the subnet."""
    automatic = is_automatic(subnet)
    for port_id, owner, ip_address in address_store.holders(tx, subnet.id):
        goes_too = owner in metadata.OWN_PORTS or (automatic and not owner.startswith("network:"))
        if not goes_too:
            raise Conflict(
                f"Subnet {subnet.id} is in use: port {port_id} of {owner or 'no device'} has its address {ip_address}.",
                code="SubnetInUse",
            )
        address_store.release(tx, port_id, subnet.id)
    common.remove(tx, tables.subnets, subnet.id)
    common.touch(tx, tables.networks, subnet.network_id)
    metadata.ensure(tx, network_of(tx, subnet))
    tx.wake("network")


def is_automatic(subnet: SubnetRow) -> bool:
    """Whether a guest makes its address itself of the prefix and its MAC."""
    return subnet.ipv6_address_mode in addresses.AUTOMATIC


def routes(given_routes: Sequence[RouteEntry], what: str, version: int | None = None) -> list[RouteEntry]:
    """Checked, canonical, each once. Raises BadRequest (InvalidInput)."""
    found: list[RouteEntry] = []
    for route in given_routes:
        destination = addresses.cidr(route["destination"], f"{what}.destination")
        nexthop = addresses.address(route["nexthop"], f"{what}.nexthop")
        if destination.version != nexthop.version or version not in (None, nexthop.version):
            raise BadRequest(
                f"Invalid input for {what}: {destination} by {nexthop} mixes IP versions.", code="InvalidInput"
            )
        entry = RouteEntry(destination=str(destination), nexthop=str(nexthop))
        if entry in found:
            raise BadRequest(
                f"Invalid input for {what}: {destination} by {nexthop} is there twice.", code="InvalidInput"
            )
        found.append(entry)
    return found


def _cidr(tx: Tx, caller: Caller, network: NetworkRow, wish: SubnetCreate) -> tuple[addresses.Cidr, str | None]:
    """The prefix, given or taken from a subnet pool, and the pool's id."""
    pool = subnetpools.pool_for(tx, caller, wish)
    if pool is not None:
        return subnetpools.allocate(tx, caller, pool, wish), pool.id
    if not wish.cidr:
        raise BadRequest("A subnet needs a cidr, or a subnetpool_id to take one from.")
    if wish.prefixlen:
        raise BadRequest("prefixlen goes with a subnet pool, not with a cidr of its own.")
    cidr = addresses.cidr(wish.cidr, "cidr")
    if cidr.version != wish.ip_version:
        raise BadRequest(
            f"Invalid input for cidr: {cidr} is not of the ip_version {wish.ip_version}.", code="InvalidInput"
        )
    if cidr.prefixlen == 0 or cidr.is_multicast or cidr.is_loopback:
        raise BadRequest(
            f"Invalid input for cidr: {cidr} is the whole address space, multicast or loopback.", code="InvalidInput"
        )
    return cidr, None


def _ipv6_modes(wish: SubnetCreate, cidr: addresses.Cidr) -> tuple[str | None, str | None]:
    ra_mode, address_mode = wish.ipv6_ra_mode or None, wish.ipv6_address_mode or None
    if ra_mode is None and address_mode is None:
        return None, None
    if wish.ip_version == 4:
        raise BadRequest("Invalid input: ipv6_ra_mode and ipv6_address_mode go with ip_version 6.", code="InvalidInput")
    if not wish.enable_dhcp:
        raise BadRequest(
            "Invalid input: ipv6_ra_mode and ipv6_address_mode need enable_dhcp to be true.", code="InvalidInput"
        )
    if ra_mode and address_mode and ra_mode != address_mode:
        raise BadRequest(
            f"Invalid input: ipv6_ra_mode {ra_mode} and ipv6_address_mode {address_mode} must be the same"
            " where both are set.",
            code="InvalidInput",
        )
    if (address_mode or ra_mode) in addresses.AUTOMATIC and cidr.prefixlen != 64:
        raise BadRequest(
            f"Invalid input for cidr: {address_mode or ra_mode} needs a prefix of 64 bits, {cidr} has {cidr.prefixlen}.",
            code="InvalidInput",
        )
    return ra_mode, address_mode


def _check_dhcp(cidr: addresses.Cidr, enable_dhcp: bool) -> None:
    if enable_dhcp and cidr.num_addresses < 4:
        raise BadRequest(
            f"Invalid input for cidr: {cidr} is too small for DHCP; give enable_dhcp false or a larger one.",
            code="InvalidInput",
        )


def _check_overlap(tx: Tx, network: NetworkRow, cidr: addresses.Cidr) -> None:
    for other in store.of_networks(tx, [network.id]):
        if other.ip_version == cidr.version and cidr.overlaps(ipaddress.ip_network(other.cidr)):
            raise BadRequest(
                f"Invalid input for cidr: {cidr} overlaps with {other.cidr} of subnet {other.id} of the same network.",
                code="InvalidInput",
            )


def _gateway(cidr: addresses.Cidr, wanted: str | Unset | None) -> str | None:
    if wanted is UNSET:
        return str(addresses.default_gateway(cidr))
    if not wanted:
        return None
    gateway = addresses.address(wanted, "gateway_ip")
    if gateway.version != cidr.version:
        raise BadRequest(
            f"Invalid input for gateway_ip: {gateway} is not of the IP version of {cidr}.", code="InvalidInput"
        )
    if gateway in cidr and int(gateway) not in addresses.hosts(cidr):
        raise BadRequest(
            f"Invalid input for gateway_ip: {gateway} is the network or broadcast address of {cidr}.",
            code="InvalidInput",
        )
    return str(gateway)


def _pools(cidr: addresses.Cidr, gateway: str | None, wanted: list[Pool] | Unset) -> list[Pool]:
    if wanted is UNSET:
        return addresses.default_pools(cidr, gateway)
    assert isinstance(wanted, list)
    pools = addresses.checked_pools(wanted, cidr)
    _check_pools(pools, gateway)
    return pools


def _check_pools(pools: Sequence[Pool], gateway: str | None) -> None:
    if gateway is None:
        return
    at = int(ipaddress.ip_address(gateway))
    for pool, found in zip(pools, addresses.ranges(pools), strict=True):
        if at in found:
            raise Conflict(
                f"The gateway {gateway} is within the allocation pool {pool['start']}-{pool['end']}.",
                code="GatewayConflictWithAllocationPools",
            )


def _check_gateway_free(tx: Tx, subnet: SubnetRow) -> None:
    if subnet.gateway_ip is None:
        return
    holder = address_store.holder(tx, subnet.network_id, subnet.gateway_ip)
    if holder is not None and any(
        port.id == holder for port in port_store.on_subnet(tx, subnet.id, "network:router_interface")
    ):
        raise Conflict(
            f"The gateway {subnet.gateway_ip} of subnet {subnet.id} is in use by router port {holder}.",
            code="GatewayIpInUse",
        )


def _dns(servers: list[str] | Unset | None) -> list[str]:
    found = [str(addresses.address(server, "dns_nameservers")) for server in servers or []]
    if len(set(found)) != len(found):
        raise BadRequest(f"Invalid input for dns_nameservers: {', '.join(found)} has one twice.", code="InvalidInput")
    return found


def _address_ports(tx: Tx, subnet: SubnetRow, cidr: addresses.Cidr) -> None:
    """Guests that are on the network already make an address of the new prefix at once."""
    for port in port_store.of_network(tx, subnet.network_id):
        if not port.device_owner.startswith("network:"):
            address_store.take(tx, subnet.id, str(addresses.eui64(cidr, port.mac_address)), port.id)
            if port.binding_host:
                tx.wake(f"host:{port.binding_host}")
