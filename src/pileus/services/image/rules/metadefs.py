"""Metadata definitions: who sees them, how they come, change and go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pileus.core import events
from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import Forbidden, NotFound
from pileus.services.image.rules import attributes
from pileus.services.image.store import metadefs as store
from pileus.services.image.types.metadefs import (
    AssociationBody,
    DefinitionRow,
    Kind,
    NamespaceBody,
    NamespaceRow,
    ObjectBody,
    PropertyShape,
    definition_view,
    namespace_view,
)

KNOWN_TYPES = (
    "OS::Cinder::Volume",
    "OS::Glance::Image",
    "OS::Nova::Aggregate",
    "OS::Nova::Flavor",
    "OS::Nova::Server",
    "OS::Trove::Instance",
)
"""Resource types that there are before any namespace names them."""
_MEMBERS: dict[str, str] = {
    "object": "objects",
    "property": "properties",
    "tag": "tags",
    "resource_type": "resource_type_associations",
}
_READ_ONLY = ("name", "created_at", "updated_at", "self", "schema")


def visible_namespace(tx: Tx, caller: Caller, namespace_name: str) -> NamespaceRow:
    """Raises NotFound where there is none for this caller."""
    found = store.namespace(tx, namespace_name)
    if found is None or not (caller.is_admin or found.visibility == "public" or found.owner == caller.project_id):
        raise NotFound(f"There is no metadata definition namespace '{namespace_name[:80]}'.")
    return found


def target_of(namespace: NamespaceRow) -> Mapping[str, Any]:
    """What policy rules compare with the caller."""
    return {"project_id": namespace.owner, "visibility": namespace.visibility}


def create_namespace(tx: Tx, caller: Caller, wish: NamespaceBody) -> NamespaceRow:
    """A namespace with all that it defines. Raises Conflict (a name is taken)."""
    row = NamespaceRow(
        id=new_id(),
        namespace=wish.namespace,
        display_name=wish.display_name or None,
        description=wish.description or None,
        visibility=wish.visibility or "private",
        protected=wish.protected or False,
        owner=wish.owner or caller.project_id or "",
        created_at=tx.now,
        updated_at=tx.now,
    )
    store.insert_namespace(tx, row)
    for association in wish.resource_type_associations:
        define(tx, caller, row, "resource_type", association.name, content_of(association))
    for name, shape in wish.properties.items():
        define(tx, caller, row, "property", name, content_of(shape))
    for each in wish.objects:
        define(tx, caller, row, "object", each.name, object_content(each))
    for tag in wish.tags:
        define(tx, caller, row, "tag", tag.name, {})
    events.record(tx, caller, "image", "create", "metadef_namespace", row.id, namespace=row.namespace)
    return row


def update_namespace(tx: Tx, caller: Caller, row: NamespaceRow, wish: NamespaceBody) -> NamespaceRow:
    """Raises Conflict (the name is taken)."""
    fields = ("namespace", "display_name", "description", "visibility", "protected", "owner")
    given = {field: value for field in fields if (value := getattr(wish, field)) is not UNSET}
    store.update_namespace(tx, row, {**given, "updated_at": tx.now})
    events.record(tx, caller, "image", "update", "metadef_namespace", row.id, namespace=row.namespace)
    return msgspec.structs.replace(row, **given, updated_at=tx.now)


def delete_namespace(tx: Tx, caller: Caller, row: NamespaceRow) -> None:
    """With all that it defines. Raises Forbidden (protected)."""
    _must_not_be_protected(row)
    store.delete_namespace(tx, row)
    events.record(tx, caller, "image", "delete", "metadef_namespace", row.id, namespace=row.namespace)


def whole_views(tx: Tx, rows: Sequence[NamespaceRow], kinds: Sequence[Kind]) -> list[dict[str, Any]]:
    """Namespaces with what they define, of these kinds."""
    views = {row.id: namespace_view(row) for row in rows}
    for view in views.values():
        view.update({_MEMBERS[kind]: {} if kind == "property" else [] for kind in kinds})
    for found in store.all_definitions(tx, list(views)):
        if found.kind in kinds:
            view = views[found.namespace_id]
            shown, members = definition_view(view["namespace"], found), view[_MEMBERS[found.kind]]
            if found.kind == "property":
                shown.pop("name")
                members[found.name] = shown
            else:
                members.append(shown)
    return list(views.values())


def prefixed(view: dict[str, Any], resource_type: str) -> dict[str, Any]:
    """A whole namespace with its properties named as on that resource type."""
    prefix = next((a.get("prefix", "") for a in view["resource_type_associations"] if a["name"] == resource_type), "")
    if prefix:
        view["properties"] = {prefix + name: shape for name, shape in view["properties"].items()}
        for each in view["objects"]:
            each["properties"] = {prefix + name: shape for name, shape in each.get("properties", {}).items()}
            each["required"] = [prefix + name for name in each.get("required", [])]
    return view


def definition(tx: Tx, namespace: NamespaceRow, kind: Kind, name: str) -> DefinitionRow:
    """Raises NotFound."""
    found = store.definition(tx, namespace.id, kind, name)
    if found is None:
        raise NotFound(f"The namespace '{namespace.namespace}' has no {kind.replace('_', ' ')} '{name[:80]}'.")
    return found


def property_on(tx: Tx, namespace: NamespaceRow, name: str, resource_type: str | None) -> DefinitionRow:
    """A property by its name on a resource type, which may carry a prefix. Raises NotFound."""
    if resource_type is not None:
        association = definition(tx, namespace, "resource_type", resource_type)
        prefix = association.content.get("prefix") or ""
        if not name.startswith(prefix):
            raise NotFound(f"On {resource_type} the properties of '{namespace.namespace}' start with '{prefix}'.")
        name = name.removeprefix(prefix)
    return definition(tx, namespace, "property", name)


def define(
    tx: Tx, caller: Caller, namespace: NamespaceRow, kind: Kind, name: str, content: Mapping[str, Any]
) -> DefinitionRow:
    """Raises Conflict (the name is taken)."""
    row = DefinitionRow(namespace.id, kind, name, dict(content), tx.now, tx.now)
    store.insert_definition(tx, row)
    events.record(tx, caller, "image", "create", f"metadef_{kind}", namespace.id, name=name)
    return row


def redefine(tx: Tx, caller: Caller, row: DefinitionRow, name: str, content: Mapping[str, Any]) -> DefinitionRow:
    """Raises Conflict (the name is taken)."""
    store.update_definition(tx, row, name, content)
    events.record(tx, caller, "image", "update", f"metadef_{row.kind}", row.namespace_id, name=name)
    return msgspec.structs.replace(row, name=name, content=dict(content), updated_at=tx.now)


def undefine(tx: Tx, caller: Caller, namespace: NamespaceRow, row: DefinitionRow) -> None:
    """Raises Forbidden (the namespace is protected)."""
    _must_not_be_protected(namespace)
    store.delete_definition(tx, row)
    events.record(tx, caller, "image", "delete", f"metadef_{row.kind}", row.namespace_id, name=row.name)


def undefine_all(tx: Tx, caller: Caller, namespace: NamespaceRow, kind: Kind) -> None:
    """Raises Forbidden (the namespace is protected)."""
    _must_not_be_protected(namespace)
    store.delete_definitions(tx, namespace.id, kind)
    events.record(tx, caller, "image", "delete", f"metadef_{kind}", namespace.id, name="*")


def associate(tx: Tx, caller: Caller, namespace: NamespaceRow, wish: AssociationBody) -> DefinitionRow:
    """Raises Conflict (associated already)."""
    return define(tx, caller, namespace, "resource_type", wish.name, content_of(wish))


def tag(name: str) -> str:
    """A tag's name from a path. Raises BadRequest."""
    return attributes.text("a tag", name, 80)


def content_of(wish: PropertyShape | AssociationBody) -> dict[str, Any]:
    """What was given beside the name."""
    given: dict[str, Any] = msgspec.to_builtins(wish)
    return {name: value for name, value in given.items() if name not in _READ_ONLY}


def object_content(wish: ObjectBody) -> dict[str, Any]:
    shapes = wish.properties or {}
    return {
        "description": wish.description or "",
        "required": wish.required or [],
        "properties": {name: content_of(shape) for name, shape in shapes.items()},
    }


def _must_not_be_protected(namespace: NamespaceRow) -> None:
    if namespace.protected:
        raise Forbidden(f"The namespace '{namespace.namespace}' is protected. Unset 'protected' first.")
