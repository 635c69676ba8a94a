"""What bodies and replies of several nouns share."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

import msgspec

from pileus.core.errors import BadRequest
from pileus.core.http import Request

MAX_INT = 2**31 - 1
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^(?!\s)[^\x00-\x1f\x7f]*(?<!\s)$")]
"""1 to 255 printable characters, no space at either end."""
Whole = (
    Annotated[int, msgspec.Meta(ge=0, le=MAX_INT)]
    | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,10}$", max_length=10)]
)
"""A number of 0 or more, or its digits; `whole` gives the number."""
Flag = (
    bool
    | Literal["true", "True", "TRUE", "1", "on", "On", "ON", "yes", "Yes", "YES"]
    | Literal["false", "False", "FALSE", "0", "off", "Off", "OFF", "no", "No", "NO"]
)
"""True or false in one of the words that the API takes; `flag` gives the bool."""
_TRUE = frozenset({"true", "1", "on", "yes"})


def whole(value: int | str, field: str, least: int = 0) -> int:
    """Raises BadRequest outside least..2^31-1."""
    number = int(value)
    if not least <= number <= MAX_INT:
        raise BadRequest(f"Invalid input for field {field}: {number} is not between {least} and {MAX_INT}.")
    return number


def flag(value: bool | str) -> bool:
    return value if isinstance(value, bool) else value.lower() in _TRUE


def strict_bool(text: str, name: str) -> bool:
    """The words of `Flag` in a query. Raises BadRequest."""
    word = text.strip().lower()
    if word in _TRUE | {"t", "y"}:
        return True
    if word in {"false", "0", "off", "no", "f", "n"}:
        return False
    raise BadRequest(f"{name} must be true or false, got '{text[:64]}'.")


class Link(msgspec.Struct):
    rel: str
    href: str


def links(request: Request, path: str) -> list[Link]:
    """The two links of a resource at `path` below the service's prefix."""
    path = quote(path)
    bookmark = request.base_url + request.prefix.removesuffix("/v2.1") + path
    return [Link("self", request.url + path), Link("bookmark", bookmark)]


def next_links(request: Request, marker: str) -> list[Link]:
    """The link to the page after `marker`: the same query with another marker."""
    query = [(key, value) for key, value in request.query if key != "marker"]
    return [Link("next", f"{request.base_url}{request.path}?{urlencode([*query, ('marker', marker)])}")]


def check_uuid(text: str, name: str) -> str:
    """Raises BadRequest."""
    try:
        uuid.UUID(text)
    except ValueError:
        raise BadRequest(f"{name} must be a UUID, got '{text[:64]}'.") from None
    return text
