"""Images, their properties and tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core import paging
from pileus.core.db import Tx, among, matches
from pileus.services.image.store.editions import renew
from pileus.services.image.store.locations import locations_of
from pileus.services.image.tables import images, members, new_edition, properties, tags
from pileus.services.image.types.images import Arrival, ImageRow, Received
from pileus.services.image.types.listing import SORT_KEYS, ImageFilter

_COLUMNS = [images.c[name] for name in ImageRow.__struct_fields__ if name in images.c]
_SHOWN = [column for column in _COLUMNS if column.name not in ("upload", "staged", "signed_digest")]
"""What the API shows of an image: a long list reads no more."""
_SHOWN_OF = sa.select(*_SHOWN).where(among(images.c.id))
_ALL = sa.select(*_COLUMNS)
_OF_ID = _ALL.where(images.c.id == sa.bindparam("wanted"))
_PROPERTIES = (
    sa.select(properties).where(among(properties.c.image_id)).order_by(properties.c.image_id, properties.c.name)
)
_TAGS = sa.select(tags).where(among(tags.c.image_id)).order_by(tags.c.image_id, tags.c.tag)


def image(tx: Tx, image_id: str) -> ImageRow | None:
    found = _completed(tx, tx.rows(ImageRow, _OF_ID, {"wanted": image_id}))
    return found[0] if found else None


def image_to_boot(tx: Tx, image_id: str) -> ImageRow | None:
    """Without its tags and locations."""
    row = tx.row(ImageRow, _OF_ID, {"wanted": image_id})
    if row is not None:
        row.properties = {name: value for _, name, value in tx.tuples(_PROPERTIES, {"ids": [image_id]})}
    return row


def known_image(tx: Tx, image_id: str) -> ImageRow:
    """An image that this transaction has seen."""
    found = image(tx, image_id)
    assert found is not None
    return found


def list_images(
    tx: Tx, project_id: str | None, everything: bool, wanted: ImageFilter, page: paging.Page
) -> list[tuple[str, int]]:
    """(id, edition) of what a project sees, or of all there is with `everything`."""
    statement = sa.select(images.c.id, images.c.edition).where(
        *_conditions(wanted), _seen(project_id, everything, wanted)
    )
    columns = {key: images.c[key] for key in SORT_KEYS}
    default = [paging.Sort("created_at", descending=True)]
    found = tx.execute(paging.paged(tx, statement, page, columns, images.c.id, default)).all()
    return [(image_id, edition) for image_id, edition in found]


def shown_images(tx: Tx, ids: Sequence[str]) -> list[ImageRow]:
    """With what the API shows of them, in the order of `ids`; those that are not there are left out."""
    found = {row.id: row for row in tx.long_rows(ImageRow, _SHOWN_OF, {"ids": ids})} if ids else {}
    return _completed(tx, [found[image_id] for image_id in ids if image_id in found])


def _completed(tx: Tx, rows: list[ImageRow]) -> list[ImageRow]:
    """With their properties, tags and locations: three statements, however many images."""
    by_id = {row.id: row for row in rows}
    if by_id:
        ids = list(by_id)
        for image_id, name, value in tx.tuples(_PROPERTIES, {"ids": ids}):
            by_id[image_id].properties[name] = value
        for image_id, tag in tx.tuples(_TAGS, {"ids": ids}):
            by_id[image_id].tags.append(tag)
        for location in locations_of(tx, ids):
            by_id[location.image_id].locations.append(location)
    return rows


def _seen(project_id: str | None, everything: bool, wanted: ImageFilter) -> sa.ColumnElement[bool]:
    """Own images, public ones, and shared ones whose membership has the wanted status; community ones only when asked for."""
    narrow: sa.ColumnElement[bool] = sa.true()
    if wanted.visibility not in (None, "all"):
        narrow = images.c.visibility == wanted.visibility
    if everything:
        return narrow
    membership = (members.c.image_id == images.c.id) & (members.c.member_id == project_id)
    if wanted.member_status != "all":
        membership &= members.c.status == wanted.member_status
    offered = (images.c.visibility == "shared") & sa.exists().where(membership)
    seen = (images.c.owner == project_id) | (images.c.visibility == "public") | offered
    if wanted.visibility in ("community", "all"):
        seen |= images.c.visibility == "community"
    return narrow & seen


def _conditions(wanted: ImageFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [images.c.os_hidden == wanted.os_hidden]
    if wanted.protected is not None:
        found.append(images.c.protected == wanted.protected)
    for name, texts in wanted.texts.items():
        columns = [images.c.sha512, images.c.hash_value] if name == "os_hash_value" else [images.c[name]]
        found.append(sa.or_(*(matches(column, texts) for column in columns)))
    for name, number in wanted.numbers.items():
        found.append(images.c[name] == number)
    if wanted.size_min is not None:
        found.append(images.c.size >= wanted.size_min)
    if wanted.size_max is not None:
        found.append(images.c.size <= wanted.size_max)
    for name, operator, at in wanted.times:
        found.append(_compare(images.c[name], operator, at))
    for tag in wanted.tags:
        found.append(sa.exists().where((tags.c.image_id == images.c.id) & (tags.c.tag == tag)))
    for name, value in wanted.properties.items():
        mine = (properties.c.image_id == images.c.id) & (properties.c.name == name)
        found.append(sa.exists().where(mine & (properties.c.value == value)))
    return found


def insert(tx: Tx, row: ImageRow) -> None:
    """Raises Conflict where the id is taken."""
    plain = {name: value for name, value in msgspec.structs.asdict(row).items() if name in images.c}
    tx.insert(images, {**plain, "edition": new_edition()}, conflict="Image ID {id} already exists!")
    _insert_properties(tx, row.id, row.properties)
    _insert_tags(tx, row.id, row.tags)


def update(tx: Tx, image_id: str, values: Mapping[str, Any]) -> None:
    tx.update(images, images.c.id == image_id, values)


def set_properties(tx: Tx, image_id: str, values: Mapping[str, str]) -> None:
    renew(tx, image_id)
    tx.delete(properties, properties.c.image_id == image_id)
    _insert_properties(tx, image_id, values)


def add_properties(tx: Tx, image_id: str, values: Mapping[str, str]) -> None:
    """Instead of those of the same names."""
    if values:
        mine = (properties.c.image_id == image_id) & properties.c.name.in_(list(values))
        renew(tx, image_id)
        tx.delete(properties, mine)
        _insert_properties(tx, image_id, values)


def set_tags(tx: Tx, image_id: str, values: Sequence[str]) -> None:
    renew(tx, image_id)
    tx.delete(tags, tags.c.image_id == image_id)
    _insert_tags(tx, image_id, values)


def _insert_properties(tx: Tx, image_id: str, values: Mapping[str, str]) -> None:
    tx.insert_all(properties, [{"image_id": image_id, "name": name, "value": value} for name, value in values.items()])


def _insert_tags(tx: Tx, image_id: str, values: Sequence[str]) -> None:
    tx.insert_all(tags, [{"image_id": image_id, "tag": tag} for tag in values])


def delete(tx: Tx, image_id: str) -> None:
    tx.delete(images, images.c.id == image_id)


def turn(tx: Tx, image_id: str, before: str, after: str) -> bool:
    mine = (images.c.id == image_id) & (images.c.status == before)
    return tx.update(images, mine, {"status": after, "updated_at": tx.now}) == 1


def touch(tx: Tx, image_id: str, status: str) -> bool:
    """Hold the image's row until the end of the transaction. False where it is gone or of another status."""
    mine = (images.c.id == image_id) & (images.c.status == status)
    return tx.update(images, mine, {"updated_at": tx.now}) == 1


