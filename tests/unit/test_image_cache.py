"""The cache API over a real S3 server: queued, fetched, used, pruned, forgotten."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pileus.services.image import cache
from pileus.services.image.api import api
from pileus.services.image.reconcile import sweep
from tests.support.live import Live, serving
from tests.support.s3 import BUCKET, Bucket, s3_server

DATA = os.urandom(2 << 20)
MEMBER, ADMIN = {"X-Auth-Token": "project-member"}, {"X-Auth-Token": "project-admin"}


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with s3_server() as found:
        yield found


@pytest.fixture
def bucket(server: Bucket) -> Bucket:
    server.empty()
    return server


@pytest.fixture
def cloud(tmp_path: Path, bucket: Bucket) -> Iterator[Live]:
    with serving([api], image_stores={"remote": bucket.store(tmp_path, default=True)}) as live:
        yield live


@pytest.fixture
def admin(cloud: Live) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cloud.url + "/image/v2", headers=ADMIN, timeout=30) as found:
        yield found


@pytest.fixture
def image(admin: httpx.Client, cloud: Live) -> str:
    image = str(admin.post("/images", json={"disk_format": "raw", "container_format": "bare"}).json()["id"])
    assert admin.put(f"/cache/{image}").status_code == 400
    octets = {"Content-Type": "application/octet-stream"}
    assert admin.put(f"/images/{image}/file", content=DATA, headers=octets).status_code == 204
    sweep(cloud.db, cloud.settings)
    assert files(cloud) == 0
    return image


def files(cloud: Live) -> int:
    return len(os.listdir(cloud.settings.state_dir / "images"))


def listed(admin: httpx.Client) -> tuple[list[str], list[str]]:
    found: Any = admin.get("/cache").json()
    return [each["image_id"] for each in found["cached_images"]], found["queued_images"]


def test_an_image_is_fetched_before_anybody_asks(admin: httpx.Client, cloud: Live, bucket: Bucket, image: str) -> None:
    assert admin.put(f"/cache/{image}").status_code == 202
    assert listed(admin) == ([], [image])
    cache.run(cloud.db, cloud.settings)
    assert listed(admin) == ([image], [])
    sweep(cloud.db, cloud.settings)
    assert files(cloud) == 1
    assert len(admin.get(f"/cache/nodes/{image}").json()["cached_nodes"]) == 1
    for key in list(bucket.keys()):
        bucket.client.delete_object(Bucket=BUCKET, Key=key)
    assert admin.get(f"/images/{image}/file").content == DATA
    [shown] = admin.get("/cache").json()["cached_images"]
    assert (shown["hits"], shown["size"]) == (1, len(DATA))
    assert shown["last_accessed"] >= shown["last_modified"] > 1e9


def test_a_download_leaves_it_in_the_cache(admin: httpx.Client, cloud: Live, image: str) -> None:
    assert admin.get(f"/images/{image}/file").content == DATA
    assert listed(admin) == ([], [image])
    cache.run(cloud.db, cloud.settings)
    assert listed(admin) == ([image], [])


@pytest.mark.parametrize("target", [None, "cache", "queue"])
def test_cleared(admin: httpx.Client, cloud: Live, image: str, target: str | None) -> None:
    admin.put(f"/cache/{image}")
    headers = {"x-image-cache-clear-target": target} if target else {}
    assert admin.delete("/cache", headers=headers).status_code == 204
    cache.run(cloud.db, cloud.settings)
    assert listed(admin) == (([image], []) if target == "cache" else ([], []))
    assert admin.delete("/cache", headers=headers).status_code == 204
    sweep(cloud.db, cloud.settings)
    assert files(cloud) == 0
    assert admin.delete("/cache", headers={"x-image-cache-clear-target": "invalid"}).status_code == 400


def test_one_is_forgotten(admin: httpx.Client, cloud: Live, image: str) -> None:
    admin.put(f"/cache/{image}")
    cache.run(cloud.db, cloud.settings)
    assert admin.delete(f"/cache/{image}").status_code == 204
    assert listed(admin) == ([], [])
    assert admin.put("/cache/00000000-0000-4000-8000-000000000000").status_code == 404


def test_what_was_lost_is_fetched_again(admin: httpx.Client, cloud: Live, image: str) -> None:
    admin.put(f"/cache/{image}")
    cache.run(cloud.db, cloud.settings)
    for file in (cloud.settings.state_dir / "images").iterdir():
        file.unlink()
    assert admin.post("/cache/clean").status_code == 200
    assert listed(admin) == ([], [image])
    cache.run(cloud.db, cloud.settings)
    assert files(cloud) == 1


def test_pruned_to_its_bound(admin: httpx.Client, cloud: Live, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.put(f"/cache/{image}")
    cache.run(cloud.db, cloud.settings)
    assert admin.post("/cache/prune").json() == {"total_bytes_pruned": 0, "total_files_pruned": 0}
    monkeypatch.setattr("pileus.services.image.rules.cache.GIB", 1000)
    assert admin.post("/cache/prune").json() == {"total_bytes_pruned": len(DATA), "total_files_pruned": 1}
    admin.put(f"/cache/{image}")
    cache.run(cloud.db, cloud.settings)
    assert listed(admin) == ([], [])


def test_the_cache_is_the_administrators(cloud: Live, image: str) -> None:
    with httpx.Client(base_url=cloud.url + "/image/v2", headers=MEMBER) as member:
        for method, path in (
            ("GET", "/cache"),
            ("DELETE", "/cache"),
            ("PUT", f"/cache/{image}"),
            ("DELETE", f"/cache/{image}"),
            ("POST", "/cache/clean"),
            ("POST", "/cache/prune"),
            ("GET", f"/cache/nodes/{image}"),
        ):
            assert member.request(method, path).status_code == 403, (method, path)
