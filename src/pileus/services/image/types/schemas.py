"""JSON schemas (draft 4) of what the image API shows, for clients that ask: GET /schemas/..."""

from __future__ import annotations

from typing import Any

from pileus.services.image.types.images import CONTAINER_FORMATS, DISK_FORMATS, READ_ONLY, VISIBILITIES

_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
_TIME = {"type": "string", "description": "ISO 8601, UTC"}
_BOOLEAN = {"type": "boolean"}
_STRING = {"type": "string"}
_NUMBER = {"type": "integer"}


def _text(longest: int, **more: Any) -> dict[str, Any]:
    return {"type": "string", "maxLength": longest, **more}


def _or_null(longest: int) -> dict[str, Any]:
    return {"type": ["null", "string"], "maxLength": longest}


def _choice(values: tuple[str, ...]) -> dict[str, Any]:
    return {"type": ["null", "string"], "enum": [None, *values]}


_IMAGE_STATUSES = (
    "queued",
    "saving",
    "active",
    "killed",
    "deleted",
    "uploading",
    "importing",
    "pending_delete",
    "deactivated",
)
_IMAGE: dict[str, Any] = {
    "id": {"type": "string", "pattern": _UUID},
    "name": _or_null(255),
    "status": {"type": "string", "enum": list(_IMAGE_STATUSES)},
    "visibility": {"type": "string", "enum": list(VISIBILITIES)},
    "protected": _BOOLEAN,
    "os_hidden": _BOOLEAN,
    "checksum": _or_null(32),
    "os_hash_algo": _or_null(64),
    "os_hash_value": _or_null(128),
    "owner": _or_null(255),
    "size": {"type": ["null", "integer"]},
    "virtual_size": {"type": ["null", "integer"]},
    "container_format": _choice(CONTAINER_FORMATS),
    "disk_format": _choice(DISK_FORMATS),
    "created_at": _TIME,
    "updated_at": _TIME,
    "tags": {"type": "array", "items": _text(255)},
    "min_ram": _NUMBER,
    "min_disk": _NUMBER,
    "self": _STRING,
    "file": _STRING,
    "schema": _STRING,
    "stores": _STRING,
    "locations": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["url", "metadata"],
            "properties": {
                "url": _text(2048),
                "metadata": {"type": "object"},
                "validation_data": {
                    "type": "object",
                    "writeOnly": True,
                    "required": ["os_hash_algo", "os_hash_value"],
                    "properties": {
                        "checksum": _text(32, minLength=32),
                        "os_hash_algo": _text(64),
                        "os_hash_value": _text(128),
                    },
                    "additionalProperties": False,
                },
            },
        },
    },
}
_MEANING = {
    "id": "The image's UUID; given by the client or made",
    "name": "What people call it; need not be unique",
    "status": "How far its data is: queued until there is some, active when it is of use",
    "visibility": "Who sees it: its project, its members, everybody who asks for it, or all",
    "protected": "Whether it is kept from being deleted",
    "os_hidden": "Whether lists leave it out unless asked for hidden ones",
    "checksum": "MD5 of the data, hexadecimal",
    "os_hash_algo": "The algorithm of os_hash_value",
    "os_hash_value": "Hash of the data, hexadecimal",
    "owner": "The project that it belongs to",
    "size": "Bytes of the data",
    "virtual_size": "Bytes of the disk that a guest sees",
    "container_format": "What is around the disk",
    "disk_format": "How the disk is written",
    "created_at": "When it was made, ISO 8601, UTC",
    "updated_at": "When it was changed last, ISO 8601, UTC",
    "tags": "Words to find it by",
    "min_ram": "MiB of memory that a server of it needs",
    "min_disk": "GiB of disk that a server of it needs",
    "self": "Its path",
    "file": "The path of its data",
    "schema": "The path of this schema",
    "stores": "The stores that have its data, separated by commas",
    "locations": "The places of its data, where images may be given any",
}
"""As `glance explain image` tells it."""
_MEMBER = {
    "created_at": _TIME,
    "image_id": {"type": "string", "pattern": _UUID},
    "member_id": _text(255),
    "schema": _STRING,
    "status": {"type": "string", "enum": ["pending", "accepted", "rejected"]},
    "updated_at": _TIME,
}
_TASK = {
    "id": {"type": "string", "pattern": _UUID},
    "type": {"type": "string", "enum": ["import", "api_image_import", "location_import"]},
    "status": {"type": "string", "enum": ["pending", "processing", "success", "failure"]},
    "input": {"type": ["null", "object"]},
    "result": {"type": ["null", "object"]},
    "owner": _STRING,
    "message": _STRING,
    "image_id": _STRING,
    "request_id": _STRING,
    "user_id": _STRING,
    "expires_at": {"type": ["null", "string"]},
    "created_at": _TIME,
    "updated_at": _TIME,
    "self": _STRING,
    "schema": _STRING,
}

