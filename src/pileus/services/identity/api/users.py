"""Users and their passwords."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from pileus.core.body import micros
from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.http import Request
from pileus.services.identity.drivers import Look, present, up_to_date
from pileus.services.identity.rules import assignments, resources
from pileus.services.identity.rules import users as rules
from pileus.services.identity.rules.domain_config import limited
from pileus.services.identity.rules.targets import Target, own_domain, target_user
from pileus.services.identity.service import api
from pileus.services.identity.store import federation, rows
from pileus.services.identity.store import projects as project_store
from pileus.services.identity.store import users as store
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.federation import FederatedUser
from pileus.services.identity.types.users import GroupRow, PasswordChange, UserCreate, UserRow, UserUpdate


def user_of_path(tx: Tx, user_id: str) -> UserRow:
    return resources.find(tx, UserRow, user_id)


def target_new_user(body: UserCreate) -> Target:
    """An administrator of a domain must name it."""
    return {"target.user.domain_id": body.domain_id}


def users_shown(tx: Tx, request: Request, found: Sequence[UserRow]) -> list[dict[str, Any]]:
    links = federation.links_of(tx, [row.id for row in found])
    return [_shown(request, row, links.get(row.id, ())) for row in found]


def _shown(request: Request, row: UserRow, links: Sequence[FederatedUser]) -> dict[str, Any]:
    more: dict[str, Any] = {"default_project_id": row.default_project_id} if row.default_project_id else {}
    if links:
        more["federated"] = [
            {"idp_id": provider_id, "protocols": [{"protocol_id": x.protocol, "unique_id": x.unique_id} for x in every]}
            for provider_id, every in groupby(links, key=lambda link: link.identity_provider_id)
        ]
    return shown(request, row, **more)


def _user_shown(tx: Tx, request: Request, row: UserRow) -> dict[str, Any]:
    return {"user": users_shown(tx, request, [row])[0]}


def domain_of_list(caller: Caller, request: Request) -> tuple[str | None, str | None]:
    """Whose users or groups are asked for, and of which name; None for all."""
    query = dict(request.query)
    return caller.domain_id or query.get("domain_id"), query.get("name")


@api.get("/users", policy="identity:list_users", target=own_domain)
def list_users(db: Database, settings: Settings, tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    domain_id, name = domain_of_list(caller, request)
    with up_to_date(db, settings, tx, domain_id, Look("user", name=name)) as tx:
        query = limited(tx, domain_id, request.query)
        wanted = [*store.expiring(query), *federation.filters(dict(query)), *present(tx, "user")]
        found, more = rows.page(tx, UserRow, query, *wanted, domain_id=caller.domain_id)
        return listed(request, "users", users_shown(tx, request, found), more)


@api.post("/users", policy="identity:create_user", target=target_new_user, success=201)
def create_user(db: Database, settings: Settings, caller: Caller, request: Request, body: UserCreate) -> dict[str, Any]:
    user = rules.create_user(db, settings, caller, body)
    with db.read() as tx:
        return _user_shown(tx, request, user)


@api.get("/users/{user_id}", policy="identity:get_user", load=user_of_path, target=target_user)
def show_user(db: Database, settings: Settings, tx: Tx, request: Request, user: UserRow) -> dict[str, Any]:
    with up_to_date(db, settings, tx, user.domain_id, Look("user", user.id)) as tx:
        return _user_shown(tx, request, user_of_path(tx, user.id))


@api.patch("/users/{user_id}", policy="identity:update_user", load=user_of_path, target=target_user)
def update_user(
    db: Database, settings: Settings, caller: Caller, request: Request, user: UserRow, body: UserUpdate
) -> dict[str, Any]:
    changed = rules.update_user(db, settings, caller, user, body)
    with db.read() as tx:
        return _user_shown(tx, request, changed)


@api.delete("/users/{user_id}", policy="identity:delete_user", load=user_of_path, target=target_user)
def delete_user(db: Database, settings: Settings, caller: Caller, user: UserRow) -> None:
    rules.delete_user(db, settings, caller, user)


@api.post("/users/{user_id}/password", public=True, success=204)
def change_password(db: Database, settings: Settings, caller: Caller, user_id: str, body: PasswordChange) -> None:
    rules.change_password(db, settings, caller, user_id, body)


@api.get("/users/{user_id}/groups", policy="identity:list_groups_for_user", load=user_of_path, target=target_user)
def list_user_groups(
    db: Database, settings: Settings, tx: Tx, caller: Caller, request: Request, user: UserRow
) -> dict[str, Any]:
    with up_to_date(db, settings, tx, user.domain_id, Look("user", user.id)) as tx:
        found, more = rows.page(tx, GroupRow, request.query, store.of_user(user.id, tx.now), domain_id=caller.domain_id)
        ends = {one.group_id: micros(one.expires_at) for one in federation.memberships_of(tx, user.id)}
    every = [shown(request, row, membership_expires_at=ends.get(row.id)) for row in found]
    return listed(request, "groups", every, more)


@api.get("/users/{user_id}/projects", policy="identity:list_user_projects", load=user_of_path, target=target_user)
def list_user_projects(tx: Tx, request: Request, user: UserRow) -> dict[str, Any]:
    found = assignments.projects_of(tx, user.id)
    tags = project_store.tags_of(tx, [row.id for row in found])
    return listed(request, "projects", [shown(request, row, tags=tags[row.id]) for row in found])
