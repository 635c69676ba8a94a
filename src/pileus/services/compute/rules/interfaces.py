"""The ports of servers: those made with a server, those attached and detached later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.core.version import Version
from pileus.services.compute.store import servers as store
from pileus.services.compute.store.servers import NicRow, ServerRow
from pileus.services.compute.types.servers import NetworkWish, ServerWish
from pileus.services.network import rules as network

P = TypeVar("P")
EXTERNAL = "network:attach_external_network"


class Wanted(msgspec.Struct):
    """The NICs of a server to be made: on networks, or with ports that are there."""

    entries: list[NetworkWish]
    security_groups: list[str] | None
    """Ids for the ports to be made; None: the project's default group."""


def wanted(tx: Tx, caller: Caller, wish: ServerWish, count: int) -> Wanted:
    """Check what was asked for, before anything is made. Raises BadRequest, Conflict, Forbidden."""
    if wish.networks is UNSET:
        if caller.version >= Version(2, 37):
            raise BadRequest(
                "Invalid input for field server: 'networks' is a required property: a list, 'auto' or 'none'."
            )
        entries = _usual(tx, caller)
    elif isinstance(wish.networks, str):
        entries = _by_word(tx, caller, wish.networks)
    else:
        entries = wish.networks or _usual(tx, caller)
    for entry in entries:
        _check(tx, caller, entry, count)
    _no_port_twice(entries)
    return Wanted(entries, _groups(tx, caller, wish))


def _by_word(tx: Tx, caller: Caller, word: str) -> list[NetworkWish]:
    if caller.version < Version(2, 37) or word not in ("auto", "none"):
        raise BadRequest(f"Invalid input for field networks: '{word[:64]}'; a list, or from 2.37 'auto' or 'none'.")
    if word == "none":
        return []
    found = _usual(tx, caller)
    if not found:
        raise BadRequest(
            "Unable to automatically allocate a network: your project has none; make one, or ask for 'none'."
        )
    return found


def _usual(tx: Tx, caller: Caller) -> list[NetworkWish]:
    """The project's one network; none where it has none. Raises Conflict where there are several."""
    found = network.default_networks(tx, caller)
    if len(found) > 1:
        names = ", ".join(sorted(f"{row.name} ({row.id})" for row in found)[:10])
        raise Conflict(f"Multiple possible networks found, use a Network ID to be more specific: {names}.")
    return [NetworkWish(uuid=row.id) for row in found]


def _check(tx: Tx, caller: Caller, entry: NetworkWish, count: int) -> None:
    if entry.port not in (UNSET, None):
        _check_port(tx, caller, str(entry.port), count)
        if entry.fixed_ip is not UNSET:
            raise BadRequest(
                f"Specified Fixed IP '{entry.fixed_ip}' cannot be used with port '{entry.port}': a port has its own."
            )
        return
    if entry.uuid is UNSET:
        raise BadRequest("Invalid input for field networks: each entry needs a network's 'uuid' or a 'port'.")
    if entry.fixed_ip is not UNSET and count > 1:
        raise BadRequest(f"fixed_ip {entry.fixed_ip} can be given to one server only, and {count} are asked for.")
    try:
        found, _ = network.network_for_ports(tx, caller, entry.uuid)
    except NotFound:
        raise BadRequest(f"Network {entry.uuid} could not be found.") from None
    if found.external and not caller.allows(EXTERNAL):
        raise Forbidden(f"It is not allowed to create an interface on external network {found.id}.")


def _check_port(tx: Tx, caller: Caller, port_id: str, count: int) -> None:
    if count > 1:
        raise BadRequest(f"Port {port_id} can be given to one server only, and {count} are asked for.")
    port = network.port_of(tx, port_id)
    if port is None or not (caller.is_admin or port.project_id == caller.project_id):
        raise BadRequest(f"Port {port_id} could not be found.")
    if port.device_id:
        raise Conflict(f"Port {port_id} is still in use by {port.device_id}.")


def _no_port_twice(entries: Sequence[NetworkWish]) -> None:
    ports = [entry.port for entry in entries if entry.port not in (UNSET, None)]
    for port in ports:
        if ports.count(port) > 1:
            raise BadRequest(f"Duplicate networks are not allowed: port {port} is asked for twice.")


