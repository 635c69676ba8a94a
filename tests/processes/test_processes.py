"""Several processes of one cloud on one PostgreSQL: what one commits the others know, and any of them may die."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.processes.processes import Processes
from tests.support.command import until
from tests.support.postgres import drop_database, new_url

pytestmark = pytest.mark.slow


@contextmanager
def two_apis(cloud: Processes) -> Iterator[psutil.Process]:
    with cloud.more("api", "--port", cloud.second.rsplit(":")[-1], "--processes", "2") as parent:
        until(lambda: cloud.answers(cloud.second), what="the second API answers")
        yield psutil.Process(parent.pid)


def test_what_one_process_commits_the_others_know(cloud: Processes) -> None:
    with two_apis(cloud):
        token = cloud.token(cloud.second)
        server = cloud.boot(cloud.second, token, "there")
        # The host's agent waits at the first API, for up to 40 s if nobody wakes it.
        until(lambda: cloud.status(cloud.second, token, server) == "ACTIVE", what="the server is ACTIVE")

        other = cloud.token(cloud.first)
        gone = cloud.call("DELETE", cloud.second, "/identity/v3/auth/tokens", token, headers={"x-subject-token": other})
        assert gone.status_code == 204
        for url in (cloud.first, cloud.second):
            assert cloud.call("GET", url, "/compute/v2.1/servers", other).status_code == 401


def test_a_role_that_one_process_takes_is_gone_at_the_next_request_to_another(cloud: Processes) -> None:
    v3 = "/identity/v3"
    with two_apis(cloud):
        admin = cloud.token(cloud.first)

        def call(method: str, path: str, url: str = cloud.first, **more: Any) -> Any:
            answer = cloud.call(method, url, v3 + path, admin, **more)
            assert answer.status_code < 300, answer.text
            return answer.json() if answer.content else None

        user = call("POST", "/users", json={"user": {"name": "now-and-then", "password": "secret"}})["user"]["id"]
        project = call("GET", "/projects?name=admin")["projects"][0]["id"]
        role = call("GET", "/roles?name=member")["roles"][0]["id"]
        grant = f"/projects/{project}/users/{user}/roles/{role}"
        identity = {"methods": ["password"], "password": {"user": {"id": user, "password": "secret"}}}
        wish = {"auth": {"identity": identity, "scope": {"project": {"id": project}}}}
        for url, elsewhere in ((cloud.first, cloud.second), (cloud.second, cloud.first)) * 3:
            assert cloud.call("POST", elsewhere, f"{v3}/auth/tokens", "", json=wish).status_code == 401
            call("PUT", grant, url)
            made = cloud.call("POST", elsewhere, f"{v3}/auth/tokens", "", json=wish)
            assert made.status_code == 201, made.text
            token = made.headers["x-subject-token"]
            assert cloud.call("GET", elsewhere, "/compute/v2.1/servers", token).status_code == 200
            call("DELETE", grant, url)
            assert cloud.call("GET", elsewhere, "/compute/v2.1/servers", token).status_code == 401


def test_an_api_process_that_dies_is_started_again_and_the_port_answers(cloud: Processes) -> None:
    with two_apis(cloud) as parent:
        token = cloud.token(cloud.second)
        until(lambda: len(parent.children()) == 2)
        for victim in parent.children():
            victim.kill()
            assert cloud.call("GET", cloud.second, "/compute/v2.1/servers", token).status_code == 200
            until(lambda gone=victim: len({*parent.children()} - {gone}) == 2, what="two workers again")


def test_a_controller_that_dies_is_replaced(cloud: Processes) -> None:
    serving = next(iter(cloud.owners()))
    with cloud.more("controller") as first, cloud.more("controller") as second:
        with two_apis(cloud):
            assert cloud.owners() == {serving}
            os.kill(serving, signal.SIGKILL)
            until(lambda: cloud.owners() <= {first.pid, second.pid}, 10, "the controllers have the leases")
            until(lambda: cloud.answers(cloud.second), what="the second API answers still")
        (heir,) = cloud.owners() or {0}
        os.kill(heir, signal.SIGKILL)
        other = first.pid + second.pid - heir
        until(lambda: cloud.owners() == {other}, 10, "the other controller has them")
        cloud.up()
        token = cloud.token(cloud.first)
        server = cloud.boot(cloud.first, token, "after")
        until(lambda: cloud.status(cloud.first, token, server) == "ACTIVE", what="the server is ACTIVE")


def test_what_cannot_be_is_refused(cloud: Processes, tmp_path: Path) -> None:
    assert "'pileus database move'" in cloud.pileus.refused("api")
    empty = new_url("postgresql", tmp_path)
    said = cloud.pileus.refused("controller", "--database", empty)
    assert "holds no cloud" in said
    drop_database(empty)
    said = cloud.pileus.refused("api", "--database", cloud.database, "--port", cloud.first.rsplit(":")[-1])
    assert "is in use" in said
    assert "--processes is 0" in cloud.pileus.refused("api", "--database", cloud.database, "--processes", "0")


def test_metrics_of_all_processes_of_a_port(cloud: Processes) -> None:
    with two_apis(cloud):
        token = cloud.token(cloud.second)
        for _ in range(30):
            cloud.call("GET", cloud.second, "/compute/v2.1/flavors", token)
        secret = (cloud.pileus.state_dir / "metrics-token").read_text()
        assert httpx.get(f"{cloud.second}/metrics", timeout=30).status_code == 401
        numbers = {}
        for url in (cloud.first, cloud.second):
            answer = httpx.get(f"{url}/metrics", headers={"authorization": f"Bearer {secret}"}, timeout=30)
            assert answer.status_code == 200
            numbers[url] = samples(answer.text)
    listed = 'pileus_requests_total{method="GET",route="/flavors",service="compute",status="200"}'
    assert numbers[cloud.second][listed] == 30
    assert listed not in numbers[cloud.first]
    for found in numbers.values():
        assert found['pileus_hosts{state="up"}'] == 1
        assert sum(value for name, value in found.items() if name.startswith("pileus_lease{")) >= 1
    assert any(name.startswith("pileus_reconcile_seconds_count") for name in numbers[cloud.first])


def samples(text: str) -> dict[str, float]:
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in lines}
