"""Several processes of one cloud on one PostgreSQL: what one commits the others know, and any of them may die."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import sqlalchemy as sa
import yaml

from pileus.core.reconcile import leases
from tests.support.command import Command, free_port, until
from tests.support.postgres import drop_database, new_url

pytestmark = pytest.mark.slow


class Processes:
    """`pileus up --sim` at `first`, two API processes at `second`, and as many controllers as are begun."""

    def __init__(self, directory: Path, database: str) -> None:
        self.pileus = Command(directory / "home", directory / "state")
        self.database = database
        self.engine = sa.create_engine(database)
        self.first, self.second = (f"http://127.0.0.1:{free_port()}" for _ in range(2))

    def up(self) -> None:
        self.pileus.ok("up", "--sim", "--database", self.database, "--port", self.first.rsplit(":")[-1])

    @contextmanager
    def more(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        process = self.pileus.begin(*words, "--database", self.database)
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=20)

    def token(self, url: str) -> str:
        cloud = yaml.safe_load((self.pileus.state_dir / "clouds.yaml").read_text())["clouds"]["pileus"]["auth"]
        user = {"name": "admin", "domain": {"id": "default"}, "password": cloud["password"]}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = httpx.post(f"{url}/identity/v3/auth/tokens", json=body)
        assert answer.status_code == 201, answer.text
        return answer.headers["x-subject-token"]

    def call(self, method: str, url: str, path: str, token: str, **more: Any) -> httpx.Response:
        headers = {"x-auth-token": token, "openstack-api-version": "compute 2.90", **more.pop("headers", {})}
        return httpx.request(method, url + path, headers=headers, timeout=30, **more)

    def boot(self, url: str, token: str, name: str) -> str:
        flavors = self.call("GET", url, "/compute/v2.1/flavors", token).json()["flavors"]
        image = self.call(
            "POST",
            url,
            "/image/v2/images",
            token,
            json={"name": name, "disk_format": "raw", "container_format": "bare"},
        ).json()["id"]
        data = {"content-type": "application/octet-stream"}
        self.call("PUT", url, f"/image/v2/images/{image}/file", token, content=b"\0" * 512, headers=data)
        flavor = next(each["id"] for each in flavors if each["name"] == "m1.nano")
        wish = {"name": name, "imageRef": image, "flavorRef": flavor, "networks": "none"}
        answer = self.call("POST", url, "/compute/v2.1/servers", token, json={"server": wish})
        assert answer.status_code == 202, answer.text
        return answer.json()["server"]["id"]

    def status(self, url: str, token: str, server: str) -> str:
        return self.call("GET", url, f"/compute/v2.1/servers/{server}", token).json()["server"]["status"]

    def answers(self, url: str) -> bool:
        try:
            return httpx.get(f"{url}/identity/v3").status_code == 200
        except httpx.TransportError:
            return False

    def owners(self) -> set[int]:
        with self.engine.connect() as connection:
            return {int(owner.rsplit(":")[-1]) for owner in connection.scalars(sa.select(leases.c.owner))}

    def close(self) -> None:
        self.pileus("down", "--purge")
        self.engine.dispose()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Processes]:
    database = new_url("postgresql", tmp_path)
    made = Processes(tmp_path, database)
    try:
        made.up()
        yield made
    finally:
        made.close()
        drop_database(database)


@contextmanager
def two_apis(cloud: Processes) -> Iterator[psutil.Process]:
    with cloud.more("api", "--port", cloud.second.rsplit(":")[-1], "--processes", "2") as parent:
        until(lambda: cloud.answers(cloud.second), what="the second API answers")
        yield psutil.Process(parent.pid)


def test_what_one_process_commits_the_others_know(cloud: Processes) -> None:
    with two_apis(cloud):
        token = cloud.token(cloud.second)
        server = cloud.boot(cloud.second, token, "there")
        # The host's agent waits at the first API, for up to 25 s if nobody wakes it.
        until(lambda: cloud.status(cloud.second, token, server) == "ACTIVE", 10, "the server is ACTIVE")

        other = cloud.token(cloud.first)
        gone = cloud.call("DELETE", cloud.second, "/identity/v3/auth/tokens", token, headers={"x-subject-token": other})
        assert gone.status_code == 204
        for url in (cloud.first, cloud.second):
            assert cloud.call("GET", url, "/compute/v2.1/servers", other).status_code == 401


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
            assert cloud.answers(cloud.second)
        (heir,) = cloud.owners() or {0}
        os.kill(heir, signal.SIGKILL)
        other = first.pid + second.pid - heir
        until(lambda: cloud.owners() == {other}, 10, "the other controller has them")
        cloud.up()
        token = cloud.token(cloud.first)
        server = cloud.boot(cloud.first, token, "after")
        until(lambda: cloud.status(cloud.first, token, server) == "ACTIVE", 20, "the server is ACTIVE")


def test_what_cannot_be_is_refused(cloud: Processes, tmp_path: Path) -> None:
    assert "'pileus database move'" in cloud.pileus.refused("api")
    empty = new_url("postgresql", tmp_path)
    said = cloud.pileus.refused("controller", "--database", empty)
    assert "holds no cloud" in said
    drop_database(empty)
    said = cloud.pileus.refused("api", "--database", cloud.database, "--port", cloud.first.rsplit(":")[-1])
    assert "is in use" in said
    assert "--processes is 0" in cloud.pileus.refused("api", "--database", cloud.database, "--processes", "0")
