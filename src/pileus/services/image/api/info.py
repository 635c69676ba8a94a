"""What this image service can do."""

from typing import Any

from pileus.core.config import Settings
from pileus.services.image.rules.imports import METHODS, STORE
from pileus.services.image.service import api


@api.get("/info/import")
def show_import_methods() -> dict[str, Any]:
    """The ways to import data."""
    return {"import-methods": {"description": "Import methods available.", "type": "array", "value": list(METHODS)}}


@api.get("/info/stores")
def list_stores() -> dict[str, Any]:
    """Where data is kept."""
    return {"stores": [{"id": STORE, "description": "Files on the controller's disk", "default": "true"}]}


@api.get("/info/stores/detail", policy="stores_info_detail")
def list_stores_in_detail(settings: Settings) -> dict[str, Any]:
    """Where data is kept, and how."""
    properties = {"data_dir": str(settings.state_dir / "images")}
    store = {
        "id": STORE,
        "type": "file",
        "description": "Files on the controller's disk",
        "default": "true",
        "weight": 0,
        "properties": properties,
    }
    return {"stores": [store]}
