"""The image service, with identity beside it for the limits of projects."""

from pileus.core.db import Database
from pileus.core.http import Service
from pileus.services.identity.api import api as identity
from pileus.services.identity.store import rows
from pileus.services.identity.types.catalog import ServiceRow
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.image.api import api


def services() -> list[Service]:
    return [api, identity]


def prepare(db: Database) -> None:
    with db.write() as tx:
        rows.insert(tx, ServiceRow("images", "image", "glance", None, True, {}))
        rows.insert(tx, ProjectRow("default", "Default", None, None, True, True, "", {}, {}))
        for project in ("p1", "p2"):
            rows.insert(tx, ProjectRow(project, project, "default", None, False, True, "", {}, {}))
