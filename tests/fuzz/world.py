"""A whole cloud in process, with one of every noun in it, that takes raw requests: what no client would send, too."""

import asyncio
import shutil
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import structlog

from pileus import cloud
from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.dispatch import App
from pileus.core.http import Service
from pileus.core.watch import Watch
from pileus.node.desired import GuestStatus, HostFacts, HostSpec, HostStatus
from pileus.services.identity import tokens
from tests.fuzz import recipes
from tests.support import postgres

HOST, HOST_TOKEN, PASSWORD = "fuzzed", "the-token-of-the-host", "fuzzed"
SERVICES: list[Service] = cloud.services()


class Request(msgspec.Struct, frozen=True):
    """As it is on the wire. `path` is quoted; names and values of headers are latin-1."""

    method: str
    path: str
    query: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Answer(msgspec.Struct):
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    traceback: str = ""
    """Where the cloud failed."""


class World:
    """Of a dialect. `refresh()` gives the first state again, whatever was done to it."""

    def __init__(self, dialect: str = "sqlite") -> None:
        self._runner = asyncio.Runner()
        self._failures: list[str] = []
        self._directory = Path(tempfile.mkdtemp(prefix="pileus-fuzz-"))
        self._first, self._state = self._directory / "first", self._directory / "state"
        self._state.mkdir()
        self._first_database = postgres.new_database() if dialect == "postgresql" else None
        self._settings = Settings(state_dir=self._state, mode="sim", database=self._first_database)
        self.token = ""
        self.known = recipes.Known()
        self._admin: Caller | None = None
        made = cloud.Cloud(self._settings)
        made.prepare(PASSWORD, HOST_TOKEN)
        made.close()
        self._serve()
        self._furnish()
        self._rest()
        shutil.copytree(self._state, self._first)
        self._serve()

    def refresh(self) -> None:
        """The cloud as it was at first."""
        self._rest()
        shutil.rmtree(self._state)
        shutil.copytree(self._first, self._state)
        self._serve()

    def _serve(self) -> None:
        if self._first_database and self.token:
            before, copied = self._settings, postgres.new_database(like=self._first_database)
            self._settings = msgspec.structs.replace(before, database=copied)
            if before.database != self._first_database:
                postgres.drop_database(before.database_url)
        watch = Watch()
        database = Database(self._settings.database_url, watch)
        self._app = App(SERVICES, database, watch, self._authenticate, threads=2, settings=self._settings)

    def _rest(self) -> None:
        """What answered requests have left to do, as imports have, ends too: then nothing uses the database."""
        self._runner.close()
        self._runner = asyncio.Runner()
        self._app.pool.shutdown()
        self._app.db.close()

    def close(self) -> None:
        self._rest()
        shutil.rmtree(self._directory, ignore_errors=True)

    def send(self, request: Request) -> Answer:
        self._failures.clear()
        answer = self._runner.run(self._send(request))
        answer.traceback = "\n".join(self._failures)
        return answer

    def ask(self, method: str, path: str, json: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """A well-made request of the administrator."""
        sent = {"Content-Type": "application/json", "X-Auth-Token": self.token, **(headers or {})}
        body = json if isinstance(json, bytes) else b"" if json is None else msgspec.json.encode(json)
        return self.send(Request(method, path, b"", tuple(sent.items()), body))

    def _authenticate(self, tx: Tx, token: str, service_token: str | None) -> Caller:
        """The administrator's token works even after the administrator is deleted."""
        if token == self.token and self._admin is not None:
            return self._admin
        return tokens.authenticate(tx, token, service_token)

    def _furnish(self) -> None:
        """One of every noun, by the recipes; what they made is remembered by the collection's name."""
        answer = self.ask("POST", "/identity/v3/auth/tokens", recipes.login(PASSWORD))
        assert answer.status == 201, answer.body
        self.token = answer.headers["x-subject-token"]
        with self._app.db.read() as tx:
            self._admin = tokens.authenticate(tx, self.token, None)
        facts = HostFacts(
            host=HOST, hypervisor_type="simulated", hypervisor_version=1, accelerator="tcg", accelerator_reason="none",
            vcpus=64, memory_mb=1 << 18, disk_gb=1 << 12, address="127.0.0.1", agent_url="http://127.0.0.1:1",
        )  # fmt: skip
        host = self._settings.own_hosts[0]
        answer = self.ask(
            "PUT",
            f"/node/v1/hosts/{host}",
            msgspec.structs.replace(facts, host=host),
            {"X-Pileus-Host-Token": HOST_TOKEN},
        )
        assert answer.status == 200, answer.body
        self.known.note("hosts", host)
        for recipe in recipes.FIRST:
            path, body = self.known.fill(recipe.path), self.known.fill(recipe.body)
            answer = self.ask(recipe.method, path, body, recipe.headers)
            assert answer.status < 300, f"{recipe.method} {path}: {answer.status} {answer.body!r}\n{answer.traceback}"
            self.known.note_answer(path, answer.body)
        for path in recipes.LISTS:
            answer = self.ask("GET", path, headers=recipes.LATEST)
            assert answer.status == 200, f"{path}: {answer.body!r}"
            self.known.note_list(path, answer.body)
        self._start_guests(host)

    def _start_guests(self, host: str) -> None:
        """The host says that every guest runs."""
        shown = {"X-Pileus-Host-Token": HOST_TOKEN}
        spec = msgspec.json.decode(self.ask("GET", f"/node/v1/hosts/{host}/spec", headers=shown).body, type=HostSpec)
        guests = tuple(
            GuestStatus(
                id=guest.id,
                generation=guest.generation,
                state="running",
                wired=tuple(nic.port_id for nic in guest.nics),
            )
            for guest in spec.guests
        )
        status = HostStatus(host=host, revision=spec.revision, guests=guests)
        answer = self.ask("POST", f"/node/v1/hosts/{host}/status", status, shown)
        assert guests, "the server has not reached its host"
        assert answer.status == 204, answer.body

    async def _send(self, request: Request) -> Answer:
        sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
        if not any(name == b"content-length" for name, _ in sent) and request.body:
            sent.append((b"content-length", str(len(request.body)).encode()))
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "http",
            "method": request.method, "path": unquote(request.path), "raw_path": request.path.encode("ascii"),
            "query_string": request.query, "root_path": "", "headers": [(b"host", b"cloud"), *sent],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
        }  # fmt: skip
        events: list[dict[str, Any]] = [{"type": "http.request", "body": request.body, "more_body": False}]
        answer = Answer(0, {}, b"")

        async def receive() -> dict[str, Any]:
            return events.pop(0) if events else {"type": "http.disconnect"}

        async def send(event: Any) -> None:
            if event["type"] == "http.response.start":
                answer.status = event["status"]
                answer.headers = {name.decode().lower(): value.decode("latin-1") for name, value in event["headers"]}
            else:
                answer.body += event.get("body", b"")

        structlog.configure(processors=[self._note_failure])
        try:
            await self._app.asgi(scope, receive, send)
        except Exception:
            self._failures.append(traceback.format_exc())
            answer.status = 599
        return answer

    def _note_failure(self, _logger: Any, _method: str, event: Any) -> Any:
        if sys.exc_info()[0] is not None:
            self._failures.append(traceback.format_exc())
        raise structlog.DropEvent


def service_of(path: str) -> Service | None:
    """The service whose shape an answer has."""
    found = [one for one in SERVICES if f"{path}/".startswith(f"{one.prefix}/")]
    return next(iter(found or [one for one in SERVICES if f"{path}/".startswith(f"{one.root}/")]), None)
