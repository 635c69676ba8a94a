"""Server groups."""

from __future__ import annotations

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.paging import limit_of
from pileus.core.version import Version
from pileus.services.compute.rules import server_groups as rules
from pileus.services.compute.service import api
from pileus.services.compute.store import server_groups as store
from pileus.services.compute.store.server_groups import ServerGroupRow
from pileus.services.compute.types import server_groups as types
from pileus.services.compute.types.fields import whole

SOFT = Version(2, 15)
ALL_PROJECTS = "os_compute_api:os-server-groups:index:all_projects"


def group(row: ServerGroupRow, members: list[str]) -> types.ServerGroup:
    return types.ServerGroup(
        id=row.id,
        name=row.name,
        members=members,
        policies=[row.policy],
        metadata={},
        project_id=row.project_id,
        user_id=row.user_id,
        policy=row.policy,
        rules={"max_server_per_host": row.max_server_per_host} if row.max_server_per_host else {},
    )


@api.get("/os-server-groups", policy="os_compute_api:os-server-groups:index")
def list_groups(tx: Tx, caller: Caller, query: types.ServerGroupsQuery) -> types.ServerGroups:
    everyone = query.all_projects is not None and caller.allows(ALL_PROJECTS)
    offset = limit_of(query.offset, 2**31) if query.offset is not None else 0
    rows = store.find(tx, None if everyone else caller.project_id, limit_of(query.limit), offset)
    members = store.members(tx, [row.id for row in rows])
    return types.ServerGroups(server_groups=[group(row, [m.id for m in members.get(row.id, ())]) for row in rows])


@api.post("/os-server-groups", policy="os_compute_api:os-server-groups:create")
def create_group(tx: Tx, caller: Caller, body: types.ServerGroupCreate) -> types.ServerGroup:
    policy = body.policy or (body.policies[0] if body.policies else None)
    if policy is None:
        raise BadRequest(f"server_group.{'policy' if caller.version >= Version(2, 64) else 'policies'} is required.")
    if policy.startswith("soft-") and caller.version < SOFT:
        raise BadRequest(f"The policy {policy} needs compute {SOFT}; this request is of version {caller.version}.")
    most = None
    if body.rules is not UNSET and body.rules.max_server_per_host is not UNSET:
        if policy != "anti-affinity":
            raise BadRequest("server_group.rules.max_server_per_host goes with the policy anti-affinity only.")
        most = whole(body.rules.max_server_per_host, "server_group.rules.max_server_per_host", 1)
    return group(rules.create(tx, caller, body.name, policy, most), [])


@api.get("/os-server-groups/{group_id}", policy="os_compute_api:os-server-groups:show", load=rules.visible_group)
def show_group(tx: Tx, row: ServerGroupRow) -> types.ServerGroup:
    return group(row, [one.id for one in rules.members(tx, row)])


@api.delete("/os-server-groups/{group_id}", policy="os_compute_api:os-server-groups:delete", load=rules.visible_group)
def delete_group(tx: Tx, caller: Caller, row: ServerGroupRow) -> None:
    rules.delete(tx, caller, row)
