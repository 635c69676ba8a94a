"""Bodies of quotas."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pileus.core.body import UNSET, Body, Unset

Limit = Annotated[int, msgspec.Meta(ge=-1, le=2147483647)]


class QuotaUpdate(Body):
    __wrap__ = "quota"
    network: Limit | Unset = UNSET
    subnet: Limit | Unset = UNSET
    subnetpool: Limit | Unset = UNSET
    port: Limit | Unset = UNSET
    router: Limit | Unset = UNSET
    floatingip: Limit | Unset = UNSET
    security_group: Limit | Unset = UNSET
    security_group_rule: Limit | Unset = UNSET
    rbac_policy: Limit | Unset = UNSET
    check_limit: bool = False
    """Refuse a limit below what the project has."""
    force: bool = False
