"""How much a project may have of each noun."""

from __future__ import annotations

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.quota import count_again, take
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

    Holds the project's noun until commit: two requests can't both take the last that is left.
    """
    limit = _held_limit(tx, project_id, resource)
    if limit < 0:
        return
    wanted, limits = {resource: more}, {resource: limit}
    have = take(tx, _owner(project_id, resource), wanted, limits, lambda _: {resource: used(tx, project_id, resource)})
    if have[resource] + more > limit:
        raise Conflict(
            f"Quota exceeded for resources: ['{resource}']. The project has {have[resource]} of {limit}.",
            code="OverQuota",
        )


def _held_limit(tx: Tx, project_id: str, resource: str) -> int:
    """-1: none. Asked for once for all that a request makes."""
    key = _limit_key(project_id, resource)
    if key not in tx.memo:
        own = store.limit(tx, project_id, resource)
        tx.memo[key] = DEFAULTS[resource] if own is None else own
        if tx.memo[key] >= 0:
            tx.hold(f"quota:{resource}:{project_id}")
    found: int = tx.memo[key]
    return found


def _limit_key(project_id: str, resource: str) -> tuple[str, ...]:
    return ("network quota", project_id, resource)


def given_uncounted(tx: Tx, project_id: str) -> None:
    """The project has got something that was not checked: the next check counts."""
    count_again(tx, _owner(project_id))


def _owner(project_id: str, resource: str = "") -> str:
    return f"network:{project_id}:{resource}"


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
        tx.memo.pop(_limit_key(project_id, resource), None)
    given_uncounted(tx, project_id)


def forget(tx: Tx, project_id: str) -> None:
    """Back to the defaults. Raises NotFound where no limit of the project differs from them."""
    if not store.forget(tx, project_id):
        raise NotFound(f"Quota for project {project_id[:64]} could not be found.", code="TenantQuotaNotFound")
    given_uncounted(tx, project_id)


def projects(tx: Tx) -> list[str]:
    """Those with limits of their own."""
    return store.projects(tx)
