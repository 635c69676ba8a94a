"""Images whose data lies on a web server: both ways to say so, hashes checked and found out, what is refused."""

import hashlib
import http.server
import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pileus.core.config import HttpStore
from pileus.services.image import hashing
from pileus.services.image.api import api
from pileus.services.image.reconcile import sweep
from tests.corpus.images import qcow2
from tests.support.live import Live, serving

DATA = os.urandom(300_000)
SHA512, SHA256 = hashlib.sha512(DATA).hexdigest(), hashlib.sha256(DATA).hexdigest()
BACKED = qcow2(backing=104)
MEMBER, ADMIN, SERVICE = ({"X-Auth-Token": f"project-{role}"} for role in ("member", "admin", "service"))


class Page(http.server.BaseHTTPRequestHandler):
    """/ranges knows ranges, /slow never comes to an end, anything else has DATA."""

    def do_HEAD(self) -> None:
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(BACKED if self.path == "/backed" else DATA)))
        self.end_headers()

    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        data = BACKED if self.path == "/backed" else DATA
        start, end = 0, len(data)
        if self.path == "/ranges" and "Range" in self.headers:
            start, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            end = last + 1
        self.send_response(206 if (start, end) != (0, len(data)) else 200)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        try:
            if self.path == "/slow":
                self.wfile.write(DATA[:1000])
                while True:
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            self.wfile.write(data[start:end])
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def cloud() -> Iterator[Live]:
    with serving([api], image_stores={"web": HttpStore()}, import_networks="127.0.0.0/8") as live:
        yield live


@pytest.fixture
def client(cloud: Live) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cloud.url + "/image/v2", headers=MEMBER, timeout=30) as found:
        yield found


def create(client: httpx.Client) -> str:
    found = client.post("/images", json={"name": "i", "disk_format": "raw", "container_format": "bare"}).json()
    assert found["locations"] == []
    return str(found["id"])


def shown(client: httpx.Client, image: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/images/{image}").json()
    return found


def give(client: httpx.Client, image: str, url: str, **validation: str) -> httpx.Response:
    body: dict[str, Any] = {"url": url} | ({"validation_data": validation} if validation else {})
    return client.post(f"/images/{image}/locations", json=body)


def patch(client: httpx.Client, image: str, *changes: dict[str, Any], **headers: str) -> httpx.Response:
    kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    return client.patch(f"/images/{image}", content=json.dumps(changes), headers=kind | headers)


def add(url: str, **more: Any) -> dict[str, Any]:
    return {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}, **more}}


