"""Over libvirt and OVN: what refuses, or is killed, at a step of an operation leaves no trace of it in the end."""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.cloud import Cloud
from tests.crash.operations import ON_HOSTS, OPERATIONS
from tests.crash.runner import Runner, choose, outcomes
from tests.crash.steps import ANY, REFUSALS, Step

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ovn-northd"), reason="needs root, libvirt and OVN"),
]
SEED = os.environ.get("PILEUS_CRASH_SEED", "5")
REFUSED, KILLED = 1, 1
"""Runs of each operation."""


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    folder = Path(tempfile.mkdtemp(prefix="pileus-crash-", dir="/var/lib"))
    folder.chmod(0o711)
    cloud = Cloud(folder, real=True)
    yield Runner(cloud)
    cloud.close()
    shutil.rmtree(folder)


def sample(steps: list[Step], database: str, dice: random.Random) -> list[tuple[Step, str]]:
    """Libvirt or OVN refuses; an agent, a control plane or a daemon is killed."""
    assert {step.kind for step in steps} & {"libvirt", "ovn"}
    refused = choose(steps, database, dice.random(), every=False, only=["error"])
    killed = choose(steps, database, dice.random(), every=False, only=ANY - {*REFUSALS})
    return dice.sample(refused, REFUSED) + dice.sample(killed, KILLED)


@pytest.mark.parametrize("name", ON_HOSTS)
def test_an_operation_that_is_stopped_ends_as_one_that_is_not(runner: Runner, name: str) -> None:
    operation = OPERATIONS[name](runner.cloud)
    steps, wanted = runner.record(operation)
    chosen = sample(steps, runner.cloud.database, random.Random(f"{SEED} {name}"))
    for outcome in outcomes(runner, operation, chosen, wanted):
        assert not outcome.wrong, f"seed {SEED}: {outcome.fault} at {outcome.step}: {outcome.wrong}"
