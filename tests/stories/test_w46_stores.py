"""W46: local files were removed after a switch of the store; downloads still had to be right."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pileus.core.config import FileStore
from pileus.services.image import copies
from pileus.services.image.api import api
from pileus.services.image.files import BLOCK
from pileus.services.image.reconcile import sweep
from tests.support.live import Live, serving
from tests.support.s3 import Bucket, s3_server

DATA = os.urandom(3 * BLOCK + 4711)
MEMBER, ADMIN = {"X-Auth-Token": "project-member"}, {"X-Auth-Token": "project-admin"}


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with s3_server() as found:
        yield found


@pytest.fixture
def cloud(tmp_path: Path, bucket: Bucket) -> Iterator[Live]:
    (tmp_path / "second").mkdir()
    stores = {"second": FileStore(directory=tmp_path / "second", weight=5), "remote": bucket.store(tmp_path)}
    with serving([api], image_stores=stores) as live:
        yield live


def settle(cloud: Live) -> None:
    """What the reconcilers do when they are woken."""
    copies.run(cloud.db, cloud.settings)
    sweep(cloud.db, cloud.settings)


def test_w46_the_data_is_the_same_wherever_it_went(cloud: Live, bucket: Bucket, tmp_path: Path) -> None:
    with httpx.Client(base_url=f"{cloud.url}/image/v2", headers=MEMBER, timeout=30) as client:
        image = client.post("/images", json={"name": "i", "disk_format": "raw", "container_format": "bare"}).json()[
            "id"
        ]
        octets = {"Content-Type": "application/octet-stream"}
        assert client.put(f"/images/{image}/file", content=DATA, headers=octets).status_code == 204

        def known(stores: str) -> None:
            settle(cloud)
            shown = client.get(f"/images/{image}").json()
            assert (shown["status"], shown["stores"]) == ("active", stores)
            assert shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
            found = client.get(f"/images/{image}/file")
            assert found.headers["Content-MD5"] == hashlib.md5(DATA).hexdigest()
            assert found.content == DATA
            some = client.get(f"/images/{image}/file", headers={"Range": f"bytes={BLOCK - 5}-{BLOCK + 5}"})
            assert some.content == DATA[BLOCK - 5 : BLOCK + 6]

        def copy(*stores: str) -> None:
            wish = {"method": {"name": "copy-image"}, "stores": list(stores)}
            assert client.post(f"/images/{image}/import", json=wish, headers=ADMIN).status_code == 202

        def leave(store: str) -> int:
            return client.delete(f"/stores/{store}/{image}", headers=ADMIN).status_code

        known("file")
        copy("second", "remote")
        known("second,file,remote")
        assert leave("file") == 204
        assert leave("second") == 204
        known("remote")
        assert os.listdir(cloud.settings.state_dir / "images") == os.listdir(tmp_path / "second") == []
        assert leave("remote") == 403
        copy("file")
        known("file,remote")
        assert leave("remote") == 204
        known("file")
        assert bucket.keys() == bucket.uploads() == []
