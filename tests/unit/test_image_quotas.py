"""Limits of projects on images: what counts, on both databases."""

from collections.abc import Iterator

import pytest

from pileus.core.db import Database, Tx
from pileus.core.errors import TooLarge
from pileus.services.identity.rules import limits
from pileus.services.identity.store import rows
from pileus.services.identity.types.catalog import RegionRow, ServiceRow
from pileus.services.identity.types.policies import LimitRow, RegisteredLimitRow
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.image import store
from pileus.services.image.rules import imports, quotas
from pileus.services.image.rules.images import create_image
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.tasks import ImageImport, ImportMethod
from tests.support.personas import PROJECT, persona
from tests.support.postgres import DATABASES, new_url

MIB = 1 << 20


@pytest.fixture(params=DATABASES)
def tx(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tx]:
    db = Database(new_url(request.param, tmp_path_factory.mktemp("quotas")))
    db.create_tables()
    with db.write() as found:
        rows.insert(found, ServiceRow("s", "image", "glance", None, True, {}))
        rows.insert(found, RegionRow("here", "", None, {}))
        rows.insert(found, RegionRow("there", "", None, {}))
        rows.insert(found, ProjectRow("default", "Default", None, None, True, True, "", {}, {}))
        rows.insert(found, ProjectRow(PROJECT, "p", "default", None, False, True, "", {}, {}))
        yield found
    db.close()


def limit(tx: Tx, name: str, default: int, own: int | None = None, region: str | None = None) -> None:
    rows.insert(tx, RegisteredLimitRow(f"r-{name}-{region}", "s", region, name, default, None))
    if own is not None:
        rows.insert(tx, LimitRow(f"l-{name}-{region}", PROJECT, None, "s", region, name, own, None))


def image(tx: Tx, size: int, *stores: str) -> ImageRow:
    caller = persona("project-member")
    caller.allows = lambda *_: True
    made = create_image(tx, caller, {"disk_format": "raw", "container_format": "bare"})
    store.update(tx, made.id, {"size": size, "status": "active", "sha512": "x"})
    for name in stores:
        store.insert_location(tx, made.id, name, "x", "active")
    return store.known_image(tx, made.id)


def test_a_projects_own_limit_is_over_the_registered_one(tx: Tx) -> None:
    limit(tx, "image_count_total", 5, 2)
    limit(tx, "image_size_total", 7)
    limit(tx, "image_stage_total", 9, 3, "here")
    limit(tx, "image_stage_total", 8, 8, "there")
    assert limits.limits_of(tx, "image", PROJECT) == {
        "image_count_total": 2,
        "image_size_total": 7,
        "image_stage_total": 3,
    }
    assert limits.limits_of(tx, "image", "another")["image_stage_total"] == 8
    assert limits.limits_of(tx, "volume", PROJECT) == {}


@pytest.mark.parametrize(("here", "there", "least"), [(-1, 3, 3), (3, -1, 3), (-1, -1, -1), (0, -1, 0)])
def test_of_several_regions_the_least_counts_and_minus_one_is_without_end(
    tx: Tx, here: int, there: int, least: int
) -> None:
    limit(tx, "image_count_total", here, None, "here")
    limit(tx, "image_count_total", there, None, "there")
    assert limits.limits_of(tx, "image", PROJECT) == {"image_count_total": least}


def test_each_store_counts(tx: Tx) -> None:
    limit(tx, "image_size_total", 3)
    first = image(tx, MIB, "file", "archive")
    assert quotas.usage(tx, PROJECT)["image_size_total"] == quotas.Usage(3, 2)
    quotas.check(tx, PROJECT, {"image_size_total": MIB})
    with pytest.raises(TooLarge, match="over the limit of 3 MiB"):
        quotas.check(tx, PROJECT, {"image_size_total": MIB + 1})
    caller, wish = persona("project-member"), ImageImport(method=ImportMethod(name="copy-image"))
    with pytest.raises(TooLarge, match="image_size_total"):
        imports.begin_copies(tx, caller, first, wish, imports.Targets(["third", "fourth"], together=False))
    imports.begin_copies(tx, caller, first, wish, imports.Targets(["third"], together=False))


def test_minus_one_is_none(tx: Tx) -> None:
    limit(tx, "image_count_total", 0, -1)
    image(tx, 1, "file")
    assert quotas.usage(tx, PROJECT)["image_count_total"] == quotas.Usage(-1, 1)
    assert quotas.usage(tx, PROJECT)["image_size_total"] == quotas.Usage(-1, 1)