def _groups(tx: Tx, caller: Caller, wish: ServerWish) -> list[str] | None:
    if wish.security_groups is UNSET or not wish.security_groups:
        return None
    return [group_id(tx, caller, group.name, BadRequest) for group in wish.security_groups]


def group_id(tx: Tx, caller: Caller, name: str, error: type[BadRequest] | type[NotFound]) -> str:
    """The id of a security group by its id or by its name in the caller's project."""
    found = network.security_groups_named(tx, caller.project_id or "", name)
    if not found:
        raise error(f"Security group {name} not found for project {caller.project_id}.")
    if len(found) > 1:
        raise Conflict(f"Multiple security groups found matching '{name}'. Use an ID to be more specific.")
    return found[0].id


def make(
    tx: Tx, caller: Caller, nics: Wanted, server_id: str, host: str, zone: str | None, hostname: str
) -> list[NicRow]:
    """Make or bind the ports of a new server on its host. Raises what the network service refuses."""
    return [
        make_one(tx, caller, entry, nics.security_groups, server_id, host, zone, hostname) for entry in nics.entries
    ]


def make_one(
    tx: Tx,
    caller: Caller,
    entry: NetworkWish,
    security_groups: list[str] | None,
    server_id: str,
    host: str,
    zone: str | None,
    hostname: str,
) -> NicRow:
    owner = f"compute:{zone or 'nova'}"
    tag = None if entry.tag is UNSET else entry.tag
    if entry.port not in (UNSET, None):
        port_id = str(entry.port)
        network.bind_port(tx, caller, port_id, host, server_id, owner)
        return NicRow(port_id, keep=True, tag=tag)
    wish = network.PortWish(
        network_id=str(entry.uuid),
        fixed_ips=UNSET if entry.fixed_ip is UNSET else [network.FixedIpWish(ip_address=entry.fixed_ip)],
        security_groups=UNSET if security_groups is None else security_groups,
        device_id=server_id,
        device_owner=owner,
        binding_host=host,
        dns_name=hostname,
    )
    return NicRow(network.create_port(tx, caller, wish).id, keep=False, tag=tag)


def release(tx: Tx, caller: Caller, server: ServerRow) -> None:
    """Delete the ports that were made for the server, and give back those that were there before it."""
    here = {detail.port.id for detail in ports_of(tx, server)}
    for nic in server.nics:
        if nic.port_id in here:
            _let_go(tx, caller, nic)


def _let_go(tx: Tx, caller: Caller, nic: NicRow) -> None:
    if nic.keep:
        network.unbind_port(tx, caller, nic.port_id)
    else:
        network.delete_port(tx, caller, nic.port_id)


def attach(tx: Tx, caller: Caller, server: ServerRow, entry: NetworkWish) -> str:
    """Give a server one NIC more; the id of its port. Raises BadRequest, Conflict, Forbidden."""
    if entry.uuid is UNSET and entry.port in (UNSET, None):
        entries = _usual(tx, caller)
        if not entries:
            raise BadRequest("No network to attach: your project has none; give net_id or port_id.")
        entry.uuid = entries[0].uuid
    _check(tx, caller, entry, 1)
    nic = make_one(tx, caller, entry, None, server.id, server.host or "", server.availability_zone, server.hostname)
    store.update_server(tx, server, {"nics": [*server.nics, nic], "generation": server.generation + 1})
    tx.wake(f"host:{server.host}")
    return nic.port_id


def detach(tx: Tx, caller: Caller, server: ServerRow, port_id: str) -> None:
    """Raises NotFound where the server has no such port."""
    here = {detail.port.id for detail in ports_of(tx, server)}
    nic = next((nic for nic in server.nics if nic.port_id == port_id and port_id in here), None)
    if nic is None:
        raise NotFound(f"Port {port_id} not found at instance {server.id}.")
    _let_go(tx, caller, nic)
    rest = [nic for nic in server.nics if nic.port_id != port_id]
    store.update_server(tx, server, {"nics": rest, "generation": server.generation + 1})
    tx.wake(f"host:{server.host}")


