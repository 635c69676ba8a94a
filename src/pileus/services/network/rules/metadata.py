"""The port by which each network with DHCP reaches the metadata service: made, addressed and dropped with its subnets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pileus.core.db import Tx, new_id
from pileus.node.desired import MetadataPort
from pileus.services.network import addresses, tables
from pileus.services.network.store import addresses as address_store
from pileus.services.network.store import common
from pileus.services.network.store import ports as port_store
from pileus.services.network.store import subnets as subnet_store
from pileus.services.network.types.ports import PortDetail
from pileus.services.network.types.rows import NetworkRow, PortRow, SubnetRow

OWNER = "network:distributed"
OWN_PORTS = (OWNER, "network:dhcp")
"""Device owners of ports that go with their network or subnet."""


def ensure(tx: Tx, network: NetworkRow) -> None:
    """One port with an address of each IPv4 subnet with DHCP, where the network has any subnet with DHCP.

    Hosts with guests on the network look again.
    """
    wake_hosts(tx, network.id)
    subnets = [subnet for subnet in subnet_store.of_networks(tx, [network.id]) if subnet.enable_dhcp]
    port = port_store.metadata_port(tx, network.id)
    if not subnets:
        if port is not None:
            drop(tx, port)
        return
    if port is None:
        port = _create(tx, network)
    held = {row.subnet_id for row in address_store.of_ports(tx, [port.id])[port.id]}
    wanted = {subnet.id: subnet for subnet in subnets if subnet.ip_version == 4}
    for subnet_id in held - set(wanted):
        address_store.release(tx, port.id, subnet_id)
    for subnet_id in set(wanted) - held:
        _take_any(tx, wanted[subnet_id], port)


def wake_hosts(tx: Tx, network_id: str) -> None:
    """What their guests are told of the network is another now."""
    for host in port_store.hosts_of_network(tx, network_id):
        tx.wake(f"host:{host}")


def drop(tx: Tx, port: PortRow) -> None:
    address_store.release(tx, port.id)
    port_store.set_groups(tx, port.id, [])
    common.remove(tx, tables.ports, port.id)


def metadata_ports(tx: Tx, guests: Sequence[PortDetail]) -> list[MetadataPort]:
    """Per network with DHCP that has one of these guests' ports."""
    by_network: dict[str, dict[str, str]] = defaultdict(dict)
    for guest in guests:
        by_network[guest.network.id].update({one.ip_address: guest.port.device_id for one in guest.fixed_ips})
    return [
        MetadataPort(
            network_id=network_id,
            port_id=port_id,
            mac=mac,
            addresses=tuple(f"{address}/{cidr.split('/')[1]}" for address, cidr in held),
            guests=by_network[network_id],
        )
        for (network_id, port_id, mac), held in port_store.metadata_ports(tx, list(by_network)).items()
    ]


def _create(tx: Tx, network: NetworkRow) -> PortRow:
    port = PortRow(
        id=new_id(),
        project_id=network.project_id,
        network_id=network.id,
        name="",
        mac_address=addresses.new_mac(),
        admin_state_up=True,
        status="DOWN",
        device_id=f"ovnmeta-{network.id}",
        device_owner=OWNER,
        port_security_enabled=False,
        binding_host="",
        binding_profile={},
        vnic_type="normal",
        allowed_address_pairs=[],
        extra_dhcp_opts=[],
        dns_name="",
        dns_domain="",
        description="",
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=1,
    )
    tx.insert(tables.ports, port)
    return port


def _take_any(tx: Tx, subnet: SubnetRow, port: PortRow) -> None:
    """An address of the subnet, or none where all are taken."""
    for pool in addresses.ranges(subnet.allocation_pools):
        while (found := address_store.next_of(tx, subnet.id, subnet.ip_version, pool)) is not None:
            if address_store.take(tx, subnet.id, found, port.id):
                return
