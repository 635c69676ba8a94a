"""Unified limits: what a service's resource is limited to by default, and for single projects and domains."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import BadRequest, Conflict, Forbidden
from pileus.services.identity.rules import resources
from pileus.services.identity.rules.assignments import found_domain
from pileus.services.identity.rules.targets import Target
from pileus.services.identity.store import rows
from pileus.services.identity.types.catalog import RegionRow, ServiceRow
from pileus.services.identity.types.policies import (
    LimitRow,
    LimitUpdate,
    LimitWish,
    RegisteredLimitRow,
    RegisteredLimitUpdate,
    RegisteredLimitWish,
)
from pileus.services.identity.types.projects import ProjectRow


def register(tx: Tx, caller: Caller, wish: RegisteredLimitWish) -> RegisteredLimitRow:
    """Raises BadRequest for a service or region that is not there, Conflict where there is such a limit."""
    row = RegisteredLimitRow(
        new_hex_id(), wish.service_id, wish.region_id, wish.resource_name, wish.default_limit, wish.description
    )
    _must_fit(tx, row)
    return resources.add(tx, caller, row)


def _must_fit(tx: Tx, row: RegisteredLimitRow) -> None:
    if rows.find(tx, ServiceRow, row.service_id) is None:
        raise BadRequest(f"There is no service {row.service_id}.")
    if row.region_id is not None and rows.find(tx, RegionRow, row.region_id) is None:
        raise BadRequest(f"There is no region {row.region_id}.")
    for other in _registered(tx, row.service_id, row.region_id, row.resource_name):
        if other.id != row.id:
            raise Conflict(f"Resource {row.resource_name} of service {row.service_id} has limit {other.id} already.")


def _registered(tx: Tx, service_id: str, region_id: str | None, resource_name: str) -> list[RegisteredLimitRow]:
    return rows.where(tx, RegisteredLimitRow, service_id=service_id, region_id=region_id, resource_name=resource_name)


def update_registered(
    tx: Tx, settings: Settings, caller: Caller, row: RegisteredLimitRow, body: RegisteredLimitUpdate
) -> RegisteredLimitRow:
    values = resources.wishes(body)
    if set(values) & {"service_id", "region_id", "resource_name"}:
        _must_be_unused(tx, row)
        _must_fit(tx, msgspec.structs.replace(row, **values))
    changed = resources.change(tx, caller, row, values)
    _must_fit_the_tree(tx, settings, changed)
    return changed


def delete_registered(tx: Tx, caller: Caller, row: RegisteredLimitRow) -> None:
    _must_be_unused(tx, row)
    resources.remove(tx, caller, row)


def _must_be_unused(tx: Tx, row: RegisteredLimitRow) -> None:
    """Raises Forbidden while there are limits of projects or domains that override it."""
    used = rows.where(tx, LimitRow, service_id=row.service_id, region_id=row.region_id, resource_name=row.resource_name)
    if used:
        raise Forbidden(f"Registered limit {row.id} is overridden by {len(used)} limits; delete those first.")


def create(tx: Tx, settings: Settings, caller: Caller, wishes: Sequence[LimitWish]) -> list[LimitRow]:
    """Raises BadRequest without exactly one of project and domain or without a registered limit; Conflict for a second;

    Forbidden for more than the domain has, where that is the model.
    """
    made = [_create(tx, caller, wish) for wish in wishes]
    for limit in made:
        _must_fit_the_tree(tx, settings, limit)
    return made


def _create(tx: Tx, caller: Caller, wish: LimitWish) -> LimitRow:
    if (wish.project_id is None) == (wish.domain_id is None):
        raise BadRequest("A limit is for a project_id or for a domain_id, one of them.")
    if wish.project_id is not None:
        resources.find(tx, ProjectRow, wish.project_id)
    if wish.domain_id is not None:
        found_domain(tx, wish.domain_id)
    if not _registered(tx, wish.service_id, wish.region_id, wish.resource_name):
        raise BadRequest(f"There is no registered limit for {wish.resource_name} of service {wish.service_id}.")
    same = {name: getattr(wish, name) for name in LimitRow.__filters__}
    if rows.where(tx, LimitRow, **same):
        raise Conflict(f"There is a limit for {wish.resource_name} here already.")
    row = LimitRow(new_hex_id(), resource_limit=wish.resource_limit, description=wish.description, **same)
    return resources.add(tx, caller, row)


def update(tx: Tx, settings: Settings, caller: Caller, limit: LimitRow, body: LimitUpdate) -> LimitRow:
    changed = resources.change(tx, caller, limit, resources.wishes(body))
    _must_fit_the_tree(tx, settings, changed)
    return changed


def delete(tx: Tx, settings: Settings, caller: Caller, limit: LimitRow) -> None:
    resources.remove(tx, caller, limit)
    _must_fit_the_tree(tx, settings, limit)


# -- the models


MODELS = {
    "flat": "Each project and domain has its own limits; nothing is passed down the tree.",
    "strict_two_level": (
        "No project has a higher limit than its domain, which has the registered one where it has no other; "
        "projects have no projects below them."
    ),
}


def _must_fit_the_tree(tx: Tx, settings: Settings, changed: LimitRow | RegisteredLimitRow) -> None:
    """Of all limits of this resource. Raises Forbidden."""
    if settings.limit_model == "flat":
        return
    resource = {name: getattr(changed, name) for name in ("service_id", "region_id", "resource_name")}
    defaults = [row.default_limit for row in rows.where(tx, RegisteredLimitRow, **resource)]
    limits = rows.where(tx, LimitRow, **resource)
    of_domains = {limit.domain_id: limit.resource_limit for limit in limits if limit.project_id is None}
    for limit in limits:
        project = rows.find(tx, ProjectRow, limit.project_id) if limit.project_id else None
        if project is None:
            continue
        if project.parent_id != project.domain_id:
            raise Forbidden(f"Project {project.id} is below another, and the limit model has no place for it.")
        most = of_domains.get(project.domain_id, defaults[0])
        if _is_more(limit.resource_limit, most):
            raise Forbidden(
                f"Project {project.id} would have {limit.resource_limit} of {limit.resource_name}, "
                f"and its domain {project.domain_id} has {most}."
            )


def _is_more(one: int, other: int) -> bool:
    """-1 is without end."""
    return other != -1 and (one == -1 or one > other)


def target_limit(tx: Tx, limit: LimitRow) -> Target:
    project = rows.find(tx, ProjectRow, limit.project_id) if limit.project_id else None
    found: Target = {"target.limit.project_id": limit.project_id, "target.limit.domain.id": limit.domain_id}
    if project is not None:
        found["target.limit.project.domain_id"] = project.domain_id
    return found


def limits_of(tx: Tx, service_type: str, project_id: str | None) -> dict[str, int]:
    """Resource -> what a project may have of it: its own limit over the registered one; the least of several regions'.

    What is not registered has none.
    """
    found: dict[str, int] = {}
    for service in rows.where(tx, ServiceRow, type=service_type):
        registered = rows.where(tx, RegisteredLimitRow, service_id=service.id)
        own = (
            rows.where(tx, LimitRow, service_id=service.id, project_id=project_id) if registered and project_id else []
        )
        overridden = {(limit.region_id, limit.resource_name): limit.resource_limit for limit in own}
        for row in registered:
            most = overridden.get((row.region_id, row.resource_name), row.default_limit)
            if _is_more(found.get(row.resource_name, -1), most) or row.resource_name not in found:
                found[row.resource_name] = most
    return found
