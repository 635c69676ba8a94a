"""Logical routers: interfaces, gateway, source NAT, floating IPs, routes, router advertisements."""

from __future__ import annotations

import hashlib
from ipaddress import ip_network

from pileus.services.network.ovn.rows import Row, Rows
from pileus.services.network.ovn.switches import router_port_name
from pileus.services.network.ovn.topology import Chassis, Network, Port, Router, Subnet, Topology

GATEWAYS_PER_ROUTER = 5
_RA_MODES = {"slaac": "slaac", "dhcpv6-stateful": "dhcpv6_stateful", "dhcpv6-stateless": "dhcpv6_stateless"}
_ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


def add(rows: Rows, topology: Topology) -> None:
    networks = {network.id: network for network in topology.networks}
    subnets = topology.subnets()
    for router in topology.routers:
        _Router(rows, router, networks, subnets, topology.chassis).add()


class _Router:
    """The rows of one router."""

    def __init__(
        self,
        rows: Rows,
        router: Router,
        networks: dict[str, Network],
        subnets: dict[str, Subnet],
        chassis: list[Chassis],
    ) -> None:
        self.rows, self.router = rows, router
        self.networks, self.subnets, self.chassis = networks, subnets, chassis
        # OVN has no router port without an address: such a port waits for its subnet.
        ports = [port for port in router.ports if port.fixed_ips]
        self.gateway = next((port for port in ports if port.id == router.gateway_port_id), None)
        self.interfaces = [port for port in ports if port is not self.gateway]

    def add(self) -> None:
        row = self.rows.add(
            "Logical_Router",
            self.router.id,
            name=self.router.id,
            enabled=self.router.admin_state_up,
            # Neighbours are resolved when traffic needs them, not learned from every ARP request that passes.
            options={"always_learn_from_arp_request": "false", "dynamic_neigh_routers": "true"},
        )
        for port in self.interfaces:
            row.refer("ports", self._interface(port))
        if self.gateway:
            row.refer("ports", self._gateway(self.gateway))
            self._default_routes(row, self.gateway)
            self._source_nat(row, self.gateway)
            self._floating_ips(row)
        for route in self.router.routes:
            self._route(row, f"{route['destination']}:{route['nexthop']}", route["destination"], route["nexthop"])

    def _port(self, port: Port) -> Row:
        networks = {
            f"{address}/{ip_network(self.subnets[subnet_id].cidr).prefixlen}" for subnet_id, address in port.fixed_ips
        }
        return self.rows.add(
            "Logical_Router_Port",
            port.id,
            name=router_port_name(port.id),
            mac=port.mac_address,
            networks=frozenset(networks),
            enabled=port.admin_state_up,
        )

    def _interface(self, port: Port) -> Row:
        row = self._port(port)
        subnets = [self.subnets[subnet_id] for subnet_id, _ in port.fixed_ips]
        mode = next((s.ipv6_ra_mode for s in subnets if s.ipv6_ra_mode), None)
        if mode:
            network = self.networks[port.network_id]
            row.columns["ipv6_ra_configs"] = _advertisement(mode, network.mtu, subnets)
        return row

    def _gateway(self, port: Port) -> Row:
        row = self._port(port)
        network = self.networks[port.network_id]
        if any(self.networks[interface.network_id].mtu > network.mtu for interface in self.interfaces):
            row.columns["options"] = {"gateway_mtu": str(network.mtu)}
        for priority, chassis in enumerate(reversed(self._candidates(network)), start=1):
            name = f"{port.id}:{chassis.name}"
            row.refer(
                "gateway_chassis",
                self.rows.add(
                    "Gateway_Chassis", name, name=name.replace(":", "_"), chassis_name=chassis.name, priority=priority
                ),
            )
        return row

    def _candidates(self, network: Network) -> list[Chassis]:
        """Hosts that reach the physical network, the best first. Each router has an order of its own: they spread."""

        def rank(chassis: Chassis) -> bytes:
            return hashlib.sha256(f"{self.router.id} {chassis.name}".encode()).digest()

        able = [chassis for chassis in self.chassis if network.physical_network in chassis.physical_networks]
        return sorted(able, key=rank)[:GATEWAYS_PER_ROUTER]

    def _default_routes(self, row: Row, port: Port) -> None:
        for subnet_id, _ in port.fixed_ips:
            subnet = self.subnets[subnet_id]
            if subnet.gateway_ip:
                everywhere = _ANYWHERE[subnet.ip_version]
                self._route(
                    row, f"default:{subnet.ip_version}", everywhere, subnet.gateway_ip, router_port_name(port.id)
                )

    def _route(self, row: Row, name: str, prefix: str, nexthop: str, output: str | None = None) -> None:
        name = f"{self.router.id}:{name}"
        route = self.rows.add(
            "Logical_Router_Static_Route", name, ip_prefix=prefix, nexthop=nexthop, output_port=output
        )
        row.refer("static_routes", route)

    def _source_nat(self, row: Row, port: Port) -> None:
        outside = next(
            (address for subnet_id, address in port.fixed_ips if self.subnets[subnet_id].ip_version == 4), None
        )
        if outside is None or not self.router.enable_snat:
            return
        for subnet in {
            subnet_id: self.subnets[subnet_id] for port in self.interfaces for subnet_id, _ in port.fixed_ips
        }.values():
            if subnet.ip_version == 4:
                name = f"{self.router.id}:{subnet.id}"
                nat = self.rows.add("NAT", name, type="snat", external_ip=outside, logical_ip=subnet.cidr)
                row.refer("nat", nat)

    def _floating_ips(self, row: Row) -> None:
        for floating in self.router.floating_ips:
            nat = self.rows.add(
                "NAT",
                floating.id,
                type="dnat_and_snat",
                external_ip=floating.floating_ip_address,
                logical_ip=floating.fixed_ip_address,
            )
            row.refer("nat", nat)


def _advertisement(mode: str, mtu: int, subnets: list[Subnet]) -> dict[str, str]:
    """RFC 4861; the prefixes are those of the port's addresses."""
    settings = {"address_mode": _RA_MODES[mode], "send_periodic": "true", "mtu": str(mtu)}
    servers = [server for subnet in subnets if subnet.ip_version == 6 for server in subnet.dns_nameservers]
    if servers:
        settings["rdnss"] = servers[0]
    return settings
