"""An image's bytes through a real socket: whole, in ranges, cut off, refused."""

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pileus.services.image import files
from pileus.services.image.api import api
from pileus.services.image.reconcile import sweep
from tests.support.live import Live, serving

TOKEN = {"X-Auth-Token": "project-member"}
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Live]:
    with serving([api]) as live:
        yield live


@pytest.fixture
def client(cloud: Live) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cloud.url + "/image/v2", headers=TOKEN, timeout=30) as found:
        yield found
    with httpx.Client(base_url=cloud.url + "/image/v2", headers=TOKEN) as cleaner:
        for image in cleaner.get("/images").json()["images"]:
            cleaner.delete(f"/images/{image['id']}")
    sweep(cloud.db, cloud.settings)
    assert stored(cloud) == []


def stored(cloud: Live) -> list[str]:
    return sorted(os.listdir(cloud.settings.state_dir / "images"))


def create(client: httpx.Client, **values: Any) -> str:
    body = {"name": "i", "disk_format": "raw", "container_format": "bare"} | values
    answer = client.post("/images", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def upload(client: httpx.Client, image_id: str, data: Any, **headers: str) -> httpx.Response:
    return client.put(f"/images/{image_id}/file", content=data, headers=OCTETS | headers)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def test_what_goes_in_comes_out(client: httpx.Client, cloud: Live) -> None:
    data = os.urandom(5 * files.BLOCK // 2 + 17)
    image_id = create(client)
    assert upload(client, image_id, data).status_code == 204
    image = client.get(f"/images/{image_id}").json()
    assert (image["status"], image["size"], image["virtual_size"]) == ("active", len(data), len(data))
    assert image["checksum"] == hashlib.md5(data).hexdigest()
    assert image["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert stored(cloud) == [image["os_hash_value"]]
    assert client.get(f"/images/{image_id}/file").content == data
    for wanted, part in (
        ("bytes=0-0", data[:1]),
        ("bytes=5-1999999", data[5:2000000]),
        ("bytes=-9", data[-9:]),
        (f"bytes={len(data) - 2}-{len(data) + 99}", data[-2:]),
    ):
        answer = client.get(f"/images/{image_id}/file", headers={"Range": wanted})
        assert answer.status_code == 206
        assert answer.content == part
    for wanted in (f"bytes={len(data)}-", "bytes=5-4", "bytes=-", "lines=1-2", "bytes=0-1,3-4"):
        assert client.get(f"/images/{image_id}/file", headers={"Range": wanted}).status_code == 416


@pytest.mark.parametrize("size", [0, 1, files.BLOCK - 1, files.BLOCK, files.BLOCK + 1, 2 * files.BLOCK])
def test_sizes_around_a_block(client: httpx.Client, size: int) -> None:
    data = os.urandom(size)
    image_id = create(client)
    assert upload(client, image_id, iter([data])).status_code == 204
    assert client.get(f"/images/{image_id}").json()["checksum"] == hashlib.md5(data).hexdigest()
    assert client.get(f"/images/{image_id}/file").content == data


def test_equal_content_is_one_file(client: httpx.Client, cloud: Live) -> None:
    first, second = create(client), create(client)
    for image_id in (first, second):
        assert upload(client, image_id, b"the same").status_code == 204
    assert len(stored(cloud)) == 1
    client.delete(f"/images/{first}")
    sweep(cloud.db, cloud.settings)
    assert client.get(f"/images/{second}/file").content == b"the same"
    client.delete(f"/images/{second}")
    sweep(cloud.db, cloud.settings)
    assert stored(cloud) == []


def test_a_download_outlives_its_image(client: httpx.Client, cloud: Live) -> None:
    data = os.urandom(32 << 20)
    image_id = create(client)
    upload(client, image_id, data)
    with client.stream("GET", f"/images/{image_id}/file") as answer:
        parts = answer.iter_raw(65536)
        found = next(parts)
        httpx.delete(f"{cloud.url}/image/v2/images/{image_id}", headers=TOKEN)
        sweep(cloud.db, cloud.settings)
        assert stored(cloud) == []
        assert found + b"".join(parts) == data


def test_a_slow_reader_gets_all_of_it(client: httpx.Client, cloud: Live) -> None:
    data = os.urandom(48 << 20)
    image_id = create(client)
    upload(client, image_id, data)
    found = bytearray()
    with socket.create_connection(cloud.address) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.sendall(
            f"GET /image/v2/images/{image_id}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {TOKEN['X-Auth-Token']}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        while piece := connection.recv(1 << 16):
            found += piece
            if len(found) < 1 << 20:
                time.sleep(0.02)
    head, _, body = bytes(found).partition(b"\r\n\r\n")
    assert f"content-length: {len(data)}".encode() in head.lower()
    assert body == data


def test_a_reader_that_goes_away_costs_nothing(client: httpx.Client, cloud: Live) -> None:
    image_id = create(client)
    upload(client, image_id, os.urandom(32 << 20))

    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    assert client.get(f"/images/{image_id}").status_code == 200
    before = open_files()
    for _ in range(5):
        with httpx.stream("GET", f"{cloud.url}/image/v2/images/{image_id}/file", headers=TOKEN) as answer:
            next(answer.iter_raw(1000))
    wait_until(lambda: open_files() <= before)
    assert len(client.get(f"/images/{image_id}/file").content) == 32 << 20


@pytest.mark.parametrize("framing", ["Content-Length: 9000000", "Transfer-Encoding: chunked"])
def test_an_upload_that_is_cut_off_leaves_nothing(client: httpx.Client, cloud: Live, framing: str) -> None:
    image_id = create(client)
    with socket.create_connection(cloud.address) as connection:
        lines = [f"PUT /image/v2/images/{image_id}/file HTTP/1.1", "Host: x", f"X-Auth-Token: {TOKEN['X-Auth-Token']}"]
        lines += ["Content-Type: application/octet-stream", framing]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        piece = os.urandom(3 << 20)
        connection.sendall(piece if "Length" in framing else b"%x\r\n%s\r\n" % (len(piece), piece))
        wait_until(lambda: client.get(f"/images/{image_id}").json()["status"] == "saving")
        assert stored(cloud) != []
    wait_until(lambda: client.get(f"/images/{image_id}").json()["status"] == "queued")
    wait_until(lambda: stored(cloud) == [])
    assert upload(client, image_id, b"again").status_code == 204


def test_a_full_disk_refuses_at_once_and_keeps_nothing(
    client: httpx.Client, cloud: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = create(client)
    monkeypatch.setattr(files, "ROOM", 1 << 60)
    answer = upload(client, image_id, b"x" * 100)
    assert answer.status_code == 413
    assert "disk is full" in answer.text
    assert stored(cloud) == []
    assert client.get(f"/images/{image_id}").json()["status"] == "queued"


def test_a_disk_that_fills_up_meanwhile_keeps_nothing(
    client: httpx.Client, cloud: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = create(client)
    room = iter([100 << 20, 100 << 20, 100 << 20, 0])
    monkeypatch.setattr(files.ImageFiles, "free", lambda _: next(room, 0))
    answer = upload(client, image_id, os.urandom(5 * files.BLOCK))
    assert answer.status_code == 413
    assert stored(cloud) == []
    assert client.get(f"/images/{image_id}").json()["status"] == "queued"


def test_an_image_deleted_while_its_data_arrives(client: httpx.Client, cloud: Live) -> None:
    image_id = create(client)
    go_on = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b"x" * files.BLOCK
        go_on.wait(20)
        yield b"y"

    def delete() -> None:
        url = f"{cloud.url}/image/v2/images/{image_id}"
        wait_until(lambda: httpx.get(url, headers=TOKEN).json()["status"] == "saving")
        assert httpx.delete(url, headers=TOKEN).status_code == 204
        go_on.set()

    deleter = threading.Thread(target=delete)
    deleter.start()
    answer = upload(client, image_id, slowly())
    deleter.join()
    assert answer.status_code == 410
    sweep(cloud.db, cloud.settings)
    assert stored(cloud) == []


@pytest.mark.parametrize("size", [4096, 3 * files.BLOCK])
def test_content_that_is_not_what_was_declared(client: httpx.Client, cloud: Live, size: int) -> None:
    image_id = create(client, disk_format="qcow2")
    answer = upload(client, image_id, b"\x01" * size)
    assert answer.status_code == 400
    assert "declared as qcow2" in answer.text
    assert stored(cloud) == []
    assert client.get(f"/images/{image_id}").json()["status"] == "queued"


def test_size_announced_otherwise(client: httpx.Client) -> None:
    image_id = create(client)
    assert upload(client, image_id, b"abc", **{"x-openstack-image-size": "4"}).status_code == 400
    assert upload(client, image_id, iter([b"abc"]), **{"x-openstack-image-size": "4"}).status_code == 400
    assert upload(client, image_id, b"abc", **{"x-openstack-image-size": "three"}).status_code == 400
    assert upload(client, image_id, b"abc", **{"x-openstack-image-size": "3"}).status_code == 204


def test_others_wait_their_turn_while_one_uploads(client: httpx.Client, cloud: Live) -> None:
    """One image takes one upload at a time; the second is told so."""
    image_id = create(client)
    go_on = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b"x" * files.BLOCK
        go_on.wait(20)

    first = threading.Thread(target=lambda: upload(client, image_id, slowly()))
    first.start()
    with httpx.Client(base_url=cloud.url + "/image/v2", headers=TOKEN) as other:
        wait_until(lambda: other.get(f"/images/{image_id}").json()["status"] == "saving")
        sweep(cloud.db, cloud.settings)
        assert upload(other, image_id, b"mine").status_code == 409
        go_on.set()
        first.join()
        assert other.get(f"/images/{image_id}").json()["size"] == files.BLOCK


def test_a_missing_file_is_said(client: httpx.Client, cloud: Live) -> None:
    image_id = create(client)
    upload(client, image_id, b"data")
    Path(cloud.settings.state_dir / "images" / stored(cloud)[0]).unlink()
    answer = client.get(f"/images/{image_id}/file")
    assert answer.status_code == 404
    assert "missing from the store" in answer.text


def test_the_sender_of_a_refused_upload_sees_why(client: httpx.Client) -> None:
    """The rest is read and dropped: a connection closed in the middle would hide the answer."""
    image_id = create(client, disk_format="iso")
    answer = upload(client, image_id, b"\x01" * (60 << 20))
    assert answer.status_code == 400
