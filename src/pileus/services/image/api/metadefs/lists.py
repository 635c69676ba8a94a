"""Lists of what a namespace defines."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from pileus.core import paging
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.image.store import metadefs as store
from pileus.services.image.types import listing
from pileus.services.image.types.metadefs import DefinitionQuery, Kind, NamespaceRow, definition_view


def page_of(
    limit: str | None, marker: str | None, key: str, direction: str, keys: tuple[str, ...]
) -> tuple[paging.Page, int]:
    """The page to ask for, of one item more than the limit, and the limit."""
    most = paging.MAX if limit is None else paging.limit_of(limit)
    sorts = paging.sorts_of([key], [direction], keys)
    return paging.Page(limit=most + 1 if most else 0, marker=marker, sorts=sorts), most


def definitions(
    tx: Tx, request: Request, namespace: NamespaceRow, kind: Kind, collection: str, query: DefinitionQuery
) -> dict[str, Any]:
    """A page of them."""
    page, most = page_of(query.limit, query.marker, query.sort_key, query.sort_dir, store.DEFINITION_SORT_KEYS)
    found = store.list_definitions(tx, namespace.id, kind, page)
    following = urlencode(listing.next_query(request.query, found[most - 1].name)) if len(found) > most else None
    views = [definition_view(namespace.namespace, row) for row in found[:most]]
    path = f"/v2/metadefs/namespaces/{namespace.namespace}/{collection}"
    shown = listing.listing(collection, views, path, urlencode(request.query), following)
    return shown | {"schema": f"/v2/schemas/metadefs/{collection}"}
