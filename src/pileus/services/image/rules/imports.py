"""Imports: data that comes by another way than one upload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.services.image import store
from pileus.services.image.rules import data, images, locations, quotas
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.locations import ACTIVE
from pileus.services.image.types.tasks import ImageImport, TaskCreate, TaskRow

METHODS = ("glance-direct", "web-download", "copy-image", "glance-download")


def check_import(image: ImageRow, wish: ImageImport) -> None:
    """Raises BadRequest (method), Conflict (status)."""
    method = wish.method.name
    if method not in METHODS:
        raise BadRequest(f"Import method '{method[:64]}' is not available; possible are {', '.join(METHODS)}.")
    if method == "web-download" and not wish.method.uri:
        raise BadRequest("The method web-download needs a uri.")
    if method == "glance-download":
        if not images.UUID.match(wish.method.glance_image_id or ""):
            raise BadRequest(f"image id does not look like a UUID: glance_image_id is '{wish.method.glance_image_id}'.")
        if not wish.method.glance_region:
            raise BadRequest("The method glance-download needs a glance_region.")
    if image.disk_format is None or image.container_format is None:
        raise BadRequest(f"disk_format and container_format of image {image.id} must be set before it is imported.")
    if method == "glance-direct" and (image.status != "uploading" or image.staged is None):
        raise Conflict(f"Image {image.id} is {image.status}, with no data staged: PUT /images/{image.id}/stage first.")
    if method in ("web-download", "glance-download") and image.status != "queued":
        raise Conflict(f"Image {image.id} is {image.status}; it must be queued.")


class Targets(msgspec.Struct):
    """The stores that an import goes to: to all of them or none, where it must be `together`."""

    stores: list[str]
    together: bool


def record_import(tx: Tx, caller: Caller, image: ImageRow, wish: ImageImport, targets: Targets) -> None:
    """The task that tells of an import, now under way."""
    request = {
        "method": {name: value for name, value in msgspec.structs.asdict(wish.method).items() if value is not None}
    }
    task_input = {"image_id": image.id, "backend": targets.stores, "import_req": request}
    insert_task(tx, caller, "api_image_import", image, task_input)
    store.update(tx, image.id, {"imported": True})


def begin_import_of_staged(tx: Tx, caller: Caller, image: ImageRow, wish: ImageImport, targets: Targets) -> None:
    """From uploading to importing. Raises Conflict."""
    data.begin_import_of_staged(tx, image, targets.stores, targets.together)
    record_import(tx, caller, image, wish, targets)


def begin_import(tx: Tx, caller: Caller, image: ImageRow, wish: ImageImport, targets: Targets, upload: str) -> None:
    """From queued to importing. Raises Conflict."""
    data.begin_upload(tx, image, "importing", upload, targets.stores, targets.together)
    record_import(tx, caller, image, wish, targets)


def begin_copies(tx: Tx, caller: Caller, image: ImageRow, wish: ImageImport, targets: Targets) -> None:
    """Bring an image of use into more stores; where all are asked for, into those that do not have it. Raises as `want_copies`, TooLarge."""
    there = {location.store for location in image.locations if location.status == ACTIVE} if wish.all_stores else set()
    targets = Targets([name for name in targets.stores if name not in there], targets.together)
    quotas.check(tx, image.owner, {"image_size_total": (image.size or 0) * len(targets.stores)})
    record_import(tx, caller, image, wish, targets)
    locations.want_copies(tx, image, targets.stores, targets.together)


def begin_task(tx: Tx, caller: Caller, wish: TaskCreate, upload: str, target: str) -> tuple[ImageRow, TaskRow]:
    """A new image, importing. Raises as `create_image`."""
    image = images.create_image(tx, caller, wish.input.image_properties)
    data.begin_upload(tx, image, "importing", upload, [target])
    return image, insert_task(tx, caller, "import", image, msgspec.structs.asdict(wish.input))


def insert_task(tx: Tx, caller: Caller, kind: str, image: ImageRow, task_input: Mapping[str, Any]) -> TaskRow:
    """It is under way from now on."""
    task = TaskRow(
        id=new_id(),
        type=kind,
        status="processing",
        image_id=image.id,
        owner=caller.project_id,
        user_id=caller.user_id,
        request_id=caller.request_id,
        input=dict(task_input),
        result=None,
        message="",
        created_at=tx.now,
        updated_at=tx.now,
    )
    store.insert_task(tx, task)
    events.record(tx, caller, "image", "import", "image", image.id, task=task.id)
    return task


def tell(tx: Tx, image_id: str, message: str) -> None:
    """What an import is doing now."""
    store.note_task(tx, image_id, message)


def known_task(tx: Tx, task_id: str) -> TaskRow:
    """Raises NotFound."""
    task = store.task(tx, task_id)
    if task is None:
        raise NotFound(f"No task found with ID {task_id[:64]}.")
    return task


def delete_task(tx: Tx, task: TaskRow) -> None:
    """Raises Forbidden while it is under way."""
    if task.status == "processing":
        raise Forbidden(f"Task {task.id} is under way and can't be deleted.")
    store.delete_task(tx, task.id)
