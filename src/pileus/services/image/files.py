"""The images' bytes: one file for each content, named by its SHA-512, in one directory.

While bytes arrive they lie in `<upload>.part`, which its receiver holds locked: a `.part` that nobody holds belongs to a
receiver that died. `<upload>.staged` waits for its import, of which `<upload>.part` is the lock then; `<upload>.work` is
where an import makes other files of it. Adding and removing names happens under a lock of the directory.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from pileus.core.errors import TooLarge
from pileus.services.image.inspect import HEAD
from pileus.services.image.types.images import Received

BLOCK = 4 << 20
"""Bytes that are hashed and written at once."""
ROOM = 256 << 20
"""Bytes of the disk that stay free: the database lies there too."""
_SECTOR = 4096
"""What sizes and addresses of direct writes are multiples of."""
Hash: TypeAlias = "hashlib._Hash"
_CONTENT = re.compile(r"^[0-9a-f]{128}$")

pool = ThreadPoolExecutor(8, thread_name_prefix="image-data", initializer=lambda: os.nice(10))
"""Where files are read, hashed and written. Linux has priorities by thread: where CPUs are short, requests go first."""


class ImageFiles:
    """The directory. Creates it where it is missing."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def content(self, sha512: str) -> Path:
        return self.directory / sha512

    def staged(self, upload: str) -> Path:
        return self.directory / f"{upload}.staged"

    def part(self, upload: str) -> Path:
        return self.directory / f"{upload}.part"

    def work(self, upload: str) -> Path:
        """The directory of what is made of the bytes on their way in."""
        return self.directory / f"{upload}.work"

    def remove(self, name: str) -> None:
        """A file or a directory of work, where it is there. Call it locked."""
        if name.endswith(".work"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
        else:
            (self.directory / name).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While entered, nobody else (thread or process) adds or removes names."""
        directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)

    def free(self) -> int:
        """Bytes that may still be written."""
        found = os.statvfs(self.directory)
        return found.f_bavail * found.f_frsize - ROOM

    def publish(self, source: Path, sha512: str) -> None:
        """Give the bytes in `source` their name. Call it locked; `source` stays."""
        with suppress(FileExistsError):
            os.link(source, self.content(sha512))
        directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def is_dead(self, part: Path) -> bool:
        """Whether the receiver of a `.part` is gone. Call it locked."""
        try:
            found = os.open(part, os.O_RDONLY)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(found)
        return True

    def contents(self) -> list[str]:
        """The names of complete files."""
        return [name for name in os.listdir(self.directory) if _CONTENT.match(name)]

    def unfinished(self) -> list[str]:
        """The names of what belongs to one upload or import."""
        return [name for name in os.listdir(self.directory) if name.endswith((".part", ".staged", ".work"))]


class Incoming:
    """Bytes on their way in. They go to disk and through both hashes in threads, two blocks in memory at a time.

    In a hurry each hash has a thread of its own; else one thread has all, which leaves other requests a processor.
    """

    def __init__(self, files: ImageFiles, upload: str, in_a_hurry: bool = False) -> None:
        self.files, self.upload, self.path = files, upload, files.part(upload)
        self._in_a_hurry = in_a_hurry
        self.size = 0
        self.head = b""
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha512 = hashlib.sha512()
        self._hashes: list[Hash] = [self._md5, self._sha512]
        self._work: list[Future[None]] = []
        self._is_named = True
        with files.locked():
            self._file, self._is_direct = _create(self.path)
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def also_hash(self, other: Hash) -> None:
        """Feed another hash, too. Call it before the first block."""
        self._hashes.append(other)

    def submit(self, block: memoryview) -> list[Future[None]]:
        """Start work on a block, which must stay as it is until all is done. Call it when the work on the one before is done."""
        self.size += len(block)
        if len(self.head) < HEAD:
            self.head += bytes(block[: HEAD - len(self.head)])
        hashing = [each.update for each in self._hashes] if self._in_a_hurry else [self._hash]
        self._work = [pool.submit(step, block) for step in (*hashing, self._write)]
        return self._work

    def _hash(self, block: memoryview) -> None:
        for each in self._hashes:
            each.update(block)

    def _write(self, block: memoryview) -> None:
        if self.files.free() < len(block):
            raise no_room(self.size)
        if self._is_direct and len(block) % _SECTOR:
            self._is_direct = False
            fcntl.fcntl(self._file, fcntl.F_SETFL, fcntl.fcntl(self._file, fcntl.F_GETFL) & ~os.O_DIRECT)
        with full_disk(self.size):
            while block:
                block = block[os.write(self._file, block) :]

    def finish(self) -> Received:
        """All bytes are there: make them safe. The file keeps its name and its lock until `release`."""
        with full_disk(self.size):
            os.fsync(self._file)
        return Received(self.size, self._md5.hexdigest(), self._sha512.hexdigest())

    def stage(self) -> None:
        """Leave the bytes for a later import. Call it locked."""
        self.path.rename(self.files.staged(self.upload))
        self._is_named = False

    def release(self) -> None:
        """Remove the name and what was made of the bytes, and let go of the file, whatever happened before."""
        wait(self._work)
        if self._is_named:
            with self.files.locked():
                self.files.remove(self.files.work(self.upload).name)
                self.path.unlink(missing_ok=True)
        os.close(self._file)


def _create(path: Path) -> tuple[int, bool]:
    """A new file, written past the page cache where the file system can: an image would only push out what others need."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    try:
        return os.open(path, flags | os.O_DIRECT, 0o600), True
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        path.unlink(missing_ok=True)
        return os.open(path, flags, 0o600), False


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Tells of a disk that took no more than `size` bytes as TooLarge."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise no_room(size) from error
        raise


def no_room(size: int) -> TooLarge:
    return TooLarge(
        f"The image store's disk is full: it has no room for an image of {size} bytes or more. What was written is removed; "
        "delete images or give the state directory a larger disk."
    )


async def blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[memoryview]:
    """`chunks` as blocks of BLOCK bytes. The one before the last that was given is used again."""
    buffers = (mmap.mmap(-1, BLOCK), mmap.mmap(-1, BLOCK))
    turn = filled = 0
    async for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            part = rest[: BLOCK - filled]
            buffers[turn][filled : filled + len(part)] = part
            filled += len(part)
            rest = rest[len(part) :]
            if filled == BLOCK:
                yield memoryview(buffers[turn])
                turn, filled = 1 - turn, 0
    if filled:
        yield memoryview(buffers[turn])[:filled]


__all__ = ["BLOCK", "ROOM", "ImageFiles", "Incoming", "blocks", "full_disk", "no_room", "pool"]
