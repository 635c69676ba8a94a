"""Images from the web: what may be reached, and what comes of an import."""

import http.server
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pileus.services.image.api import api
from pileus.services.image.fetch import networks, permitted
from tests.support.live import Live, serving

TOKEN = {"X-Auth-Token": "project-member"}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b:1::1",
        "64:ff9b::7f00:1",
    ],
)
def test_inner_addresses_are_refused(address: str) -> None:
    assert not permitted(address, ())


@given(st.ip_addresses(v=4, network="8.0.0.0/8") | st.ip_addresses(v=6, network="2a00::/16"))
def test_the_internet_is_there(address: object) -> None:
    assert permitted(str(address), ())


def test_the_operator_may_allow_a_network() -> None:
    allowed = networks("10.0.0.0/8, fd00::/8")
    assert permitted("10.1.2.3", allowed)
    assert permitted("fd00::1", allowed)
    assert not permitted("192.168.0.1", allowed)
    with pytest.raises(ValueError, match="has host bits set"):
        networks("10.0.0.1/8")


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/image":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"d" * 100_000)
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"d")
        elif self.path.startswith("/to"):
            self.send_response(302)
            where = {"/to-image": "/image", "/to-inner": "http://127.0.0.2/"}.get(self.path, self.path)
            self.send_header("Location", where)
            self.end_headers()
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def cloud() -> Iterator[Live]:
    with serving([api], import_networks="127.0.0.1/32") as live:
        yield live


def imported(cloud: Live, uri: str, disk_format: str = "raw") -> tuple[str, str, str]:
    """The image's status, and its task's status and message."""
    with httpx.Client(base_url=cloud.url + "/image/v2", headers=TOKEN) as client:
        body = {"disk_format": disk_format, "container_format": "bare"}
        image = client.post("/images", json=body).json()["id"]
        method = {"method": {"name": "web-download", "uri": uri}}
        answer = client.post(f"/images/{image}/import", json=method)
        assert answer.status_code == 202, answer.text
        deadline = time.monotonic() + 20
        while True:
            (task,) = client.get(f"/images/{image}/tasks").json()["tasks"]
            if task["status"] != "processing":
                break
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return client.get(f"/images/{image}").json()["status"], task["status"], task["message"]


def test_an_image_from_the_web(cloud: Live, web: str) -> None:
    assert imported(cloud, f"{web}/image") == ("active", "success", "")
    assert imported(cloud, f"{web}/to-image") == ("active", "success", "")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nothing", "status 404"),
        ("/short", "can't be fetched"),
        ("/to-inner", "127.0.0.2"),
        ("/to-itself", "redirects"),
    ],
)
def test_what_can_not_be_had(cloud: Live, web: str, path: str, reason: str) -> None:
    status, task, message = imported(cloud, web + path)
    assert (status, task) == ("queued", "failure")
    assert reason in message


def test_what_is_not_what_was_declared(cloud: Live, web: str) -> None:
    status, task, message = imported(cloud, f"{web}/image", "qcow2")
    assert (status, task) == ("queued", "failure")
    assert "declared as qcow2" in message
