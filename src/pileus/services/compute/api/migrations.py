"""Migrations. Servers of this cloud do not move between hosts yet, so none are there."""

from __future__ import annotations

from typing import Annotated, Any

from pileus.core.body import Query, since
from pileus.core.errors import BadRequest
from pileus.core.paging import limit_of
from pileus.services.compute.service import api
from pileus.services.compute.types.fields import check_uuid


class MigrationsQuery(Query):
    hidden: str | None = None
    host: str | None = None
    instance_uuid: str | None = None
    migration_type: str | None = None
    source_compute: str | None = None
    status: str | None = None
    limit: Annotated[str | None, since("2.59")] = None
    marker: Annotated[str | None, since("2.59")] = None
    user_id: Annotated[str | None, since("2.80")] = None
    project_id: Annotated[str | None, since("2.80")] = None


@api.get("/os-migrations", policy="os_compute_api:os-migrations:index")
def list_migrations(query: MigrationsQuery) -> dict[str, Any]:
    limit_of(query.limit)
    if query.instance_uuid is not None:
        check_uuid(query.instance_uuid, "instance_uuid")
    if query.marker is not None:
        raise BadRequest(f"Marker {query.marker[:64]} not found.")
    return {"migrations": []}
