"""W28: checksumming big images blocked the agent; it looked dead.

What it costs others in time is measured by bench/image.py. Here: no request waits for work on files, however much is held up,
and what is not in a hurry keeps no more than one processor busy with hashes.
"""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import httpx
import pytest

from pileus.services.image import files
from pileus.services.image.api import api
from tests.support.live import Live, serving

TOKEN = {"X-Auth-Token": "project-member"}
TRANSFERS = 12
"""More than there are threads for files, and for requests."""


@pytest.fixture
def cloud() -> Iterator[Live]:
    with serving([api]) as live:
        yield live


def create(cloud: Live) -> str:
    body = {"disk_format": "raw", "container_format": "bare"}
    return str(httpx.post(f"{cloud.url}/image/v2/images", json=body, headers=TOKEN).json()["id"])


def test_w28_no_request_waits_for_work_on_files(cloud: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    held, started = threading.Event(), threading.Semaphore(0)
    written = files.Incoming._write

    def hang(incoming: files.Incoming, block: memoryview) -> None:
        """A disk that does not answer."""
        started.release()
        assert held.wait(60)
        written(incoming, block)

    monkeypatch.setattr(files.Incoming, "_write", hang)
    images = [create(cloud) for _ in range(TRANSFERS)]
    data = os.urandom(files.BLOCK + 1)
    outcome: list[int] = []

    def upload(image: str) -> None:
        url, headers = f"{cloud.url}/image/v2/images/{image}/file", TOKEN | {"Content-Type": "application/octet-stream"}
        outcome.append(httpx.put(url, content=data, headers=headers, timeout=60).status_code)

    uploads = [threading.Thread(target=upload, args=(image,)) for image in images]
    for each in uploads:
        each.start()
    assert started.acquire(timeout=30)
    with httpx.Client(base_url=cloud.url + "/image/v2", headers=TOKEN, timeout=30) as client:
        for image in images:
            assert client.get(f"/images/{image}").json()["status"] in ("saving", "queued")
        assert len(client.get("/images").json()["images"]) == TRANSFERS
        assert client.post("/images", json={}).status_code == 201
        assert outcome == []
        held.set()
        for each in uploads:
            each.join()
        assert outcome == [204] * TRANSFERS
        assert {client.get(f"/images/{image}").json()["status"] for image in images} == {"active"}


@pytest.mark.parametrize(("in_a_hurry", "patience"), [(True, 30.0), (False, 0.2)])
def test_w28_only_who_is_in_a_hurry_has_hashes_side_by_side(tmp_path: Path, in_a_hurry: bool, patience: float) -> None:
    both = threading.Barrier(2, timeout=patience)
    met: list[bool] = []

    class Meeting:
        def update(self, _: memoryview) -> None:
            try:
                both.wait()
                met.append(True)
            except threading.BrokenBarrierError:
                met.append(False)

    meeting: Any = Meeting()
    incoming = files.Incoming(files.ImageFiles(tmp_path), "u", in_a_hurry)
    try:
        incoming.also_hash(meeting)
        incoming.also_hash(meeting)
        wait(incoming.submit(memoryview(b"data")))
    finally:
        incoming.release()
    assert met == [in_a_hurry] * 2
