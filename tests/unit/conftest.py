"""What many of these tests begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pileus.core.db import Database
from tests.support.postgres import DATABASES, new_url


@pytest.fixture(params=DATABASES)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = Database(new_url(request.param, tmp_path))
    database.create_tables()
    yield database
    database.close()
