"""A simulated cloud of its own for a story."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Command


@pytest.fixture
def pileus(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path / "home", tmp_path / "state")
    yield command
    command("down", "--purge")