def begin_upload(tx: Tx, image_id: str, status: str, upload: str) -> bool:
    mine = (images.c.id == image_id) & (images.c.status == "queued")
    return tx.update(images, mine, {"status": status, "upload": upload, "updated_at": tx.now}) == 1


def leave_queue(tx: Tx, image_id: str, values: Mapping[str, Any]) -> bool:
    """False where it is not queued (any more)."""
    mine = (images.c.id == image_id) & (images.c.status == "queued")
    return tx.update(images, mine, {**values, "updated_at": tx.now}) == 1


def unread_images(tx: Tx) -> list[ImageRow]:
    """Those whose data lies elsewhere, with a hash or a size that is to be found out."""
    to_hash = images.c.hash_algo.is_not(None) & images.c.checksum.is_(None) & images.c.sha512.is_(None)
    unmeasured = (images.c.status == "active") & images.c.size.is_(None)
    of_use = images.c.status.in_(("active", "importing")) & images.c.upload.is_(None)
    return _completed(tx, tx.rows(ImageRow, _ALL.where(of_use & (to_hash | unmeasured))))


def import_staged(tx: Tx, image_id: str, upload: str) -> bool:
    mine = (images.c.id == image_id) & (images.c.upload == upload) & (images.c.status == "uploading")
    staged = images.c.staged.is_not(None)
    return tx.update(images, mine & staged, {"status": "importing", "updated_at": tx.now}) == 1


