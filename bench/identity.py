"""The numbers of identity, with 10,000 users, 1,000 projects and 50,000 assignments, on SQLite and on PostgreSQL.

usage: python -m bench.identity [--json OUT] [--only sqlite|postgresql]

Starts clouds of its own with simulated hosts, and a PostgreSQL of Debian's packages. Figures are p50 and p99 over one
connection that is kept open, with the CPU time that the cloud's processes used for one operation. The client is a bare
socket that sends prepared bytes (Python's http.client takes 0.1 ms a request for itself); "in process" is the same request
through dispatch without a socket and an HTTP server.
"""

import argparse
import json
import random
import re
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.first_guest import Client, Cloud, beside_a_hash, results, tell, timed
from tests.support import postgres

from pileus.core.db import Database, new_hex_id, now
from pileus.core.dispatch import App, Exchange
from pileus.core.http import Request
from pileus.core.version import FIRST
from pileus.core.watch import Watch
from pileus.services.identity import passwords, tables, tokens
from pileus.services.identity.api import api
from pileus.services.identity.store import rows

USERS, PROJECTS, ASSIGNMENTS = 10_000, 1_000, 50_000
PASSWORD = "bench secret"
V3 = "/identity/v3"


class World:
    """Ids of what was made."""

    def __init__(self, database: Database) -> None:
        self.database = database
        dice = random.Random(42)
        self.users = [new_hex_id() for _ in range(USERS)]
        self.projects = [new_hex_id() for _ in range(PROJECTS)]
        with database.write() as tx:
            known = dict(
                tx.execute(tables.roles.select().with_only_columns(tables.roles.c.name, tables.roles.c.id)).all()
            )
            self.roles = [known[name] for name in ("reader", "member", "manager")]
            rows.touch(tx)
            empty: dict[str, Any] = {"options": {}, "extra": {}}
            project = {"domain_id": "default", "parent_id": "default", "is_domain": False, "enabled": True, **empty}
            tx.insert_all(
                tables.projects,
                [{"id": each, "name": f"p{n}", "description": "", **project} for n, each in enumerate(self.projects)],
            )
            user = {"domain_id": "default", "enabled": True, "password_hash": passwords.hashed(PASSWORD), **empty}
            user["last_active_at"] = now()
            tx.insert_all(tables.users, [{"id": each, "name": f"u{n}", **user} for n, each in enumerate(self.users)])
            given = {
                (dice.choice(self.users), dice.choice(self.projects), dice.choice(self.roles))
                for _ in range(2 * ASSIGNMENTS)
            }
            held = {"actor_type": "user", "target_type": "project", "inherited": False}
            every = sorted(given)
            dice.shuffle(every)
            tx.insert_all(
                tables.assignments,
                [{"actor_id": u, "target_id": p, "role_id": r, **held} for u, p, r in every[:ASSIGNMENTS]],
            )
            self.user, self.project, _ = every[0]
            self.name = f"u{self.users.index(self.user)}"


