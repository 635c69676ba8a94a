"""One guest at a time in QEMU, with its user-mode network: needs no bridge, no libvirt and no root of its own."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .machine import Guest

SOURCES = Path(__file__).resolve().parents[2] / "guest"
BUILT_IMAGE = Path("/var/cache/pileus/guest.qcow2")

StartGuest = Callable[..., Guest]


@pytest.fixture(scope="session")
def image() -> Path:
    """The image that PILEUS_GUEST_IMAGE names, else the machine's own, built if it is older than its sources."""
    if named := os.environ.get("PILEUS_GUEST_IMAGE"):
        return Path(named)
    newest = max(path.stat().st_mtime for path in SOURCES.rglob("*"))
    if not BUILT_IMAGE.exists() or BUILT_IMAGE.stat().st_mtime < newest:
        subprocess.run([SOURCES / "build", BUILT_IMAGE], check=True)
    return BUILT_IMAGE


@pytest.fixture
def start_guest(image: Path, tmp_path: Path) -> Iterator[StartGuest]:
    """Start guests in folders of the test's own; what still runs at its end is killed."""
    with Guest.starter(image, tmp_path) as start:
        yield start
