"""The bytes that are inspected: the head of what is still arriving, or a whole file."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pileus.core.errors import BadRequest

HEAD = 1 << 18
"""Bytes of the head that are kept while an image arrives."""
WHOLE_HEAD = 1 << 21
"""Bytes in which every header lies that a bootable format has: a qcow2 cluster of the largest size."""
_MAX = 1 << 62


class BadImage(BadRequest):
    """The bytes can't be taken: the reason is a sentence for the reader."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The image was refused: {reason}")


class NotYet(Exception):
    """What is asked for has not arrived."""


class Source:
    """`size` bytes of an image from its start; all of it where `is_whole`."""

    def __init__(self, read: Callable[[int, int], bytes], size: int, is_whole: bool) -> None:
        self._read = read
        self.size, self.is_whole = size, is_whole

    @classmethod
    def of_head(cls, head: bytes) -> Source:
        return cls(lambda offset, length: head[offset : offset + length], len(head), is_whole=False)

    @classmethod
    @contextmanager
    def of_file(cls, path: Path) -> Iterator[Source]:
        file = os.open(path, os.O_RDONLY)
        try:
            yield cls(lambda offset, length: os.pread(file, length, offset), os.fstat(file).st_size, is_whole=True)
        finally:
            os.close(file)

    def read(self, offset: int, length: int) -> bytes:
        """What there is of it."""
        return self._read(offset, length) if 0 <= offset < self.size else b""

    def unpack(self, form: str, offset: int, what: str) -> tuple[int, ...]:
        """As `struct` does. Raises BadImage where the image ends before, NotYet where it may go on."""
        found = self.read(offset, struct.calcsize(form))
        if len(found) < struct.calcsize(form):
            raise BadImage(f"the image ends inside its {what}.") if self.is_whole else NotYet
        return struct.unpack(form, found)


def sensible(size: int, what: str) -> int:
    """The size of a disk. Raises BadImage for what no disk has."""
    if not 0 <= size < _MAX:
        raise BadImage(f"the {what} header gives {size} bytes as the size of the disk.")
    return size
