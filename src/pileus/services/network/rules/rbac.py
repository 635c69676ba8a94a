"""RBAC policies: what a project shares with another, or with all ("*")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pileus.core.body import UNSET, Unset
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict
from pileus.services.network import tables
from pileus.services.network.rules import access, networks, quotas, security_groups, subnetpools
from pileus.services.network.store import common, nouns
from pileus.services.network.store import rbac as store
from pileus.services.network.types.rbac import RbacPolicyCreate, RbacPolicyUpdate
from pileus.services.network.types.rows import RbacPolicyRow

EXTERNAL = "access_as_external"
_OBJECTS: dict[str, Callable[[Tx, Caller, str], Any]] = {
    "network": networks.visible_network,
    "subnetpool": subnetpools.visible_subnetpool,
    "address_scope": subnetpools.visible_address_scope,
    "address_group": security_groups.visible_address_group,
    "security_group": security_groups.visible_security_group,
}


def visible_rbac_policy(tx: Tx, caller: Caller, rbac_policy_id: str) -> RbacPolicyRow:
    return access.visible(tx, caller, nouns.RBAC_POLICIES, rbac_policy_id, "RbacPolicy")


def target_of(body: RbacPolicyCreate | RbacPolicyUpdate) -> str | None:
    """The project that a policy is for, by either of its names."""
    found = body.target_project if body.target_project is not UNSET else body.target_tenant
    return None if isinstance(found, Unset) else found


def create_rbac_policy(tx: Tx, caller: Caller, wish: RbacPolicyCreate) -> RbacPolicyRow:
    """Raises NotFound for the object, BadRequest where it is another project's, Conflict for one that is there."""
    project_id = access.owner(caller, wish.project_id, wish.tenant_id)
    shared = _OBJECTS[wish.object_type](tx, caller, wish.object_id)
    if shared.project_id != caller.project_id and not access.sees_all(caller):
        raise BadRequest(
            f"Invalid input for object_id: {wish.object_type} {shared.id} is of another project.", code="InvalidInput"
        )
    target = target_of(wish)
    if not target:
        raise BadRequest("Invalid input for target_tenant: give a project's id or '*'.", code="InvalidInput")
    if wish.action == EXTERNAL and wish.object_type != "network":
        raise BadRequest(
            f"Invalid input for action: '{EXTERNAL}' is for networks, not for a {wish.object_type}.",
            code="InvalidInput",
        )
    quotas.check(tx, project_id, "rbac_policy")
    row = RbacPolicyRow(new_id(), project_id, wish.object_type, shared.id, target, wish.action)
    if not store.insert(tx, row):
        raise Conflict(
            f"An RBAC policy already exists with the same values: {wish.action} of {shared.id} for {target}.",
            code="DuplicateRbacPolicy",
        )
    if wish.action == EXTERNAL and not shared.external:
        common.change(tx, tables.networks, shared, {"external": True})
        tx.wake("network")
    return row


def update_rbac_policy(tx: Tx, caller: Caller, row: RbacPolicyRow, body: RbacPolicyUpdate) -> RbacPolicyRow:
    target = target_of(body)
    if not target or target == row.target_project:
        return row
    _check_unused(tx, row, spared=target)
    store.set_target(tx, row.id, target, f"An RBAC policy of {row.object_id} for {target} already exists.")
    row.target_project = target
    return row


def delete_rbac_policy(tx: Tx, row: RbacPolicyRow) -> None:
    """Raises Conflict (RbacPolicyInUse) while a project uses what only this policy shares with it."""
    _check_unused(tx, row)
    store.delete(tx, row.id)
    if row.action == EXTERNAL and not any(other.action == EXTERNAL for other in store.of_object(tx, row.object_id)):
        network = networks.found(tx, row.object_id)
        if network is not None and network.external:
            networks.check_not_external_used(tx, network)
            common.change(tx, tables.networks, network, {"external": False})
            tx.wake("network")


def _check_unused(tx: Tx, row: RbacPolicyRow, spared: str | None = None) -> None:
    if row.action == EXTERNAL:
        return
    using: set[str] = set()
    if row.object_type == "network":
        using = store.projects_on_network(tx, row.object_id)
    elif row.object_type == "security_group":
        using = store.projects_with_group(tx, row.object_id)
    others = {p.target_project for p in store.of_object(tx, row.object_id) if p.id != row.id and p.action == row.action}
    lost = using - others - {row.project_id, spared}
    if row.target_project != "*":
        lost &= {row.target_project}
    if lost and "*" not in others and spared != "*":
        raise Conflict(
            f"RBAC policy on object {row.object_id} cannot be removed because projects depend on it:"
            f" {', '.join(sorted(lost)[:5])}.",
            code="RbacPolicyInUse",
        )
