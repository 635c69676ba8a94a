"""The cache of the machine that answers."""

from typing import Any

from pileus.core.config import Settings
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest
from pileus.core.http import Request
from pileus.services.image import cache, store
from pileus.services.image.rules import cache as rules
from pileus.services.image.rules import images
from pileus.services.image.service import api
from pileus.services.image.types.cache import CACHED, QUEUED, cached_view
from pileus.services.image.types.images import ImageRow


@api.get("/cache", policy="cache_list")
def list_cached(tx: Tx) -> dict[str, Any]:
    """What is cached, and what is going to be."""
    rows = store.cached_images(tx, rules.this_node())
    return {
        "cached_images": [cached_view(row) for row in rows if row.status == CACHED],
        "queued_images": [row.image_id for row in rows if row.status == QUEUED],
    }


@api.put("/cache/{image_id}", policy="cache_image", load=images.visible_image, target=images.target_of, success=202)
def cache_image(tx: Tx, image: ImageRow) -> None:
    """Fetch an image before somebody asks for it."""
    rules.queue(tx, image)


@api.delete("/cache/{image_id}", policy="cache_delete", load=images.visible_image, target=images.target_of)
def forget_image(tx: Tx, image: ImageRow) -> None:
    """Keep an image no longer."""
    rules.forget(tx, image.id)


@api.delete("/cache", policy="cache_delete")
def clear_cache(tx: Tx, request: Request) -> None:
    """Keep none any longer, or fetch none of those that are queued."""
    target = request.headers.get("x-image-cache-clear-target", "")
    if target not in ("", "cache", "queue"):
        raise BadRequest(f"x-image-cache-clear-target must be 'cache' or 'queue', got '{target[:64]}'.")
    rules.clear(tx, target)  # type: ignore[arg-type]


@api.post("/cache/clean", policy="cache_clean")
def clean_cache(db: Database, settings: Settings) -> None:
    """Fetch again what was lost."""
    cache.clean(db, settings)


@api.post("/cache/prune", policy="cache_prune")
def prune_cache(tx: Tx, settings: Settings) -> dict[str, int]:
    """Forget what was not used for the longest time, until the cache is within its bound."""
    gone = rules.prune(tx, settings)
    return {"total_bytes_pruned": sum(row.size for row in gone), "total_files_pruned": len(gone)}


@api.get("/cache/nodes/{image_id}", policy="list_cached_nodes", load=images.visible_image, target=images.target_of)
def list_nodes(tx: Tx, image: ImageRow) -> dict[str, Any]:
    """The machines that have an image in their cache."""
    return {"cached_nodes": store.nodes_of(tx, image.id)}
