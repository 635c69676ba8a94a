"""Routes of the image service, one file per noun."""

from pileus.services.image.api import (
    cache,
    data,
    images,
    imports,
    info,
    locations,
    members,
    metadefs,
    schemas,
    stores,
    tasks,
    versions,
)
from pileus.services.image.service import api

__all__ = [
    "api",
    "cache",
    "data",
    "images",
    "imports",
    "info",
    "locations",
    "members",
    "metadefs",
    "schemas",
    "stores",
    "tasks",
    "versions",
]
