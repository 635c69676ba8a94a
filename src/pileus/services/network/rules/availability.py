"""How many addresses each network has, and how many of them are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pileus.core.db import Tx
from pileus.core.errors import NotFound
from pileus.services.network import addresses
from pileus.services.network.store import addresses as address_store
from pileus.services.network.store import networks as store
from pileus.services.network.store import subnets as subnet_store
from pileus.services.network.types.facts import NetworkAvailability, SubnetAvailability
from pileus.services.network.types.rows import SubnetRow


def of_networks(tx: Tx, asked: Mapping[str, Sequence[str]]) -> list[NetworkAvailability]:
    """`asked`: network_id, network_name, project_id or tenant_id, ip_version -> values."""
    rows = store.named(
        tx, asked.get("network_id"), asked.get("network_name"), asked.get("project_id") or asked.get("tenant_id")
    )
    versions = asked.get("ip_version")
    subnets = [
        subnet
        for subnet in subnet_store.of_networks(tx, [row.id for row in rows])
        if not versions or str(subnet.ip_version) in versions
    ]
    used = address_store.count(tx, [subnet.id for subnet in subnets])
    found = []
    for row in rows:
        inside = [_of_subnet(subnet, used.get(subnet.id, 0)) for subnet in subnets if subnet.network_id == row.id]
        found.append(
            NetworkAvailability(
                network_id=row.id,
                network_name=row.name,
                project_id=row.project_id,
                tenant_id=row.project_id,
                total_ips=sum(subnet.total_ips for subnet in inside),
                used_ips=sum(subnet.used_ips for subnet in inside),
                subnet_ip_availability=inside,
            )
        )
    return found


def of_network(tx: Tx, network_id: str) -> NetworkAvailability:
    found = of_networks(tx, {"network_id": [network_id]})
    if not found:
        raise NotFound(f"Network {network_id[:64]} could not be found.", code="NetworkNotFound")
    return found[0]


def _of_subnet(subnet: SubnetRow, used: int) -> SubnetAvailability:
    total = sum(pool.last - pool.first + 1 for pool in addresses.ranges(subnet.allocation_pools))
    return SubnetAvailability(
        subnet_id=subnet.id,
        subnet_name=subnet.name,
        cidr=subnet.cidr,
        ip_version=subnet.ip_version,
        total_ips=total,
        used_ips=used,
    )
