"""Imports and the tasks that tell of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from pileus.core.body import Body, Query, seconds

_KEPT = timedelta(hours=48)
"""What a finished task says of how long it will be there."""


class TaskRow(msgspec.Struct):
    id: str
    type: str
    status: str
    image_id: str
    owner: str | None
    user_id: str
    request_id: str
    input: dict[str, Any]
    result: dict[str, Any] | None
    message: str
    created_at: datetime
    updated_at: datetime


class ImportMethod(Body):
    name: str
    uri: str | None = None
    glance_image_id: str | None = None
    glance_region: str | None = None
    glance_service_interface: str | None = None


class ImageImport(Body):
    """POST /images/{image_id}/import."""

    method: ImportMethod
    stores: list[str] | None = None
    all_stores: bool = False
    all_stores_must_succeed: bool = True


class TaskInput(Body):
    import_from: str
    import_from_format: str | None = None
    image_properties: dict[str, Any] = {}


class TaskCreate(Body):
    """POST /tasks."""

    type: Literal["import"]
    input: TaskInput


class TaskQuery(Query):
    """GET /tasks."""

    limit: str | None = None
    marker: str | None = None
    sort_key: str = "created_at"
    sort_dir: str = "desc"
    type: str | None = None
    status: str | None = None


def task_view(task: TaskRow) -> dict[str, Any]:
    """What every form of a task has."""
    shown: dict[str, Any] = {
        "id": task.id,
        "type": task.type,
        "status": task.status,
        "owner": task.owner or "",
        "created_at": seconds(task.created_at),
        "updated_at": seconds(task.updated_at),
        "schema": "/v2/schemas/task",
        "self": f"/v2/tasks/{task.id}",
    }
    if task.status in ("success", "failure"):
        shown["expires_at"] = seconds(task.updated_at + _KEPT)
    return shown


def full_task_view(task: TaskRow) -> dict[str, Any]:
    return {**task_view(task), "input": task.input, "result": task.result, "message": task.message}


def image_task_view(task: TaskRow) -> dict[str, Any]:
    """As GET /images/{image_id}/tasks shows it."""
    more = {"image_id": task.image_id, "request_id": task.request_id, "user_id": task.user_id}
    return {**full_task_view(task), **more}
