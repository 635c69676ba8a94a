"""Tasks: what became of imports."""

from typing import Any
from urllib.parse import urlencode

from pileus.core import paging
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.image import store
from pileus.services.image.rules import images, imports
from pileus.services.image.service import api
from pileus.services.image.types import listing
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.tasks import TaskQuery, TaskRow, full_task_view, image_task_view, task_view


@api.get("/images/{image_id}/tasks", policy="get_image", load=images.visible_image, target=images.target_of)
def list_tasks_of_image(tx: Tx, image: ImageRow) -> dict[str, Any]:
    """The imports of one image."""
    return {"tasks": [image_task_view(task) for task in store.tasks_of_image(tx, image.id)]}


@api.get("/tasks", policy="tasks_api_access")
def list_tasks(tx: Tx, request: Request, query: TaskQuery) -> dict[str, Any]:
    """All imports, newest first."""
    limit = listing.DEFAULT_LIMIT if query.limit is None else paging.limit_of(query.limit)
    sorts = paging.sorts_of([query.sort_key], [query.sort_dir], store.TASK_SORT_KEYS)
    page = paging.Page(limit=limit + 1 if limit else 0, marker=query.marker, sorts=sorts)
    found = store.list_tasks(tx, query.type, query.status, page)
    following = urlencode(listing.next_query(request.query, found[limit - 1].id)) if len(found) > limit else None
    views = [task_view(task) for task in found[:limit]]
    return listing.listing("tasks", views, "/v2/tasks", urlencode(request.query), following)


@api.get("/tasks/{task_id}", policy="tasks_api_access", load=imports.known_task)
def show_task(task: TaskRow) -> dict[str, Any]:
    """One import."""
    return full_task_view(task)


@api.delete("/tasks/{task_id}", policy="tasks_api_access", load=imports.known_task)
def delete_task(tx: Tx, task: TaskRow) -> None:
    """Forget an import that is over."""
    imports.delete_task(tx, task)
