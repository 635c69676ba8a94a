"""Security groups as access lists on port groups, and what no guest may send whatever its groups say."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from pileus.services.network import protocols
from pileus.services.network.ovn.rows import Row, Rows
from pileus.services.network.ovn.topology import AddressGroup, Rule, SecurityGroup, Topology

DROP, RULE, BASIC = 1001, 1002, 1003
"""Priorities: drop what nothing allows, rules of groups, what holds before any rule."""

_BRIDGE_PROTOCOLS = "eth.dst == 01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0"
"""Spanning tree and what else is between neighbouring bridges (IEEE 802.1D 7.12.6)."""

_PORTS = {6: "tcp", 17: "udp", 132: "sctp"}
"""The protocols whose ports OVN can tell."""
_ICMP = {4: 1, 6: 58}
_NOTHING = "0"


def add(rows: Rows, topology: Topology) -> None:
    guests = [port for network in topology.networks for port in network.ports if port.is_guest()]
    _guests(rows, [port.id for port in guests])
    _secured(rows, [port.id for port in guests if port.port_security_enabled])
    members: dict[str, list[str]] = {}
    for port in guests:
        for group_id in port.security_groups:
            members.setdefault(group_id, []).append(port.id)
    used = [group for group in topology.security_groups if group.id in members]
    for group in used:
        row = _port_group(rows, group.id, group_name(group.id), members[group.id])
        for rule in group.rules:
            row.refer("acls", _rule(rows, group, rule))
    _named_elsewhere(rows, used, topology.address_groups)


def group_name(security_group_id: str) -> str:
    """Of the port group; OVN makes address sets of its members' addresses, with _ip4 and _ip6 appended."""
    return "pg_" + _plain(security_group_id)


def _guests(rows: Rows, ports: Iterable[str]) -> None:
    """Every guest's port, also those without port security."""
    group = _port_group(rows, "guests", "pileus_guests", ports)
    _acl(rows, group, "bridges", "from-lport", BASIC, _BRIDGE_PROTOCOLS, "drop")


def _secured(rows: Rows, ports: Iterable[str]) -> None:
    """The ports with port security: nothing passes that no rule allows; DHCP is asked for, never answered."""
    group = _port_group(rows, "secured", "pileus_secured", ports)
    _acl(rows, group, "out", "from-lport", DROP, "ip", "drop")
    _acl(rows, group, "in", "to-lport", DROP, "ip", "drop")
    _acl(rows, group, "dhcp4", "from-lport", BASIC, "ip4 && udp.src == 68 && udp.dst == 67", "allow")
    _acl(rows, group, "dhcp6", "from-lport", BASIC, "ip6 && udp.src == 546 && udp.dst == 547", "allow")
    _acl(rows, group, "dhcp4-server", "from-lport", BASIC, "ip4 && udp.src == 67 && udp.dst == 68", "drop")
    _acl(rows, group, "dhcp6-server", "from-lport", BASIC, "ip6 && udp.src == 547 && udp.dst == 546", "drop")


def _port_group(rows: Rows, key: str, name: str, ports: Iterable[str]) -> Row:
    row = rows.add("Port_Group", key, name=name)
    members = set(ports)
    if members:
        row.refs["ports"] = members
    return row


def _acl(rows: Rows, group: Row, key: str, direction: str, priority: int, match: str, action: str) -> None:
    group.refer("acls", _list(rows, f"{group.name}:{key}", group.columns["name"], direction, priority, match, action))


def _list(rows: Rows, key: str, group: str, direction: str, priority: int, match: str, action: str) -> Row:
    port = "inport" if direction == "from-lport" else "outport"
    return rows.add(
        "ACL", key, direction=direction, priority=priority, match=f"{port} == @{group} && {match}", action=action
    )


def _rule(rows: Rows, group: SecurityGroup, rule: Rule) -> Row:
    direction = "to-lport" if rule.direction == "ingress" else "from-lport"
    action = "allow-related" if group.stateful else "allow-stateless"
    return _list(rows, rule.id, group_name(group.id), direction, RULE, match(rule), action)


def match(rule: Rule) -> str:
    """A rule as OVN's expression, without the port."""
    version = 4 if rule.ethertype == "IPv4" else 6
    return " && ".join([f"ip{version}", *_remote(rule, version), *_protocol(rule, version)])


def _remote(rule: Rule, version: int) -> list[str]:
    field = f"ip{version}.{'src' if rule.direction == 'ingress' else 'dst'}"
    if rule.remote_group_id:
        return [f"{field} == ${group_name(rule.remote_group_id)}_ip{version}"]
    if rule.remote_address_group_id:
        return [f"{field} == ${_address_set(rule.remote_address_group_id, version)}"]
    if rule.remote_ip_prefix and ip_network(rule.remote_ip_prefix, strict=False).prefixlen:
        return [f"{field} == {rule.remote_ip_prefix}"]
    return []


def _protocol(rule: Rule, version: int) -> list[str]:
    """Protocol 0 stands for all. What OVN cannot tell (ports of other protocols) lets nothing through."""
    number = protocols.number(rule.protocol, rule.ethertype) if rule.protocol else 0
    low, high = rule.port_range_min, rule.port_range_max
    if number == 0:
        return []
    if number == _ICMP[version]:
        name = f"icmp{version}"
        found = {"type": low, "code": high}
        return [name, *(f"{name}.{field} == {value}" for field, value in found.items() if value is not None)]
    if number not in _PORTS:
        return [f"ip.proto == {number}" if number and low is None else _NOTHING]
    name = _PORTS[number]
    if low is None or high is None or (low <= 1 and high == 65535):
        return [name]
    return [name, f"{name}.dst == {low}"] if low == high else [name, f"{name}.dst >= {low}", f"{name}.dst <= {high}"]


def _named_elsewhere(rows: Rows, used: Iterable[SecurityGroup], address_groups: Iterable[AddressGroup]) -> None:
    """What the rules in use refer to: groups without members, so that their address sets exist, and address groups."""
    rules = [rule for group in used for rule in group.rules]
    for group_id in {rule.remote_group_id for rule in rules if rule.remote_group_id}:
        if ("Port_Group", group_id) not in rows:
            _port_group(rows, group_id, group_name(group_id), ())
    named = {rule.remote_address_group_id for rule in rules}
    for group in address_groups:
        if group.id in named:
            for version in (4, 6):
                addresses = {
                    address for address in group.addresses if ip_network(address, strict=False).version == version
                }
                name = _address_set(group.id, version)
                rows.add("Address_Set", f"{group.id}:{version}", name=name, addresses=frozenset(addresses))


def _address_set(address_group_id: str, version: int) -> str:
    return f"as_{_plain(address_group_id)}_ip{version}"


def _plain(text: str) -> str:
    """OVN's names in expressions have no dashes."""
    return text.replace("-", "_")
