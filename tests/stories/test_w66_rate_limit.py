"""W66: users hammered the API by mistake. A project that does is told to come again later; nobody else notices."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.processes.processes import Processes

pytestmark = pytest.mark.slow
RATE = 20


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path, "sqlite://")
    made.pileus.state_dir.mkdir()
    config = tmp_path / "pileus.toml"
    config.write_text(f"project_requests_per_second = {RATE}\n")
    try:
        made.pileus.ok("up", "--sim", "--port", made.first.rsplit(":")[-1], "--config", str(config))
        yield made
    finally:
        made.close()


def other_project(cloud: Processes, token: str) -> str:
    """A token of the administrator for another project."""
    made = cloud.call("POST", cloud.first, "/identity/v3/projects", token, json={"project": {"name": "quiet"}})
    project = made.json()["project"]["id"]
    user = cloud.call("GET", cloud.first, "/identity/v3/users?name=admin", token).json()["users"][0]["id"]
    role = cloud.call("GET", cloud.first, "/identity/v3/roles?name=admin", token).json()["roles"][0]["id"]
    cloud.call("PUT", cloud.first, f"/identity/v3/projects/{project}/users/{user}/roles/{role}", token)
    return cloud.token(cloud.first, project)


def test_w66_a_project_that_hammers_is_told_to_come_again(cloud: Processes) -> None:
    token = cloud.token(cloud.first)
    quiet = other_project(cloud, token)
    headers = {"x-auth-token": token}
    with httpx.Client(base_url=cloud.first, headers=headers) as client:
        answers = [client.get("/compute/v2.1/flavors") for _ in range(20 * RATE)]
    seen = Counter(answer.status_code for answer in answers)
    assert set(seen) == {200, 429}
    assert seen[200] >= RATE
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert f"more than {RATE} requests a second" in refused.text
    assert cloud.call("GET", cloud.first, "/compute/v2.1/flavors", quiet).status_code == 200
    # The limit knows who asks, not who is meant: a wrong token is refused as ever.
    assert cloud.call("GET", cloud.first, "/compute/v2.1/flavors", "no such token").status_code == 401