def activate(tx: Tx, image_id: str, upload: str, arrival: Arrival) -> bool:
    mine = (images.c.id == image_id) & (images.c.upload == upload)
    values = {"status": "active", "upload": None, "staged": None, "hash_algo": None, "hash_value": None}
    formats = {"disk_format": arrival.disk_format, "container_format": arrival.container_format}
    known = msgspec.structs.asdict(arrival.received)
    return tx.update(images, mine, {**values, **formats, **known, "updated_at": tx.now}) == 1


def stage(tx: Tx, image_id: str, upload: str, received: Received) -> bool:
    mine = (images.c.id == image_id) & (images.c.upload == upload)
    values = {"staged": msgspec.structs.asdict(received), "size": received.size, "updated_at": tx.now}
    return tx.update(images, mine, values) == 1


def abandon_upload(tx: Tx, upload: str) -> bool:
    """Back to queued, with nothing known of the data."""
    values = {"status": "queued", "upload": None, "staged": None, "size": None, "updated_at": tx.now}
    return tx.update(images, images.c.upload == upload, values) == 1


def stage_again(tx: Tx, upload: str) -> bool:
    """From importing what was staged, back to where it waits."""
    mine = (images.c.upload == upload) & (images.c.status == "importing") & images.c.staged.is_not(None)
    return tx.update(images, mine, {"status": "uploading", "updated_at": tx.now}) == 1


def uploads(tx: Tx) -> dict[str, bool]:
    """Upload -> whether its bytes are staged and wait; else somebody is at work on it."""
    columns = images.c.upload, images.c.staged, images.c.status
    found = tx.execute(sa.select(*columns).where(images.c.upload.is_not(None)))
    return {upload: staged is not None and status == "uploading" for upload, staged, status in found}


def images_of_uploads(tx: Tx, wanted: Sequence[str]) -> list[tuple[str, str]]:
    """(upload, image id)."""
    statement = sa.select(images.c.upload, images.c.id).where(images.c.upload.in_(wanted))
    return [(upload, image_id) for upload, image_id in tx.execute(statement)]


def _compare(column: sa.ColumnElement[Any], operator: str, value: Any) -> sa.ColumnElement[bool]:
    possible: dict[str, sa.ColumnElement[bool]] = {
        "gt": column > value,
        "gte": column >= value,
        "lt": column < value,
        "lte": column <= value,
        "eq": column == value,
        "neq": column != value,
    }
    return possible[operator]
