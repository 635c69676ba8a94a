"""Rows of the network service as its rules write them, for tests of what is derived from rows."""

import itertools
from ipaddress import ip_address, ip_network
from typing import Any

from pileus.core.db import Tx, new_id
from pileus.services.network import tables as t

PROJECT = "p1"
_macs = itertools.count(1)


class Rows:
    """Each method writes one resource and returns its id."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx

    def network(self, mtu: int = 1442, physical_network: str = "", **fields: Any) -> str:
        values = {
            "name": "n", "admin_state_up": True, "external": bool(physical_network), "is_default": False,
            "port_security_enabled": True, "dns_domain": "", "availability_zone_hints": [],
            "network_type": "flat" if physical_network else "geneve", "segmentation_id": None,
        }  # fmt: skip
        return self._insert(t.networks, mtu=mtu, physical_network=physical_network, **{**values, **fields})

    def subnet(self, network_id: str, cidr: str, **fields: Any) -> str:
        values = {
            "name": "s", "ip_version": ip_network(cidr).version, "gateway_ip": str(ip_network(cidr)[1]),
            "enable_dhcp": True, "ipv6_ra_mode": None, "ipv6_address_mode": None, "allocation_pools": [],
            "dns_nameservers": [], "host_routes": [], "service_types": [], "dns_publish_fixed_ip": False,
            "subnetpool_id": None,
        }  # fmt: skip
        return self._insert(t.subnets, network_id=network_id, cidr=cidr, **{**values, **fields})

    def port(self, network_id: str, *addresses: tuple[str, str], groups: tuple[str, ...] = (), **fields: Any) -> str:
        """`addresses`: (subnet id, address)"""
        number = next(_macs)
        values = {
            "name": "", "mac_address": f"fa:16:3e:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
            "admin_state_up": True, "status": "DOWN", "device_id": new_id(), "device_owner": "compute:nova",
            "port_security_enabled": True, "binding_host": "", "binding_profile": {}, "vnic_type": "normal",
            "allowed_address_pairs": [], "extra_dhcp_opts": [], "dns_name": "", "dns_domain": "",
        }  # fmt: skip
        port_id = self._insert(t.ports, network_id=network_id, **{**values, **fields})
        for subnet_id, address in addresses:
            self.address(port_id, subnet_id, address)
        for group_id in groups:
            self.tx.insert(t.port_security_groups, {"port_id": port_id, "security_group_id": group_id})
        return port_id

    def address(self, port_id: str, subnet_id: str, address: str) -> None:
        packed = f"{int(ip_address(address)):032x}"
        ip = {"subnet_id": subnet_id, "packed": packed, "ip_address": address, "port_id": port_id}
        self.tx.insert(t.fixed_ips, ip)

    def router(self, **fields: Any) -> str:
        values = {
            "name": "r", "admin_state_up": True, "status": "BUILD",
            "enable_snat": True, "gateway_port_id": None, "routes": [], "availability_zone_hints": [],
        }  # fmt: skip
        return self._insert(t.routers, **{**values, **fields})

    def interface(self, router_id: str, network_id: str, *addresses: tuple[str, str]) -> str:
        return self._router_port(router_id, network_id, "network:router_interface", *addresses)

    def gateway(self, router_id: str, network_id: str, *addresses: tuple[str, str]) -> str:
        port_id = self._router_port(router_id, network_id, "network:router_gateway", *addresses)
        self.tx.update(t.routers, t.routers.c.id == router_id, {"gateway_port_id": port_id})
        return port_id

    def floating_ip(self, network_id: str, subnet_id: str, address: str, **fields: Any) -> str:
        holder = self.port(
            network_id, (subnet_id, address), device_owner="network:floatingip", port_security_enabled=False
        )
        values = {
            "port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN", "dns_name": "",
            "dns_domain": "",
        }  # fmt: skip
        return self._insert(
            t.floating_ips,
            floating_network_id=network_id, floating_ip_address=address, floating_port_id=holder, **{**values, **fields},
        )  # fmt: skip

    def group(self, stateful: bool = True) -> str:
        return self._insert(t.security_groups, name="g", stateful=stateful)

    def rule(self, group_id: str, direction: str = "ingress", ethertype: str = "IPv4", **fields: Any) -> str:
        values = {
            "protocol": None, "port_range_min": None, "port_range_max": None, "remote_ip_prefix": None,
            "remote_group_id": None, "remote_address_group_id": None,
        }  # fmt: skip
        return self._insert(
            t.security_group_rules,
            security_group_id=group_id, direction=direction, ethertype=ethertype, **{**values, **fields},
        )  # fmt: skip

    def address_group(self, *addresses: str) -> str:
        return self._insert(t.address_groups, name="a", addresses=list(addresses))

    def open_group(self) -> str:
        """A group that lets everything in and out."""
        group = self.group()
        for direction in ("ingress", "egress"):
            for ethertype in ("IPv4", "IPv6"):
                self.rule(group, direction, ethertype)
        return group

    def _router_port(self, router_id: str, network_id: str, owner: str, *addresses: tuple[str, str]) -> str:
        return self.port(network_id, *addresses, device_owner=owner, device_id=router_id, port_security_enabled=False)

    def _insert(self, table: Any, **fields: Any) -> str:
        standard = {
            "id": new_id(), "project_id": PROJECT, "description": "", "created_at": self.tx.now,
            "updated_at": self.tx.now, "revision_number": 0,
        }  # fmt: skip
        values = {**standard, **fields}
        self.tx.insert(table, values)
        return str(values["id"])
