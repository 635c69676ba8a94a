"""The states that an image goes through while its data arrives."""

from __future__ import annotations

from collections.abc import Sequence

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict
from pileus.services.image import store
from pileus.services.image.rules import quotas
from pileus.services.image.rules.locations import fill_locations, want_stores
from pileus.services.image.types.images import Arrival, ImageRow, Received
from pileus.services.image.types.locations import UNFINISHED


def begin_upload(
    tx: Tx,
    image: ImageRow,
    status: str,
    upload: str,
    stores: Sequence[str] = (),
    together: bool = False,
    size: int | None = None,
) -> None:
    """From queued to `status`, on its way to `stores`; `size` is what is announced.

    Raises Conflict unless it is queued, BadRequest unless its formats are known, TooLarge for more than the owner's limits.
    """
    if image.disk_format is None or image.container_format is None:
        raise BadRequest(
            f"disk_format and container_format of image {image.id} must be set before its data is uploaded."
        )
    quotas.check_upload(
        tx, image.owner, "image_stage_total" if status == "uploading" else "image_size_total", size or 0
    )
    if not store.begin_upload(tx, image.id, status, upload):
        raise Conflict(f"Image {image.id} takes no data: it is not queued (any more).")
    want_stores(tx, image.id, stores, together)


def begin_import_of_staged(tx: Tx, image: ImageRow, stores: Sequence[str], together: bool) -> None:
    """From uploading, with its data staged, to importing. Raises Conflict, TooLarge for more than the owner's limits."""
    quotas.check(tx, image.owner, {"image_size_total": image.size or 0})
    if image.upload is None or not store.import_staged(tx, image.id, image.upload):
        raise Conflict(f"Image {image.id} is {image.status}, with no data staged: PUT /images/{image.id}/stage first.")
    want_stores(tx, image.id, stores, together)


def finish_upload(tx: Tx, caller: Caller, image_id: str, upload: str, arrival: Arrival, placed: Sequence[int]) -> bool:
    """Make it active, with the locations that are filled. False where the image is gone."""
    if not store.activate(tx, image_id, upload, arrival):
        return False
    store.add_properties(tx, image_id, arrival.properties)
    fill_locations(tx, image_id, placed)
    events.record(tx, caller, "image", "upload", "image", image_id, size=arrival.received.size)
    return True


def finish_staging(tx: Tx, caller: Caller, image_id: str, upload: str, received: Received) -> bool:
    """Remember what is staged. False where the image is gone."""
    if not store.stage(tx, image_id, upload, received):
        return False
    events.record(tx, caller, "image", "stage", "image", image_id, size=received.size)
    return True


def abandon_import(tx: Tx, caller: Caller, image_id: str, upload: str, reason: str) -> bool:
    """Back to uploading, with what is staged; False where it is no import of such."""
    if not store.stage_again(tx, upload):
        return False
    reason += " What was staged is still there: ask for the import again."
    events.record(tx, caller, "image", "import", "image", image_id, outcome="failure", reason=reason)
    _end_work(tx, image_id, reason)
    return True


def abandon_upload(tx: Tx, caller: Caller, image_id: str, upload: str, reason: str) -> None:
    """Back to queued."""
    if store.abandon_upload(tx, upload):
        events.record(tx, caller, "image", "upload", "image", image_id, outcome="failure", reason=reason)
    _end_work(tx, image_id, reason)


def _end_work(tx: Tx, image_id: str, reason: str) -> None:
    store.delete_locations(tx, image_id, UNFINISHED)
    store.end_tasks(tx, image_id, "failure", reason)
    tx.wake("image-files")
