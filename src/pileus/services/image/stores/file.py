"""A store that is a directory of this machine: one file for each content, named by its SHA-512."""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, wait
from contextlib import closing
from io import FileIO
from pathlib import Path
from typing import Any

from pileus.core.config import FileStore
from pileus.core.db import new_id
from pileus.core.sendfile import FilePart
from pileus.services.image import files
from pileus.services.image.files import BLOCK, ImageFiles, Incoming
from pileus.services.image.stores.base import StoreFailed

PIECE = 1 << 20


class Files:
    """Equal content is one file, whatever number of images has it."""

    kind = "file"
    is_writable = True

    def __init__(self, name: str, settings: FileStore) -> None:
        self.name, self._settings = name, settings
        self.files = ImageFiles(settings.directory)

    @property
    def settings(self) -> FileStore:
        return self._settings

    def properties(self) -> dict[str, Any]:
        return {"data_dir": str(self.files.directory)}

    def address(self, sha512: str) -> str:
        return sha512

    def put(self, address: str, source: Path) -> None:
        try:
            with self.files.locked():
                self.files.publish(source, address)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise StoreFailed("what was to be stored is gone") from None
            if error.errno != errno.EXDEV:
                raise
            self._copy(address, source)

    def _copy(self, address: str, source: Path) -> None:
        incoming = Incoming(self.files, new_id())
        try:
            _pour(source, incoming)
            if incoming.finish().sha512 != address:
                raise StoreFailed("what was to be stored does not hold (any more) what its name says")
            with self.files.locked():
                self.files.publish(incoming.path, address)
        finally:
            incoming.release()

    async def open(self, address: str) -> OpenFile:
        try:
            return await asyncio.to_thread(OpenFile, self.files.content(address))
        except OSError as error:
            raise StoreFailed(f"its file can't be read ({error.strerror})") from None

    def local(self, address: str) -> Path | None:
        path = self.files.content(address)
        return path if path.exists() else None

    def url(self, address: str) -> str:
        return f"file://{self.name}/{address}"

    def sweep(self, needed: Callable[[], set[str]]) -> list[str]:
        with self.files.locked():
            kept = needed()
            removed = [name for name in self.files.contents() if name not in kept]
            parts = (name for name in self.files.unfinished() if name.endswith(".part"))
            removed += [name for name in parts if self.files.is_dead(self.files.directory / name)]
            for name in removed:
                self.files.remove(name)
        return removed


class OpenFile:
    def __init__(self, path: Path) -> None:
        self.file = FileIO(path)
        # uploads go past the page cache: the kernel reads ahead in larger pieces, for less than half of the CPU time
        os.posix_fadvise(self.file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        self.size = os.fstat(self.file.fileno()).st_size

    def part(self, start: int, end: int) -> FilePart:
        return FilePart(self.file, start, end)

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        return pieces(self.file, start, end)


def _pour(source: Path, incoming: Incoming) -> None:
    """All of a file; one block is read while the one before is worked on."""
    buffers, turn = (mmap.mmap(-1, BLOCK), mmap.mmap(-1, BLOCK)), 0
    working: list[Future[None]] = []
    with closing(FileIO(source)) as file:
        while length := file.readinto(buffers[turn]):
            for done in working:
                done.result()
            wait(working)
            working = incoming.submit(memoryview(buffers[turn])[:length])
            turn = 1 - turn
    for done in working:
        done.result()


async def pieces(file: FileIO, start: int, end: int) -> AsyncIterator[bytes]:
    """What a file has from `start` to before `end`; one piece is read while the one before is used. Closes the file."""

    def read(at: int) -> Future[bytes]:
        return files.pool.submit(os.pread, file.fileno(), min(PIECE, end - at), at)

    ahead = read(start)
    try:
        while start < end:
            piece = await asyncio.wrap_future(ahead)
            if not piece:
                raise OSError(f"{file.name!r} ended at {start}, not at {end}")
            start += len(piece)
            ahead = read(start)
            yield piece
    finally:
        ahead.add_done_callback(lambda _: file.close())
