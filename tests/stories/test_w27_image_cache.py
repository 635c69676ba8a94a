"""W27: the image cache's cleaner deleted base files in use by a host that was down."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.services.compute import rules as compute
from pileus.services.image import cache, receive, store, stores
from pileus.services.image.reconcile import sweep
from pileus.services.image.rules import cache as rules
from pileus.services.image.rules.images import create_image
from pileus.services.image.types.images import ImageRow
from tests.support.compute_cloud import Cloud
from tests.support.personas import persona
from tests.support.s3 import s3_server

DATA = [os.urandom(3 << 20) for _ in range(3)]


def caller() -> Caller:
    found = persona("project-member")
    found.allows = lambda *_: True
    return found


def uploaded(db: Database, settings: Settings, data: bytes) -> ImageRow:
    """An image that lies in the remote store alone."""

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    with db.write() as tx:
        image = create_image(tx, caller(), {"disk_format": "raw", "container_format": "bare"})
    asyncio.run(receive.upload(db, stores.of(settings), caller(), image, chunks(), None, "remote"))
    with db.read() as tx:
        return store.known_image(tx, image.id)


def test_w27_nothing_that_a_row_refers_to_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as bucket:
        cloud = Cloud()
        settings = msgspec.structs.replace(cloud.app.settings, image_stores={"remote": bucket.store(tmp_path)})
        images = [uploaded(cloud.db, settings, data) for data in DATA]
        names = [hashlib.sha512(data).hexdigest() for data in DATA]

        def clean() -> set[str]:
            sweep(cloud.db, settings, [compute.image_files])
            return set(os.listdir(settings.state_dir / "images"))

        def fetch(image: ImageRow) -> None:
            with cloud.db.write() as tx:
                rules.queue(tx, image)
            clean()
            cache.run(cloud.db, settings)

        assert clean() == set()
        fetch(images[0])
        fetch(images[1])
        assert clean() == set(names[:2])

        host = cloud.host()
        server = cloud.active(host, imageRef=images[0].id)
        # from here on the host is down
        with cloud.db.write() as tx:
            rules.clear(tx, "")
        assert clean() == {names[0]}

        fetch(images[1])
        monkeypatch.setattr(rules, "GIB", len(DATA[0]))
        small = msgspec.structs.replace(settings, image_cache_gb=1)
        with cloud.db.write() as tx:
            rules.queue(tx, images[2])
        cache.run(cloud.db, small)
        assert clean() == {names[0], names[2]}

        assert cloud.call("DELETE", f"/servers/{server['id']}").status_code == 204
        assert names[0] in clean()
        host.settle()
        assert clean() == {names[2]}
        with cloud.db.write() as tx:
            store.delete(tx, images[2].id)
        assert clean() == set()
