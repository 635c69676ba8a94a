"""An image of another region's image service, by the caller's token: here the region is this cloud itself."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pileus.services.identity import api as identity
from pileus.services.image.api import api
from tests.support.live import PASSWORD, Live, with_identity

REGION = "RegionOne"
SERVICES = [identity.api, api]
CATALOG = [("glance", "image", "/image"), ("keystone", "identity", "/identity")]
DATA = os.urandom(1 << 20)
LOOPBACK = "127.0.0.0/8"


def administrator(live: Live) -> httpx.Client:
    user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    answer = httpx.post(f"{live.url}/identity/v3/auth/tokens", json={"auth": auth})
    token = answer.headers["X-Subject-Token"]
    return httpx.Client(base_url=f"{live.url}/image/v2", headers={"X-Auth-Token": token}, timeout=30)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Live]:
    with with_identity(SERVICES, CATALOG, import_networks=LOOPBACK) as live:
        yield live


@pytest.fixture(scope="module")
def client(cloud: Live) -> Iterator[httpx.Client]:
    with administrator(cloud) as found:
        yield found


def create(client: httpx.Client, **values: Any) -> str:
    body = {"disk_format": "raw", "container_format": "bare"} | values
    return str(client.post("/images", json=body).json()["id"])


def fetch(client: httpx.Client, image: str, **method: Any) -> httpx.Response:
    wish = {"name": "glance-download", "glance_region": REGION, **method}
    return client.post(f"/images/{image}/import", json={"method": wish})


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def task(client: httpx.Client, image: str) -> tuple[str, str]:
    def last() -> Any:
        return client.get(f"/images/{image}/tasks").json()["tasks"][-1]

    wait_until(lambda: last()["status"] != "processing")
    return last()["status"], last()["message"]


@pytest.fixture(scope="module")
def source(client: httpx.Client) -> str:
    image = create(client, hw_cpu_cores="5", os_distro="rhel", speed="88mph")
    octets = {"Content-Type": "application/octet-stream"}
    assert client.put(f"/images/{image}/file", content=DATA, headers=octets).status_code == 204
    return image


def test_data_formats_and_what_says_what_it_is(client: httpx.Client, source: str) -> None:
    image = create(client, disk_format="iso", container_format="ovf", hw_cpu_cores="1", mine="stays")
    assert fetch(client, image, glance_image_id=source).status_code == 202
    assert task(client, image) == ("success", "")
    found = client.get(f"/images/{image}").json()
    assert (found["status"], found["disk_format"], found["container_format"]) == ("active", "raw", "bare")
    assert (found["hw_cpu_cores"], found["os_distro"], found["mine"]) == ("5", "rhel", "stays")
    assert "speed" not in found
    assert client.get(f"/images/{image}/file").content == DATA


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ({"glance_region": "elsewhere"}, "in region elsewhere"),
        ({"glance_service_interface": "secret"}, "no secret endpoint"),
        ({"glance_image_id": "36d4b546-64a2-4bb9-bdd0-ba676aa48f2c"}, "status 404"),
    ],
)
def test_what_is_not_there(client: httpx.Client, source: str, method: dict[str, str], says: str) -> None:
    image = create(client, hw_cpu_cores="1")
    assert fetch(client, image, **({"glance_image_id": source} | method)).status_code == 202
    status, message = task(client, image)
    assert (status, says in message) == ("failure", True), message
    found = client.get(f"/images/{image}").json()
    assert (found["status"], found["hw_cpu_cores"]) == ("queued", "1")


def test_what_can_not_be_asked_for(client: httpx.Client, source: str) -> None:
    image = create(client)
    refused = fetch(client, image, glance_image_id="foo")
    assert (refused.status_code, "does not look like a UUID" in refused.text) == (400, True)
    assert fetch(client, image, glance_image_id=source, glance_region=None).status_code == 400


def test_an_image_without_data_is_not_fetched(client: httpx.Client) -> None:
    image = create(client)
    assert fetch(client, image, glance_image_id=create(client)).status_code == 202
    assert "it must be active" in task(client, image)[1]


def test_a_catalog_does_not_open_private_networks() -> None:
    with with_identity(SERVICES, CATALOG) as live, administrator(live) as client:
        image = create(client)
        assert fetch(client, image, glance_image_id=create(client)).status_code == 202
        status, message = task(client, image)
        assert (status, "not an address on the internet" in message) == ("failure", True)


def test_a_cloud_that_does_not_know_the_token(cloud: Live, client: httpx.Client) -> None:
    """What is to be done about it is said."""
    with with_identity(SERVICES, CATALOG) as other:
        identity = httpx.Client(base_url=f"{cloud.url}/identity/v3", headers=client.headers)
        (service,) = identity.get("/services?type=image").json()["services"]
        assert identity.post("/regions", json={"region": {"id": "other"}}).status_code == 201
        wish = {"service_id": service["id"], "region_id": "other", "interface": "public", "url": f"{other.url}/image"}
        assert identity.post("/endpoints", json={"endpoint": wish}).status_code == 201
        image = create(client)
        assert fetch(client, image, glance_region="other", glance_image_id=image).status_code == 202
        status, message = task(client, image)
        assert status == "failure"
        assert "status 401: it does not take your token" in message
