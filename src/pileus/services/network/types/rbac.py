"""Bodies and replies of RBAC policies."""

from __future__ import annotations

from typing import Literal

from pileus.core.body import UNSET, Body, Reply, Unset
from pileus.services.network.types.common import Name, Uuid

ObjectType = Literal["network", "subnetpool", "address_scope", "address_group", "security_group"]


class RbacPolicyCreate(Body):
    object_type: ObjectType
    object_id: Uuid
    action: Literal["access_as_shared", "access_as_external"]
    target_project: Name | Unset = UNSET
    target_tenant: Name | Unset = UNSET
    project_id: Name | Unset = UNSET
    tenant_id: Name | Unset = UNSET


class RbacPolicyUpdate(Body):
    __wrap__ = "rbac_policy"
    target_project: Name | Unset = UNSET
    target_tenant: Name | Unset = UNSET


class RbacPolicyBody(Body):
    rbac_policy: RbacPolicyCreate | Unset = UNSET
    rbac_policies: list[RbacPolicyCreate] | Unset = UNSET


class RbacPolicy(Reply):
    __wrap__ = "rbac_policy"
    id: str
    project_id: str
    tenant_id: str
    object_type: str
    object_id: str
    action: str
    target_project: str
    target_tenant: str
