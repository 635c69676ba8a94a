"""The rate limit of a project with several processes on one port: each of them grants it once."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.processes.processes import Processes
from tests.stories.test_w66_rate_limit import other_project
from tests.support.command import until

pytestmark = pytest.mark.slow
RATE, PROCESSES, REQUESTS = 20, 2, 1000


@pytest.fixture
def cloud(tmp_path: Path, database: str) -> Iterator[Processes]:
    made = Processes(tmp_path, database)
    config = tmp_path / "pileus.toml"
    config.write_text(f"project_requests_per_second = {RATE}\n")
    try:
        made.up("--config", str(config))
        yield made
    finally:
        made.close()


def test_so_many_processes_grant_so_many_times_the_limit_and_no_more(cloud: Processes) -> None:
    token = cloud.token(cloud.first)
    quiet = other_project(cloud, token)
    with cloud.more("api", "--port", cloud.second.rsplit(":")[-1], "--processes", str(PROCESSES)), ExitStack() as stack:
        until(lambda: cloud.answers(cloud.second), what="the second API answers")
        headers = {"x-auth-token": token}
        # a connection stays with its process: several reach both
        clients = [stack.enter_context(httpx.Client(base_url=cloud.second, headers=headers)) for _ in range(16)]
        began = time.monotonic()
        answers = [clients[number % 16].get("/compute/v2.1/flavors") for number in range(REQUESTS)]
        spent = time.monotonic() - began
        seen = Counter(answer.status_code for answer in answers)
        assert set(seen) == {200, 429}
        # each process lets a burst of two seconds through, and the first request, by which it learns whose the token is
        assert seen[200] <= PROCESSES * (2 * RATE + RATE * spent + 2)
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)
        assert cloud.call("GET", cloud.second, "/compute/v2.1/flavors", quiet).status_code == 200
        secret = (cloud.pileus.state_dir / "metrics-token").read_text().strip()
        told = httpx.get(f"{cloud.second}/metrics", headers={"authorization": f"Bearer {secret}"}).text
        assert f"pileus_rate_limited_total {float(seen[429])}" in told
