"""RBAC policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.network.api import frame
from pileus.services.network.rules import access
from pileus.services.network.rules import rbac as rules
from pileus.services.network.service import api
from pileus.services.network.store.nouns import RBAC_POLICIES
from pileus.services.network.types.rbac import RbacPolicy, RbacPolicyBody, RbacPolicyCreate, RbacPolicyUpdate
from pileus.services.network.types.rows import RbacPolicyRow


def view(tx: Tx, caller: Caller, rows: Sequence[RbacPolicyRow]) -> list[RbacPolicy]:
    return [
        RbacPolicy(
            id=row.id,
            project_id=row.project_id,
            tenant_id=row.project_id,
            object_type=row.object_type,
            object_id=row.object_id,
            action=row.action,
            target_project=row.target_project,
            target_tenant=row.target_project,
        )
        for row in rows
    ]


def target(tx: Tx, caller: Caller, wish: RbacPolicyCreate) -> Mapping[str, Any]:
    project_id = access.owner(caller, wish.project_id, wish.tenant_id)
    return {"project_id": project_id, "target_project": rules.target_of(wish)}


def policy_target(rbac_policy: RbacPolicyRow, body: RbacPolicyUpdate) -> Mapping[str, Any]:
    """What rules on a change compare."""
    return {"project_id": rbac_policy.project_id, "target_project": rules.target_of(body)}


RBAC_POLICY = frame.Noun("rbac_policy", "rbac_policies", RBAC_POLICIES, view, target)
CREATE = frame.attribute_rules("create_rbac_policy", RbacPolicyCreate, "rbac_policy")
UPDATE = frame.attribute_rules("update_rbac_policy", RbacPolicyUpdate)
PATH = "/rbac-policies/{rbac_policy_id}"


@api.get("/rbac-policies", policy="get_rbac_policy")
def list_rbac_policies(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    return frame.listing(RBAC_POLICY, tx, caller, request)


@api.post(
    "/rbac-policies",
    policy="create_rbac_policy",
    target=frame.creation_target(RBAC_POLICY),
    policies=CREATE,
    success=201,
)
def create_rbac_policies(tx: Tx, caller: Caller, request: Request, body: RbacPolicyBody) -> dict[str, Any]:
    return frame.creating(
        RBAC_POLICY, tx, caller, request, body, lambda wish: rules.create_rbac_policy(tx, caller, wish)
    )


@api.get(PATH, policy="get_rbac_policy", load=rules.visible_rbac_policy)
def show_rbac_policy(tx: Tx, caller: Caller, request: Request, rbac_policy: RbacPolicyRow) -> dict[str, Any]:
    return frame.showing(RBAC_POLICY, tx, caller, request, rbac_policy)


@api.put(PATH, policy="update_rbac_policy", policies=UPDATE, load=rules.visible_rbac_policy, target=policy_target)
def update_rbac_policy(
    tx: Tx, caller: Caller, request: Request, rbac_policy: RbacPolicyRow, body: RbacPolicyUpdate
) -> dict[str, Any]:
    new = rules.update_rbac_policy(tx, caller, rbac_policy, body)
    frame.record(RBAC_POLICY, tx, caller, "update", new)
    return frame.showing(RBAC_POLICY, tx, caller, request, new)


@api.delete(PATH, policy="delete_rbac_policy", load=rules.visible_rbac_policy)
def delete_rbac_policy(tx: Tx, caller: Caller, rbac_policy: RbacPolicyRow) -> None:
    rules.delete_rbac_policy(tx, rbac_policy)
    frame.record(RBAC_POLICY, tx, caller, "delete", rbac_policy)
