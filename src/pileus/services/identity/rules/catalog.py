"""The catalog as a project sees it, and the services, endpoints and regions behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pileus.core.db import Tx
from pileus.services.identity.store import catalog as store
from pileus.services.identity.types.catalog import EndpointRow

_PLACE = re.compile(r"[$%]\((\w+)\)s")


def catalog(tx: Tx, user_id: str, project_id: str | None) -> list[dict[str, Any]]:
    """Services with their endpoints, URLs filled in. A project that has endpoints of its own sees only those."""
    endpoints = store.enabled_endpoints(tx)
    if project_id is not None:
        direct, filters = store.chosen_for(tx, project_id)
        if direct or filters:
            endpoints = [row for row in endpoints if row.id in direct or any(_fits(row, f) for f in filters)]
    names = {"user_id": user_id, "project_id": project_id, "tenant_id": project_id}
    by_service: dict[str, list[dict[str, Any]]] = {}
    for row in endpoints:
        url = _filled(row.url, names)
        if url is not None:
            shown = {"id": row.id, "interface": row.interface, "region": row.region_id, "region_id": row.region_id}
            by_service.setdefault(row.service_id, []).append({**shown, "url": url})
    return [
        {"id": service.id, "type": service.type, "name": service.name or "", "endpoints": by_service[service.id]}
        for service in store.enabled_services(tx)
        if service.id in by_service
    ]


def _fits(row: EndpointRow, filters: Mapping[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in filters.items())


def _filled(url: str, names: Mapping[str, str | None]) -> str | None:
    """The URL with its places filled; None where the token has no such thing, a project for one."""
    for name in _PLACE.findall(url):
        if names.get(name) is None:
            return None
    return _PLACE.sub(lambda found: str(names[found[1]]), url)
