"""What projects have used in a period."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pileus.core.body import Query, since
from pileus.core.context import Caller
from pileus.core.db import Tx, now
from pileus.core.http import Request
from pileus.core.paging import limit_of
from pileus.core.version import Version
from pileus.services.compute.rules import usage as rules
from pileus.services.compute.rules.usage import ProjectUsage
from pileus.services.compute.service import api
from pileus.services.compute.types.fields import next_links

PAGES = Version(2, 40)


class UsageQuery(Query):
    start: str | None = None
    end: str | None = None
    detailed: str | None = None
    limit: Annotated[str | None, since("2.40")] = None
    marker: Annotated[str | None, since("2.40")] = None


def of_project(tenant_id: str) -> dict[str, Any]:
    return {"project_id": tenant_id}


def _found(tx: Tx, caller: Caller, query: UsageQuery, project: str | None) -> tuple[list[ProjectUsage], str | None]:
    """The usages, and the marker of the next page where there may be one."""
    limit = limit_of(query.limit) if caller.version >= PAGES else None
    found = rules.usages(tx, rules.period(query.start, query.end, now()), project, limit, query.marker)
    servers = [one for usage in found for one in usage.server_usages]
    return found, servers[-1].instance_id if servers and len(servers) == limit else None


@api.get("/os-simple-tenant-usage", policy="os_compute_api:os-simple-tenant-usage:list")
def list_usages(tx: Tx, caller: Caller, request: Request, query: UsageQuery) -> dict[str, Any]:
    usages, marker = _found(tx, caller, query, None)
    found = [msgspec.to_builtins(usage) for usage in usages]
    if query.detailed != "1":
        for usage in found:
            del usage["server_usages"]
    answer: dict[str, Any] = {"tenant_usages": found}
    return answer | ({"tenant_usages_links": next_links(request, marker)} if marker else {})


@api.get("/os-simple-tenant-usage/{tenant_id}", policy="os_compute_api:os-simple-tenant-usage:show", target=of_project)
def show_usage(tx: Tx, caller: Caller, request: Request, tenant_id: str, query: UsageQuery) -> dict[str, Any]:
    usages, marker = _found(tx, caller, query, tenant_id)
    usage = usages[0] if usages else rules.nothing(tenant_id, rules.period(query.start, query.end, now()))
    answer: dict[str, Any] = {"tenant_usage": msgspec.to_builtins(usage)}
    return answer | ({"tenant_usage_links": next_links(request, marker)} if marker else {})
