"""Data that lies on web servers: read only, of locations that images were given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from pileus.core.config import HttpStore
from pileus.core.errors import BadRequest
from pileus.services.image import fetch
from pileus.services.image.stores.base import StoreFailed


class Http:
    kind = "http"
    is_writable = False

    def __init__(self, name: str, settings: HttpStore, allowed: fetch.Networks) -> None:
        self.name, self._settings, self._allowed = name, settings, allowed

    @property
    def settings(self) -> HttpStore:
        return self._settings

    def properties(self) -> dict[str, Any]:
        return {}

    def address(self, sha512: str) -> str:
        raise StoreFailed("nothing is written to web servers")

    def put(self, address: str, source: Path) -> None:
        raise StoreFailed("nothing is written to web servers")

    async def open(self, address: str) -> OpenPage:
        try:
            return OpenPage(address, await fetch.size(address, self._allowed), self._allowed)
        except BadRequest as error:
            raise StoreFailed(error.message) from error

    def local(self, address: str) -> Path | None:
        return None

    def url(self, address: str) -> str:
        return address

    def sweep(self, needed: Callable[[], set[str]]) -> list[str]:
        return []


class OpenPage:
    def __init__(self, uri: str, size: int, allowed: fetch.Networks) -> None:
        self._uri, self.size, self._allowed = uri, size, allowed

    def part(self, start: int, end: int) -> None:
        return None

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Whether or not the server knows ranges."""
        if start == end:
            return
        try:
            at = 0
            async for chunk in fetch.stream(self._uri, self._allowed, (start, end)):
                yield chunk
                at += len(chunk)
        except BadRequest as error:
            raise StoreFailed(error.message) from error
        if at != end - start:
            raise StoreFailed(f"{self._uri[:255]} gave {at} bytes, not {end - start}")
