"""What a store can do, whatever is behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

from pileus.core.config import ImageStore
from pileus.core.sendfile import FilePart


class StoreFailed(Exception):
    """Why a store did not do what it was asked for; a sentence for the reader, without secrets."""


class Opened(Protocol):
    """An object that is being read: it stays readable whatever happens to its name."""

    size: int

    def part(self, start: int, end: int) -> FilePart | None:
        """The same bytes as `read`, where they are a file's."""

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `end`. Call it once. Raises StoreFailed."""


class Store(Protocol):
    """Where images' data lies. An object has a name, is complete or not there, and never changes.

    Order that keeps objects and rows together: first the row that names the object, then the object; on the way back
    first the row, then the object, by `sweep`.
    """

    name: str
    kind: str
    is_writable: bool

    @property
    def settings(self) -> ImageStore:
        """What the operator says of it."""

    def properties(self) -> dict[str, Any]:
        """What administrators read of it: no secrets."""

    def address(self, sha512: str) -> str:
        """The name that an object of this content is going to have."""

    def put(self, address: str, source: Path) -> None:
        """Make the object of a local file; blocks. Raises StoreFailed, TooLarge."""

    async def open(self, address: str) -> Opened:
        """Raises StoreFailed."""

    def local(self, address: str) -> Path | None:
        """The file that is the object, where it is one of this machine."""

    def url(self, address: str) -> str:
        """As the API shows it."""

    def sweep(self, needed: Callable[[], set[str]]) -> list[str]:
        """Remove all objects but those that `needed` names when it is asked; the names of the removed. Raises StoreFailed."""
