"""An upload that is killed at any of its steps: after a sweep there is no file without a row and no row without its file."""

import asyncio
import errno
import gzip
import hashlib
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy.exc import OperationalError

from pileus.core import db as core_db
from pileus.core.config import FileStore, Settings
from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.core.errors import BadRequest, Problem
from pileus.services.image import copies, files, importing, plugins, receive, store, stores
from pileus.services.image.plugins import Plan
from pileus.services.image.reconcile import sweep
from pileus.services.image.rules.images import create_image, delete_image
from pileus.services.image.rules.imports import Targets, begin_import
from pileus.services.image.rules.locations import leave_store, want_copies
from pileus.services.image.stores.file import Files
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.tasks import ImageImport, ImportMethod
from tests.support.personas import persona

pytestmark = pytest.mark.slow
needs_qemu_img = pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed")
DATA = b"d" * (files.BLOCK + 1000)
STEPS = ("open", "write", "fsync", "link", "unlink", "rename", "close", "mkdir", "rmdir")


def caller() -> Caller:
    found = persona("project-member")
    found.allows = lambda *_: True
    return found


async def chunks(data: bytes = DATA) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(data), 1 << 20):
        yield data[start : start + (1 << 20)]


def die_at(step: int) -> None:
    """Make this process end at its n-th step: a call that changes files, or the begin or end of a transaction."""
    taken = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **more: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken == step:
                os._exit(7)
            return call(*args, **more)

        return counting

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))
    engine_commit = sys.modules["sqlalchemy.engine"].Connection.commit
    sys.modules["sqlalchemy.engine"].Connection.commit = counted(engine_commit)  # type: ignore[attr-defined]
    Database.write = counted(Database.write)  # type: ignore[method-assign]


def in_child(settings: Settings, step: int, work: Callable[[Database], None]) -> bool:
    """Whether `work` got to its end before its n-th step."""
    child = os.fork()
    if child == 0:
        code = 9
        try:
            files.pool = ThreadPoolExecutor(4)
            plugins._workshop = ThreadPoolExecutor(1)
            db = Database(settings.database_url)
            die_at(step)
            work(db)
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 7)
    return status == 0


def check(settings: Settings, image_id: str, staged: bytes = DATA, is_converted: bool = False) -> str | None:
    """The image's status, once all is known to agree."""
    db = Database(settings.database_url)
    sweep(db, settings)
    with db.read() as tx:
        image = store.image(tx, image_id)
        wanted = sorted(store.needed_objects(tx, "file"))
        uploads = store.uploads(tx)
    db.close()
    kept = sorted(os.listdir(settings.state_dir / "images"))
    assert kept == sorted([*wanted, *(f"{upload}.staged" for upload in uploads)])
    assert all(uploads.values())
    for name in kept:
        data = (settings.state_dir / "images" / name).read_bytes()
        if name.endswith(".staged"):
            assert data == staged
        else:
            assert name == hashlib.sha512(data).hexdigest()
            assert is_converted or data == DATA
    if image is not None and image.status == "active":
        assert [image.sha512] == kept
    return image.status if image else None


async def upload(
    db: Database,
    places: stores.Stores,
    caller: Caller,
    image: ImageRow,
    data: AsyncIterator[bytes],
    length: int | None,
) -> None:
    await receive.upload(db, places, caller, image, data, length, "file")


def prepared(directory: Path, container_format: str = "bare") -> tuple[Settings, ImageRow]:
    settings = Settings(state_dir=directory, mode="sim")
    directory.mkdir()
    db = Database(settings.database_url)
    db.create_tables()
    with db.write() as tx:
        image = create_image(tx, caller(), {"disk_format": "raw", "container_format": container_format})
    db.close()
    return settings, image


@pytest.mark.parametrize(("receiver", "end"), [(upload, "active"), (receive.stage, "uploading")])
def test_a_receiver_that_is_killed(tmp_path: Path, receiver: Callable[..., Any], end: str) -> None:
    seen = set()
    for step in range(1, 100):
        settings, image = prepared(tmp_path / str(step))

        def work(db: Database, settings: Settings = settings, image: ImageRow = image) -> None:
            asyncio.run(receiver(db, stores.of(settings), caller(), image, chunks(), len(DATA)))

        done = in_child(settings, step, work)
        status = check(settings, image.id)
        seen.add(status)
        if done:
            assert status == end
            break
        assert status in ("queued", end)
    else:
        pytest.fail("it never came to its end")
    assert seen == {"queued", end}
    assert step > 10


GZIPPED = gzip.compress(DATA, 1, mtime=0)


def import_again(settings: Settings, image_id: str, wish: ImageImport, plan: Plan) -> None:
    db, places = Database(settings.database_url), stores.of(settings)
    with db.read() as tx:
        image = store.known_image(tx, image_id)
    hold = importing.begin_staged(db, places, caller(), image, wish, Targets(["file"], together=True))
    asyncio.run(importing.staged(db, places, caller(), image, hold, plan))
    with db.read() as tx:
        assert store.known_image(tx, image_id).status == "active"
    db.close()


