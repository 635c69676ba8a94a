"""Several stores: where data goes, what happens when one fails, what nothing refers to any more."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pileus.core.config import FileStore, HttpStore
from pileus.services.image import copies, store
from pileus.services.image.api import api
from pileus.services.image.reconcile import sweep
from tests.support.live import Live, serving
from tests.support.s3 import BUCKET, SECRET, Bucket, s3_server

DATA = os.urandom(10 << 20)
SHA512 = hashlib.sha512(DATA).hexdigest()
MEMBER, ADMIN = {"X-Auth-Token": "project-member"}, {"X-Auth-Token": "project-admin"}
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with s3_server() as found:
        yield found


@pytest.fixture
def bucket(server: Bucket) -> Bucket:
    server.empty()
    return server


@pytest.fixture
def second(tmp_path: Path) -> Path:
    (tmp_path / "second").mkdir()
    return tmp_path / "second"


@pytest.fixture
def cloud(tmp_path: Path, second: Path, bucket: Bucket) -> Iterator[Live]:
    stores = {
        "second": FileStore(directory=second, description="The large disk", default=True),
        "remote": bucket.store(tmp_path, prefix="of/this"),
        "broken": bucket.store(tmp_path, prefix="x", weight=9).__class__(
            endpoint="http://127.0.0.1:9", bucket="b", access_key="k", secret_file=tmp_path / "s3-secret"
        ),
        "web": HttpStore(),
    }
    with serving([api], image_stores=stores) as live:
        yield live


@pytest.fixture
def client(cloud: Live) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cloud.url + "/image/v2", headers=MEMBER, timeout=60) as found:
        yield found


def create(client: httpx.Client) -> str:
    answer = client.post("/images", json={"name": "i", "disk_format": "raw", "container_format": "bare"})
    assert answer.headers["OpenStack-image-store-ids"] == "broken,file,remote,second"
    return str(answer.json()["id"])


def shown(client: httpx.Client, image: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/images/{image}").json()
    return found


def upload(client: httpx.Client, image: str, **headers: str) -> httpx.Response:
    return client.put(f"/images/{image}/file", content=DATA, headers=OCTETS | headers)


def staged(client: httpx.Client) -> str:
    image = create(client)
    assert client.put(f"/images/{image}/stage", content=DATA, headers=OCTETS).status_code == 204
    return image


def import_(client: httpx.Client, image: str, method: str = "glance-direct", **more: Any) -> httpx.Response:
    return client.post(f"/images/{image}/import", json={"method": {"name": method}, **more}, headers=ADMIN)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def task(client: httpx.Client, image: str) -> tuple[str, str]:
    last = client.get(f"/images/{image}/tasks").json()["tasks"][-1]
    return last["status"], last["message"]


def test_stores_are_listed_without_secrets(client: httpx.Client) -> None:
    short = client.get("/info/stores")
    by_name = {each["id"]: each for each in short.json()["stores"]}
    assert set(by_name) == {"file", "second", "remote", "broken", "web"}
    assert by_name["second"] == {"id": "second", "description": "The large disk", "weight": 0, "default": "true"}
    assert by_name["web"]["read-only"] == "true"
    assert client.get("/info/stores/detail").status_code == 403
    detail = client.get("/info/stores/detail", headers=ADMIN)
    assert {each["type"] for each in detail.json()["stores"]} == {"file", "s3", "http"}
    assert SECRET not in short.text + detail.text


def test_an_upload_goes_where_its_sender_says(client: httpx.Client, cloud: Live, second: Path, bucket: Bucket) -> None:
    here, there = create(client), create(client)
    assert upload(client, here).status_code == 204
    assert shown(client, here)["stores"] == "second"
    assert os.listdir(second) == [SHA512]
    assert upload(client, there, **{"X-Image-Meta-Store": "remote"}).status_code == 204
    assert shown(client, there)["stores"] == "remote"
    [key] = bucket.keys()
    assert key.startswith("of/this/")
    assert client.get(f"/images/{there}/file").content == DATA
    for name, says in (("nowhere", "no store 'nowhere'"), ("web", "read-only")):
        refused = upload(client, create(client), **{"X-Image-Meta-Store": name})
        assert (refused.status_code, says in refused.text) == (400, True)
    for image in (here, there):
        client.delete(f"/images/{image}")
    sweep(cloud.db, cloud.settings)
    assert os.listdir(second) == bucket.keys() == []


def test_a_store_that_fails_leaves_the_image_queued(client: httpx.Client, cloud: Live) -> None:
    image = create(client)
    refused = upload(client, image, **{"X-Image-Meta-Store": "broken"})
    assert refused.status_code == 503
    assert "Store broken did not take the data" in refused.text
    assert SECRET not in refused.text
    assert shown(client, image)["status"] == "queued"
    assert upload(client, image).status_code == 204


def test_an_import_into_several_stores(client: httpx.Client, cloud: Live, bucket: Bucket) -> None:
    image = staged(client)
    assert import_(client, image, stores=["file", "remote", "second"]).status_code == 202
    wait_until(lambda: shown(client, image)["status"] == "active")
    found = shown(client, image)
    assert found["stores"] == "file,remote,second"
    assert found["os_glance_importing_to_stores"] == found["os_glance_failed_import"] == ""
    assert task(client, image) == ("success", "")


def test_an_import_that_must_succeed_everywhere(
    client: httpx.Client, cloud: Live, second: Path, bucket: Bucket
) -> None:
    image = staged(client)
    assert import_(client, image, all_stores=True).status_code == 202
    wait_until(lambda: shown(client, image)["status"] == "uploading")
    assert shown(client, image)["os_glance_failed_import"] == "broken"
    status, message = task(client, image)
    assert status == "failure"
    assert message.endswith("What was staged is still there: ask for the import again.")
    sweep(cloud.db, cloud.settings)
    assert os.listdir(second) == bucket.keys() == []
    assert import_(client, image).status_code == 202
    wait_until(lambda: shown(client, image)["status"] == "active")


def test_an_import_that_may_fail_somewhere(client: httpx.Client, cloud: Live) -> None:
    image = staged(client)
    assert import_(client, image, all_stores=True, all_stores_must_succeed=False).status_code == 202
    wait_until(lambda: shown(client, image)["status"] == "active")
    assert shown(client, image)["os_glance_importing_to_stores"] == "remote,second"
    copies.run(cloud.db, cloud.settings)
    found = shown(client, image)
    assert (found["stores"], found["os_glance_importing_to_stores"]) == ("file,remote,second", "")
    assert found["os_glance_failed_import"] == "broken"
    status, message = task(client, image)
    assert status == "failure"
    assert message.startswith("broken: ")


def test_copies_that_must_all_succeed(client: httpx.Client, cloud: Live, bucket: Bucket) -> None:
    image = create(client)
    upload(client, image)
    assert import_(client, image, "copy-image", stores=["remote", "broken"]).status_code == 202
    assert import_(client, image, "copy-image", stores=["file"]).status_code == 409
    assert client.delete(f"/stores/second/{image}", headers=ADMIN).status_code == 409
    copies.run(cloud.db, cloud.settings)
    sweep(cloud.db, cloud.settings)
    found = shown(client, image)
    assert (found["status"], found["stores"], found["os_glance_failed_import"]) == ("active", "second", "broken")
    assert bucket.keys() == []
    assert task(client, image)[0] == "failure"


def test_what_can_not_be_copied(client: httpx.Client) -> None:
    image = create(client)
    assert import_(client, image, "copy-image", stores=["file"]).status_code == 409
    upload(client, image)
    assert import_(client, image, "copy-image", stores=["second"]).status_code == 400
    assert import_(client, image, "copy-image", stores=["second"], all_stores=True).status_code == 400
    wish = {"method": {"name": "copy-image"}, "stores": ["file"]}
    assert client.post(f"/images/{image}/import", json=wish).status_code == 403
    assert client.delete(f"/stores/file/{image}", headers=ADMIN).status_code == 404
    assert client.delete(f"/stores/second/{image}").status_code == 403


def test_copies_of_what_is_only_remote_are_checked(client: httpx.Client, cloud: Live, bucket: Bucket) -> None:
    """A remote object that was changed behind our back is not spread further."""
    image = create(client)
    upload(client, image, **{"X-Image-Meta-Store": "remote"})
    [key] = bucket.keys()
    bucket.client.put_object(Bucket=BUCKET, Key=key, Body=b"x" * len(DATA))
    assert import_(client, image, "copy-image", stores=["file"]).status_code == 202
    copies.run(cloud.db, cloud.settings)
    status, message = task(client, image)
    assert status == "failure"
    assert "is not what was put there" in message
    assert shown(client, image)["stores"] == "remote"
    client.delete(f"/images/{image}")
    sweep(cloud.db, cloud.settings)


def test_objects_that_no_row_names_are_removed(cloud: Live, bucket: Bucket) -> None:
    for key in ("of/this/lost", "of/others"):
        bucket.client.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    bucket.client.create_multipart_upload(Bucket=BUCKET, Key="of/this/begun")
    sweep(cloud.db, cloud.settings)
    assert (bucket.keys(), bucket.uploads()) == (["of/others"], [])
    bucket.client.delete_object(Bucket=BUCKET, Key="of/others")


def test_a_store_that_is_not_configured_any_more(client: httpx.Client, cloud: Live) -> None:
    image = create(client)
    upload(client, image)
    with cloud.db.write() as tx:
        store.insert_location(tx, image, "gone", SHA512, "active")
    assert shown(client, image)["stores"] == "second,gone"
    assert client.get(f"/images/{image}/file").content == DATA
