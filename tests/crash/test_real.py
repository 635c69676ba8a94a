"""Over libvirt and OVN: what they refuse once is done in the end as if they had not."""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.cloud import Cloud
from tests.crash.operations import OPERATIONS
from tests.crash.runner import Runner, choose, outcomes

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ovn-northd"), reason="needs root, libvirt and OVN"),
]
SEED = int(os.environ.get("PILEUS_CRASH_SEED", "5"))
RUNS = 4
"""Of each operation."""


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    folder = Path(tempfile.mkdtemp(prefix="pileus-crash-", dir="/var/lib"))
    folder.chmod(0o711)
    cloud = Cloud(folder, real=True)
    yield Runner(cloud)
    cloud.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["boot", "attach", "delete"])
def test_what_libvirt_or_ovn_refuses_once_is_done_in_the_end(runner: Runner, name: str) -> None:
    operation = OPERATIONS[name](runner.cloud)
    steps, wanted = runner.record(operation)
    refused = [step for step in steps if step.kind in ("libvirt", "ovn")]
    assert {step.kind for step in refused} == {"libvirt", "ovn"}
    chosen = [(step, "error") for step, _ in choose(refused, runner.cloud.database, SEED, every=False)]
    for outcome in outcomes(runner, operation, random.Random(f"{SEED} {name}").sample(chosen, RUNS), wanted):
        assert not outcome.wrong, f"{outcome.fault} at {outcome.step}: {outcome.wrong}"
