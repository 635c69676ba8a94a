"""Real OVN for the tests in here: one lab for each file, a fresh database and empty networks for each."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.cloud import Cloud
    from tests.support.lab import Lab


@pytest.fixture(scope="module")
def lab() -> "Iterator[Lab]":
    if os.geteuid() or not shutil.which("ovn-northd"):
        pytest.skip("needs root and OVN")
    from tests.support.lab import Lab

    lab = Lab()
    lab.start()
    yield lab
    lab.stop()


@pytest.fixture
def cloud(lab: "Lab", tmp_path: Path) -> "Iterator[Cloud]":
    from tests.support.cloud import Cloud

    cloud = Cloud(lab, tmp_path)
    yield cloud
    cloud.close()
