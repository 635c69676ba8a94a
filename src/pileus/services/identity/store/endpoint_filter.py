"""Which projects an endpoint or an endpoint group is for."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.identity.store import rows
from pileus.services.identity.tables import (
    endpoint_group_projects,
    endpoint_groups,
    endpoint_projects,
    endpoints,
    projects,
)

TIES = {"endpoint_id": endpoint_projects, "endpoint_group_id": endpoint_group_projects}
"""By the column that names what is tied to projects."""


def tie(tx: Tx, column: str, row_id: str, project_id: str) -> None:
    rows.touch(tx)
    tx.upsert(TIES[column], {column: row_id, "project_id": project_id}, {})


def is_tied(tx: Tx, column: str, row_id: str, project_id: str) -> bool:
    c = TIES[column].c
    return tx.scalar(sa.select(c.project_id).where((c[column] == row_id) & (c.project_id == project_id))) is not None


def untie(tx: Tx, column: str, row_id: str, project_id: str) -> bool:
    rows.touch(tx)
    c = TIES[column].c
    return bool(tx.delete(TIES[column], (c[column] == row_id) & (c.project_id == project_id)))


def projects_of(column: str, row_id: str) -> sa.ColumnElement[bool]:
    """A condition on projects: those that the thing is tied to."""
    c = TIES[column].c
    return projects.c.id.in_(sa.select(c.project_id).where(c[column] == row_id))


def groups_for(project_id: str) -> sa.ColumnElement[bool]:
    """A condition on endpoint groups."""
    c = endpoint_group_projects.c
    return endpoint_groups.c.id.in_(sa.select(c.endpoint_group_id).where(c.project_id == project_id))


def endpoints_for(project_id: str) -> sa.ColumnElement[bool]:
    """A condition on endpoints: those tied to the project itself."""
    c = endpoint_projects.c
    return endpoints.c.id.in_(sa.select(c.endpoint_id).where(c.project_id == project_id))