class Wire:
    """Requests as bytes, over one connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @staticmethod
    def request(method: str, path: str, body: Any = None, **headers: str) -> bytes:
        raw = json.dumps(body).encode() if body is not None else b""
        lines = [f"{method} {path} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers.items()] + [f"Content-Length: {len(raw)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw

    def ask(self, request: bytes) -> bytes:
        """The whole answer, with its head."""
        self._socket.sendall(request)
        found = self._socket.recv(1 << 20)
        while b"\r\n\r\n" not in found:
            found += self._socket.recv(1 << 20)
        end = found.index(b"\r\n\r\n") + 4
        length = re.search(rb"content-length: *(\d+)", found[:end], re.IGNORECASE)
        assert length is not None, found[:end]
        parts, left = [found], end + int(length[1]) - len(found)
        while left > 0:
            parts.append(self._socket.recv(1 << 20))
            left -= len(parts[-1])
        return b"".join(parts)

    def ask_well(self, request: bytes) -> None:
        """It must succeed."""
        answer = self.ask(request)
        assert answer[9:10] == b"2", answer


def login(user: str, password: str, project: str | None = None) -> Any:
    who = {"name": user, "domain": {"id": "default"}, "password": password}
    scope = {"scope": {"project": {"id": project}}} if project else {}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": who}}, **scope}}


def token_of(client: Client, body: Any) -> str:
    status, headers, raw = client.call("POST", f"{V3}/auth/tokens", body)
    assert status == 201, raw
    return {name.lower(): value for name, value in headers.items()}["x-subject-token"]


def one_database(kind: str, port: int) -> None:
    options = ["--database", postgres.new_database()] if kind == "postgresql" else []
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write("lockout_failure_attempts = 5\n")
        file.flush()
        with Cloud(port, "--config", file.name, *options) as cloud:
            database = Database(options[1] if options else f"sqlite:///{cloud.state_dir}/pileus.db")
            client, world = Client(cloud), World(database)
            cloud.token = token_of(client, cloud.login_body())
            measured(kind, cloud, client, world)
            visible_at_once(kind, client, world)
            refusals(kind, client, world)
            database.close()


def measured(kind: str, cloud: Cloud, client: Client, world: World) -> None:
    wire = Wire(cloud.port)

    def over_http(name: str, times: int, method: str, path: str, body: Any = None, **headers: str) -> None:
        request = wire.request(method, V3 + path, body, **{"X-Auth-Token": cloud.token}, **headers)

        timed(cloud, f"{kind}: {name}", times, lambda: wire.ask_well(request))

    mine = login(world.name, PASSWORD, world.project)
    token = token_of(client, mine)
    subject = {"X-Subject-Token": token}
    over_http("nothing but HTTP (version document)", 2000, "GET", "")
    over_http("token validation", 2000, "GET", "/auth/tokens?nocatalog", **subject)
    over_http("token validation, with catalog", 1000, "GET", "/auth/tokens", **subject)
    in_process(f"{kind}: token validation, in process", world.database, cloud.token, token)
    issue = wire.request("POST", f"{V3}/auth/tokens", mine)
    beside_a_hash(f"{kind}: token issue, hash included", 200, lambda: wire.ask_well(issue))
    over_http("application credential token", 200, "POST", "/auth/tokens", robot(client, world, token))
    over_http("list of 1,000 projects", 60, "GET", "/projects")
    over_http("effective roles of one user", 200, "GET", f"/role_assignments?effective&user.id={world.user}")
    over_http(
        "effective roles on one project", 100, "GET", f"/role_assignments?effective&scope.project.id={world.project}"
    )
    over_http("list of 10,000 users, by 100", 60, "GET", "/users?limit=100")


def robot(client: Client, world: World, token: str) -> Any:
    wish = {"application_credential": {"name": new_hex_id()}}
    made = client.json("POST", f"{V3}/users/{world.user}/application_credentials", wish, **{"X-Auth-Token": token})
    credential = made["application_credential"]
    proof = {"id": credential["id"], "secret": credential["secret"]}
    return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": proof}}}


def in_process(name: str, database: Database, token: str, subject: str) -> None:
    """Authentication, policy, answer; without thread pool, HTTP and socket."""
    app = App([api], database, Watch(), tokens.authenticate)
    path = f"{V3}/auth/tokens"
    route = next(each for each in api.routes if each.method == "GET" and each.path == "/auth/tokens")
    headers = {"x-auth-token": token, "x-subject-token": subject}

    def act() -> None:
        request = Request("GET", path, "nocatalog", headers, "http://127.0.0.1", api.prefix, {}, b"", "", "req-1")
        exchange = Exchange(app, api, request, FIRST)
        exchange.route = route
        exchange.run()

    spent = []
    for number in range(3000):
        began = time.perf_counter()
        act()
        if number >= 500:
            spent.append(1000 * (time.perf_counter() - began))
    spent.sort()
    tell(name, "ms", p50=statistics.median(spent), p99=spent[int(0.99 * (len(spent) - 1))])


def visible_at_once(kind: str, client: Client, world: World) -> None:
    """A grant, and the next request: the time between the change's answer and the first answer that knows it."""
    user = world.users[7]
    body = login("u7", PASSWORD)
    unscoped = token_of(client, body)
    spent = []
    for project in world.projects[:50]:
        path = f"{V3}/projects/{project}/users/{user}/roles/{world.roles[0]}"
        client.call("PUT", path)
        began = time.perf_counter()
        again = {"identity": {"methods": ["token"], "token": {"id": unscoped}}, "scope": {"project": {"id": project}}}
        token_of(client, {"auth": again})
        spent.append(1000 * (time.perf_counter() - began))
    tell(f"{kind}: first use of a new assignment", "ms", p50=statistics.median(spent), max=max(spent))


def refusals(kind: str, client: Client, world: World) -> None:
    """How long each refusal takes: who guesses must not be able to tell them apart."""
    names = {"wrong password": "u11", "disabled": "u12", "locked": "u13", "unknown user": "nobody"}
    client.json("PATCH", f"{V3}/users/{world.users[12]}", {"user": {"enabled": False}})
    exempt = {"user": {"options": {"ignore_lockout_failure_attempts": True}}}
    client.json("PATCH", f"{V3}/users/{world.users[11]}", exempt)
    tries: dict[str, Callable[[], Any]] = {
        what: lambda name=name: client.call("POST", f"{V3}/auth/tokens", login(name, "wrong"))
        for what, name in names.items()
    }
    for what, name in (("disabled, right password", "u12"), ("locked, right password", "u13")):
        tries[what] = lambda name=name: client.call("POST", f"{V3}/auth/tokens", login(name, PASSWORD))
    for _ in range(6):
        tries["locked"]()
    spent: dict[str, list[float]] = {what: [] for what in tries}
    for _ in range(80):
        for what, act in tries.items():
            began = time.perf_counter()
            assert act()[0] == 401
            spent[what].append(1000 * (time.perf_counter() - began))
    for what, times in spent.items():
        times.sort()
        tell(f"{kind}: 401, {what}", "ms", p25=times[len(times) // 4], p50=statistics.median(times))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--only", choices=postgres.DATABASES)
    given = parser.parse_args()
    for number, kind in enumerate(postgres.DATABASES):
        if given.only in (None, kind):
            one_database(kind, 18960 + number)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
