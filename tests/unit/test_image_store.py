"""Lists of images on both databases, against the same question asked in plain Python."""

import inspect
import random
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pileus.core.db import Database, Tx, new_id
from pileus.core.errors import BadRequest
from pileus.core.paging import Page
from pileus.services.image import store
from pileus.services.image.store import images as store_of_images
from pileus.services.image.store import locations as store_of_locations
from pileus.services.image.types.images import Arrival, ImageRow, Received
from pileus.services.image.types.listing import SORT_KEYS, parse
from pileus.services.image.types.locations import LocationRow
from pileus.services.image.types.members import MemberRow
from tests.support.postgres import DATABASES, new_url

BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001
PROJECTS = ("p1", "p2", "p3")


def made(index: int, chance: random.Random) -> ImageRow:
    size = chance.choice([None, 1, 5, 5, 1 << 40])
    return ImageRow(
        id=f"00000000-0000-4000-8000-{chance.getrandbits(48):012x}",
        name=chance.choice([None, "a", "b", "B", "ä", "a,b"]),
        status=chance.choice(["queued", "active"]),
        visibility=chance.choice(["public", "private", "shared", "community"]),
        owner=chance.choice(PROJECTS),
        disk_format=chance.choice([None, "raw", "qcow2"]),
        container_format="bare",
        size=size,
        virtual_size=size,
        checksum=None,
        sha512=None,
        protected=chance.random() < 0.3,
        os_hidden=chance.random() < 0.2,
        min_disk=chance.randrange(3),
        min_ram=0,
        created_at=BEGIN + timedelta(seconds=chance.randrange(5)),
        updated_at=BEGIN + timedelta(seconds=index),
        properties={name: chance.choice("xy") for name in ("os", "arch") if chance.random() < 0.5},
        tags=sorted({tag for tag in "uvw" if chance.random() < 0.5}),
    )


@pytest.fixture(scope="module", params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    db = Database(new_url(request.param, tmp_path_factory.mktemp("images")))
    db.create_tables()
    chance = random.Random(7)
    with db.write() as tx:
        for index in range(60):
            image = made(index, chance)
            store.insert(tx, image)
            for project in PROJECTS:
                if image.visibility == "shared" and chance.random() < 0.5:
                    status = chance.choice(["pending", "accepted", "rejected"])
                    store.insert_member(tx, MemberRow(image.id, project, status, BEGIN, BEGIN))
    yield db
    db.close()


@pytest.fixture
def tx(database: Database) -> Iterator[Tx]:
    with database.read() as found:
        yield found


def everything(tx: Tx) -> list[ImageRow]:
    ids = [image_id for hidden in ("false", "true") for image_id in listed(tx, None, [("os_hidden", hidden)])]
    found = store.shown_images(tx, ids)
    assert [image.id for image in found] == ids
    assert len(found) == 60
    return found


def listed(tx: Tx, project: str | None, query: list[tuple[str, str]]) -> list[str]:
    """What a project sees, or everybody's for None."""
    found = store.list_images(tx, project, project is None, parse(query).filter, Page())
    return [image_id for image_id, _ in found]


@pytest.mark.parametrize("key", SORT_KEYS)
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_have_every_image_once_and_in_order(tx: Tx, key: str, direction: str) -> None:
    wanted = parse([("sort", f"{key}:{direction}"), ("limit", "7")])
    whole = store.list_images(tx, None, True, wanted.filter, Page(sorts=wanted.page.sorts))
    pages: list[tuple[str, int]] = []
    while page := store.list_images(
        tx, None, True, wanted.filter, Page(limit=7, marker=pages[-1][0] if pages else None, sorts=wanted.page.sorts)
    ):
        pages += page
    assert pages == whole
    assert len(set(pages)) == len(pages) == sum(not i.os_hidden for i in everything(tx))
    values = [getattr(image, key) for image in store.shown_images(tx, [image_id for image_id, _ in pages])]
    if key not in ("name",):  # a database's own collation orders texts
        ordered = sorted(values, key=lambda v: (v is not None, v), reverse=direction == "desc")
        assert values == ordered


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ([("name", "a")], lambda i: i.name == "a"),
        ([("name", 'in:b,"a,b"')], lambda i: i.name in ("b", "a,b")),
        ([("status", "active"), ("disk_format", "raw")], lambda i: i.status == "active" and i.disk_format == "raw"),
        ([("size_min", "2"), ("size_max", "5")], lambda i: i.size == 5),
        ([("size", str(1 << 40))], lambda i: i.size == 1 << 40),
        ([("tag", "u"), ("tag", "w")], lambda i: {"u", "w"} <= set(i.tags)),
        ([("os", "x"), ("arch", "y")], lambda i: i.properties == {"os": "x", "arch": "y"}),
        ([("protected", "true")], lambda i: i.protected),
        ([("created_at", "gte:2026-01-01T00:00:03Z")], lambda i: i.created_at >= BEGIN + timedelta(seconds=3)),
        ([("created_at", "neq:2026-01-01T01:00:03+01:00")], lambda i: i.created_at != BEGIN + timedelta(seconds=3)),
        ([("owner", "p2")], lambda i: i.owner == "p2"),
        ([("visibility", "community")], lambda i: i.visibility == "community"),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else "",
)
def test_filters(tx: Tx, query: list[tuple[str, str]], holds: "object") -> None:
    found = set(listed(tx, None, query))
    assert callable(holds)
    assert found == {image.id for image in everything(tx) if holds(image) and not image.os_hidden}
    assert found


