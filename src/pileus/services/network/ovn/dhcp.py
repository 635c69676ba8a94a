"""DHCP answers (RFC 2131, 3442, 8415), which every host's ovn-controller gives to its own guests."""

from __future__ import annotations

import hashlib
from ipaddress import ip_network

from pileus.services.network.ovn.rows import Row, Rows
from pileus.services.network.ovn.topology import Network, Port, Subnet, Topology

METADATA = "169.254.169.254"
LEASE_SECONDS = 12 * 3600
DEFAULT_DOMAIN = "openstacklocal"

# The API takes dnsmasq's names (those of RFC 2132 and 5970); OVN has names of its own.
_V4_OPTIONS = {
    "bootfile-name": "bootfile_name",
    "classless-static-route": "classless_static_route",
    "dhcp-lease-time": "lease_time",
    "dns-server": "dns_server",
    "dns-servers": "dns_server",
    "domain-name": "domain_name",
    "domain-search": "domain_search_list",
    "hostname": "hostname",
    "ip-forward-enable": "ip_forward_enable",
    "log-server": "log_server",
    "lpr-server": "lpr_server",
    "mtu": "mtu",
    "netbios-name-server": "netbios_name_server",
    "netbios-node-type": "netbios_node_type",
    "netmask": "netmask",
    "nis-server": "nis_server",
    "ntp-server": "ntp_server",
    "path-prefix": "path_prefix",
    "router": "router",
    "router-discovery": "router_discovery",
    "router-solicitation": "router_solicitation",
    "server-ip-address": "tftp_server_address",
    "swap-server": "swap_server",
    "T1": "T1",
    "T2": "T2",
    "tftp-server": "tftp_server",
    "tftp-server-address": "tftp_server_address",
    "tftp-server-name": "tftp_server",
    "wpad": "wpad",
    "26": "mtu",
    "66": "tftp_server",
    "67": "bootfile_name",
    "150": "tftp_server_address",
}
_V6_OPTIONS = {
    "dns-server": "dns_server",
    "dns-servers": "dns_server",
    "domain-search": "domain_search",
    "server-id": "server_id",
    "bootfile-url": "bootfile_name",
}
_QUOTED = ("bootfile_name", "domain_name", "domain_search", "domain_search_list", "hostname", "path_prefix", "wpad")
"""OVN takes these values as strings, in double quotes."""


def add(rows: Rows, topology: Topology) -> None:
    for network in topology.networks:
        for subnet in network.subnets:
            if subnet.enable_dhcp:
                rows.add("DHCP_Options", subnet.id, cidr=subnet.cidr, options=_options(network, subnet))


def refer(rows: Rows, row: Row, network: Network, port: Port) -> None:
    """Let a guest's port have its addresses by DHCP; a port with options of its own has answers of its own."""
    if not port.is_guest() or _disabled(port):
        return
    mine = {subnet_id for subnet_id, _ in port.fixed_ips}
    for version, column, names in ((4, "dhcpv4_options", _V4_OPTIONS), (6, "dhcpv6_options", _V6_OPTIONS)):
        subnet = next((s for s in network.subnets if s.ip_version == version and s.id in mine and s.enable_dhcp), None)
        if subnet is None:
            continue
        answers = rows["DHCP_Options", subnet.id]
        if extra := _extra(port, version, names):
            options = {**answers.columns["options"], **extra}
            answers = rows.add("DHCP_Options", f"{subnet.id}:{port.id}", cidr=subnet.cidr, options=options)
        row.refer(column, answers)


def domain_of(network: Network) -> str:
    return network.dns_domain.rstrip(".") or DEFAULT_DOMAIN


def _options(network: Network, subnet: Subnet) -> dict[str, str]:
    return _v4(network, subnet) if subnet.ip_version == 4 else _v6(network, subnet)


def _v4(network: Network, subnet: Subnet) -> dict[str, str]:
    address, mac = _server(network, subnet)
    options = {
        "server_id": address,
        "server_mac": mac,
        "lease_time": str(LEASE_SECONDS),
        "mtu": str(network.mtu),
        "domain_name": _quote(domain_of(network)),
    }
    if subnet.gateway_ip:
        options["router"] = subnet.gateway_ip
    if servers := [server for server in subnet.dns_nameservers if server != "0.0.0.0"]:  # noqa: S104
        options["dns_server"] = _several(servers)
    if routes := _routes(network, subnet):
        options["classless_static_route"] = _several(routes)
    return options


def _v6(network: Network, subnet: Subnet) -> dict[str, str]:
    options = {"server_id": _server(network, subnet)[1], "domain_search": _quote(domain_of(network))}
    if subnet.dns_nameservers:
        options["dns_server"] = _several(subnet.dns_nameservers)
    if subnet.ipv6_address_mode == "dhcpv6-stateless":
        options["dhcpv6_stateless"] = "true"
    return options


def _server(network: Network, subnet: Subnet) -> tuple[str, str]:
    """Address and MAC of who answers: the port that every host has, so that a renewal finds it without a router."""
    if port := network.metadata_port():
        for subnet_id, address in port.fixed_ips:
            if subnet_id == subnet.id:
                return address, port.mac_address
    return subnet.gateway_ip or str(ip_network(subnet.cidr)[1]), _made_mac(subnet.id)


def _made_mac(name: str) -> str:
    """Locally administered, the same for the same name."""
    return ":".join(["0e", *(f"{byte:02x}" for byte in hashlib.sha256(name.encode()).digest()[:5])])


def _routes(network: Network, subnet: Subnet) -> list[str]:
    """Option 121. A client that takes it ignores the router option, so the default route is repeated."""
    routes = [f"{route['destination']},{route['nexthop']}" for route in subnet.host_routes]
    if port := network.metadata_port():
        routes += [f"{METADATA}/32,{address}" for subnet_id, address in port.fixed_ips if subnet_id == subnet.id][:1]
    if routes and subnet.gateway_ip:
        routes.append(f"0.0.0.0/0,{subnet.gateway_ip}")
    return routes


def _disabled(port: Port) -> bool:
    return any(
        option["opt_name"] == "dhcp_disabled" and option["opt_value"].lower() == "true"
        for option in port.extra_dhcp_opts
    )


def _extra(port: Port, version: int, names: dict[str, str]) -> dict[str, str]:
    """The options that OVN can send; a value that is a list has commas in it."""
    found: dict[str, str] = {}
    for option in port.extra_dhcp_opts:
        name = names.get(option["opt_name"].removeprefix("option:"))
        if name and int(option.get("ip_version") or 4) == version:
            value = str(option["opt_value"]).strip('"')
            found[name] = _quote(value) if name in _QUOTED else _several(value.split(",")) if "," in value else value
    return found


def _quote(value: str) -> str:
    return '"' + value.replace('"', "") + '"'


def _several(values: list[str]) -> str:
    return "{" + ", ".join(values) + "}"
