"""One import's work: where files are made of what arrived, and how much of them may be."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from pileus.core.errors import ServiceUnavailable
from pileus.services.image import inspect
from pileus.services.image.files import BLOCK, Incoming
from pileus.services.image.types.images import Arrival, Received


class Work:
    def __init__(self, incoming: Incoming, tell: Callable[[str], None]) -> None:
        self._files, self._upload = incoming.files, incoming.upload
        self.tell = tell
        """Says what is being done, for the import's task."""
        self.stopped = threading.Event()
        """Set where nobody waits for the work any more."""

    def room(self) -> int:
        """Bytes that the disk may still take."""
        return self._files.free()

    def file(self, name: str) -> Path:
        """A new file's path, in a directory of the import's own."""
        directory = self._files.work(self._upload)
        directory.mkdir(mode=0o700, exist_ok=True)
        return directory / name

    def go_on(self) -> None:
        """Raises ServiceUnavailable once the work is stopped."""
        if self.stopped.is_set():
            raise ServiceUnavailable("The import was interrupted: Pileus is ending.")

    def made(self, arrival: Arrival, path: Path, disk_format: str | None) -> Arrival:
        """`arrival` with the file at `path` in the place of its own: bare, inspected, hashed and safe on disk."""
        with inspect.Source.of_file(path) as source:
            size = inspect.check(disk_format, "bare", source)
        received = self._digest(path)
        received.virtual_size = size
        return msgspec.structs.replace(
            arrival, path=path, received=received, disk_format=disk_format, container_format="bare"
        )

    def _digest(self, path: Path) -> Received:
        md5, sha512, size = hashlib.md5(usedforsecurity=False), hashlib.sha512(), 0
        with path.open("rb", buffering=0) as file:
            os.fsync(file.fileno())
            for block in _blocks(file.fileno()):
                self.go_on()
                size += len(block)
                md5.update(block)
                sha512.update(block)
        return Received(size, md5.hexdigest(), sha512.hexdigest())


def _blocks(file: int) -> Iterator[bytes]:
    """All of a file, which does not stay in memory for it."""
    at = 0
    while block := os.pread(file, BLOCK, at):
        yield block
        os.posix_fadvise(file, at, len(block), os.POSIX_FADV_DONTNEED)
        at += len(block)
