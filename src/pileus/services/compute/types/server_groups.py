"""Bodies, queries and replies of server groups."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pileus.core.body import UNSET, Body, Query, Reply, Unset, since, until
from pileus.services.compute.types.fields import Name, Whole

Policy = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]


class GroupRules(Body):
    max_server_per_host: Whole | Unset = UNSET


class ServerGroupCreate(Body):
    __wrap__ = "server_group"
    name: Name
    policies: Annotated[Annotated[list[Policy], msgspec.Meta(min_length=1, max_length=1)], until("2.63")] | Unset = (
        UNSET
    )
    policy: Annotated[Policy, since("2.64")] | Unset = UNSET
    rules: Annotated[GroupRules, since("2.64")] | Unset = UNSET


class ServerGroupsQuery(Query):
    all_projects: str | None = None
    limit: str | None = None
    offset: str | None = None


class ServerGroup(Reply):
    __wrap__ = "server_group"
    id: str
    name: str
    members: list[str]
    policies: Annotated[list[str], until("2.63")]
    metadata: Annotated[dict[str, str], until("2.63")]
    project_id: Annotated[str, since("2.13")]
    user_id: Annotated[str, since("2.13")]
    policy: Annotated[str, since("2.64")]
    rules: Annotated[dict[str, int], since("2.64")]


class ServerGroups(Reply):
    server_groups: list[ServerGroup]
