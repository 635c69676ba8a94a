"""Ports: creation, change, deletion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.services.network import addresses, tables
from pileus.services.network.rules import access, allocation, networks, quotas, security_groups
from pileus.services.network.store import addresses as address_store
from pileus.services.network.store import common, nouns
from pileus.services.network.store import ports as store
from pileus.services.network.types.common import given
from pileus.services.network.types.ports import FixedIpWish, OptionWish, PairWish, PortCreate, PortUpdate, PortWish
from pileus.services.network.types.rows import AddressPair, DhcpOption, NetworkRow, PortRow

ROUTER_OWNERS = ("network:router_interface", "network:router_gateway")
OWNED_BY_L3 = (*ROUTER_OWNERS, "network:floatingip")
"""Device owners of ports that are made and deleted by routers and floating IPs alone."""
UNBOUND: dict[str, Any] = {"binding_host": "", "binding_profile": {}, "status": "DOWN"}
MAX_PAIRS = 10
_HOST_NAME = re.compile(r"^(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?$")


def visible_port(tx: Tx, caller: Caller, port_id: str) -> PortRow:
    return access.visible(tx, caller, nouns.PORTS, port_id, "Port")


def wish_of(body: PortCreate, project_id: str) -> PortWish:
    """What a request asks for, as rules and other services say it."""
    return PortWish(
        network_id=body.network_id,
        project_id=project_id,
        name=body.name or "",
        description=body.description or "",
        fixed_ips=body.fixed_ips,
        mac_address=body.mac_address or None,
        security_groups=body.security_groups,
        device_id=body.device_id or "",
        device_owner=body.device_owner or "",
        admin_state_up=body.admin_state_up is not False,
        port_security_enabled=body.port_security_enabled,
        binding_host=body.binding_host_id or "",
        binding_profile=body.binding_profile or {},
        vnic_type=body.binding_vnic_type or "normal",
        allowed_address_pairs=body.allowed_address_pairs or [],
        extra_dhcp_opts=body.extra_dhcp_opts or [],
        dns_name=body.dns_name or "",
        dns_domain=body.dns_domain or "",
    )


def create_port(tx: Tx, caller: Caller, wish: PortWish) -> PortRow:
    """A port with its addresses and security groups, in one commit with whatever else the caller does.

    Raises NotFound (NetworkNotFound, SecurityGroupNotFound, SubnetNotFound), Conflict (OverQuota, MacAddressInUse,
    IpAddressAlreadyAllocated, IpAddressGenerationFailure), BadRequest (InvalidIpForNetwork, InvalidInput, ...).
    """
    network, subnets = networks.network_for_ports(tx, caller, wish.network_id)
    project_id = wish.project_id if wish.project_id is not None else caller.project_id or ""
    if project_id:
        quotas.check(tx, project_id, "port")
    secure = (
        network.port_security_enabled if wish.port_security_enabled is UNSET else wish.port_security_enabled is True
    )
    belongs_to_network = wish.device_owner.startswith("network:")
    groups: list[str] = []
    if wish.security_groups is not UNSET or (secure and not belongs_to_network):
        groups = security_groups.groups_for_port(tx, caller, project_id, wish.security_groups)
    port = PortRow(
        id=new_id(),
        project_id=project_id,
        network_id=network.id,
        name=wish.name,
        mac_address=addresses.checked_mac(wish.mac_address) if wish.mac_address else addresses.new_mac(),
        admin_state_up=wish.admin_state_up,
        status="N/A" if wish.device_owner == "network:floatingip" else "DOWN",
        device_id=wish.device_id,
        device_owner=wish.device_owner,
        port_security_enabled=secure and not belongs_to_network,
        binding_host=wish.binding_host,
        binding_profile=wish.binding_profile,
        vnic_type=wish.vnic_type,
        allowed_address_pairs=[],
        extra_dhcp_opts=dhcp_options(wish.extra_dhcp_opts),
        dns_name=_dns_name(wish.dns_name),
        dns_domain=wish.dns_domain,
        description=wish.description,
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=1,
    )
    port.allowed_address_pairs = address_pairs(wish.allowed_address_pairs, port.mac_address)
    _check_security(port, groups)
    _insert(tx, port, given_mac=wish.mac_address is not None)
    allocation.allocate(tx, port, subnets, wish.fixed_ips)
    store.add_groups(tx, port.id, groups)
    changed(tx, port)
    return port


def update_port(tx: Tx, caller: Caller, port: PortRow, body: PortUpdate) -> PortRow:
    """Raises as create_port does, and Conflict where a device would lose its port or a router its address."""
    values = given(body, "name", "admin_state_up", "port_security_enabled", "dns_domain")
    for field, column in (("description", "description"), ("device_id", "device_id"), ("device_owner", "device_owner")):
        if (value := getattr(body, field)) is not UNSET:
            values[column] = value or ""
    if body.dns_name is not UNSET:
        values["dns_name"] = _dns_name(body.dns_name or "")
    if body.binding_host_id is not UNSET:
        values |= _binding(port, body.binding_host_id or "")
    if body.binding_profile is not UNSET:
        values["binding_profile"] = body.binding_profile or {}
    if body.binding_vnic_type is not UNSET:
        values["vnic_type"] = body.binding_vnic_type
    if body.mac_address is not UNSET:
        values["mac_address"] = _new_mac(port, body.mac_address or None)
    if body.extra_dhcp_opts is not UNSET:
        values["extra_dhcp_opts"] = merged_options(port.extra_dhcp_opts, body.extra_dhcp_opts or [])
    if body.allowed_address_pairs is not UNSET:
        mac = values.get("mac_address", port.mac_address)
        values["allowed_address_pairs"] = address_pairs(body.allowed_address_pairs or [], mac)
    if port.device_owner in OWNED_BY_L3 and not {"device_id", "device_owner"}.isdisjoint(values):
        _check_owner_kept(port, values)
    taken = bool(port.device_id) and values.get("device_id", port.device_id) != port.device_id
    if taken and port.device_owner.startswith("compute:"):
        values = UNBOUND | values
    new = common.change(
        tx,
        tables.ports,
        port,
        values,
        conflict=f"The MAC address {values.get('mac_address')} is in use on the network.",
    )
    if body.security_groups is not UNSET:
        groups = security_groups.groups_for_port(tx, caller, port.project_id, body.security_groups or [])
        store.set_groups(tx, port.id, groups)
    _check_security(new, store.group_ids(tx, [port.id])[port.id])
    if body.fixed_ips is not UNSET:
        _readdress(tx, new, body.fixed_ips or [])
    changed(tx, port, new)
    if taken:
        _device_lost(tx, port)
    return new


def delete_port(tx: Tx, caller: Caller, port_id: str) -> None:
    """With its addresses; floating IPs that were on it stay their project's, free for another port."""
    port = common.find(tx, tables.ports, PortRow, port_id)
    if port is not None:
        remove(tx, port)