@pytest.mark.parametrize(
    ("data", "container_format", "plan"),
    [
        (DATA, "bare", Plan()),
        (GZIPPED, "compressed", Plan()),
        pytest.param(GZIPPED, "compressed", Plan("qcow2", {"a": "b"}), marks=[needs_qemu_img, pytest.mark.slow]),
    ],
    ids=["as it is", "unpacked", "unpacked and converted"],
)
def test_an_import_of_staged_data_that_is_killed(
    tmp_path: Path, data: bytes, container_format: str, plan: Plan
) -> None:
    """What was staged was acknowledged: it stays until the image is active, and is imported when that is asked again."""
    seen = set()
    wish = ImageImport(method=ImportMethod(name="glance-direct"))
    for step in range(1, 200):
        settings, image = prepared(tmp_path / str(step), container_format)
        db = Database(settings.database_url)
        target = stores.of(settings)
        asyncio.run(receive.stage(db, target, caller(), image, chunks(data), None))
        with db.read() as tx:
            image = store.known_image(tx, image.id)
        db.close()

        def work(db: Database, target: stores.Stores = target, image: ImageRow = image) -> None:
            hold = importing.begin_staged(db, target, caller(), image, wish, Targets(["file"], together=True))
            asyncio.run(importing.staged(db, target, caller(), image, hold, plan))

        done = in_child(settings, step, work)
        status = check(settings, image.id, data, plan.disk_format is not None)
        seen.add(status)
        if done:
            assert status == "active"
            break
        if status == "uploading":
            import_again(settings, image.id, wish, plan)
    else:
        pytest.fail("it never came to its end")
    assert seen == {"uploading", "active"}


def full_at(monkeypatch: pytest.MonkeyPatch, step: int) -> list[str]:
    """The disk is full at the n-th call that needs room on it; the calls that came."""
    taken: list[str] = []

    def counted(name: str, call: Callable[..., Any], error: Exception) -> Callable[..., Any]:
        def counting(*args: Any, **more: Any) -> Any:
            taken.append(name)
            if len(taken) == step:
                raise error
            return call(*args, **more)

        return counting

    for name in ("write", "fsync", "link", "mkdir"):
        no_room = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        monkeypatch.setattr(os, name, counted(name, getattr(os, name), no_room))
    full = OperationalError("COMMIT", None, sqlite3.OperationalError("database or disk is full"))
    monkeypatch.setattr(core_db, "_commit", counted("commit", core_db._commit, full))
    return taken


