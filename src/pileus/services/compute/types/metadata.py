"""Metadata and tags of servers."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pileus.core.body import Body, Reply
from pileus.services.compute.types.servers import Metadata, Tag


class MetadataBody(Body):
    metadata: Metadata


class MetaBody(Body):
    """One item, under its own key."""

    meta: Annotated[Metadata, msgspec.Meta(min_length=1, max_length=1)]


class TagsBody(Body):
    tags: Annotated[list[Tag], msgspec.Meta(max_length=50)]


class Tags(Reply):
    tags: list[str]