def add_fixed_ip(tx: Tx, server: ServerRow, network_id: str) -> str:
    """One address more for the server's first port on a network. Raises NotFound where it has none there."""
    for detail in ports_of(tx, server):
        if detail.port.network_id == network_id:
            return network.add_fixed_ip(tx, detail.port)
    raise NotFound(f"Instance {server.id} has no port on network {network_id}, so it can have no fixed IP there.")


def remove_fixed_ip(tx: Tx, server: ServerRow, address: str) -> None:
    """Raises BadRequest where the address is not the server's, Conflict where a floating IP leads to it."""
    for detail in ports_of(tx, server):
        if address in [fixed.ip_address for fixed in detail.fixed_ips]:
            network.remove_fixed_ip(tx, detail.port, address)
            return
    raise BadRequest(f"Unable to find a fixed IP {address} of instance {server.id}.")


def port_lost(tx: Tx, server_id: str, port_id: str) -> None:
    """A port was deleted, or given to another device, in the network service: the server that had it is one NIC poorer."""
    server = store.server_by_id(tx, server_id)
    if server is None or server.deleted_at is not None:
        return
    rest = [nic for nic in server.nics if nic.port_id != port_id]
    if len(rest) < len(server.nics):
        store.update_server(tx, server, {"nics": rest, "generation": server.generation + 1})
        tx.wake(f"host:{server.host}")


def ports_of(tx: Tx, server: ServerRow) -> list[network.PortDetail]:
    return ports_of_servers(tx, [server])[server.id]


def ports_of_servers(tx: Tx, servers: Sequence[ServerRow]) -> dict[str, list[network.PortDetail]]:
    """By server, in the order of its NICs. A port that only says that it is a server's, as anybody's may, is not."""
    found = network.ports_of_devices(tx, [server.id for server in servers])
    return {server.id: _in_order(server, {detail.port.id: detail for detail in found[server.id]}) for server in servers}


def bare_ports_of_servers(tx: Tx, servers: Sequence[ServerRow]) -> dict[str, list[network.PortRow]]:
    """As `ports_of_servers`, without what belongs to the ports."""
    found = network.bare_ports_of_devices(tx, [server.id for server in servers])
    return {server.id: _in_order(server, {port.id: port for port in found[server.id]}) for server in servers}


def _in_order(server: ServerRow, ports: Mapping[str, P]) -> list[P]:
    return [ports[nic.port_id] for nic in server.nics if nic.port_id in ports]


def addresses(ports: Sequence[network.PortDetail]) -> list[tuple[str, str, str, int, str]]:
    """(network's name, address, fixed or floating, IP version, MAC) of all of them, floating ones after their port's fixed."""
    found: list[tuple[str, str, str, int, str]] = []
    for detail in ports:
        label, mac = detail.network.name, detail.port.mac_address
        found += [(label, fixed.ip_address, "fixed", fixed.subnet.ip_version, mac) for fixed in detail.fixed_ips]
        found += [(label, floating.floating_ip_address, "floating", 4, mac) for floating in detail.floating_ips]
    return found


def security_groups_shown(tx: Tx, groups: Sequence[network.SecurityGroupRow]) -> list[dict[str, Any]]:
    """Groups and their rules as compute's API has them since before there was a network service."""
    rules = network.security_group_rules(tx, [group.id for group in groups])
    return [
        {
            "id": group.id,
            "name": group.name,
            "description": group.description,
            "tenant_id": group.project_id,
            "rules": [_rule_shown(rule) for rule in rules[group.id] if rule.direction == "ingress"],
        }
        for group in groups
    ]


def _rule_shown(rule: network.SecurityGroupRuleRow) -> dict[str, Any]:
    return {
        "id": rule.id,
        "parent_group_id": rule.security_group_id,
        "ip_protocol": rule.protocol.upper() if rule.protocol else None,
        "from_port": -1 if rule.port_range_min is None else rule.port_range_min,
        "to_port": -1 if rule.port_range_max is None else rule.port_range_max,
        "ip_range": {"cidr": rule.remote_ip_prefix} if rule.remote_ip_prefix else {},
        "group": {},
    }
