"""Tags of everything that can have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.services.network.store import common
from pileus.services.network.store.collection import Collection

MAX = 50
LENGTH = 255


def tags_of(tx: Tx, row_id: str) -> list[str]:
    return common.tags_of(tx, [row_id])[row_id]


def replace(tx: Tx, rows: Collection[Any], row_id: str, tags: Sequence[str]) -> list[str]:
    """Raises BadRequest for too many or for one that is too long."""
    _check(tags)
    common.set_tags(tx, row_id, tags)
    common.touch(tx, rows.table, row_id)
    return tags_of(tx, row_id)


def add(tx: Tx, rows: Collection[Any], row_id: str, tags: Sequence[str]) -> list[str]:
    """Those that are there already stay."""
    _check([*tags_of(tx, row_id), *tags])
    common.add_tags(tx, row_id, tags)
    common.touch(tx, rows.table, row_id)
    return tags_of(tx, row_id)


def check_there(tx: Tx, row_id: str, tag: str) -> None:
    if tag not in tags_of(tx, row_id):
        raise NotFound(f"Tag {tag[:64]} could not be found.", code="TagNotFound")


def delete(tx: Tx, rows: Collection[Any], row_id: str, tag: str) -> None:
    if not common.delete_tag(tx, row_id, tag):
        raise NotFound(f"Tag {tag[:64]} could not be found.", code="TagNotFound")
    common.touch(tx, rows.table, row_id)


def _check(tags: Sequence[str]) -> None:
    if len(set(tags)) > MAX:
        raise BadRequest(f"There can be at most {MAX} tags, these would be {len(set(tags))}.")
    for tag in tags:
        if not 1 <= len(tag) <= LENGTH:
            raise BadRequest(f"A tag has 1 to {LENGTH} characters, got {len(tag)}: '{tag[:64]}'.")
