"""Each operation is stopped at one of its steps, and ends as if it had not been. All steps: `python -m tests.crash --every`."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.crash.cloud import Cloud
from tests.crash.operations import OPERATIONS
from tests.crash.runner import Runner, choose, outcomes
from tests.support import postgres

pytestmark = pytest.mark.slow
SEED = int(os.environ.get("PILEUS_CRASH_SEED", "5"))


@pytest.fixture(scope="module", params=postgres.DATABASES)
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    if request.param == "postgresql" and not postgres.available():
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    cloud = Cloud(tmp_path_factory.mktemp("crash"), request.param)
    yield Runner(cloud)
    cloud.close()


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_that_is_stopped_ends_as_one_that_is_not(runner: Runner, name: str) -> None:
    operation = OPERATIONS[name](runner.cloud)
    steps, wanted = runner.record(operation)
    chosen = choose(steps, runner.cloud.database, SEED, every=False)
    random.Random(f"{SEED} {name}").shuffle(chosen)
    for outcome in outcomes(runner, operation, chosen, wanted):
        assert not outcome.wrong, f"{outcome.fault} at {outcome.step}: {outcome.wrong}"
        if outcome.fired:
            return
    pytest.fail("the steps of the uninterrupted run did not come again")
