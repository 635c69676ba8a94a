"""Statements on networks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from pileus.core.db import Tx, among, matches
from pileus.services.network.store.common import shared_to
from pileus.services.network.tables import address_scopes, networks, ports, rbac_policies, subnetpools, subnets
from pileus.services.network.types.rows import NetworkRow, SubnetRow

Project = str | sa.BindParameter[str] | None
"""Whose view it is; a parameter, in a statement that is built once."""


def usable_by(project_id: Project) -> sa.ColumnElement[bool]:
    """Networks of the project, and those shared with it."""
    return (networks.c.project_id == project_id) | networks.c.id.in_(shared_to(project_id))


def seen_by(project_id: Project) -> sa.ColumnElement[bool]:
    """Usable ones, and the external ones."""
    return usable_by(project_id) | networks.c.id.in_(shared_to(project_id, "access_as_external"))


def usable(tx: Tx, project_id: str) -> list[NetworkRow]:
    statement = sa.select(networks).where(usable_by(project_id), networks.c.admin_state_up)
    return tx.rows(NetworkRow, statement.order_by(networks.c.created_at, networks.c.id))


_WITH_SUBNETS = (
    sa.select(networks, subnets)
    .outerjoin(subnets, subnets.c.network_id == networks.c.id)
    .order_by(subnets.c.created_at, subnets.c.id)
)
_OF_IDS = _WITH_SUBNETS.where(among(networks.c.id))
_OF_ID = _WITH_SUBNETS.where(networks.c.id == sa.bindparam("network"))
_SEEN = _OF_ID.where(seen_by(sa.bindparam("project", type_=sa.String)))
_WIDTH = len(networks.c)


def with_subnets(tx: Tx, ids: Collection[str]) -> tuple[dict[str, NetworkRow], dict[str, SubnetRow]]:
    """Networks and all their subnets, both by id."""
    found: dict[str, NetworkRow] = {}
    parts: dict[str, SubnetRow] = {}
    for row in tx.tuples(_OF_IDS, {"ids": ids}) if ids else ():
        found[row[0]] = NetworkRow(*row[:_WIDTH])
        if row[_WIDTH] is not None:
            parts[row[_WIDTH]] = SubnetRow(*row[_WIDTH:])
    return found, parts


def seen_with_subnets(
    tx: Tx, network_id: str, project_id: str | None, everything: bool
) -> tuple[NetworkRow, list[SubnetRow]] | None:
    """A network that the project sees, and its subnets in the order of their making."""
    rows = tx.tuples(_OF_ID if everything else _SEEN, {"network": network_id, "project": project_id})
    if not rows:
        return None
    return NetworkRow(*rows[0][:_WIDTH]), [SubnetRow(*row[_WIDTH:]) for row in rows if row[_WIDTH] is not None]


def largest_mtu_of(tx: Tx, kind: str) -> int:
    """Of all networks of a type; 0 where there are none."""
    return int(tx.scalar(sa.select(sa.func.max(networks.c.mtu)).where(networks.c.network_type == kind)) or 0)


def subnet_ids(tx: Tx, ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {network_id: [] for network_id in ids}
    if ids:
        statement = sa.select(subnets.c.network_id, subnets.c.id).where(matches(subnets.c.network_id, ids))
        for network_id, subnet_id in tx.execute(statement.order_by(subnets.c.created_at, subnets.c.id)):
            found[network_id].append(subnet_id)
    return found


def scope_ids(tx: Tx, ids: Sequence[str]) -> dict[tuple[str, int], str]:
    """(network id, IP version) -> the address scope that its subnets' pools belong to."""
    if not ids:
        return {}
    statement = (
        sa.select(subnets.c.network_id, subnets.c.ip_version, address_scopes.c.id)
        .join(subnetpools, subnetpools.c.id == subnets.c.subnetpool_id)
        .join(address_scopes, address_scopes.c.id == subnetpools.c.address_scope_id)
        .where(matches(subnets.c.network_id, ids))
    )
    return {(network_id, version): scope for network_id, version, scope in tx.execute(statement)}


def segmentation_ids(tx: Tx, network_type: str, physical_network: str) -> list[int]:
    """Those in use, sorted."""
    mine = (networks.c.network_type == network_type) & (networks.c.physical_network == physical_network)
    statement = sa.select(networks.c.segmentation_id).where(mine, networks.c.segmentation_id.is_not(None))
    return tx.scalars(statement.order_by(networks.c.segmentation_id))


def of_physical(tx: Tx, network_type: str, physical_network: str) -> NetworkRow | None:
    mine = (networks.c.network_type == network_type) & (networks.c.physical_network == physical_network)
    return tx.row(NetworkRow, sa.select(networks).where(mine).limit(1))


def forget_default(tx: Tx) -> None:
    tx.update(networks, networks.c.is_default, {"is_default": False})


def other_projects_using(tx: Tx, network_id: str, owner: str) -> list[str]:
    """Projects but the owner's with ports on a network."""

    mine = (ports.c.network_id == network_id) & ports.c.project_id.not_in(["", owner])
    return tx.scalars(sa.select(ports.c.project_id).where(mine).distinct())


def rbac_targets(tx: Tx, network_id: str, action: str) -> list[str]:
    mine = (rbac_policies.c.object_id == network_id) & (rbac_policies.c.action == action)
    return tx.scalars(sa.select(rbac_policies.c.target_project).where(mine))


def named(
    tx: Tx, ids: Sequence[str] | None, names: Sequence[str] | None, projects: Sequence[str] | None
) -> list[NetworkRow]:
    """All networks, or those of some ids, names and projects."""
    statement = sa.select(networks).order_by(networks.c.created_at, networks.c.id)
    for column, values in ((networks.c.id, ids), (networks.c.name, names), (networks.c.project_id, projects)):
        if values:
            statement = statement.where(matches(column, values))
    return tx.rows(NetworkRow, statement)
