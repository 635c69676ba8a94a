"""Images in the container 'compressed' are unpacked: gzip, or zip with one file in it."""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import FileIO
from typing import IO, cast

from pileus.services.image import inspect
from pileus.services.image.files import BLOCK, full_disk, no_room
from pileus.services.image.inspect import BadImage
from pileus.services.image.plugins.work import Work
from pileus.services.image.types.images import Arrival, Plan

RATIO = 250
"""How many times its packed size an image may be; disks of mostly zeros come to about 200."""
ANYWAY = 1 << 30
"""Bytes that an image may have whatever it was packed to."""


def step(_plan: Plan, arrival: Arrival) -> Callable[[Work], Arrival] | None:
    return partial(_unpack, arrival=arrival) if arrival.container_format == "compressed" else None


def _unpack(work: Work, arrival: Arrival) -> Arrival:
    """Raises BadImage (damaged, too much of it), TooLarge (no room)."""
    work.tell("Unpacking.")
    most = max(ANYWAY, RATIO * arrival.received.size)
    path, written = work.file("unpacked"), 0
    zeros = bytes(BLOCK)
    with _opened(arrival) as packed, path.open("xb", buffering=0) as file:
        while block := packed.read(BLOCK):
            work.go_on()
            written += len(block)
            if written > most:
                raise BadImage(
                    f"unpacked it has more than {most} bytes, from {arrival.received.size}: at most {RATIO} times as many "
                    f"are taken, or {ANYWAY}. Convert it to qcow2 instead of packing it."
                )
            if work.room() < len(block):
                raise no_room(written)
            with full_disk(written):
                _write(file, block, written, zeros)
    return work.made(arrival, path, arrival.disk_format)


def _write(file: FileIO, block: bytes, end: int, zeros: bytes) -> None:
    """A block up to `end`; a hole where it is zeros."""
    if block == zeros[: len(block)]:
        file.truncate(end)
        file.seek(end)
        return
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]


@contextmanager
def _opened(arrival: Arrival) -> Iterator[IO[bytes]]:
    with inspect.Source.of_file(arrival.path) as source:
        kind = inspect.detect(source)
    try:
        if kind == "zip":
            with _ZipFile(arrival.path) as file, zipfile.ZipFile(file) as archive:
                file.longest = BLOCK
                with archive.open(_only_member(archive)) as member:
                    yield member
        else:
            with gzip.open(arrival.path) as unpacking:
                yield cast(IO[bytes], unpacking)
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadImage(f"it can't be unpacked: {error}.") from None


class _ZipFile(FileIO):
    """Refuses reads that are too long: a zip's directory is read at once, and may be as large as the file."""

    longest = 1 << 17

    def read(self, size: int | None = -1, /) -> bytes:
        left = os.fstat(self.fileno()).st_size - self.tell()
        if (left if size is None or size < 0 else size) > self.longest:
            raise zipfile.BadZipFile(f"its directory has more than {self.longest} bytes")
        return super().read(-1 if size is None else size)


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise BadImage(f"the zip file has {len(members)} files in it; it must be one.")
    if members[0].flag_bits & 1:
        raise BadImage("the zip file is encrypted.")
    return members[0]
