"""The catalog: which endpoints a project sees."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.identity.store import rows
from pileus.services.identity.store.kept import kept
from pileus.services.identity.tables import endpoint_group_projects, endpoint_groups, endpoint_projects, endpoints
from pileus.services.identity.tables import services as service_table
from pileus.services.identity.types.catalog import EndpointRow, ServiceRow


def enabled_services(tx: Tx) -> list[ServiceRow]:
    return rows.where(tx, ServiceRow, service_table.c.enabled)


def enabled_endpoints(tx: Tx) -> list[EndpointRow]:
    return rows.where(tx, EndpointRow, endpoints.c.enabled)


def chosen_for(tx: Tx, project_id: str) -> tuple[set[str], list[dict[str, Any]]]:
    """The endpoints that are tied to a project, and the filters of the endpoint groups that are."""
    if not kept(tx, "endpoints are tied", _some_are_tied):
        return set(), []
    direct = sa.select(endpoint_projects.c.endpoint_id).where(endpoint_projects.c.project_id == project_id)
    by_group = sa.select(endpoint_groups.c.filters).join(
        endpoint_group_projects, endpoint_group_projects.c.endpoint_group_id == endpoint_groups.c.id
    )
    filters = tx.scalars(by_group.where(endpoint_group_projects.c.project_id == project_id))
    return set(tx.scalars(direct)), filters


def _some_are_tied(tx: Tx) -> bool:
    ties = [sa.exists(sa.select(table)) for table in (endpoint_projects, endpoint_group_projects)]
    return bool(tx.scalar(sa.select(sa.or_(*ties))))
