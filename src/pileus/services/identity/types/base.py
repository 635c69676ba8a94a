"""What all of identity's resources have in common.

A row's columns carry the API's names: what a resource shows is its row less what is hidden, its extra fields, and a link.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET

from pileus.core.body import Unset, length, micros, pattern
from pileus.core.http import Request

Id = Annotated[str, length(1, 64)]
Name = Annotated[str, length(1, 255), pattern(r"[^\x00]*[^\s\x00][^\x00]*")]
ShortName = Annotated[str, length(1, 64), pattern(r"[^\x00]*[^\s\x00][^\x00]*")]
Extra = dict[str, Any]
"""The fields of a resource that only its users know."""
Pairs = list[tuple[str, str]]
"""A query string, as it came."""


class Row(msgspec.Struct):
    """A row that is a resource."""

    __table__: ClassVar[Any]
    """Of tables.py."""
    __noun__: ClassVar[str]
    """As messages and events call it."""
    __collection__: ClassVar[str]
    """Its place under /identity/v3."""
    __hidden__: ClassVar[frozenset[str]] = frozenset()
    __filters__: ClassVar[tuple[str, ...]] = ()
    """The columns that a list can be filtered by."""

    id: str


class Immutable(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Options of projects and roles. Null takes one away."""

    immutable: bool | Unset | None = UNSET


def shown(request: Request, row: Row, **more: Any) -> dict[str, Any]:
    """A resource as its API shows it; `more` are fields that are not in its row."""
    fields = msgspec.structs.asdict(row)
    extra = fields.pop("extra", {})
    for name in row.__hidden__:
        fields.pop(name, None)
    for name in _times(type(row)):
        fields[name] = micros(fields[name])
    links = {"self": f"{request.url}/{row.__collection__}/{row.id}"}
    return {**extra, **fields, **more, "links": links}


@cache
def _times(kind: type[Row]) -> list[str]:
    """The fields that a resource shows as times."""
    return [name for name in kind.__struct_fields__ if name.endswith("_at") and name not in kind.__hidden__]


def listed(
    request: Request, collection: str, items: list[dict[str, Any]], next_marker: str | None = None
) -> dict[str, Any]:
    """A list as identity shows it."""
    url = request.base_url + request.path
    here = f"{url}?{request.query_string}" if request.query_string else url
    links: dict[str, str | None] = {"self": here, "previous": None, "next": None}
    found: dict[str, Any] = {collection: items, "links": links}
    if next_marker is not None:
        kept = "&".join(part for part in request.query_string.split("&") if part and not part.startswith("marker="))
        links["next"] = f"{url}?{kept}&marker={next_marker}"
        found["truncated"] = True
    return found
