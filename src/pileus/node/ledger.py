"""The last spec and what has been done of it, on local disk: guests go on while the control plane is away."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from pileus.node.desired import HostSpec
from pileus.node.diff import Done

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Page(msgspec.Struct, kw_only=True):
    spec: HostSpec | None = None
    done: dict[str, Done] = {}
    boot_id: str = ""


class Ledger:
    """`directory`/ledger.json, replaced as a whole; a torn or foreign file counts as none."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "ledger.json"
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)

    def load(self) -> Page:
        """After a restart of the machine nothing counts as done but rebuilds: what should run is started again."""
        try:
            page = msgspec.json.decode(self._file.read_bytes(), type=Page)
        except (FileNotFoundError, msgspec.DecodeError):
            return Page(boot_id=boot_id())
        if page.boot_id != boot_id():
            page.done = {guest: _after_boot(done) for guest, done in page.done.items()}
            page.boot_id = boot_id()
        return page

    def expect_start(self) -> None:
        """The guests were ended together with Pileus: the next agent starts those that should run, as after a boot."""
        page = self.load()
        page.boot_id = "ended"
        self.save(page)

    def save(self, page: Page) -> None:
        with self._lock, written_whole(self._file) as file:
            file.write(msgspec.json.encode(page))
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def written_whole(file: Path) -> Iterator[BinaryIO]:
    """What takes the file's place in the end. Where it can't be written, a full disk has nothing more to hold."""
    new = file.with_suffix(".new")
    try:
        with new.open("wb") as written:
            yield written
        new.replace(file)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise


def _after_boot(done: Done) -> Done:
    return Done(rebuilds=done.rebuilds, hard_reboots=done.hard_reboots, reboots=done.reboots)


def boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
