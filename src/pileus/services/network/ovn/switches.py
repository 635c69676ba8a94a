"""Logical switches and their ports: networks, ports, the way to physical networks, names."""

from __future__ import annotations

from pileus.services.network.ovn import dhcp
from pileus.services.network.ovn.rows import Row, Rows
from pileus.services.network.ovn.topology import HOST_OWNERS, ROUTER_OWNERS, Network, Port, Topology

NO_SWITCH_PORT = ("network:floatingip",)
"""Owners of ports that only hold an address."""


def add(rows: Rows, topology: Topology) -> None:
    for network in topology.networks:
        switch = rows.add("Logical_Switch", network.id, name=network.id)
        if network.physical_network:
            switch.refer("ports", _localnet(rows, network))
        for port in network.ports:
            if port.device_owner not in NO_SWITCH_PORT:
                switch.refer("ports", _port(rows, network, port))
        _names(rows, network, switch)


def physical_port_name(network_id: str) -> str:
    """Of the port by which a network goes on in its physical network."""
    return f"physical-{network_id}"


def router_port_name(port_id: str) -> str:
    """Of the router's end of a router port."""
    return f"router-{port_id}"


def _localnet(rows: Rows, network: Network) -> Row:
    return rows.add(
        "Logical_Switch_Port",
        f"{network.id}:physical",
        name=physical_port_name(network.id),
        type="localnet",
        addresses=frozenset({"unknown"}),
        options={"network_name": network.physical_network},
        tag=network.segmentation_id,
    )


def _port(rows: Rows, network: Network, port: Port) -> Row:
    row = rows.add("Logical_Switch_Port", port.id, name=port.id, enabled=port.admin_state_up and network.admin_state_up)
    if port.device_owner in ROUTER_OWNERS:
        row.columns |= {"type": "router", "addresses": frozenset({"router"}), "options": _router_options(port)}
        return row
    row.columns["addresses"] = _addresses(port)
    if port.device_owner in HOST_OWNERS:
        row.columns["type"] = "localport"
        return row
    if port.is_guest() and port.port_security_enabled:
        row.columns["port_security"] = _allowed_sources(port)
    if port.binding_host:
        row.columns["options"] = {"requested-chassis": port.binding_host}
    dhcp.refer(rows, row, network, port)
    return row


def _router_options(port: Port) -> dict[str, str]:
    options = {"router-port": router_port_name(port.id)}
    if port.device_owner == "network:router_gateway":
        # The chassis that holds the gateway announces its addresses, and those behind NAT.
        options |= {"nat-addresses": "router", "exclude-lb-vips-from-garp": "true"}
    return options


def _addresses(port: Port) -> frozenset[str]:
    """Where the switch sends what is meant for the port; 'unknown': also what nobody else claims."""
    found = {" ".join([port.mac_address, *port.addresses()])}
    if port.is_guest() and not port.port_security_enabled:
        found.add("unknown")
    return frozenset(found | (_pairs(port).keys() - {port.mac_address}))


def _allowed_sources(port: Port) -> frozenset[str]:
    """What the port may send from: each MAC address with the IP addresses that go with it."""
    pairs = _pairs(port)
    own = [*port.addresses(), *pairs.pop(port.mac_address, [])]
    return frozenset(" ".join([mac, *addresses]) for mac, addresses in ((port.mac_address, own), *pairs.items()))


def _pairs(port: Port) -> dict[str, list[str]]:
    pairs: dict[str, list[str]] = {}
    for pair in port.allowed_address_pairs:
        mac = pair.get("mac_address") or port.mac_address
        pairs.setdefault(mac, []).append(pair["ip_address"])
    return {mac: sorted(addresses) for mac, addresses in pairs.items()}


def _names(rows: Rows, network: Network, switch: Row) -> None:
    """Guests' names, which OVN answers whatever server is asked. Guests of one name share the answer."""
    addresses: dict[str, set[str]] = {}
    for port in network.ports:
        if port.dns_name and port.fixed_ips:
            for name in (port.dns_name, f"{port.dns_name}.{dhcp.domain_of(network)}"):
                addresses.setdefault(name.lower(), set()).update(port.addresses())
    if addresses:
        records = {name: " ".join(sorted(found)) for name, found in addresses.items()}
        switch.refer("dns_records", rows.add("DNS", network.id, records=records))
