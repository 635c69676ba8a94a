"""Objects: groups of properties."""

from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.image.api.metadefs import lists
from pileus.services.image.rules import metadefs as rules
from pileus.services.image.service import api
from pileus.services.image.types.metadefs import DefinitionQuery, NamespaceRow, ObjectBody, definition_view

ALL = "/metadefs/namespaces/{namespace_name}/objects"
ONE = ALL + "/{object_name}"


@api.get(ALL, policy="get_metadef_objects", load=rules.visible_namespace, target=rules.target_of)
def list_objects(tx: Tx, request: Request, namespace: NamespaceRow, query: DefinitionQuery) -> dict[str, Any]:
    """All objects of a namespace."""
    return lists.definitions(tx, request, namespace, "object", "objects", query)


@api.post(ALL, policy="add_metadef_object", load=rules.visible_namespace, target=rules.target_of, success=201)
def create_object(tx: Tx, caller: Caller, namespace: NamespaceRow, body: ObjectBody) -> dict[str, Any]:
    """Define an object."""
    row = rules.define(tx, caller, namespace, "object", body.name, rules.object_content(body))
    return definition_view(namespace.namespace, row)


@api.get(ONE, policy="get_metadef_object", load=rules.visible_namespace, target=rules.target_of)
def show_object(tx: Tx, namespace: NamespaceRow, object_name: str) -> dict[str, Any]:
    """One object."""
    return definition_view(namespace.namespace, rules.definition(tx, namespace, "object", object_name))


@api.put(ONE, policy="modify_metadef_object", load=rules.visible_namespace, target=rules.target_of)
def update_object(
    tx: Tx, caller: Caller, namespace: NamespaceRow, object_name: str, body: ObjectBody
) -> dict[str, Any]:
    """Define an object anew."""
    row = rules.definition(tx, namespace, "object", object_name)
    return definition_view(namespace.namespace, rules.redefine(tx, caller, row, body.name, rules.object_content(body)))


@api.delete(ONE, policy="delete_metadef_object", load=rules.visible_namespace, target=rules.target_of)
def delete_object(tx: Tx, caller: Caller, namespace: NamespaceRow, object_name: str) -> None:
    """Delete an object."""
    rules.undefine(tx, caller, namespace, rules.definition(tx, namespace, "object", object_name))


@api.delete(ALL, policy="delete_metadef_object", load=rules.visible_namespace, target=rules.target_of)
def delete_objects(tx: Tx, caller: Caller, namespace: NamespaceRow) -> None:
    """Delete all objects of a namespace."""
    rules.undefine_all(tx, caller, namespace, "object")
