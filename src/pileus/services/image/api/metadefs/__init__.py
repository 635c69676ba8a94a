"""Routes of metadata definitions, one file per noun."""

from pileus.services.image.api.metadefs import namespaces, objects, properties, resource_types, tags

__all__ = ["namespaces", "objects", "properties", "resource_types", "tags"]