def delete_with_nic(tx: Tx, caller: Caller, port: PortRow) -> None:
    """What a user deletes: a server that has the port loses its NIC."""
    remove(tx, port)
    _device_lost(tx, port)


def _device_lost(tx: Tx, port: PortRow) -> None:
    from pileus.services.compute import rules as compute  # compute stands on network

    if port.device_id:
        compute.port_lost(tx, port.device_id, port.id)


def remove(tx: Tx, port: PortRow) -> None:
    store.free_floating_ips(tx, port.id)
    address_store.release(tx, port.id)
    store.set_groups(tx, port.id, [])
    common.remove(tx, tables.ports, port.id)
    changed(tx, port)


def check_deletable(port: PortRow) -> None:
    """Raises Conflict (ServicePortInUse) for ports that routers and floating IPs made."""
    if port.device_owner in OWNED_BY_L3:
        raise Conflict(
            f"Port {port.id} cannot be deleted directly via the port API: it has device owner {port.device_owner},"
            f" device {port.device_id}.",
            code="ServicePortInUse",
        )


def changed(tx: Tx, *ports: PortRow) -> None:
    """After the commit, OVN and the hosts concerned are compared with the rows."""
    tx.wake("network")
    for port in ports:
        if port.binding_host:
            tx.wake(f"host:{port.binding_host}")


def address_pairs(wanted: Sequence[PairWish], mac_address: str) -> list[AddressPair]:
    """Canonical; a pair without a MAC has the port's. Raises BadRequest for too many or the same twice."""
    if len(wanted) > MAX_PAIRS:
        raise BadRequest(
            f"A port has at most {MAX_PAIRS} allowed_address_pairs, got {len(wanted)}.",
            code="AllowedAddressPairExhausted",
        )
    found = []
    for pair in wanted:
        network = addresses.cidr(pair.ip_address, "allowed_address_pairs.ip_address")
        if network.is_multicast:
            raise BadRequest(f"Invalid input for allowed_address_pairs: {network} is multicast.", code="InvalidInput")
        mac = addresses.checked_mac(pair.mac_address, "allowed_address_pairs.mac_address") if pair.mac_address else None
        text = pair.ip_address if "/" in pair.ip_address else str(network.network_address)
        entry = AddressPair(ip_address=text, mac_address=mac or mac_address)
        if entry in found:
            raise BadRequest(
                f"The allowed address pair {text} with {entry['mac_address']} is there twice.",
                code="DuplicateAddressPairInRequest",
            )
        found.append(entry)
    return found