@pytest.mark.parametrize(
    ("data", "container_format"), [(DATA, "bare"), (GZIPPED, "compressed")], ids=["as it is", "unpacked"]
)
def test_an_import_of_staged_data_for_which_there_is_no_room(
    tmp_path: Path, data: bytes, container_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = ImageImport(method=ImportMethod(name="glance-direct"))
    for step in range(1, 100):
        settings, image = prepared(tmp_path / str(step), container_format)
        db, places = Database(settings.database_url), stores.of(settings)
        asyncio.run(receive.stage(db, places, caller(), image, chunks(data), None))
        with db.read() as tx:
            image = store.known_image(tx, image.id)
        with monkeypatch.context() as patch:
            taken = full_at(patch, step)
            with suppress(OperationalError, OSError, Problem):
                hold = importing.begin_staged(db, places, caller(), image, wish, Targets(["file"], together=True))
                asyncio.run(importing.staged(db, places, caller(), image, hold, Plan()))
        db.close()
        status = check(settings, image.id, data)
        if len(taken) < step:
            assert status == "active"
            break
        if status == "uploading":
            import_again(settings, image.id, wish, Plan())
        else:
            assert (status, taken[-1]) == ("active", "commit"), f"it is {status} after {taken}"
    else:
        pytest.fail("it never came to its end")
    assert step > 5


def test_staged_data_that_can_be_no_image_is_not_kept(tmp_path: Path) -> None:
    settings, image = prepared(tmp_path / "state", "compressed")
    db, places = Database(settings.database_url), stores.of(settings)
    asyncio.run(receive.stage(db, places, caller(), image, chunks(GZIPPED[:-9]), None))
    with db.read() as tx:
        image = store.known_image(tx, image.id)
    wish = ImageImport(method=ImportMethod(name="glance-direct"))
    hold = importing.begin_staged(db, places, caller(), image, wish, Targets(["file"], together=True))
    with pytest.raises(BadRequest):
        asyncio.run(importing.staged(db, places, caller(), image, hold, Plan()))
    db.close()
    assert check(settings, image.id) == "queued"


def test_an_import_from_the_web_that_is_killed(tmp_path: Path) -> None:
    seen = set()
    wish = ImageImport(method=ImportMethod(name="web-download", uri="http://example.org/image"))
    for step in range(1, 200):
        settings, image = prepared(tmp_path / str(step), "compressed")

        def work(db: Database, target: stores.Stores, image: ImageRow = image) -> None:
            targets = Targets(["file"], together=False)

            async def go() -> None:
                incoming = await receive.begin(
                    db, target, None, lambda tx, upload: begin_import(tx, caller(), image, wish, targets, upload)
                )
                await importing.from_web(db, target, caller(), image, incoming, chunks(GZIPPED), Plan())

            asyncio.run(go())

        done = in_child(settings, step, lambda db, settings=settings: work(db, stores.of(settings)))
        status = check(settings, image.id)
        seen.add(status)
        if done:
            assert status == "active"
            break
    else:
        pytest.fail("it never came to its end")
    assert seen == {"queued", "active"}


def test_a_delete_that_is_killed(tmp_path: Path) -> None:
    for step in range(1, 100):
        settings, image = prepared(tmp_path / str(step))
        db = Database(settings.database_url)
        asyncio.run(upload(db, stores.of(settings), caller(), image, chunks(), None))
        db.close()

        def work(db: Database, settings: Settings = settings, image: ImageRow = image) -> None:
            with db.write() as tx:
                delete_image(tx, caller(), store.known_image(tx, image.id))
            sweep(db, settings)

        done = in_child(settings, step, work)
        assert check(settings, image.id) in ((None,) if done else (None, "active"))
        if done:
            return
    pytest.fail("it never came to its end")


def spread(directory: Path, names: str) -> tuple[Settings, ImageRow]:
    """An image in these stores, of a cloud with a second directory that is on another disk as far as links are concerned."""
    settings, image = prepared(directory)
    (directory / "second").mkdir()
    more = {"second": FileStore(directory=directory / "second")}
    settings = msgspec.structs.replace(settings, image_stores=more)
    db = Database(settings.database_url)
    asyncio.run(upload(db, stores.of(settings), caller(), image, chunks(), None))
    for name in names.split():
        with db.write() as tx:
            want_copies(tx, store.known_image(tx, image.id), [name], together=False)
    copies.run(db, settings)
    with db.read() as tx:
        image = store.known_image(tx, image.id)
    db.close()
    return settings, image


def check_all(settings: Settings, image_id: str) -> set[str] | None:
    """The stores that have the image, once all is known to agree; None where it is gone."""
    db = Database(settings.database_url)
    sweep(db, settings)
    with db.read() as tx:
        image = store.image(tx, image_id)
        for name in ("file", "second"):
            there = stores.of(settings)[name]
            assert isinstance(there, Files)
            assert set(os.listdir(there.files.directory)) == store.needed_objects(tx, name)
    db.close()
    if image is None:
        return None
    assert image.status == "active"
    found = {location.store for location in image.locations if location.status == "active"}
    for name in found:
        path = stores.of(settings)[name].local(hashlib.sha512(DATA).hexdigest())
        assert path is not None
        assert path.read_bytes() == DATA
    return found


@pytest.mark.parametrize("linked", [True, False])
def test_a_copy_that_is_killed(tmp_path: Path, linked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made by the next who runs."""
    if not linked:

        def refuse(files: files.ImageFiles, source: Path, sha512: str) -> None:
            if source.parent != files.directory:
                raise OSError(errno.EXDEV, "another disk")
            published(files, source, sha512)

        published = files.ImageFiles.publish
        monkeypatch.setattr(files.ImageFiles, "publish", refuse)
    for step in range(1, 200):
        settings, image = spread(tmp_path / str(step), "")
        db = Database(settings.database_url)
        with db.write() as tx:
            want_copies(tx, store.known_image(tx, image.id), ["second"], together=True)
        db.close()
        done = in_child(settings, step, lambda db, settings=settings: copies.run(db, settings))  # type: ignore[misc]
        assert check_half(settings, image.id) in ({"file"}, {"file", "second"})
        again = Database(settings.database_url)
        copies.run(again, settings)
        again.close()
        assert check_all(settings, image.id) == {"file", "second"}
        if done:
            assert step > (10 if linked else 20)
            return
    pytest.fail("it never came to its end")


def check_half(settings: Settings, image_id: str) -> set[str]:
    """What is of use after a sweep in the middle of a copy."""
    db = Database(settings.database_url)
    sweep(db, settings)
    with db.read() as tx:
        image = store.known_image(tx, image_id)
    db.close()
    found = {location.store for location in image.locations if location.status == "active"}
    for name in found:
        path = stores.of(settings)[name].local(hashlib.sha512(DATA).hexdigest())
        assert path is not None
        assert path.read_bytes() == DATA
    return found


def test_leaving_a_store_that_is_killed(tmp_path: Path) -> None:
    seen = []
    for step in range(1, 200):
        settings, image = spread(tmp_path / str(step), "second")

        def work(db: Database, settings: Settings = settings, image: ImageRow = image) -> None:
            with db.write() as tx:
                leave_store(tx, caller(), store.known_image(tx, image.id), "file")
            sweep(db, settings)

        done = in_child(settings, step, work)
        seen.append(check_all(settings, image.id))
        if done:
            assert seen[0] == {"file", "second"}
            assert seen[-1] == {"second"}
            return
    pytest.fail("it never came to its end")
