"""The network's nouns as compute showed them until 2.35."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.services.network.rules import floating_ips, listing, networks, port_of, security_groups
from pileus.services.network.types.routers import FloatingIpCreate
from pileus.services.network.types.rows import FloatingIpRow, NetworkRow, SecurityGroupRow, SecurityGroupRuleRow
from pileus.services.network.types.security_groups import (
    SecurityGroupCreate,
    SecurityGroupRuleCreate,
    SecurityGroupUpdate,
)


@contextmanager
def compute_statuses() -> Iterator[None]:
    """The network's conflicts with the statuses that compute gave them: 403 over quota, 400 otherwise."""
    try:
        yield
    except Conflict as error:
        if error.code == "OverQuota":
            raise Forbidden(error.message) from None
        raise BadRequest(error.message) from None


def groups(tx: Tx, caller: Caller, everyone: bool) -> list[SecurityGroupRow]:
    """The project's, its default group among them; of all projects for those who see them."""
    if caller.project_id and tx.writable:
        security_groups.default_group(tx, caller.project_id)
    return listing.list_security_groups(tx, caller, None if everyone else caller.project_id)


def create_group(tx: Tx, caller: Caller, name: str, description: str) -> SecurityGroupRow:
    with compute_statuses():
        return security_groups.create_security_group(
            tx, caller, SecurityGroupCreate(name=name, description=description)
        )


def update_group(tx: Tx, caller: Caller, group_id: str, name: str, description: str) -> SecurityGroupRow:
    row = security_groups.visible_security_group(tx, caller, group_id)
    with compute_statuses():
        return security_groups.update_security_group(
            tx, caller, row, SecurityGroupUpdate(name=name, description=description)
        )


def delete_group(tx: Tx, caller: Caller, group_id: str) -> None:
    with compute_statuses():
        security_groups.delete_security_group(tx, caller, security_groups.visible_security_group(tx, caller, group_id))


def rules(tx: Tx, rows: list[SecurityGroupRow]) -> dict[str, list[SecurityGroupRuleRow]]:
    """By group, the ones that let something in: compute knew no others."""
    found = listing.rules_of_security_groups(tx, [row.id for row in rows])
    return {key: [one for one in some if one.direction == "ingress"] for key, some in found.items()}


def ports_shown(rule: SecurityGroupRuleRow) -> tuple[int | None, int | None]:
    """Compute writes all ports of TCP and UDP as 1 to 65535, and of other protocols as -1."""
    if rule.protocol is None or rule.port_range_min is not None or rule.port_range_max is not None:
        return rule.port_range_min, rule.port_range_max
    return (1, 65535) if rule.protocol in ("tcp", "udp") else (-1, -1)


def create_rule(
    tx: Tx,
    caller: Caller,
    group_id: str,
    protocol: str | None,
    low: int,
    high: int,
    cidr: str | None,
    other: str | None,
) -> SecurityGroupRuleRow:
    """-1 stands for all. Raises BadRequest for one that is there, or can't be."""
    with compute_statuses():
        return security_groups.create_rule(
            tx,
            caller,
            SecurityGroupRuleCreate(
                security_group_id=group_id,
                direction="ingress",
                ethertype="IPv6" if cidr and ":" in cidr else "IPv4",
                protocol=protocol.lower() if protocol else None,
                port_range_min=None if low == -1 else low,
                port_range_max=None if high == -1 else high,
                remote_ip_prefix=None if other else cidr or "0.0.0.0/0",
                remote_group_id=other,
            ),
        )


def delete_rule(tx: Tx, caller: Caller, rule_id: str) -> None:
    security_groups.delete_rule(tx, security_groups.visible_rule(tx, caller, rule_id))


def external_networks(tx: Tx, caller: Caller) -> list[NetworkRow]:
    """The pools of floating IPs."""
    return [row for row in listing.list_networks(tx, caller) if row.external]


def server_of(tx: Tx, floating: FloatingIpRow) -> str | None:
    """Where it leads."""
    port = port_of(tx, floating.port_id) if floating.port_id else None
    return port.device_id or None if port is not None else None


def create_floating_ip(tx: Tx, caller: Caller, pool: str | None) -> FloatingIpRow:
    """Of the pool with this name or id, of the only one without. Raises NotFound, Forbidden (quota)."""
    pools = [row for row in external_networks(tx, caller) if pool in (None, row.name, row.id)]
    if not pools:
        raise NotFound(f"Floating IP pool {pool or '(any)'} not found.")
    with compute_statuses():
        return floating_ips.create_floating_ip(tx, caller, FloatingIpCreate(floating_network_id=pools[0].id))


def network(tx: Tx, caller: Caller, network_id: str) -> NetworkRow:
    return networks.visible_network(tx, caller, network_id)
