"""What an import makes of bytes: unpacked, converted, or refused; and nothing left behind whatever happens."""

import asyncio
import gzip
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core.errors import Problem, TooLarge
from pileus.services.image import inspect, plugins
from pileus.services.image.files import ImageFiles, Incoming
from pileus.services.image.plugins import convert, decompress
from pileus.services.image.types.images import Arrival, Plan, Received
from tests.corpus.images import FOUND, MIB, found, qcow2, zipped

needs_qemu_img = pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed")
DISK = (b"pileus" * 1000).ljust(MIB, b"\x00")


class Import:
    """Of bytes that have arrived, in a directory of its own."""

    def __init__(self, directory: Path, data: bytes, disk_format: str, container_format: str = "bare") -> None:
        self.files = ImageFiles(directory)
        self.incoming = Incoming(self.files, "u")
        source = self.files.staged("u")
        source.write_bytes(data)
        with inspect.Source.of_file(source) as seen:
            size = inspect.check(disk_format, container_format, seen)
        self.arrival = Arrival(source, Received(len(data), "", "", size), disk_format, container_format)
        self.told: list[str] = []

    def run(self, plan: Plan, then: Callable[[Arrival], bytes] = lambda arrival: arrival.path.read_bytes()) -> Arrival:
        """What came of it; `data` is its bytes. Only what was there before is there afterwards."""
        try:
            arrival = asyncio.run(plugins.run(self.incoming, plan, self.arrival, self.told.append))
            self.data = then(arrival)
            return arrival
        finally:
            self.incoming.release()
            assert os.listdir(self.files.directory) == ["u.staged"]


def test_what_needs_nothing_stays(tmp_path: Path) -> None:
    made = Import(tmp_path, DISK, "raw")
    assert made.run(Plan(properties={"a": "b"})) == Arrival(
        made.arrival.path, made.arrival.received, "raw", "bare", {"a": "b"}
    )
    assert made.told == []


