"""Resource types, and which namespaces are meant for them."""

from typing import Any

from pileus.core import paging
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.services.image.rules import metadefs as rules
from pileus.services.image.service import api
from pileus.services.image.store import metadefs as store
from pileus.services.image.types.metadefs import AssociationBody, NamespaceRow, definition_view

ALL = "/metadefs/namespaces/{namespace_name}/resource_types"


@api.get("/metadefs/resource_types", policy="list_metadef_resource_types")
def list_resource_types(tx: Tx) -> dict[str, Any]:
    """Those that are well known, and those that a namespace names."""
    return {"resource_types": [{"name": name} for name in sorted({*rules.KNOWN_TYPES, *store.resource_types(tx)})]}


@api.get(ALL, policy="get_metadef_resource_type", load=rules.visible_namespace, target=rules.target_of)
def list_associations(tx: Tx, namespace: NamespaceRow) -> dict[str, Any]:
    """What a namespace is meant for."""
    page = paging.Page(sorts=(paging.Sort("name"),))
    found = store.list_definitions(tx, namespace.id, "resource_type", page)
    return {"resource_type_associations": [definition_view(namespace.namespace, row) for row in found]}


@api.post(
    ALL,
    policy="add_metadef_resource_type_association",
    load=rules.visible_namespace,
    target=rules.target_of,
    success=201,
)
def associate(tx: Tx, caller: Caller, namespace: NamespaceRow, body: AssociationBody) -> dict[str, Any]:
    """Say that a namespace is meant for a resource type."""
    return definition_view(namespace.namespace, rules.associate(tx, caller, namespace, body))


@api.delete(
    ALL + "/{name}",
    policy="remove_metadef_resource_type_association",
    load=rules.visible_namespace,
    target=rules.target_of,
)
def dissociate(tx: Tx, caller: Caller, namespace: NamespaceRow, name: str) -> None:
    """Say that it is not."""
    rules.undefine(tx, caller, namespace, rules.definition(tx, namespace, "resource_type", name))
