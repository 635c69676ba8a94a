"""A store that is a bucket of an S3 server (Amazon S3 API 2006-03-01).

Each placing has a name of its own, which is never used again: what no row names is not coming back, and no lock is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from pileus.core.config import S3Store
from pileus.core.db import new_id
from pileus.services.image import files
from pileus.services.image.stores.base import StoreFailed

PIECE = 1 << 20
_PART = 8 << 20
_MOST_PARTS = 9000
"""Of the 10,000 that S3 allows."""


class S3:
    kind = "s3"
    is_writable = True

    def __init__(self, name: str, settings: S3Store) -> None:
        self.name, self._settings = name, settings
        self._prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""

    @property
    def settings(self) -> S3Store:
        return self._settings

    def properties(self) -> dict[str, Any]:
        shown = self._settings
        return {"s3_store_host": shown.endpoint, "s3_store_bucket": shown.bucket, "s3_store_prefix": self._prefix}

    @cached_property
    def _client(self) -> Any:
        # imported here: the library takes 30 MB, which only clouds with such a store pay
        import boto3
        from botocore.config import Config

        where = self._settings
        return boto3.session.Session().client(
            "s3",
            endpoint_url=where.endpoint,
            region_name=where.region,
            aws_access_key_id=where.access_key,
            aws_secret_access_key=where.secret_file.read_text().strip(),
            config=Config(
                connect_timeout=10,
                read_timeout=60,
                retries={"max_attempts": 4, "mode": "standard"},
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def address(self, sha512: str) -> str:
        return f"{self._prefix}{new_id()}"

    def put(self, address: str, source: Path) -> None:
        from boto3.s3.transfer import TransferConfig

        with self._telling():
            part = max(_PART, source.stat().st_size // _MOST_PARTS)
            plan = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=2)
            self._client.upload_file(str(source), self._settings.bucket, address, Config=plan)

    async def open(self, address: str) -> OpenObject:
        def head() -> OpenObject:
            with self._telling():
                found = self._client.head_object(Bucket=self._settings.bucket, Key=address)
            return OpenObject(self, address, int(found["ContentLength"]))

        return await asyncio.wrap_future(files.pool.submit(head))

    def body(self, address: str, start: int, end: int) -> Any:
        """A stream of some of an object's bytes."""
        with self._telling():
            wanted = {"Range": f"bytes={start}-{end - 1}"}
            return self._client.get_object(Bucket=self._settings.bucket, Key=address, **wanted)["Body"]

    def next_of(self, body: Any) -> bytes:
        with self._telling():
            return bytes(body.read(PIECE))

    def local(self, address: str) -> Path | None:
        return None

    def url(self, address: str) -> str:
        return f"s3://{self.name}/{address}"

    def sweep(self, needed: Callable[[], set[str]]) -> list[str]:
        bucket = self._settings.bucket
        with self._telling():
            # listed before the rows are read: whatever is here now has its row, or had it
            there, uploads = list(self._objects()), list(self._uploads())
            kept = needed()
            removed = [key for key in there if key not in kept]
            for key in removed:
                self._client.delete_object(Bucket=bucket, Key=key)
            for key, upload in uploads:
                if key not in kept:
                    self._client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        return removed

    def _objects(self) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._settings.bucket, Prefix=self._prefix):
            for each in page.get("Contents", ()):
                yield each["Key"]

    def _uploads(self) -> Iterator[tuple[str, str]]:
        """(key, upload) of multipart uploads that were begun and not ended."""
        pages = self._client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self._settings.bucket, Prefix=self._prefix):
            for each in page.get("Uploads", ()):
                yield each["Key"], each["UploadId"]

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.exceptions import HTTPClientError as ConnectionFailed

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError, ConnectionFailed, OSError) as error:
            raise StoreFailed(f"the S3 server at {self._settings.endpoint} did not do it: {error}") from error


class OpenObject:
    def __init__(self, store: S3, address: str, size: int) -> None:
        self._store, self._address, self.size = store, address, size

    def part(self, start: int, end: int) -> None:
        return None

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        if start == end:
            return
        body = await asyncio.wrap_future(files.pool.submit(self._store.body, self._address, start, end))
        try:
            while start < end:
                piece = await asyncio.wrap_future(files.pool.submit(self._store.next_of, body))
                if not piece:
                    raise StoreFailed(f"{self._address} ended at {start}, not at {end}")
                start += len(piece)
                yield piece
        finally:
            files.pool.submit(body.close)
