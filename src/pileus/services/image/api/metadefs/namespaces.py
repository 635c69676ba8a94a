"""Namespaces of metadata definitions."""

from typing import Any
from urllib.parse import urlencode

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request, Response
from pileus.services.image.api.metadefs import lists
from pileus.services.image.rules import metadefs as rules
from pileus.services.image.service import api
from pileus.services.image.store import metadefs as store
from pileus.services.image.types import listing
from pileus.services.image.types.metadefs import (
    NamespaceBody,
    NamespaceQuery,
    NamespaceRow,
    ResourceTypeQuery,
    namespace_view,
)

PATH = "/metadefs/namespaces/{namespace_name}"


@api.get("/metadefs/namespaces", policy="get_metadef_namespaces")
def list_namespaces(tx: Tx, caller: Caller, request: Request, query: NamespaceQuery) -> dict[str, Any]:
    """Namespaces that the caller sees."""
    page, most = lists.page_of(query.limit, query.marker, query.sort_key, query.sort_dir, store.NAMESPACE_SORT_KEYS)
    owner = None if caller.is_admin else caller.project_id or ""
    types = [name for name in (query.resource_types or "").split(",") if name]
    found = store.list_namespaces(tx, owner, query.visibility, types, page)
    following = urlencode(listing.next_query(request.query, found[most - 1].namespace)) if len(found) > most else None
    views = rules.whole_views(tx, found[:most], ["resource_type"])
    shown = listing.listing("namespaces", views, "/v2/metadefs/namespaces", urlencode(request.query), following)
    return shown | {"schema": "/v2/schemas/metadefs/namespaces"}


@api.post("/metadefs/namespaces", policy="add_metadef_namespace", success=201)
def create_namespace(tx: Tx, caller: Caller, request: Request, body: NamespaceBody) -> Response:
    """A namespace, with what it defines."""
    row = rules.create_namespace(tx, caller, body)
    (view,) = rules.whole_views(tx, [row], ["resource_type", "property", "object", "tag"])
    return Response(view, headers={"Location": f"{request.url}/metadefs/namespaces/{row.namespace}"})


@api.get(PATH, policy="get_metadef_namespace", load=rules.visible_namespace, target=rules.target_of)
def show_namespace(tx: Tx, namespace: NamespaceRow, query: ResourceTypeQuery) -> dict[str, Any]:
    """A namespace with all that it defines, its properties named as on `resource_type`."""
    (view,) = rules.whole_views(tx, [namespace], ["resource_type", "property", "object", "tag"])
    return view if query.resource_type is None else rules.prefixed(view, query.resource_type)


@api.put(PATH, policy="modify_metadef_namespace", load=rules.visible_namespace, target=rules.target_of)
def update_namespace(tx: Tx, caller: Caller, namespace: NamespaceRow, body: NamespaceBody) -> dict[str, Any]:
    """Change a namespace; what it defines stays."""
    return namespace_view(rules.update_namespace(tx, caller, namespace, body))


@api.delete(PATH, policy="delete_metadef_namespace", load=rules.visible_namespace, target=rules.target_of)
def delete_namespace(tx: Tx, caller: Caller, namespace: NamespaceRow) -> None:
    """Delete a namespace with all that it defines."""
    rules.delete_namespace(tx, caller, namespace)
