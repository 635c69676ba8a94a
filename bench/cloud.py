"""A cloud of a benchmark's own: `pileus up --sim` in a temporary directory, and a client of it."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml
from tests.support import postgres
from tests.support.command import free_port

Body = dict[str, Any]


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/identity/v3")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class Cloud:
    """`pileus up --sim` in a directory of its own; `options` are more of the command's."""

    def __init__(self, port: int, *options: str) -> None:
        self.options = options
        self.state_dir = Path(tempfile.mkdtemp(prefix="pileus-bench-"))
        self.state_dir.rmdir()
        self.port = port
        self.token = ""
        self.answered_after = self.ready_after = 0.0

    def pileus(self, *arguments: str) -> None:
        home = {"HOME": tempfile.gettempdir()}
        command = [sys.executable, "-m", "pileus", arguments[0], "--state-dir", str(self.state_dir), *arguments[1:]]
        subprocess.run(command, check=True, env=os.environ | home, stdout=subprocess.DEVNULL)

    def __enter__(self) -> "Cloud":
        began = time.perf_counter()
        starting = threading.Thread(target=self.pileus, args=("up", "--sim", "--port", str(self.port), *self.options))
        starting.start()
        while not answers(self.port):
            time.sleep(0.005)
        self.answered_after = time.perf_counter() - began
        starting.join()
        self.ready_after = time.perf_counter() - began
        self.auth = yaml.safe_load((self.state_dir / "clouds.yaml").read_text())["clouds"]["pileus"]["auth"]
        return self

    def __exit__(self, *_: object) -> None:
        self.pileus("down", "--purge")

    def login_body(self) -> Body:
        user = {"name": "admin", "domain": {"id": "default"}, "password": self.auth["password"]}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}

    def processes(self) -> list[psutil.Process]:
        root = psutil.Process(json.loads((self.state_dir / "run" / "pileus.json").read_text())["pid"])
        return [root, *root.children(recursive=True)]

    def cpu(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())


class Client:
    """One connection, kept open."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._http = http.client.HTTPConnection("127.0.0.1", cloud.port)

    def call(
        self, method: str, path: str, body: Body | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {"X-Auth-Token": self.cloud.token, "Content-Type": "application/json", **headers}
        self._http.request(method, path, json.dumps(body) if body is not None else None, sent)
        answer = self._http.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def json(self, method: str, path: str, body: Body | None = None, **headers: str) -> Any:
        status, _, raw = self.call(method, path, body, **headers)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {raw[:300]!r}")
        return json.loads(raw) if raw else None


class Started(NamedTuple):
    """A cloud that others drive by its catalog."""

    environment: dict[str, str]
    """OS_* variables of its administrator."""
    pids: list[int]
    database: str
    """SQLAlchemy URL."""


@contextmanager
def started(kind: str, processes: int = 2) -> Iterator[Started]:
    """`pileus up --sim`; with "postgresql" on a database server of its own, which is watched too, and the catalog leads
    to so many processes of `pileus api`."""
    with ExitStack() as stack:
        if kind == "sqlite":
            cloud = stack.enter_context(Cloud(free_port()))
            yield Started(_environment(cloud), [_main(cloud)], f"sqlite:///{cloud.state_dir}/pileus.db")
            return
        database, port = postgres.new_database(), free_port()
        config = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "pileus.toml"
        config.write_text(f'public_url = "http://127.0.0.1:{port}"\n')
        cloud = stack.enter_context(Cloud(free_port(), "--database", database, "--config", str(config)))
        more = stack.enter_context(api(cloud, database, port, processes))
        server = int((postgres.server() / "data" / "postmaster.pid").read_text().split()[0])
        own = {"OS_AUTH_URL": f"http://127.0.0.1:{port}/identity/v3"}
        yield Started(_environment(cloud) | own, [_main(cloud), more, server], database)


@contextmanager
def api(cloud: Cloud, database: str, port: int, processes: int) -> Iterator[int]:
    """`pileus api` beside the cloud, until it answers; the id of its first process."""
    command = [sys.executable, "-m", "pileus", "api", "--state-dir", str(cloud.state_dir), "--database", database]
    command += ["--port", str(port), "--processes", str(processes)]
    with (cloud.state_dir / "log" / "api.log").open("ab") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        while not answers(port):
            if running.poll() is not None:
                raise RuntimeError((cloud.state_dir / "log" / "api.log").read_text()[-2000:])
            time.sleep(0.02)
        yield running.pid
    finally:
        running.terminate()
        running.wait(30)


def _environment(cloud: Cloud) -> dict[str, str]:
    lines = (cloud.state_dir / "openrc").read_text().splitlines()
    return {
        name: value.strip("'") for name, _, value in (line.removeprefix("export ").partition("=") for line in lines)
    }


def _main(cloud: Cloud) -> int:
    return int(json.loads((cloud.state_dir / "run" / "pileus.json").read_text())["pid"])
