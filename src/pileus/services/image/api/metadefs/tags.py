"""Tags that a namespace defines."""

from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.image.api.metadefs import lists
from pileus.services.image.rules import metadefs as rules
from pileus.services.image.service import api
from pileus.services.image.types.metadefs import DefinitionQuery, NamespaceRow, TagBody, TagsBody, definition_view

ALL = "/metadefs/namespaces/{namespace_name}/tags"
ONE = ALL + "/{tag_name}"


@api.get(ALL, policy="get_metadef_tags", load=rules.visible_namespace, target=rules.target_of)
def list_tags(tx: Tx, request: Request, namespace: NamespaceRow, query: DefinitionQuery) -> dict[str, Any]:
    """All tags of a namespace."""
    return lists.definitions(tx, request, namespace, "tag", "tags", query)


@api.post(ALL, policy="add_metadef_tags", load=rules.visible_namespace, target=rules.target_of, success=201)
def create_tags(tx: Tx, caller: Caller, request: Request, namespace: NamespaceRow, body: TagsBody) -> dict[str, Any]:
    """Define these tags instead of all others, or beside them with X-Openstack-Append."""
    if request.headers.get("x-openstack-append", "").lower() != "true":
        rules.undefine_all(tx, caller, namespace, "tag")
    return {"tags": [{"name": rules.define(tx, caller, namespace, "tag", tag.name, {}).name} for tag in body.tags]}


@api.get(ONE, policy="get_metadef_tag", load=rules.visible_namespace, target=rules.target_of)
def show_tag(tx: Tx, namespace: NamespaceRow, tag_name: str) -> dict[str, Any]:
    """One tag."""
    return definition_view(namespace.namespace, rules.definition(tx, namespace, "tag", tag_name))


@api.post(ONE, policy="add_metadef_tag", load=rules.visible_namespace, target=rules.target_of, success=201)
def create_tag(tx: Tx, caller: Caller, namespace: NamespaceRow, tag_name: str) -> dict[str, Any]:
    """Define a tag."""
    return definition_view(namespace.namespace, rules.define(tx, caller, namespace, "tag", rules.tag(tag_name), {}))


@api.put(ONE, policy="modify_metadef_tag", load=rules.visible_namespace, target=rules.target_of)
def update_tag(tx: Tx, caller: Caller, namespace: NamespaceRow, tag_name: str, body: TagBody) -> dict[str, Any]:
    """Rename a tag."""
    row = rules.definition(tx, namespace, "tag", tag_name)
    return definition_view(namespace.namespace, rules.redefine(tx, caller, row, body.name, {}))


@api.delete(ONE, policy="delete_metadef_tag", load=rules.visible_namespace, target=rules.target_of)
def delete_tag(tx: Tx, caller: Caller, namespace: NamespaceRow, tag_name: str) -> None:
    """Delete a tag."""
    rules.undefine(tx, caller, namespace, rules.definition(tx, namespace, "tag", tag_name))


@api.delete(ALL, policy="delete_metadef_tags", load=rules.visible_namespace, target=rules.target_of)
def delete_tags(tx: Tx, caller: Caller, namespace: NamespaceRow) -> None:
    """Delete all tags of a namespace."""
    rules.undefine_all(tx, caller, namespace, "tag")
