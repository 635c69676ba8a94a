"""What this image service can do."""

from typing import Any

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.services.image import stores
from pileus.services.image.rules import quotas
from pileus.services.image.rules.imports import METHODS
from pileus.services.image.service import api
from pileus.services.image.stores import Store


@api.get("/info/import")
def show_import_methods() -> dict[str, Any]:
    """The ways to import data."""
    return {"import-methods": {"description": "Import methods available.", "type": "array", "value": list(METHODS)}}


@api.get("/info/usage")
def show_usage(tx: Tx, caller: Caller) -> dict[str, Any]:
    """What the caller's project has, and may have: sizes in MiB, -1 where there is no limit."""
    found = quotas.usage(tx, caller.project_id)
    return {"usage": {name: {"limit": each.limit, "usage": each.in_use} for name, each in found.items()}}


@api.get("/info/stores")
def list_stores(settings: Settings) -> dict[str, Any]:
    """Where data is kept."""
    found = stores.of(settings)
    return {"stores": [_short(store, store.name == found.default) for store in found.values()]}


@api.get("/info/stores/detail", policy="stores_info_detail")
def list_stores_in_detail(settings: Settings) -> dict[str, Any]:
    """Where data is kept, and how."""
    found = stores.of(settings)
    more = [{"type": each.kind, "properties": each.properties()} for each in found.values()]
    short = [_short(store, store.name == found.default) for store in found.values()]
    return {"stores": [{**first, **second} for first, second in zip(short, more, strict=True)]}


def _short(store: Store, is_default: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": store.name,
        "description": store.settings.description,
        "weight": store.settings.weight,
    }
    if is_default:
        shown["default"] = "true"
    if not store.is_writable:
        shown["read-only"] = "true"
    return shown
