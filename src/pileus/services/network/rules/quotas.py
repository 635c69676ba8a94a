"""How much a project may have of each noun."""

from __future__ import annotations

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.services.network import tables
from pileus.services.network.store import common
from pileus.services.network.store import quotas as store

DEFAULTS = {
    "network": 100,
    "subnet": 100,
    "subnetpool": -1,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "security_group": 10,
    "security_group_rule": 100,
    "rbac_policy": 10,
}
_TABLES = {
    "network": tables.networks,
    "subnet": tables.subnets,
    "subnetpool": tables.subnetpools,
    "port": tables.ports,
    "router": tables.routers,
    "floatingip": tables.floating_ips,
    "security_group": tables.security_groups,
    "security_group_rule": tables.security_group_rules,
    "rbac_policy": tables.rbac_policies,
}
MAX_ROUTES = 30


def limits(tx: Tx, project_id: str) -> dict[str, int]:
    return DEFAULTS | store.limits(tx, project_id)


def used(tx: Tx, project_id: str, resource: str) -> int:
    return common.count(tx, _TABLES[resource], project_id)


def check(tx: Tx, project_id: str, resource: str, more: int = 1) -> None:
    """Raises Conflict (OverQuota) where `more` of a noun would exceed the project's limit.

    Holds the project's noun until commit: two requests can't both take the last that is left. So what was left at the
    last check of a transaction is counted down by the next.
    """
    key = ("quota left", project_id, resource)
    if tx.memo.get(key, 0) >= more:
        tx.memo[key] -= more
        return
    own = store.limit(tx, project_id, resource)
    limit = DEFAULTS[resource] if own is None else own
    if limit < 0:
        return
    tx.hold(f"quota:{resource}:{project_id}")
    have = used(tx, project_id, resource)
    if have + more > limit:
        raise Conflict(
            f"Quota exceeded for resources: ['{resource}']. The project has {have} of {limit}.", code="OverQuota"
        )
    tx.memo[key] = limit - have - more


def update(tx: Tx, project_id: str, wanted: dict[str, int], check_limit: bool) -> None:
    """Raises BadRequest where `check_limit` is asked for and the project has more than a new limit."""
    for resource, limit in wanted.items():
        have = used(tx, project_id, resource) if check_limit and limit >= 0 else 0
        if have > limit >= 0:
            raise BadRequest(
                f"Quota limit {limit} for {resource} must be at least {have}, which the project has.",
                code="InvalidQuotaValue",
            )
        store.set_limit(tx, project_id, resource, limit)


def forget(tx: Tx, project_id: str) -> None:
    """Back to the defaults. Raises NotFound where no limit of the project differs from them."""
    if not store.forget(tx, project_id):
        raise NotFound(f"Quota for project {project_id[:64]} could not be found.", code="TenantQuotaNotFound")


def projects(tx: Tx) -> list[str]:
    """Those with limits of their own."""
    return store.projects(tx)
