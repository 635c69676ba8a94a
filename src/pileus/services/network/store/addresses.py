"""Fixed IPs: which addresses of a subnet are taken, and taking one."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import sqlalchemy as sa

from pileus.core.db import Tx, among, matches
from pileus.services.network.addresses import Range, next_free, pack
from pileus.services.network.tables import fixed_ips, ports
from pileus.services.network.types.rows import FixedIpRow


def take(tx: Tx, subnet_id: str, ip_address: str, port_id: str) -> bool:
    """False where a port has it already. Race-free: the primary key decides."""
    at = ipaddress.ip_address(ip_address)
    return tx.insert_new(fixed_ips, FixedIpRow(subnet_id, pack(at), str(at), port_id))


_INSIDE = (fixed_ips.c.subnet_id == sa.bindparam("subnet")) & fixed_ips.c.packed.between(
    sa.bindparam("first"), sa.bindparam("last")
)
_HIGHEST = sa.select(sa.func.max(fixed_ips.c.packed)).where(_INSIDE)
_TAKEN = sa.select(fixed_ips.c.packed).where(_INSIDE).order_by(fixed_ips.c.packed)


def next_of(tx: Tx, subnet_id: str, version: int, pool: Range) -> str | None:
    """The address of the pool to give next, None where all are taken."""
    kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    inside = {"subnet": subnet_id, "first": f"{pool.first:032x}", "last": f"{pool.last:032x}"}
    highest = tx.execute(_HIGHEST, inside).scalar()
    taken = [] if highest is None else [int(highest, 16)]
    if taken and taken[0] == pool.last:
        taken = [int(packed, 16) for packed in tx.execute(_TAKEN, inside).scalars()]
    found = next_free(pool, taken)
    return None if found is None else str(kind(found))


_OF_PORTS = sa.select(fixed_ips).where(among(fixed_ips.c.port_id)).order_by(fixed_ips.c.packed)


def of_ports(tx: Tx, port_ids: Sequence[str]) -> dict[str, list[FixedIpRow]]:
    """Each port's addresses, IPv4 first."""
    found: dict[str, list[FixedIpRow]] = {port_id: [] for port_id in port_ids}
    if port_ids:
        for row in tx.rows(FixedIpRow, _OF_PORTS, {"ids": port_ids}):
            found[row.port_id].append(row)
    return found


def release(tx: Tx, port_id: str, subnet_id: str | None = None, ip_address: str | None = None) -> None:
    mine = fixed_ips.c.port_id == port_id
    if subnet_id is not None:
        mine &= fixed_ips.c.subnet_id == subnet_id
    if ip_address is not None:
        mine &= fixed_ips.c.ip_address == ip_address
    tx.delete(fixed_ips, mine)


def holder(tx: Tx, network_id: str, ip_address: str) -> str | None:
    """The id of the port that has an address on a network."""
    statement = (
        sa.select(fixed_ips.c.port_id)
        .join(ports, ports.c.id == fixed_ips.c.port_id)
        .where(ports.c.network_id == network_id, fixed_ips.c.ip_address == ip_address)
    )
    found: str | None = tx.scalar(statement)
    return found


def holders(tx: Tx, subnet_id: str) -> list[tuple[str, str, str]]:
    """(port id, device owner, address) of every address of a subnet."""
    statement = (
        sa.select(fixed_ips.c.port_id, ports.c.device_owner, fixed_ips.c.ip_address)
        .join(ports, ports.c.id == fixed_ips.c.port_id)
        .where(fixed_ips.c.subnet_id == subnet_id)
    )
    return [(str(a), str(b), str(c)) for a, b, c in tx.execute(statement)]


def count(tx: Tx, subnet_ids: Sequence[str]) -> dict[str, int]:
    """Subnet id -> how many of its addresses are taken."""
    if not subnet_ids:
        return {}
    statement = sa.select(fixed_ips.c.subnet_id, sa.func.count()).where(matches(fixed_ips.c.subnet_id, subnet_ids))
    return {str(subnet_id): int(n) for subnet_id, n in tx.execute(statement.group_by(fixed_ips.c.subnet_id))}