def dhcp_options(wanted: Sequence[OptionWish]) -> list[DhcpOption]:
    return [
        DhcpOption(opt_name=option.opt_name, opt_value=option.opt_value, ip_version=option.ip_version)
        for option in wanted
        if option.opt_value is not None
    ]


def merged_options(held: Sequence[DhcpOption], wanted: Sequence[OptionWish]) -> list[DhcpOption]:
    """An option that is given replaces the one of its name; one without a value takes it away."""
    replaced = {(option.opt_name, option.ip_version) for option in wanted}
    kept = [option for option in held if (option["opt_name"], option["ip_version"]) not in replaced]
    return [*kept, *dhcp_options(wanted)]


def _insert(tx: Tx, port: PortRow, given_mac: bool) -> None:
    while not tx.insert_new(tables.ports, port):
        if given_mac:
            raise Conflict(
                f"The MAC address {port.mac_address} is in use on network {port.network_id}.", code="MacAddressInUse"
            )
        port.mac_address = addresses.new_mac()


def _check_security(port: PortRow, groups: Sequence[str]) -> None:
    if port.port_security_enabled:
        return
    if groups:
        raise Conflict(
            f"Port {port.id} has security groups; take them away before port security, or keep both.",
            code="PortSecurityPortHasSecurityGroup",
        )
    if port.allowed_address_pairs:
        raise Conflict("allowed_address_pairs need port_security_enabled.", code="AddressPairAndPortSecurityRequired")


def _dns_name(text: str) -> str:
    if text and not _HOST_NAME.match(text):
        raise BadRequest(f"Invalid input for dns_name: '{text[:64]}' is not a valid host name.", code="InvalidInput")
    return text.lower()


def _binding(port: PortRow, host: str) -> dict[str, Any]:
    """A port on another host has to be wired anew."""
    if host == port.binding_host:
        return {}
    return {"binding_host": host} | ({} if port.device_owner.startswith("network:") else {"status": "DOWN"})


def _new_mac(port: PortRow, wanted: str | None) -> str:
    if port.binding_host and port.device_owner.startswith("compute:"):
        raise Conflict(
            f"Port {port.id} is bound to host {port.binding_host}; its MAC address can't change while a guest uses it.",
            code="PortBound",
        )
    return addresses.checked_mac(wanted) if wanted else addresses.new_mac()


def _check_owner_kept(port: PortRow, values: dict[str, Any]) -> None:
    for field in ("device_id", "device_owner"):
        if values.get(field, getattr(port, field)) != getattr(port, field):
            raise Conflict(
                f"Port {port.id} is of {port.device_owner} {port.device_id}; remove it there.", code="PortInUse"
            )


def add_fixed_ip(tx: Tx, port: PortRow) -> str:
    """One address more, which is returned. Raises BadRequest, Conflict where the port's network has none."""
    address = allocation.take_one_more(tx, port)
    changed(tx, port)
    return address


def remove_fixed_ip(tx: Tx, port: PortRow, address: str) -> None:
    """Raises Conflict where a floating IP leads to the address."""
    held = address_store.of_ports(tx, [port.id])[port.id]
    rest = [row for row in held if row.ip_address != address]
    _readdress(tx, port, [FixedIpWish(subnet_id=row.subnet_id, ip_address=row.ip_address) for row in rest])
    changed(tx, port)


def _readdress(tx: Tx, port: PortRow, wanted: Sequence[FixedIpWish]) -> None:
    before = {row.ip_address for row in address_store.of_ports(tx, [port.id])[port.id]}
    allocation.reallocate(tx, port, wanted)
    after = {row.ip_address for row in address_store.of_ports(tx, [port.id])[port.id]}
    for floating in store.floating_ips_of(tx, [port.id]):
        if floating.fixed_ip_address in before - after:
            raise Conflict(
                f"Floating IP {floating.floating_ip_address} leads to {floating.fixed_ip_address} of port {port.id};"
                " disassociate it first.",
                code="FloatingIPPortAlreadyAssociated",
            )


def network_of(tx: Tx, port: PortRow) -> NetworkRow:
    found = common.find(tx, tables.networks, NetworkRow, port.network_id)
    if found is None:
        raise NotFound(f"Network {port.network_id} could not be found.", code="NetworkNotFound")
    return found