@pytest.mark.parametrize("project", PROJECTS)
@pytest.mark.parametrize("visibility", [None, "public", "private", "shared", "community", "all"])
@pytest.mark.parametrize("member_status", [None, "pending", "accepted", "rejected", "all"])
def test_a_project_sees_its_own_and_what_is_offered(
    tx: Tx, project: str, visibility: str | None, member_status: str | None
) -> None:
    def sees(image: ImageRow) -> bool:
        if visibility not in (None, "all") and image.visibility != visibility:
            return False
        if image.owner == project or image.visibility == "public":
            return True
        if image.visibility == "community":
            return visibility in ("community", "all")
        member = store.member(tx, image.id, project)
        wanted = member_status or "accepted"
        return image.visibility == "shared" and member is not None and wanted in ("all", member.status)

    query = [(n, v) for n, v in (("visibility", visibility), ("member_status", member_status)) if v is not None]
    found = set(listed(tx, project, query))
    assert found == {image.id for image in everything(tx) if sees(image) and not image.os_hidden}


def test_an_upload_belongs_to_one(database: Database) -> None:
    with database.write() as tx:
        image = made(99, random.Random(99))
        image.status = "queued"
        store.insert(tx, image)
        assert store.begin_upload(tx, image.id, "saving", "first")
        assert not store.begin_upload(tx, image.id, "saving", "second")
        assert not store.activate(tx, image.id, "second", Arrival(Path("f"), Received(1, "c", "s"), "raw", "bare"))
        assert store.abandon_upload(tx, "first")
        assert not store.activate(tx, image.id, "first", Arrival(Path("f"), Received(1, "c", "s"), "raw", "bare"))
        assert store.begin_upload(tx, image.id, "saving", "third")
        assert store.activate(tx, image.id, "third", Arrival(Path("f"), Received(1, "c", "s"), "raw", "bare"))
        assert store.known_image(tx, image.id).status == "active"
        store.delete(tx, image.id)


def test_bad_queries_name_the_parameter() -> None:
    for name, value in (
        ("limit", "x"),
        ("size_min", "-1"),
        ("created_at", "gt:x"),
        ("name", 'in:"a'),
    ):
        with pytest.raises(BadRequest, match=name):
            parse([(name, value)])


