"""Bytes on their way into an image: upload, staging, and what both share. No transaction is open while bytes flow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from pileus.core.context import Caller
from pileus.core.db import Database, Tx, new_id, now
from pileus.core.errors import BadRequest, Problem
from pileus.services.image import inspect, rules, signatures
from pileus.services.image.files import Incoming, blocks, no_room
from pileus.services.image.inspect import Source
from pileus.services.image.placing import publish, written
from pileus.services.image.stores import Stores
from pileus.services.image.types.images import Arrival, ImageRow, Received

_LINGER = 10.0
"""Seconds for which the rest of a refused upload is read and dropped, so that its sender gets to see the refusal."""


async def upload(
    db: Database,
    stores: Stores,
    caller: Caller,
    image: ImageRow,
    chunks: AsyncIterator[bytes],
    length: int | None,
    target: str,
) -> None:
    """Receive the image's bytes and make it active in the store `target`, or leave it queued with nothing kept.

    Raises Conflict (not queued), Gone (deleted meanwhile), BadRequest (cut short, not of its format), TooLarge (no room).
    """

    def start(tx: Tx, upload: str) -> None:
        rules.begin_upload(tx, image, "saving", upload, [target], size=length)

    def keep(incoming: Incoming, received: Received) -> None:
        publish(db, stores, caller, image, incoming.upload, Arrival.of(image, incoming.path, received))

    try:
        incoming = await begin(db, stores, length, start, in_a_hurry=True)
        await carry(db, caller, image, incoming, chunks, length, keep)
    except Problem:
        await _drop(chunks)
        raise


async def stage(
    db: Database, stores: Stores, caller: Caller, image: ImageRow, chunks: AsyncIterator[bytes], length: int | None
) -> None:
    """Receive the image's bytes and keep them for an import. Raises as `upload`."""

    def start(tx: Tx, upload: str) -> None:
        rules.begin_upload(tx, image, "uploading", upload, size=length)

    def keep(incoming: Incoming, received: Received) -> None:
        with incoming.files.locked():
            incoming.stage()
            written(db, lambda tx: rules.finish_staging(tx, caller, image.id, incoming.upload, received))

    try:
        incoming = await begin(db, stores, length, start)
        await carry(db, caller, image, incoming, chunks, length, keep)
    except Problem:
        await _drop(chunks)
        raise


async def begin(
    db: Database, stores: Stores, length: int | None, start: Callable[[Tx, str], None], in_a_hurry: bool = False
) -> Incoming:
    """A place for bytes to arrive, and `start(tx, upload)` written down. Raises TooLarge (no room), and what `start` raises."""

    def begun() -> Incoming:
        files = stores.built_in.files
        if length is not None and length > files.free():
            raise no_room(length)
        incoming = Incoming(files, new_id(), in_a_hurry)
        try:
            with db.write() as tx:
                start(tx, incoming.upload)
        except BaseException:
            incoming.release()
            raise
        return incoming

    return await asyncio.to_thread(begun)


Keep = Callable[[Incoming, Received], None]


async def carry(
    db: Database,
    caller: Caller,
    image: ImageRow,
    incoming: Incoming,
    chunks: AsyncIterator[bytes],
    length: int | None,
    keep: Keep,
) -> None:
    """Move all bytes in and `keep` them, or take everything back that `begin` did."""
    async with taking_back(db, caller, image, incoming):
        received = await receive(image, incoming, chunks, length)
        await asyncio.to_thread(keep, incoming, received)


async def receive(image: ImageRow, incoming: Incoming, chunks: AsyncIterator[bytes], length: int | None) -> Received:
    """Move all bytes in and look at them. Raises BadRequest (cut short, not of its format, not as signed), TooLarge (no room)."""
    signature = signatures.of(image.properties)
    signed = signature.hasher() if signature else None
    if signature and signed:
        signatures.certificates.find(signature.certificate)
        incoming.also_hash(signed)

    def look() -> None:
        inspect.check(image.disk_format, image.container_format, Source.of_head(incoming.head))

    def finish() -> Received:
        received = incoming.finish()
        if signature and signed:
            signatures.certificates.verify(signature, signed.digest(), now())
            received.signed_digest = signatures.kept(signature, signed.digest())
        with Source.of_file(incoming.path) as source:
            received.virtual_size = inspect.check(image.disk_format, image.container_format, source)
        return received

    await pump(chunks, incoming, look)
    if length is not None and incoming.size != length:
        raise BadRequest(f"The upload ended after {incoming.size} of {length} bytes; nothing of it was kept.")
    return await asyncio.to_thread(finish)


@asynccontextmanager
async def taking_back(db: Database, caller: Caller, image: ImageRow, incoming: Incoming) -> AsyncGenerator[None]:
    """Whatever happens inside, `incoming` is released; where it fails, the image is queued again and told why."""
    try:
        yield
    except BaseException as error:
        await asyncio.shield(asyncio.to_thread(incoming.release))
        await asyncio.shield(asyncio.to_thread(give_up, db, caller, image, incoming, rules.abandon_upload, error))
        raise
    await asyncio.shield(asyncio.to_thread(incoming.release))


Abandon = Callable[[Tx, Caller, str, str, str], object]
"""Image id, upload, reason."""


def give_up(
    db: Database, caller: Caller, image: ImageRow, incoming: Incoming, abandon: Abandon, error: BaseException
) -> None:
    """Write down that an upload, or an import, has failed, and why."""
    reason = error.message if isinstance(error, Problem) else "It was interrupted."
    with db.write() as tx:
        abandon(tx, caller, image.id, incoming.upload, reason)


async def pump(chunks: AsyncIterator[bytes], incoming: Incoming, look: Callable[[], object]) -> None:
    """Move all chunks in; `look` is called once, when the head is there. One block is received while the one before is worked on."""
    working: asyncio.Future[list[None]] | None = None
    async for block in blocks(chunks):
        if working is not None:
            await working
        first = incoming.size == 0
        working = asyncio.gather(*map(asyncio.wrap_future, incoming.submit(block)))
        if first:
            look()
    if working is not None:
        await working


async def _drop(chunks: AsyncIterator[bytes]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            async for _ in chunks:
                pass
