"""Decisions and state changes of identity, by noun. For other services: `project_exists`."""

from pileus.core.db import Tx
from pileus.services.identity.store import rows
from pileus.services.identity.types.projects import ProjectRow


def project_exists(tx: Tx, project_id: str) -> bool:
    return rows.find(tx, ProjectRow, project_id) is not None


__all__ = ["project_exists"]
