"""A simulated cloud of its own for a story."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Command, own_host


@pytest.fixture
def pileus(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path / "home", tmp_path / "state")
    yield command
    command("down", "--purge")


@pytest.fixture
def host() -> Iterator[Command]:
    """The command on a host of its own, for real guests."""
    if os.geteuid() or not shutil.which("ovn-northd"):
        pytest.skip("needs root, libvirt and OVN")
    with own_host() as command:
        yield command
