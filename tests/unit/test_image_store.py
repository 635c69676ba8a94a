"""Lists of images on both databases, against the same question asked in plain Python."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest
from pileus.core.paging import Page
from pileus.services.image import store
from pileus.services.image.types.images import Arrival, ImageRow, Received
from pileus.services.image.types.listing import SORT_KEYS, parse
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
    found = [
        image
        for hidden in ("false", "true")
        for image in store.list_images(tx, None, True, parse([("os_hidden", hidden)]).filter, Page())
    ]
    assert len(found) == 60
    return found


@pytest.mark.parametrize("key", SORT_KEYS)
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_have_every_image_once_and_in_order(tx: Tx, key: str, direction: str) -> None:
    wanted = parse([("sort", f"{key}:{direction}"), ("limit", "7")])
    whole = store.list_images(tx, None, True, wanted.filter, Page(sorts=wanted.page.sorts))
    pages: list[ImageRow] = []
    while page := store.list_images(
        tx, None, True, wanted.filter, Page(limit=7, marker=pages[-1].id if pages else None, sorts=wanted.page.sorts)
    ):
        pages += page
    assert [image.id for image in pages] == [image.id for image in whole]
    assert len({image.id for image in pages}) == len(pages) == sum(not i.os_hidden for i in everything(tx))
    values = [getattr(image, key) for image in pages]
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
    found = {image.id for image in store.list_images(tx, None, True, parse(query).filter, Page())}
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
    found = {image.id for image in store.list_images(tx, project, False, parse(query).filter, Page())}
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
