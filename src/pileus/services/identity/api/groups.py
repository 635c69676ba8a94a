"""Groups and who is in them."""

from typing import Any

import msgspec

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.http import Request
from pileus.services.identity.api.users import domain_of_list, users_shown
from pileus.services.identity.drivers import Look, present, up_to_date
from pileus.services.identity.rules import groups as rules
from pileus.services.identity.rules import resources
from pileus.services.identity.rules.domain_config import limited
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
def list_groups(db: Database, settings: Settings, tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    domain_id, name = domain_of_list(caller, request)
    with up_to_date(db, settings, tx, domain_id, Look("group", name=name)) as tx:
        query = limited(tx, domain_id, request.query)
        found, more = rows.page(tx, GroupRow, query, *present(tx, "group"), domain_id=caller.domain_id)
    return listed(request, "groups", [shown(request, row) for row in found], more)


@api.post("/groups", policy="identity:create_group", target=target_new_group, success=201)
def create_group(
    db: Database, settings: Settings, caller: Caller, request: Request, body: GroupCreate
) -> dict[str, Any]:
    return {"group": shown(request, rules.create(db, settings, caller, body))}


@api.get("/groups/{group_id}", policy="identity:get_group", load=group_of_path, target=target_group)
def show_group(db: Database, settings: Settings, tx: Tx, request: Request, group: GroupRow) -> dict[str, Any]:
    with up_to_date(db, settings, tx, group.domain_id, Look("group", group.id)) as tx:
        return {"group": shown(request, resources.find(tx, GroupRow, group.id))}


@api.patch("/groups/{group_id}", policy="identity:update_group", load=group_of_path, target=target_group)
def update_group(
    db: Database, settings: Settings, caller: Caller, request: Request, group: GroupRow, body: GroupUpdate
) -> dict[str, Any]:
    return {"group": shown(request, rules.update(db, settings, caller, group, body))}


@api.delete(
    "/groups/{group_id}", policy="identity:delete_group", load=group_of_path, openly_missing=True, target=target_group
)
def delete_group(db: Database, settings: Settings, caller: Caller, group: GroupRow) -> None:
    rules.delete(db, settings, caller, group)


@api.get("/groups/{group_id}/users", policy="identity:list_users_in_group", load=group_of_path, target=target_group)
def list_members(
    db: Database, settings: Settings, tx: Tx, caller: Caller, request: Request, group: GroupRow
) -> dict[str, Any]:
    with up_to_date(db, settings, tx, group.domain_id, Look("group", group.id)) as tx:
        wanted = [store.in_group(group.id, tx.now), *store.expiring(request.query), *present(tx, "user")]
        found, more = rows.page(tx, UserRow, request.query, *wanted, domain_id=caller.domain_id)
        return listed(request, "users", users_shown(tx, request, found), more)


MEMBER = "/groups/{group_id}/users/{user_id}"


@api.get(MEMBER, policy="identity:check_user_in_group", load=membership_of_path, target=target_membership, success=204)
def check_member(db: Database, settings: Settings, tx: Tx, membership: Membership) -> None:
    with up_to_date(db, settings, tx, membership.group.domain_id, Look("group", membership.group.id)) as tx:
        rules.must_be_member(tx, membership.group, membership.user)


@api.put(MEMBER, policy="identity:add_user_to_group", load=membership_of_path, target=target_membership, success=204)
def add_member(db: Database, settings: Settings, caller: Caller, membership: Membership) -> None:
    rules.add_member(db, settings, caller, membership.group, membership.user)


@api.delete(MEMBER, policy="identity:remove_user_from_group", load=membership_of_path, target=target_membership)
def remove_member(db: Database, settings: Settings, caller: Caller, membership: Membership) -> None:
    rules.remove_member(db, settings, caller, membership.group, membership.user)
