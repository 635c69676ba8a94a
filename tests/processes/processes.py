"""`pileus up` and, beside it, more processes of the same cloud."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
import yaml

from pileus.core.reconcile import leases
from tests.support.command import Command, free_port


class Processes:
    """`pileus up --sim` at `first`, two API processes at `second`, and as many controllers as are begun."""

    def __init__(self, directory: Path, database: str) -> None:
        self.pileus = Command(directory / "home", directory / "state")
        self.database = database
        self.engine = sa.create_engine(database)
        self.first, self.second = (f"http://127.0.0.1:{free_port()}" for _ in range(2))

    def up(self, *more: str) -> None:
        self.pileus.ok("up", "--sim", "--database", self.database, "--port", self.first.rsplit(":")[-1], *more)

    @contextmanager
    def more(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Its log goes to a file: nobody reads it while it runs."""
        with (self.pileus.home / f"{words[0]}.log").open("ab") as log:
            command = self.pileus.arguments(*words, "--database", self.database)
            process = subprocess.Popen(command, env=self.pileus.environment, stdout=log, stderr=log)
            try:
                yield process
            finally:
                process.terminate()
                process.wait(20)

    def token(self, url: str, project_id: str | None = None) -> str:
        """Of the administrator, for the first project or another."""
        cloud = yaml.safe_load((self.pileus.state_dir / "clouds.yaml").read_text())["clouds"]["pileus"]["auth"]
        user = {"name": "admin", "domain": {"id": "default"}, "password": cloud["password"]}
        project = {"id": project_id} if project_id else {"name": "admin", "domain": {"id": "default"}}
        scope = {"project": project}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = httpx.post(f"{url}/identity/v3/auth/tokens", json=body, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.headers["x-subject-token"]

    def call(self, method: str, url: str, path: str, token: str, **more: Any) -> httpx.Response:
        headers = {"x-auth-token": token, "openstack-api-version": "compute 2.90", **more.pop("headers", {})}
        return httpx.request(method, url + path, headers=headers, timeout=30, **more)

    def boot(self, url: str, token: str, name: str) -> str:
        flavors = self.call("GET", url, "/compute/v2.1/flavors", token).json()["flavors"]
        image = self.image(url, token)
        flavor = next(each["id"] for each in flavors if each["name"] == "m1.nano")
        wish = {"name": name, "imageRef": image, "flavorRef": flavor, "networks": "none"}
        answer = self.call("POST", url, "/compute/v2.1/servers", token, json={"server": wish})
        assert answer.status_code == 202, answer.text
        return answer.json()["server"]["id"]

    def image(self, url: str, token: str) -> str:
        """A small one, ACTIVE."""
        wish = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
        image = self.call("POST", url, "/image/v2/images", token, json=wish).json()["id"]
        data = {"content-type": "application/octet-stream"}
        self.call("PUT", url, f"/image/v2/images/{image}/file", token, content=b"\0" * 512, headers=data)
        return str(image)

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
