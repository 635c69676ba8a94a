"""What a server is told about itself by metadata service and config drive."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from pileus.node.desired import Documents
from pileus.services.compute.store.servers import ServerRow
from pileus.services.network import rules as network


def build(server: ServerRow, ports: Sequence[network.PortDetail]) -> Documents:
    """`ports`: in the order of the guest's NICs."""
    return Documents(
        meta_data=meta_data(server, ports),
        network_data=network_data(ports),
        user_data=server.user_data,
        ec2=ec2(server, ports),
        files=tuple(server.files),
    )


def meta_data(server: ServerRow, ports: Sequence[network.PortDetail]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "uuid": server.id,
        "name": server.name,
        "hostname": server.hostname,
        "project_id": server.project_id,
        "availability_zone": server.availability_zone,
        "launch_index": server.launch_index,
        "meta": server.metadata,
        "devices": _devices(server, ports),
        "dedicated_cpus": [],
    }
    if server.admin_password is not None:
        found["admin_pass"] = server.admin_password
    if server.public_key is not None:
        found["public_keys"] = {server.key_name: server.public_key}
        found["keys"] = [{"name": server.key_name, "type": server.key_type, "data": server.public_key}]
    return found


def _devices(server: ServerRow, ports: Sequence[network.PortDetail]) -> list[dict[str, Any]]:
    tags = {nic.port_id: nic.tag for nic in server.nics if nic.tag}
    return [
        {"type": "nic", "bus": "pci", "mac": detail.port.mac_address, "tags": [tags[detail.port.id]]}
        for detail in ports
        if detail.port.id in tags
    ]


def network_data(ports: Sequence[network.PortDetail]) -> dict[str, Any]:
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    services: dict[str, dict[str, Any]] = {}
    for detail in ports:
        link = f"tap{detail.port.id[:11]}"
        links.append(
            {
                "id": link,
                "type": "ovs",
                "vif_id": detail.port.id,
                "mtu": detail.network.mtu,
                "ethernet_mac_address": detail.port.mac_address,
            }
        )
        for fixed in detail.fixed_ips:
            found = _network(len(networks), link, detail, fixed)
            networks.append(found)
            services.update({service["address"]: service for service in found["services"]})
    return {"links": links, "networks": networks, "services": list(services.values())}


def _network(index: int, link: str, detail: network.PortDetail, fixed: network.FixedIp) -> dict[str, Any]:
    """One address of one port, with what its subnet says about routes and name servers."""
    subnet = fixed.subnet
    found: dict[str, Any] = {
        "id": f"network{index}",
        "link": link,
        "network_id": detail.network.id,
        "type": _address_type(subnet),
        "services": [{"type": "dns", "address": address} for address in subnet.dns_nameservers],
    }
    if found["type"] not in ("ipv4", "ipv6"):
        return found
    routes = [(route["destination"], route["nexthop"]) for route in subnet.host_routes]
    if subnet.gateway_ip:
        routes.insert(0, ("0.0.0.0/0" if subnet.ip_version == 4 else "::/0", subnet.gateway_ip))
    mask = str(ip_network(subnet.cidr).netmask)
    return found | {
        "ip_address": fixed.ip_address,
        "netmask": mask,
        "routes": [_route(destination, nexthop) for destination, nexthop in routes],
    }


def _address_type(subnet: network.SubnetRow) -> str:
    """How the guest gets the address, as network_data.json calls it; ipv4 and ipv6 alone are static."""
    if not subnet.enable_dhcp:
        return f"ipv{subnet.ip_version}"
    if subnet.ip_version == 4:
        return "ipv4_dhcp"
    return {"slaac": "ipv6_slaac", "dhcpv6-stateless": "ipv6_dhcpv6-stateless"}.get(
        subnet.ipv6_address_mode or "", "ipv6_dhcpv6-stateful"
    )


def _route(destination: str, nexthop: str) -> dict[str, str]:
    target = ip_network(destination, strict=False)
    return {"network": str(target.network_address), "netmask": str(target.netmask), "gateway": nexthop}


def ec2(server: ServerRow, ports: Sequence[network.PortDetail]) -> dict[str, Any]:
    """The tree under /latest/meta-data: a dict is a directory, a text a file."""
    fixed = [f.ip_address for detail in ports for f in detail.fixed_ips if f.subnet.ip_version == 4]
    floating = [f.floating_ip_address for detail in ports for f in detail.floating_ips]
    groups = dict.fromkeys(group.name for detail in ports for group in detail.security_groups)
    found: dict[str, Any] = {
        "ami-id": f"ami-{server.number:08x}",
        "ami-launch-index": str(server.launch_index),
        "ami-manifest-path": server.image.name,
        "block-device-mapping": {"ami": "vda", "root": "/dev/vda"},
        "hostname": server.hostname,
        "instance-action": "none",
        "instance-id": f"i-{server.number:08x}",
        "instance-type": server.flavor.name,
        "local-hostname": server.hostname,
        "local-ipv4": fixed[0] if fixed else "",
        "placement": {"availability-zone": server.availability_zone or ""},
        "public-hostname": server.hostname,
        "public-ipv4": floating[0] if floating else "",
        "reservation-id": server.reservation_id,
        "security-groups": "\n".join(groups),
    }
    if server.public_key is not None:
        found["public-keys"] = {f"0={server.key_name}": {"openssh-key": server.public_key}}
    return found
