"""Makes the stores agree with the rows: no object without a row, no row that waits for a dead upload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import structlog

from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Database, Tx
from pileus.core.reconcile import Reconciler
from pileus.services.image import cache, copies, hashing, rules, store, stores
from pileus.services.image.files import ImageFiles
from pileus.services.image.rules.cache import this_node
from pileus.services.image.stores import BUILT_IN, StoreFailed

log = structlog.get_logger("pileus.image")
InUse = Callable[[Tx], Iterable[str]]
"""SHA-512 names of image files that another service still needs."""


def sweep(db: Database, settings: Settings, in_use: Sequence[InUse] = ()) -> None:
    """Give up uploads whose receiver died, and remove what nothing refers to. May be killed anywhere, and run again."""
    places = stores.of(settings)
    _sweep_uploads(db, places.built_in.files)
    for name, place in places.items():
        try:
            removed = place.sweep(lambda name=name: _needed(db, name, in_use))  # type: ignore[misc]
        except StoreFailed as error:
            log.error("a store can't be swept", store=name, reason=str(error))
            continue
        for each in removed:
            log.info("removed an object that no image refers to", store=name, object=each)


def _needed(db: Database, name: str, in_use: Sequence[InUse]) -> set[str]:
    with db.read() as tx:
        needed = store.needed_objects(tx, name)
        if name != BUILT_IN:
            return needed
        return needed.union(store.cached_contents(tx, this_node()), *(ask(tx) for ask in in_use))


def _sweep_uploads(db: Database, files: ImageFiles) -> None:
    with files.locked():
        with db.read() as tx:
            uploads = store.uploads(tx)
        names = set(files.unfinished())
        living = {
            name.removesuffix(".part")
            for name in names
            if name.endswith(".part") and not files.is_dead(files.directory / name)
        }
        staged = {name.removesuffix(".staged") for name in names if name.endswith(".staged")}
        lost = {upload for upload, is_staged in uploads.items() if upload not in (staged if is_staged else living)}
        if lost:
            lost -= _give_up(db, lost, staged)
        kept = {files.part(u).name for u in living}
        kept |= {files.staged(u).name for u in uploads if u not in lost}
        kept |= {files.work(u).name for u in living & set(uploads)}
        for name in sorted(names - kept):
            log.info("removed what an upload left behind", file=name)
            files.remove(name)


def _give_up(db: Database, lost: set[str], staged: set[str]) -> set[str]:
    """Those of which the bytes are `staged` wait for another import; the others' images are queued again. Which wait."""
    nobody, waiting = system_caller(), set()
    with db.write() as tx:
        for upload, image_id in store.images_of_uploads(tx, sorted(lost)):
            if upload in staged and rules.abandon_import(tx, nobody, image_id, upload, "Its importer died."):
                waiting.add(upload)
                log.info("an import died, what was staged for it waits again", image=image_id)
                continue
            rules.abandon_upload(tx, nobody, image_id, upload, "Its receiver died.")
            log.info("an upload died, its image is queued again", image=image_id)
    return waiting


def reconcilers(db: Database, settings: Settings, in_use: Sequence[InUse] = ()) -> list[Reconciler]:
    return [
        Reconciler("image-files", lambda: sweep(db, settings, in_use), topics=("image-files",), interval=300.0),
        Reconciler("image-cache", lambda: cache.run(db, settings), topics=("image-cache",), interval=60.0),
        Reconciler("image-hashes", lambda: hashing.run(db, settings), topics=("image-hashes",), interval=60.0),
        Reconciler("image-copies", lambda: copies.run(db, settings), topics=("image-copies",), interval=60.0),
    ]
