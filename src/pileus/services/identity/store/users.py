"""Users, groups and who is in which."""

from __future__ import annotations

import operator
from datetime import datetime

import sqlalchemy as sa

from pileus.core.body import parse_time
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.services.identity.store import rows
from pileus.services.identity.tables import expiring_memberships, groups, memberships, users
from pileus.services.identity.types.base import Pairs
from pileus.services.identity.types.users import UserRow

_NAMED = sa.select(users).where(users.c.domain_id == sa.bindparam("domain_id"), users.c.name == sa.bindparam("name"))


def by_name(tx: Tx, domain_id: str, name: str) -> UserRow | None:
    return tx.row(UserRow, _NAMED, {"domain_id": domain_id, "name": name})


def in_group(group_id: str, now: datetime) -> sa.ColumnElement[bool]:
    """A condition on users."""
    lasting = sa.select(memberships.c.user_id).where(memberships.c.group_id == group_id)
    c = expiring_memberships.c
    for_now = sa.select(c.user_id).where(c.group_id == group_id, c.expires_at > now)
    return users.c.id.in_(lasting) | users.c.id.in_(for_now)


def of_user(user_id: str, now: datetime) -> sa.ColumnElement[bool]:
    """A condition on groups."""
    lasting = sa.select(memberships.c.group_id).where(memberships.c.user_id == user_id)
    c = expiring_memberships.c
    for_now = sa.select(c.group_id).where(c.user_id == user_id, c.expires_at > now)
    return groups.c.id.in_(lasting) | groups.c.id.in_(for_now)


def _is(group_id: str, user_id: str) -> sa.ColumnElement[bool]:
    return (memberships.c.group_id == group_id) & (memberships.c.user_id == user_id)


def is_member(tx: Tx, group_id: str, user_id: str) -> bool:
    found = sa.select(users.c.id).where(users.c.id == user_id, in_group(group_id, tx.now))
    return tx.scalar(found) is not None


def add_member(tx: Tx, group_id: str, user_id: str) -> None:
    rows.touch(tx)
    tx.upsert(memberships, {"group_id": group_id, "user_id": user_id}, {})


def remove_member(tx: Tx, group_id: str, user_id: str) -> bool:
    rows.touch(tx)
    return bool(tx.delete(memberships, _is(group_id, user_id)))


def forget_default_project(tx: Tx, project_id: str) -> None:
    tx.update(users, users.c.default_project_id == project_id, {"default_project_id": None})


_ORDER = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge, "eq": operator.eq}


def expiring(pairs: Pairs) -> list[sa.ColumnElement[bool]]:
    """password_expires_at=lt:2026-11-20T00:00:00Z and its like. Raises BadRequest."""
    found: list[sa.ColumnElement[bool]] = []
    for key, value in pairs:
        if key != "password_expires_at":
            continue
        test, _, text = value.partition(":")
        try:
            found.append(_ORDER[test](users.c.password_expires_at, parse_time(text)))
        except (KeyError, ValueError):
            raise BadRequest(
                f"password_expires_at is {'|'.join(_ORDER)}, a colon and a time of ISO 8601; got '{value[:64]}'."
            ) from None
    return found