@pytest.mark.parametrize(
    "pack", [gzip.compress, lambda data: zipped(("disk.raw", data)), lambda d: gzip.compress(d) * 2]
)
def test_unpacked(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    made = Import(tmp_path, pack(DISK), "raw", "compressed")
    arrival = made.run(Plan())
    assert made.data in (DISK, DISK * 2)
    assert (arrival.disk_format, arrival.container_format) == ("raw", "bare")
    assert arrival.received == Received(
        len(made.data), hashlib.md5(made.data).hexdigest(), hashlib.sha512(made.data).hexdigest(), len(made.data)
    )


@settings(max_examples=30, deadline=None)
@given(data=st.lists(st.sampled_from([b"\x00" * (5 << 20), b"x" * 100, b"\x00" * 4096]), max_size=4).map(b"".join))
def test_holes_are_zeros(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = Import(tmp_path_factory.mktemp("holes"), gzip.compress(data, 1), "raw", "compressed")
    made.run(Plan())
    assert made.data == data


@pytest.mark.parametrize(
    ("data", "disk_format", "reason"),
    [
        (gzip.compress(DISK)[:-9], "raw", "can't be unpacked"),
        (gzip.compress(DISK)[:-4] + b"size", "raw", "can't be unpacked"),
        (zipped(("a", b"a"), ("b", b"b")), "raw", "2 files"),
        (zipped(), "raw", "declared as compressed"),
        (zipped(*((f"a{index}", b"") for index in range(4000))), "raw", "directory has more"),
        (zipped(("a", DISK)).replace(b"PK\x05\x06", b"PK\x05\x07"), "raw", "can't be unpacked"),
        (gzip.compress(qcow2(backing=9)), "qcow2", "backing file"),
        (gzip.compress(DISK), "qcow2", "declared as qcow2"),
        (gzip.compress(gzip.compress(DISK)), "raw", "content is gzip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",
)
def test_not_unpacked(tmp_path: Path, data: bytes, disk_format: str, reason: str) -> None:
    with pytest.raises(Problem, match=reason):
        Import(tmp_path, data, disk_format, "compressed").run(Plan())


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "ANYWAY", 1 << 20)
    with pytest.raises(inspect.BadImage, match="at most 250 times"):
        Import(tmp_path, gzip.compress(b"\x00" * (32 << 20)), "raw", "compressed").run(Plan())


@needs_qemu_img
@pytest.mark.parametrize("name", [name for name, (form, why) in FOUND.items() if not why and form in convert.DRIVERS])
@pytest.mark.parametrize("wanted", ["raw", "qcow2"])
def test_converted(tmp_path: Path, name: str, wanted: str) -> None:
    def as_raw(arrival: Arrival) -> bytes:
        out = tmp_path.parent / f"{tmp_path.name}-out"
        subprocess.run(["qemu-img", "convert", "-f", wanted, "-O", "raw", arrival.path, out], check=True)
        return out.read_bytes()

    declared, _ = FOUND[name]
    made = Import(tmp_path, found(name), declared)
    arrival = made.run(Plan(disk_format=wanted), as_raw)
    assert (arrival.disk_format, arrival.received.virtual_size) == (wanted, MIB)
    assert made.data == DISK
    assert bool(made.told) == (declared != wanted)


@needs_qemu_img
def test_unpacked_then_converted(tmp_path: Path) -> None:
    made = Import(tmp_path, gzip.compress(found("vmdk-stream")), "vmdk", "compressed")
    made.run(Plan(disk_format="raw"))
    assert made.data == DISK
    assert made.told[:2] == ["Unpacking.", "Converting from vmdk to raw."]


def test_what_is_not_converted(tmp_path: Path) -> None:
    for disk_format, container, data in (("iso", "bare", found("iso")), ("raw", "ova", b"tar"), ("raw", "bare", DISK)):
        directory = tmp_path / f"{disk_format}-{container}"
        assert Import(directory, data, disk_format, container).run(Plan(disk_format="raw")).disk_format == disk_format


@needs_qemu_img
def test_what_can_not_be_converted(tmp_path: Path) -> None:
    broken = bytearray(found("qcow2-v3"))
    broken[40:48] = b"\xff" * 8  # where its first table is
    with pytest.raises(Problem, match="can't be converted"):
        Import(tmp_path, bytes(broken), "qcow2").run(Plan(disk_format="raw"))


@needs_qemu_img
def test_a_conversion_takes_no_more_time_or_room_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "_MORE", -(1 << 19))
    with pytest.raises(Problem, match="can't be converted"):
        Import(tmp_path / "room", found("qcow2-v3"), "qcow2").run(Plan(disk_format="raw"))
    monkeypatch.setattr(convert, "MEMORY", 1 << 20)
    with pytest.raises(Problem, match="can't be converted"):
        Import(tmp_path / "memory", found("qcow2-v3"), "qcow2").run(Plan(disk_format="raw"))


def slow_tool(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A qemu-img that never ends; the file that is given back holds its process id."""
    directory.mkdir()
    tool, pid = directory / "qemu-img", directory / "pid"
    tool.write_text(f"#!/bin/sh\necho $$ > {pid}.new && mv {pid}.new {pid}\necho '(12.50/100%)'\nexec sleep 1000\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return pid


def test_a_conversion_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = slow_tool(tmp_path / "bin", monkeypatch)
    monkeypatch.setattr(convert, "SECONDS", 1)
    made = Import(tmp_path / "images", found("qcow2-v3"), "qcow2")
    with pytest.raises(TooLarge, match="was ended"):
        made.run(Plan(disk_format="raw"))
    assert "Converting from qcow2 to raw: 12 %." in made.told
    assert not os.path.exists(f"/proc/{pid.read_text().strip()}")


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def test_a_conversion_that_nobody_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = slow_tool(tmp_path / "bin", monkeypatch)
    made = Import(tmp_path / "images", found("qcow2-v3"), "qcow2")

    async def cancelled() -> None:
        running = asyncio.create_task(
            plugins.run(made.incoming, Plan(disk_format="raw"), made.arrival, made.told.append)
        )
        await asyncio.to_thread(wait_until, pid.exists)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        process = Path("/proc", pid.read_text().strip())
        await asyncio.to_thread(wait_until, lambda: not process.exists())

    asyncio.run(cancelled())
    made.incoming.release()


def test_the_tool_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Import(tmp_path, found("qcow2-v3"), "qcow2")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Problem, match="is not installed"):
        made.run(Plan(disk_format="raw"))
