"""One append-only table of what happened, written in the transaction in which it happened.

Instance actions, notifications, usage, the live event stream and the audit log are views of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.context import Caller
from pileus.core.db import Id, Json, Time, Tx, metadata

events = sa.Table(
    "core_event",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", Time, nullable=False, index=True),
    sa.Column("request_id", Id, nullable=False, index=True),
    sa.Column("global_request_id", Id),
    sa.Column("user_id", Id, nullable=False),
    sa.Column("project_id", Id),
    sa.Column("service", sa.String(32), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("resource_type", sa.String(64), nullable=False),
    sa.Column("resource_id", Id, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("detail", Json, nullable=False),
    sa.Index("ix_core_event_resource", "resource_type", "resource_id", "id"),
)


class Event(msgspec.Struct):
    id: int
    at: datetime
    request_id: str
    global_request_id: str | None
    user_id: str
    project_id: str | None
    service: str
    action: str
    resource_type: str
    resource_id: str
    outcome: str
    detail: dict[str, Any]


def record(
    tx: Tx,
    caller: Caller,
    service: str,
    action: str,
    resource_type: str,
    resource_id: str,
    outcome: str = "success",
    **detail: Any,
) -> None:
    """Write an event of the caller's request. `detail` must never hold a secret."""
    tx.insert(
        events,
        {
            "at": tx.now,
            "request_id": caller.request_id,
            "global_request_id": caller.global_request_id,
            "user_id": caller.user_id,
            "project_id": caller.project_id,
            "service": service,
            "action": action,
            "resource_type": resource_type,
            "resource_id": resource_id,
            "outcome": outcome,
            "detail": detail,
        },
    )
    tx.wake("event")


def of_resource(tx: Tx, resource_type: str, resource_id: str, limit: int = 1000) -> list[Event]:
    """Oldest first."""
    mine = (events.c.resource_type == resource_type) & (events.c.resource_id == resource_id)
    return tx.rows(Event, sa.select(events).where(mine).order_by(events.c.id).limit(limit))


def of_request(tx: Tx, request_id: str, limit: int = 10_000) -> list[Event]:
    """Of the request with that id, and of those that it caused; oldest first."""
    mine = (events.c.request_id == request_id) | (events.c.global_request_id == request_id)
    return tx.rows(Event, sa.select(events).where(mine).order_by(events.c.id).limit(limit))