@pytest.mark.parametrize(("path", "reason"), [("backed", "backing file"), ("ranges", "not of any known")])
def test_what_it_is_said_to_be_is_looked_at(
    client: httpx.Client, cloud: Live, web: str, path: str, reason: str
) -> None:
    image = client.post("/images", json={"disk_format": "qcow2", "container_format": "bare"}).json()["id"]
    data = BACKED if path == "backed" else DATA
    hashed = {"os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(data).hexdigest()}
    assert give(client, image, f"{web}/{path}", **hashed).status_code == 202
    hashing.run(cloud.db, cloud.settings)
    assert shown(client, image)["status"] == "queued"
    (task,) = client.get(f"/images/{image}/tasks").json()["tasks"]
    assert (task["status"], reason in task["message"]) == ("failure", True)


def test_a_hash_that_is_right(client: httpx.Client, cloud: Live, web: str) -> None:
    image = create(client)
    assert give(client, image, f"{web}/ranges", os_hash_algo="sha256", os_hash_value=SHA256).status_code == 202
    assert shown(client, image)["status"] == "importing"
    hashing.run(cloud.db, cloud.settings)
    found = shown(client, image)
    assert (found["status"], found["os_hash_algo"], found["os_hash_value"]) == ("active", "sha256", SHA256)
    assert (found["checksum"], found["size"], found["stores"]) == (hashlib.md5(DATA).hexdigest(), len(DATA), "web")
    assert [each["id"] for each in client.get(f"/images?os_hash_value={SHA256}").json()["images"]] == [image]
    assert client.get(f"/images/{image}/tasks").json()["tasks"][0]["status"] == "success"
    assert client.get(f"/images/{image}/file").content == DATA
    some = client.get(f"/images/{image}/file", headers={"Range": "bytes=5-99"})
    assert (some.status_code, some.content) == (206, DATA[5:100])


def test_a_hash_that_is_wrong(client: httpx.Client, cloud: Live, web: str) -> None:
    image = create(client)
    assert give(client, image, web, os_hash_algo="sha512", os_hash_value="beefdead" * 16).status_code == 202
    hashing.run(cloud.db, cloud.settings)
    found = shown(client, image)
    assert (found["status"], found["os_hash_algo"], found["checksum"]) == ("queued", None, None)
    [task] = client.get(f"/images/{image}/tasks").json()["tasks"]
    assert (task["status"], SHA512 in task["message"]) == ("failure", True)
    assert give(client, image, web, os_hash_algo="sha512", os_hash_value=SHA512).status_code == 202
    hashing.run(cloud.db, cloud.settings)
    assert shown(client, image)["status"] == "active"


def test_a_hash_that_nobody_gave(client: httpx.Client, cloud: Live, web: str) -> None:
    image = create(client)
    assert give(client, image, web).status_code == 202
    found = shown(client, image)
    assert (found["status"], found["os_hash_algo"], found["os_hash_value"]) == ("active", "sha512", None)
    hashing.run(cloud.db, cloud.settings)
    assert shown(client, image)["os_hash_value"] == SHA512
    some = client.get(f"/images/{image}/file", headers={"Range": "bytes=-7"})
    assert some.content == DATA[-7:]


def test_an_image_that_is_deleted_is_not_read_on(client: httpx.Client, cloud: Live, web: str) -> None:
    image = create(client)
    assert give(client, image, f"{web}/slow").status_code == 202
    reader = threading.Thread(target=hashing.run, args=(cloud.db, cloud.settings))
    reader.start()
    assert client.delete(f"/images/{image}").status_code == 204
    reader.join(20)
    assert not reader.is_alive()


@pytest.mark.parametrize(
    ("validation", "says"),
    [
        ({"os_hash_algo": "sha512", "os_hash_value": "dbc9e0f8"}, "128 hexadecimal digits"),
        ({"os_hash_value": SHA512}, "os_hash_algo"),
        ({"os_hash_algo": "sha123", "os_hash_value": SHA512}, "sha123"),
        ({"os_hash_algo": "sha512", "os_hash_value": SHA256}, "128 hexadecimal digits"),
    ],
)
def test_hashes_that_can_not_be(client: httpx.Client, web: str, validation: dict[str, str], says: str) -> None:
    refused = give(client, create(client), web, **validation)
    assert (refused.status_code, says in refused.text) == (400, True)


def test_locations_that_can_not_be(client: httpx.Client, web: str) -> None:
    image = create(client)
    for url in ("gopher://info.cern.ch", "file:///etc/passwd", f"{web}/missing", "http://10.0.0.1/x", "s3://other/x"):
        assert give(client, image, url).status_code == 400
    assert give(client, image, web).status_code == 202
    assert give(client, image, web).status_code == 409


def test_locations_are_told_to_services(client: httpx.Client, web: str) -> None:
    image = create(client)
    give(client, image, web)
    assert client.get(f"/images/{image}/locations").status_code == 403
    found = client.get(f"/images/{image}/locations", headers=ADMIN)
    assert found.status_code == 403
    patch(client, image, {"op": "replace", "path": "/visibility", "value": "community"})
    told = client.get(f"/images/{image}/locations", headers=SERVICE).json()
    assert told == [{"url": web, "metadata": {}}]


def test_the_older_way(client: httpx.Client, cloud: Live, web: str) -> None:
    image = create(client)
    assert patch(client, image, add(web, metadata={"foo": "bar"})).status_code == 200
    found = shown(client, image)
    assert (found["status"], found["os_hash_algo"], found["size"]) == ("active", None, None)
    assert found["locations"] == [{"url": web, "metadata": {"foo": "bar"}}]
    hashing.run(cloud.db, cloud.settings)
    assert shown(client, image)["size"] == len(DATA)
    assert patch(client, image, add(f"{web}#new")).status_code == 200
    assert patch(client, image, add(f"{web}#new")).status_code == 400
    both = shown(client, image)["locations"]
    both[0]["metadata"] = {"date": "2026"}
    replace = {"op": "replace", "path": "/locations"}
    assert patch(client, image, {**replace, "value": both}).status_code == 200
    assert shown(client, image)["locations"] == both
    assert patch(client, image, {**replace, "value": both[:1]}).status_code == 400
    assert patch(client, image, {**replace, "value": [both[0], {"url": f"{web}#3"}]}).status_code == 400
    assert patch(client, image, add("gopher://info.cern.ch")).status_code == 400
    remove = {"op": "remove", "path": "/locations/0"}
    assert patch(client, image, remove).status_code == 403
    assert patch(client, image, remove, **ADMIN).status_code == 200
    assert shown(client, image)["locations"] == both[1:]
    assert patch(client, image, remove, **ADMIN).status_code == 403
    assert patch(client, image, {"op": "remove", "path": "/locations/7"}, **ADMIN).status_code == 400
    assert client.get(f"/images/{image}/file").content == DATA


def test_the_older_way_with_hashes(client: httpx.Client, web: str) -> None:
    image = create(client)
    said = {"checksum": "1" * 32, "os_hash_algo": "sha512", "os_hash_value": "deadbeef" * 16}
    assert patch(client, image, add(web, validation_data=said)).status_code == 200
    found = shown(client, image)
    assert {name: found[name] for name in said} == said
    for name, value in (("checksum", "2" * 32), ("os_hash_value", "beefdead" * 16), ("os_hash_algo", "sha256")):
        other = add(f"{web}#new", validation_data={**said, name: value})
        assert patch(client, image, other).status_code == 409
    assert patch(client, image, add(f"{web}#new", validation_data=said)).status_code == 200
    assert len(shown(client, image)["locations"]) == 2


def test_data_that_is_brought_has_a_location_too(client: httpx.Client, cloud: Live, web: str) -> None:
    image = create(client)
    client.put(f"/images/{image}/file", content=DATA, headers={"Content-Type": "application/octet-stream"})
    [location] = shown(client, image)["locations"]
    assert location["url"] == f"file://file/{SHA512}"
    assert patch(client, image, {"op": "replace", "path": "/locations", "value": [location]}).status_code == 200
    sweep(cloud.db, cloud.settings)
    assert client.get(f"/images/{image}/file").content == DATA


def test_without_a_store_for_them_there_are_none(web: str) -> None:
    with serving([api]) as live, httpx.Client(base_url=live.url + "/image/v2", headers=MEMBER) as client:
        found = client.post("/images", json={"disk_format": "raw", "container_format": "bare"}).json()
        assert "locations" not in found
        assert give(client, found["id"], web).status_code == 400
        assert patch(client, found["id"], add(web)).status_code == 403