_SHAPES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["title", "type"],
        "properties": {
            "name": _text(80),
            "title": _STRING,
            "description": _STRING,
            "operators": {"type": "array", "items": _STRING},
            "type": {"type": "string", "enum": ["array", "boolean", "integer", "number", "object", "string", None]},
            "required": {"type": "array", "items": _STRING},
            "minimum": {"type": "number"},
            "maximum": {"type": "number"},
            "maxLength": {"type": "integer", "minimum": 0},
            "minLength": {"type": "integer", "minimum": 0},
            "pattern": {"type": "string", "format": "regex"},
            "enum": {"type": "array"},
            "readonly": _BOOLEAN,
            "default": {},
            "items": {"type": "object", "properties": {"type": _STRING, "enum": {"type": "array"}}},
            "maxItems": {"type": "integer", "minimum": 0},
            "minItems": {"type": "integer", "minimum": 0},
            "uniqueItems": _BOOLEAN,
            "additionalItems": _BOOLEAN,
        },
    },
}
_TIMES: dict[str, Any] = {"created_at": {**_TIME, "readOnly": True}, "updated_at": {**_TIME, "readOnly": True}}
_OBJECT = {
    "name": _text(80),
    "description": _STRING,
    "required": {"type": "array", "items": _STRING},
    "properties": _SHAPES,
    "schema": _STRING,
    "self": _STRING,
    **_TIMES,
}
_ASSOCIATION = {"name": _text(80), "prefix": _text(80), "properties_target": _text(80), **_TIMES}
_TAG = {"name": _text(80), **_TIMES}
_NAMESPACE = {
    "namespace": _text(80),
    "display_name": _text(80),
    "description": _text(500),
    "visibility": {"type": "string", "enum": ["public", "private"]},
    "protected": _BOOLEAN,
    "owner": _text(255),
    "resource_type_associations": {"type": "array", "items": {"type": "object", "properties": _ASSOCIATION}},
    "properties": _SHAPES,
    "objects": {"type": "array", "items": {"type": "object", "properties": _OBJECT}},
    "tags": {"type": "array", "items": {"type": "object", "properties": _TAG}},
    "schema": _STRING,
    "self": _STRING,
    **_TIMES,
}


def _read_only(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: {**shape, "readOnly": True} if name in READ_ONLY else shape for name, shape in properties.items()}


def _one(name: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "properties": properties, **more}


def _many(name: str, items: dict[str, Any]) -> dict[str, Any]:
    links = [{"rel": rel, "href": f"{{{rel}}}"} for rel in ("first", "next")]
    listed = {name: {"type": "array", "items": items}, "schema": _STRING}
    return {
        "name": name,
        "properties": {**listed, "first": _STRING, "next": _STRING},
        "links": [*links, {"rel": "describedby", "href": "{schema}"}],
    }


_image = _one(
    "image",
    _read_only({name: {**shape, "description": _MEANING[name]} for name, shape in _IMAGE.items()}),
    additionalProperties={"type": "string"},
    links=[
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
)
_member = _one("member", _MEMBER)
_task = _one("task", _TASK)
_namespace = _one("namespace", _NAMESPACE, required=["namespace"], additionalProperties=False)
_object = _one("object", _OBJECT, required=["name"], additionalProperties=False)
_shape = _SHAPES["additionalProperties"]
_property = _one("property", _shape["properties"], required=["name", "title", "type"], additionalProperties=False)
_association = _one("resource_type_association", _ASSOCIATION, required=["name"], additionalProperties=False)
_tag = _one("tag", _TAG, required=["name"], additionalProperties=False)
SCHEMAS: dict[str, dict[str, Any]] = {
    "image": _image,
    "images": _many("images", _image),
    "member": _member,
    "members": _many("members", _member),
    "task": _task,
    "tasks": _many("tasks", _task),
    "metadefs/namespace": _namespace,
    "metadefs/namespaces": _many("namespaces", _namespace),
    "metadefs/object": _object,
    "metadefs/objects": _many("objects", _object),
    "metadefs/property": _property,
    "metadefs/properties": _one("properties", {"properties": _SHAPES}),
    "metadefs/resource_type": _association,
    "metadefs/resource_types": _many("resource_type_associations", _association),
    "metadefs/tag": _tag,
    "metadefs/tags": _many("tags", _tag),
}
