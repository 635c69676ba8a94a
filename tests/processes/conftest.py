from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.processes import Processes
from tests.support.postgres import drop_database, new_url


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    made = new_url("postgresql", tmp_path)
    yield made
    drop_database(made)


@pytest.fixture
def cloud(tmp_path: Path, database: str) -> Iterator[Processes]:
    """A cloud of simulated hosts in that database."""
    made = Processes(tmp_path, database)
    try:
        made.up()
        yield made
    finally:
        made.close()


@pytest.fixture
def small_cloud(tmp_path: Path, database: str) -> Iterator[Processes]:
    """A cloud on its SQLite file, which may move to that database."""
    made = Processes(tmp_path, database)
    try:
        made.pileus.ok("up", "--sim", "--port", made.first.rsplit(":")[-1])
        yield made
    finally:
        made.close()
