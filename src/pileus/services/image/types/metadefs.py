"""Metadata definitions: namespaces that say which properties there are, for what, and which values they may have."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from pileus.core.body import UNSET, Body, Query, Unset, length, pattern, seconds

Name = Annotated[str, length(1, 80), pattern("[^/]+")]
"""Part of a path, where a slash would end it: nobody could change or remove what was named with one."""
Kind = Literal["object", "property", "tag", "resource_type"]


class NamespaceRow(msgspec.Struct):
    id: str
    namespace: str
    display_name: str | None
    description: str | None
    visibility: str
    protected: bool
    owner: str
    created_at: datetime
    updated_at: datetime


class DefinitionRow(msgspec.Struct):
    namespace_id: str
    kind: str
    name: str
    content: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class Shown(Body):
    """What clients send back as they got it; it is not looked at."""

    created_at: str | Unset = UNSET
    updated_at: str | Unset = UNSET
    self: str | Unset = UNSET
    schema: str | Unset = UNSET


class Items(Body):
    type: Literal["array", "boolean", "integer", "number", "object", "string"] | Unset | None = UNSET
    enum: list[Any] | Unset = UNSET


Natural = Annotated[int, msgspec.Meta(ge=0)]


class PropertyShape(Body):
    """A property as JSON schema has it, with `operators`."""

    title: str
    type: Literal["array", "boolean", "integer", "number", "object", "string"] | None
    name: Name | Unset = UNSET
    description: str | Unset = UNSET
    operators: list[str] | Unset = UNSET
    required: list[str] | Unset = UNSET
    minimum: float | int | Unset = UNSET
    maximum: float | int | Unset = UNSET
    maxLength: Natural | Unset = UNSET
    minLength: Natural | Unset = UNSET
    pattern: str | Unset = UNSET
    enum: list[Any] | Unset = UNSET
    readonly: bool | Unset = UNSET
    default: Any = UNSET
    items: Items | Unset = UNSET
    maxItems: Natural | Unset = UNSET
    minItems: Natural | Unset = UNSET
    uniqueItems: bool | Unset = UNSET
    additionalItems: bool | Unset = UNSET


class PropertyBody(PropertyShape, kw_only=True):
    """POST .../properties, PUT .../properties/{property_name}."""

    name: Name


class ObjectBody(Shown, kw_only=True):
    """POST .../objects, PUT .../objects/{object_name}."""

    name: Name
    description: str | Unset = UNSET
    required: list[str] | Unset = UNSET
    properties: dict[str, PropertyShape] | Unset = UNSET


class TagBody(Shown, kw_only=True):
    """PUT .../tags/{tag_name}."""

    name: Name


class TagsBody(Body):
    """POST .../tags."""

    tags: list[TagBody]


class AssociationBody(Shown, kw_only=True):
    """POST .../resource_types."""

    name: Name
    prefix: Annotated[str, length(0, 80)] | Unset = UNSET
    properties_target: Annotated[str, length(0, 80)] | Unset = UNSET


class NamespaceBody(Shown, kw_only=True):
    """POST /metadefs/namespaces, with what it defines; PUT /metadefs/namespaces/{namespace_name}, where that is not looked at."""

    namespace: Name
    display_name: Annotated[str, length(0, 80)] | Unset | None = UNSET
    description: Annotated[str, length(0, 500)] | Unset | None = UNSET
    visibility: Literal["public", "private"] | Unset = UNSET
    protected: bool | Unset = UNSET
    owner: Annotated[str, length(1, 255)] | Unset = UNSET
    resource_type_associations: list[AssociationBody] = []
    properties: dict[str, PropertyShape] = {}
    objects: list[ObjectBody] = []
    tags: list[TagBody] = []


class NamespaceQuery(Query):
    limit: str | None = None
    marker: str | None = None
    sort_key: str = "created_at"
    sort_dir: str = "desc"
    visibility: Literal["public", "private"] | None = None
    resource_types: str | None = None


class DefinitionQuery(Query):
    limit: str | None = None
    marker: str | None = None
    sort_key: str = "created_at"
    sort_dir: str = "desc"


class ResourceTypeQuery(Query):
    resource_type: str | None = None


def namespace_view(row: NamespaceRow) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "namespace": row.namespace,
        "visibility": row.visibility,
        "protected": row.protected,
        "owner": row.owner,
        "created_at": seconds(row.created_at),
        "updated_at": seconds(row.updated_at),
        "self": f"/v2/metadefs/namespaces/{row.namespace}",
        "schema": "/v2/schemas/metadefs/namespace",
    }
    if row.display_name is not None:
        shown["display_name"] = row.display_name
    if row.description is not None:
        shown["description"] = row.description
    return shown


def definition_view(namespace: str, row: DefinitionRow) -> dict[str, Any]:
    """One object, property, tag or resource type association."""
    shown = {**row.content, "name": row.name}
    if row.kind == "property":
        return shown
    shown |= {"created_at": seconds(row.created_at), "updated_at": seconds(row.updated_at)}
    if row.kind == "object":
        shown["self"] = f"/v2/metadefs/namespaces/{namespace}/objects/{row.name}"
        shown["schema"] = "/v2/schemas/metadefs/object"
    return shown
