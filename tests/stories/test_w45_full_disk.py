"""W45: images "saved" to a full disk, and nobody noticed until boot. Here the disk is a small one that really fills."""

import gzip
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.doctor import checks
from pileus.doctor.patient import Patient
from pileus.services.image import files
from pileus.services.image.api import api
from pileus.services.image.reconcile import sweep
from tests.support.live import Live, serving

MIB = 1 << 20
DISK = 48 * MIB
OCTETS = {"Content-Type": "application/octet-stream"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Mounted, and the place of all temporary directories."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "pileus-w45", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.fixture(params=["kept free", "really full"])
def cloud(disk: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Live]:
    """What is kept free is refused before the disk is; without it, it is the disk itself that refuses."""
    monkeypatch.setattr(files, "ROOM", 8 * MIB if request.param == "kept free" else -(1 << 40))
    with serving([api]) as live:
        yield live


@pytest.fixture
def client(cloud: Live) -> Iterator[httpx.Client]:
    headers = {"X-Auth-Token": "project-member"}
    with httpx.Client(base_url=cloud.url + "/image/v2", headers=headers, timeout=60) as found:
        yield found


def create(client: httpx.Client, container: str = "bare") -> str:
    answer = client.post("/images", json={"disk_format": "raw", "container_format": container})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def endless(size: int) -> Iterator[bytes]:
    for _ in range(size // MIB):
        yield os.urandom(MIB)


def nothing_is_left(cloud: Live) -> bool:
    """Of images that did not come to be; the database is written to as before."""
    sweep(cloud.db, cloud.settings)
    return os.listdir(cloud.settings.state_dir / "images") == []


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


@pytest.mark.parametrize("way", ["file", "stage"])
def test_w45_an_upload_that_does_not_fit(cloud: Live, client: httpx.Client, way: str) -> None:
    image = create(client)
    answer = client.put(f"/images/{image}/{way}", content=endless(DISK), headers=OCTETS)
    assert answer.status_code == 413
    assert "disk is full" in answer.text
    assert "What was written is removed" in answer.text
    assert client.get(f"/images/{image}").json()["status"] == "queued"
    assert nothing_is_left(cloud)
    assert client.put(f"/images/{image}/file", content=b"what fits", headers=OCTETS).status_code == 204


def test_w45_what_is_announced_is_refused_before_it_comes(cloud: Live, client: httpx.Client) -> None:
    if files.ROOM < 0:
        pytest.skip("nothing is known of the disk before it is full")
    answer = client.put(f"/images/{create(client)}/file", content=b"x" * (DISK - files.ROOM), headers=OCTETS)
    assert answer.status_code == 413
    assert nothing_is_left(cloud)


def test_w45_an_import_that_does_not_fit_once_it_is_unpacked(cloud: Live, client: httpx.Client) -> None:
    image = create(client, "compressed")
    packed = gzip.compress(b"pileus" * (DISK // 6), 1)
    assert client.put(f"/images/{image}/stage", content=packed, headers=OCTETS).status_code == 204
    assert client.post(f"/images/{image}/import", json={"method": {"name": "glance-direct"}}).status_code == 202
    until(lambda: client.get(f"/images/{image}/tasks").json()["tasks"][0]["status"] != "processing")
    (task,) = client.get(f"/images/{image}/tasks").json()["tasks"]
    assert task["status"] == "failure"
    assert "disk is full" in task["message"]
    assert "What was staged is still there" in task["message"]
    assert client.get(f"/images/{image}").json()["status"] == "uploading"
    sweep(cloud.db, cloud.settings)
    (left,) = (cloud.settings.state_dir / "images").iterdir()
    assert left.read_bytes() == packed
    assert client.delete(f"/images/{image}").status_code == 204
    assert nothing_is_left(cloud)


def test_w45_the_doctor_says_it_before(disk: Path) -> None:
    (disk / "fill").write_bytes(b"x" * (DISK - 4 * MIB))
    settings = Settings(state_dir=disk, mode="sim")
    db = Database(settings.database_url)
    patient = Patient.__new__(Patient)
    patient.state_dir, patient.settings, patient.db = disk, settings, db
    (finding,) = checks.disk(patient)
    assert finding.verdict == "wrong"
    assert "uploads are refused" in finding.says
    db.close()
    assert shutil.disk_usage(disk).free <= 4 * MIB
