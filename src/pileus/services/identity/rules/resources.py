"""What all resources of identity do alike: be found, made, changed and removed, each with its event."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import Row

R = TypeVar("R", bound=Row)


def find(tx: Tx, kind: type[R], row_id: str) -> R:
    """Raises NotFound."""
    found = rows.find(tx, kind, row_id)
    if found is None:
        raise NotFound(f"Could not find {kind.__noun__.replace('_', ' ')}: {row_id[:64]}.")
    return found


def add(tx: Tx, caller: Caller, row: R, conflict: str | None = None) -> R:
    must_be_composed(getattr(row, "name", None))
    rows.insert(tx, row, conflict)
    events.record(tx, caller, "identity", "create", row.__noun__, row.id)
    return row


def change(tx: Tx, caller: Caller, row: R, values: Mapping[str, Any], conflict: str | None = None) -> R:
    """The row as it is afterwards."""
    must_be_composed(values.get("name"))
    changed = rows.update(tx, row, values, conflict)
    events.record(tx, caller, "identity", "update", row.__noun__, row.id, fields=sorted(values))
    return changed


def must_be_composed(name: str | None) -> None:
    """Raises BadRequest for a name that looks like another one and is not, as it has its accents apart."""
    if name is not None and not unicodedata.is_normalized("NFC", name):
        raise BadRequest(f"The name '{name[:64]}' must be in Unicode's normal form C (composed characters).")


def remove(tx: Tx, caller: Caller, row: Row) -> None:
    rows.delete(tx, row)
    events.record(tx, caller, "identity", "delete", row.__noun__, row.id)


def wishes(body: msgspec.Struct, row: Row | None = None) -> dict[str, Any]:
    """What a body gives, as columns. An update's extra fields and options join those of the row; null takes one away."""
    found = {name: getattr(body, name) for name in body.__struct_fields__ if getattr(body, name) is not UNSET}
    for name in ("extra", "options"):
        if name in found:
            given = msgspec.to_builtins(found[name])
            merged = {**(getattr(row, name) if row is not None else {}), **given}
            found[name] = {key: value for key, value in merged.items() if value is not None or name == "extra"}
    return found


def must_be_mutable(row: Any, change: Mapping[str, Any] | None = None) -> None:
    """Raises Forbidden for an immutable row, unless all that the change does is to make it mutable."""
    if not row.options.get("immutable"):
        return
    if (
        change is not None
        and set(change) <= {"options", "extra"}
        and change.get("options", {}).get("immutable") is False
    ):
        return
    raise Forbidden(
        f"The {row.__noun__} {row.name} is immutable: set its option 'immutable' to false first, in a request of its own."
    )


def same_or_unset(row: Row, body: msgspec.Struct, *names: str) -> None:
    """Raises Forbidden where the body changes a field that can't be changed."""
    for name in names:
        given = getattr(body, name)
        if given is not UNSET and given != getattr(row, name):
            raise Forbidden(f"The {name} of a {row.__noun__} can't be changed.")