WRITES: dict[str, Callable[[Tx, ImageRow, LocationRow], Any]] = {
    "abandon_upload": lambda tx, image, _: store.abandon_upload(tx, "u"),
    "activate": lambda tx, image, _: store.activate(
        tx, image.id, "u", Arrival(Path("f"), Received(1, "c", "s"), "raw", "bare")
    ),
    "add_properties": lambda tx, image, _: store.add_properties(tx, image.id, {"os": "z"}),
    "begin_upload": lambda tx, image, _: (
        store.abandon_upload(tx, "u") and store.begin_upload(tx, image.id, "saving", "v")
    ),
    "delete_all_locations": lambda tx, image, _: store.delete_all_locations(tx, image.id),
    "delete_location": lambda tx, _, location: store.delete_location(tx, location),
    "delete_locations": lambda tx, image, _: store.delete_locations(tx, image.id, ["waiting"]),
    "import_staged": lambda tx, image, _: store.import_staged(tx, image.id, "u"),
    "insert_location": lambda tx, image, _: store.insert_location(tx, image.id, "s3", "", "waiting"),
    "leave_queue": lambda tx, image, _: store.abandon_upload(tx, "u") and store.leave_queue(tx, image.id, {"size": 3}),
    "place_location": lambda tx, _, location: store.place_location(tx, location, "object"),
    "set_location_metadata": lambda tx, _, location: store.set_location_metadata(tx, location, {"a": 1}),
    "set_location_status": lambda tx, image, location: store.set_location_status(
        tx, image.id, location.number, "active"
    ),
    "set_properties": lambda tx, image, _: store.set_properties(tx, image.id, {}),
    "set_tags": lambda tx, image, _: store.set_tags(tx, image.id, ["z"]),
    "stage": lambda tx, image, _: store.stage(tx, image.id, "u", Received(2, "c", "s")),
    "stage_again": lambda tx, image, _: store.import_staged(tx, image.id, "u") and store.stage_again(tx, "u"),
    "touch": lambda tx, image, _: store.touch(tx, image.id, "uploading"),
    "turn": lambda tx, image, _: store.turn(tx, image.id, "uploading", "active"),
    "turn_locations": lambda tx, image, _: store.turn_locations(tx, image.id, "waiting", "active"),
    "update": lambda tx, image, _: store.update(tx, image.id, {"name": "other"}),
}
"""Each changes an image that is uploading, as `u`, with its data staged and a location that waits."""


@pytest.mark.parametrize("name", WRITES)
def test_no_write_leaves_the_edition_as_it_was(database: Database, name: str) -> None:
    image = made(98, random.Random(98))
    image.id, image.status, image.os_hidden, image.properties = new_id(), "queued", False, {"os": "x"}
    with database.write() as tx:
        store.insert(tx, image)
        store.begin_upload(tx, image.id, "uploading", "u")
        store.stage(tx, image.id, "u", Received(1, "c", "s"))
        store.insert_location(tx, image.id, "file", "", "waiting")
        (location,) = store.locations_of(tx, [image.id])
        before = edition(tx, image.id)
        assert WRITES[name](tx, image, location) in (None, True)
        assert edition(tx, image.id) != before
        store.delete(tx, image.id)


def edition(tx: Tx, image_id: str) -> int:
    wanted = parse([("id", image_id)]).filter
    ((_, found),) = store.list_images(tx, None, True, wanted, Page())
    return found


def test_an_id_that_comes_again_has_another_edition(database: Database) -> None:
    image = made(97, random.Random(97))
    image.os_hidden = False
    seen = set()
    for _ in range(2):
        with database.write() as tx:
            store.insert(tx, image)
            seen.add(edition(tx, image.id))
            store.delete(tx, image.id)
    assert len(seen) == 2


def test_all_writes_were_tried() -> None:
    """Of whatever an image shows; a new one must be in the table above."""
    for module in (store_of_images, store_of_locations):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            writes = re.search(r"tx\.(insert|update|change|delete|upsert)|_insert_", inspect.getsource(function))
            if name in store.__all__ and function.__module__ == module.__name__ and writes:
                assert name in {*WRITES, "insert", "delete"}
