"""What a directory says of its users and groups, and by which ids the cloud knows them."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

Kind = Literal["user", "group"]


class Entry(msgspec.Struct, kw_only=True):
    """A user or a group of a directory, as it was read just now."""

    local_id: str
    """Its id in the directory: what its id here is made from."""
    handle: str
    """By what a group names it as a member: a DN, or its local id."""
    name: str
    extra: dict[str, Any]
    """Fields of the API that the directory has."""


class UserEntry(Entry, kw_only=True):
    enabled: bool
    default_project_id: str | None = None


class GroupEntry(Entry, kw_only=True):
    description: str
    members: frozenset[str]
    """Handles, also of what is no user."""


class EntryRow(msgspec.Struct):
    """Which user or group here is which there."""

    id: str
    kind: Kind
    domain_id: str
    local_id: str
    handle: str
    gone: bool
    """It was in the directory once."""


def public_id(domain_id: str, kind: Kind, local_id: str) -> str:
    """The same for the same entry, in every process and after every loss of the database."""
    return hashlib.sha256("\0".join((domain_id, kind, local_id)).encode()).hexdigest()
