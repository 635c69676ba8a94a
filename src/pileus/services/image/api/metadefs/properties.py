"""Properties that a namespace defines."""

from typing import Any

from pileus.core import paging
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.services.image.rules import metadefs as rules
from pileus.services.image.service import api
from pileus.services.image.store import metadefs as store
from pileus.services.image.types.metadefs import NamespaceRow, PropertyBody, ResourceTypeQuery, definition_view

ALL = "/metadefs/namespaces/{namespace_name}/properties"
ONE = ALL + "/{property_name}"


@api.get(ALL, policy="get_metadef_properties", load=rules.visible_namespace, target=rules.target_of)
def list_properties(tx: Tx, namespace: NamespaceRow) -> dict[str, Any]:
    """All properties of a namespace, by name."""
    page = paging.Page(sorts=(paging.Sort("name"),))
    found = store.list_definitions(tx, namespace.id, "property", page)
    return {"properties": {row.name: definition_view(namespace.namespace, row) for row in found}}


@api.post(ALL, policy="add_metadef_property", load=rules.visible_namespace, target=rules.target_of, success=201)
def create_property(tx: Tx, caller: Caller, namespace: NamespaceRow, body: PropertyBody) -> dict[str, Any]:
    """Define a property."""
    row = rules.define(tx, caller, namespace, "property", body.name, rules.content_of(body))
    return definition_view(namespace.namespace, row)


@api.get(ONE, policy="get_metadef_property", load=rules.visible_namespace, target=rules.target_of)
def show_property(tx: Tx, namespace: NamespaceRow, property_name: str, query: ResourceTypeQuery) -> dict[str, Any]:
    """One property, by its name on `resource_type` where that is given."""
    row = rules.property_on(tx, namespace, property_name, query.resource_type)
    return definition_view(namespace.namespace, row) | {"name": property_name}


@api.put(ONE, policy="modify_metadef_property", load=rules.visible_namespace, target=rules.target_of)
def update_property(
    tx: Tx, caller: Caller, namespace: NamespaceRow, property_name: str, body: PropertyBody
) -> dict[str, Any]:
    """Define a property anew."""
    row = rules.definition(tx, namespace, "property", property_name)
    return definition_view(namespace.namespace, rules.redefine(tx, caller, row, body.name, rules.content_of(body)))


@api.delete(ONE, policy="remove_metadef_property", load=rules.visible_namespace, target=rules.target_of)
def delete_property(tx: Tx, caller: Caller, namespace: NamespaceRow, property_name: str) -> None:
    """Delete a property."""
    rules.undefine(tx, caller, namespace, rules.definition(tx, namespace, "property", property_name))


@api.delete(ALL, policy="remove_metadef_property", load=rules.visible_namespace, target=rules.target_of)
def delete_properties(tx: Tx, caller: Caller, namespace: NamespaceRow) -> None:
    """Delete all properties of a namespace."""
    rules.undefine_all(tx, caller, namespace, "property")
