"""A store that is a container of an OpenStack object store (Object Storage API v1).

Not yet run against one: the object store of this cloud is to come, and its tests with it. As in `s3`, each placing has a
name of its own. Large data is a static large object: segments below `<name>/`, and a manifest of that name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from pileus.core.config import SwiftStore
from pileus.core.db import new_id
from pileus.services.image import files
from pileus.services.image.stores.base import StoreFailed

PIECE = 1 << 20
SEGMENT = 1 << 30
"""Bytes of one object; 5 GiB are possible."""


class Swift:
    kind = "swift"
    is_writable = True

    def __init__(self, name: str, settings: SwiftStore) -> None:
        self.name, self._settings = name, settings

    @property
    def settings(self) -> SwiftStore:
        return self._settings

    def properties(self) -> dict[str, Any]:
        shown = self._settings
        return {"container": shown.container, "auth_address": shown.auth_url, "region": shown.region}

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        """A connection is of use to one thread."""
        # imported here: only clouds with such a store pay for it
        import swiftclient

        where = self._settings
        try:
            connection = swiftclient.Connection(
                authurl=where.auth_url,
                user=where.username,
                key=where.password_file.read_text().strip(),
                auth_version="3",
                os_options={
                    "project_name": where.project_name,
                    "user_domain_name": where.user_domain_name,
                    "project_domain_name": where.project_domain_name,
                    "region_name": where.region,
                },
                timeout=60,
            )
            with contextlib.closing(connection):
                yield connection
        except (swiftclient.ClientException, OSError) as error:
            raise StoreFailed(f"the object store at {where.auth_url} did not do it: {error}") from error

    def address(self, sha512: str) -> str:
        return new_id()

    def put(self, address: str, source: Path) -> None:
        container = self._settings.container
        size = source.stat().st_size
        with self._connected() as connection, source.open("rb") as file:
            connection.put_container(container)
            if size <= SEGMENT:
                connection.put_object(container, address, file, content_length=size, chunk_size=PIECE)
                return
            parts = []
            for start in range(0, size, SEGMENT):
                length, name = min(SEGMENT, size - start), f"{address}/{start // SEGMENT:05}"
                etag = connection.put_object(container, name, file, content_length=length, chunk_size=PIECE)
                parts.append({"path": f"/{container}/{name}", "etag": etag, "size_bytes": length})
            connection.put_object(container, address, json.dumps(parts), query_string="multipart-manifest=put")

    async def open(self, address: str) -> OpenObject:
        def head() -> OpenObject:
            with self._connected() as connection:
                found = connection.head_object(self._settings.container, address)
            return OpenObject(self, address, int(found["content-length"]))

        return await asyncio.wrap_future(files.pool.submit(head))

    def pieces(self, address: str, start: int, end: int) -> Iterator[bytes]:
        wanted = {"Range": f"bytes={start}-{end - 1}"}
        with self._connected() as connection:
            _, body = connection.get_object(self._settings.container, address, resp_chunk_size=PIECE, headers=wanted)
            yield from body

    def local(self, address: str) -> Path | None:
        return None

    def url(self, address: str) -> str:
        return f"swift://{self.name}/{address}"

    def sweep(self, needed: Callable[[], set[str]]) -> list[str]:
        container = self._settings.container
        with self._connected() as connection:
            connection.put_container(container)
            _, there = connection.get_container(container, full_listing=True)
            kept = needed()
            removed = [each["name"] for each in there if each["name"].partition("/")[0] not in kept]
            for name in removed:
                connection.delete_object(container, name)
        return removed


class OpenObject:
    def __init__(self, store: Swift, address: str, size: int) -> None:
        self._store, self._address, self.size = store, address, size

    def part(self, start: int, end: int) -> None:
        return None

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        if start == end:
            return
        found = self._store.pieces(self._address, start, end)
        while piece := await asyncio.wrap_future(files.pool.submit(next, found, b"")):
            yield piece
