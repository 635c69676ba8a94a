"""Every noun as a collection: its table, who sees which rows, and what can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import sqlalchemy as sa

from pileus.core.db import matches, now
from pileus.services.network import tables
from pileus.services.network.store import networks, ports, rbac, routers, security_groups, subnetpools, subnets
from pileus.services.network.store.collection import Collection, Condition, columns_of, has
from pileus.services.network.store.common import shared_to
from pileus.services.network.types import rows

LOST = timedelta(seconds=75)
"""A host that was not seen for so long is not alive."""


def _shared(table: sa.Table) -> Condition:
    def condition(values: Sequence[str], project_id: str | None) -> sa.ColumnElement[bool]:
        return has(table.c.id.in_(shared_to(project_id)), values, "shared")

    return condition


def _through_network(column: sa.ColumnElement[str], inner: Callable[[Sequence[str], str | None], object]) -> Condition:
    """A condition on the network that a row belongs to."""

    def condition(values: Sequence[str], project_id: str | None) -> sa.ColumnElement[bool]:
        return column.in_(sa.select(tables.networks.c.id).where(inner(values, project_id)))  # type: ignore[arg-type]

    return condition


def _external(values: Sequence[str], _: str | None) -> sa.ColumnElement[bool]:
    return has(tables.networks.c.external, values, "router:external")


def _physical(values: Sequence[str], _: str | None) -> sa.ColumnElement[bool]:
    return tables.networks.c.physical_network.in_(values)


def _active(values: Sequence[str], _: str | None) -> sa.ColumnElement[bool]:
    return sa.true() if "ACTIVE" in values else sa.false()


def _by_addresses(values: Sequence[str], _: str | None) -> sa.ColumnElement[bool]:
    """fixed_ips=ip_address=A, fixed_ips=subnet_id=S, fixed_ips=ip_address_substr=1.2; those of one kind are alternatives."""
    asked: dict[str, list[str]] = {}
    for value in values:
        kind, _, text = value.partition("=")
        asked.setdefault(kind, []).append(text)
    found: list[sa.ColumnElement[bool]] = []
    for kind, texts in asked.items():
        held = sa.select(tables.fixed_ips.c.port_id)
        if kind == "ip_address":
            held = held.where(matches(tables.fixed_ips.c.ip_address, texts))
        elif kind == "subnet_id":
            held = held.where(matches(tables.fixed_ips.c.subnet_id, texts))
        elif kind == "ip_address_substr":
            held = held.where(sa.or_(*[tables.fixed_ips.c.ip_address.contains(t, autoescape=True) for t in texts]))
        else:
            return sa.false()
        found.append(tables.ports.c.id.in_(held))
    return sa.and_(*found)


def _by_groups(values: Sequence[str], _: str | None) -> sa.ColumnElement[bool]:
    held = tables.port_security_groups
    return tables.ports.c.id.in_(sa.select(held.c.port_id).where(matches(held.c.security_group_id, values)))


def _by_gateway(values: Sequence[str], _: str | None) -> sa.ColumnElement[bool]:
    gateways = sa.select(tables.ports.c.id).where(matches(tables.ports.c.network_id, values))
    return tables.routers.c.gateway_port_id.in_(gateways)


def _of_default_group(values: Sequence[str], _: str | None) -> sa.ColumnElement[bool]:
    defaults = sa.select(tables.default_security_groups.c.security_group_id)
    return has(tables.security_group_rules.c.security_group_id.in_(defaults), values, "belongs_to_default_sg")


NETWORKS = Collection(
    table=tables.networks,
    row=rows.NetworkRow,
    seen_by=networks.seen_by,
    columns=columns_of(
        tables.networks,
        external="router:external",
        network_type="provider:network_type",
        segmentation_id="provider:segmentation_id",
        physical_network="provider:physical_network",
    ),
    conditions={"shared": _shared(tables.networks), "status": _active, "provider:physical_network": _physical},
)
SUBNETS = Collection(
    table=tables.subnets,
    row=rows.SubnetRow,
    seen_by=subnets.seen_by,
    columns=columns_of(tables.subnets),
    conditions={
        "shared": _through_network(tables.subnets.c.network_id, _shared(tables.networks)),
        "router:external": _through_network(tables.subnets.c.network_id, _external),
    },
)
PORTS = Collection(
    table=tables.ports,
    row=rows.PortRow,
    seen_by=ports.seen_by,
    columns=columns_of(tables.ports, binding_host="binding:host_id", vnic_type="binding:vnic_type"),
    conditions={
        "fixed_ips": _by_addresses,
        "security_groups": _by_groups,
        "security_group_ids": _by_groups,
    },
)
SECURITY_GROUPS = Collection(
    table=tables.security_groups,
    row=rows.SecurityGroupRow,
    seen_by=security_groups.seen_by,
    columns=columns_of(tables.security_groups),
    conditions={"shared": _shared(tables.security_groups)},
)
SECURITY_GROUP_RULES = Collection(
    table=tables.security_group_rules,
    row=rows.SecurityGroupRuleRow,
    seen_by=security_groups.rules_seen_by,
    columns=columns_of(tables.security_group_rules),
    conditions={"belongs_to_default_sg": _of_default_group},
)
ADDRESS_GROUPS = Collection(
    table=tables.address_groups,
    row=rows.AddressGroupRow,
    seen_by=security_groups.address_groups_seen_by,
    columns=columns_of(tables.address_groups),
    conditions={"shared": _shared(tables.address_groups)},
)
ROUTERS = Collection(
    table=tables.routers,
    row=rows.RouterRow,
    seen_by=routers.seen_by,
    columns=columns_of(tables.routers),
    conditions={"external_gateway_info": _by_gateway},
)
FLOATING_IPS = Collection(
    table=tables.floating_ips,
    row=rows.FloatingIpRow,
    seen_by=routers.floating_ips_seen_by,
    columns=columns_of(tables.floating_ips),
)
SUBNETPOOLS = Collection(
    table=tables.subnetpools,
    row=rows.SubnetpoolRow,
    seen_by=subnetpools.seen_by,
    columns=columns_of(tables.subnetpools),
    conditions={"shared": _shared(tables.subnetpools)},
)
ADDRESS_SCOPES = Collection(
    table=tables.address_scopes,
    row=rows.AddressScopeRow,
    seen_by=subnetpools.scopes_seen_by,
    columns=columns_of(tables.address_scopes),
    conditions={"shared": _shared(tables.address_scopes)},
)
RBAC_POLICIES = Collection(
    table=tables.rbac_policies,
    row=rows.RbacPolicyRow,
    seen_by=rbac.seen_by,
    columns=columns_of(tables.rbac_policies) | {"target_tenant": tables.rbac_policies.c.target_project},
)
AGENTS = Collection(
    table=tables.chassis,
    row=rows.ChassisRow,
    seen_by=lambda _: sa.true(),
    columns={"id": tables.chassis.c.id, "host": tables.chassis.c.host},
    conditions={"alive": lambda values, _: has(tables.chassis.c.seen_at > now() - LOST, values, "alive")},
)
