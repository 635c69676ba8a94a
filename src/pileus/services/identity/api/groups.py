"""Groups and who is in them."""

from typing import Any

import msgspec

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.identity.api.users import users_shown
from pileus.services.identity.rules import resources
from pileus.services.identity.rules import users as rules
from pileus.services.identity.rules.targets import Target, home_domain, own_domain, target_group
from pileus.services.identity.service import api
from pileus.services.identity.store import rows
from pileus.services.identity.store import users as store
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.users import GroupCreate, GroupRow, GroupUpdate, UserRow


class Membership(msgspec.Struct):
    group: GroupRow
    user: UserRow


def group_of_path(tx: Tx, group_id: str) -> GroupRow:
    return resources.find(tx, GroupRow, group_id)


def membership_of_path(tx: Tx, group_id: str, user_id: str) -> Membership:
    return Membership(resources.find(tx, GroupRow, group_id), resources.find(tx, UserRow, user_id))


def target_membership(membership: Membership) -> Target:
    return {
        "target.group.domain_id": membership.group.domain_id,
        "target.user.domain_id": membership.user.domain_id,
        "user_id": membership.user.id,
    }


def target_new_group(caller: Caller, body: GroupCreate) -> Target:
    return {"target.group.domain_id": home_domain(caller, body.domain_id)}


@api.get("/groups", policy="identity:list_groups", target=own_domain)
def list_groups(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, GroupRow, request.query, domain_id=caller.domain_id)
    return listed(request, "groups", [shown(request, row) for row in found], more)


@api.post("/groups", policy="identity:create_group", target=target_new_group, success=201)
def create_group(tx: Tx, caller: Caller, request: Request, body: GroupCreate) -> dict[str, Any]:
    return {"group": shown(request, rules.create_group(tx, caller, body))}


@api.get("/groups/{group_id}", policy="identity:get_group", load=group_of_path, target=target_group)
def show_group(tx: Tx, request: Request, group: GroupRow) -> dict[str, Any]:
    return {"group": shown(request, group)}


@api.patch("/groups/{group_id}", policy="identity:update_group", load=group_of_path, target=target_group)
def update_group(tx: Tx, caller: Caller, request: Request, group: GroupRow, body: GroupUpdate) -> dict[str, Any]:
    return {"group": shown(request, rules.update_group(tx, caller, group, body))}


@api.delete(
    "/groups/{group_id}", policy="identity:delete_group", load=group_of_path, openly_missing=True, target=target_group
)
def delete_group(tx: Tx, caller: Caller, group: GroupRow) -> None:
    rules.delete_group(tx, caller, group)


@api.get("/groups/{group_id}/users", policy="identity:list_users_in_group", load=group_of_path, target=target_group)
def list_members(tx: Tx, caller: Caller, request: Request, group: GroupRow) -> dict[str, Any]:
    wanted = [store.in_group(group.id, tx.now), *store.expiring(request.query)]
    found, more = rows.page(tx, UserRow, request.query, *wanted, domain_id=caller.domain_id)
    return listed(request, "users", users_shown(tx, request, found), more)


MEMBER = "/groups/{group_id}/users/{user_id}"


@api.get(MEMBER, policy="identity:check_user_in_group", load=membership_of_path, target=target_membership, success=204)
def check_member(tx: Tx, membership: Membership) -> None:
    rules.must_be_member(tx, membership.group, membership.user)


@api.put(MEMBER, policy="identity:add_user_to_group", load=membership_of_path, target=target_membership, success=204)
def add_member(tx: Tx, caller: Caller, membership: Membership) -> None:
    rules.add_member(tx, caller, membership.group, membership.user)


@api.delete(MEMBER, policy="identity:remove_user_from_group", load=membership_of_path, target=target_membership)
def remove_member(tx: Tx, caller: Caller, membership: Membership) -> None:
    rules.remove_member(tx, caller, membership.group, membership.user)
