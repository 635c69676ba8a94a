"""Identity in process with its first rows, for tests in which a client's library signs the requests."""

import json
from typing import Any

from falcon.testing import Result, TestClient

from pileus.core.dispatch import App
from pileus.services.identity.api import api
from tests.behaviour.identity import setup
from tests.support.api import make_app

BASE = "http://falconframework.org"
"""The server as these clients know it."""
V3 = "/identity/v3"


class Identity:
    """`admin` is a token of the first user, in the first project."""

    def __init__(self, **settings: Any) -> None:
        self.app: App = make_app([api], None, setup.prepare, setup.authenticate, **settings)
        self.client = TestClient(self.app.asgi)
        user = {"name": "admin", "domain": {"id": "default"}, "password": setup.PASSWORD}
        made = self.log_in({"methods": ["password"], "password": {"user": user}}, self.scope("admin"))
        self.admin: str = made.headers["x-subject-token"]
        self.user_id: str = made.json["token"]["user"]["id"]
        self.project_id: str = made.json["token"]["project"]["id"]

    @staticmethod
    def scope(project: str) -> dict[str, Any]:
        return {"project": {"name": project, "domain": {"id": "default"}}}

    def log_in(self, identity: dict[str, Any], scope: Any = None, **headers: str) -> Result:
        auth = {"identity": identity} | ({"scope": scope} if scope else {})
        return self.call("POST", "/auth/tokens", {"auth": auth}, token=None, **headers)

    def call(self, method: str, path: str, body: Any = None, token: str | None = "admin", **headers: str) -> Result:
        """`path` below /identity/v3. `token`: None for none, "admin" for the administrator's, else a token or persona."""
        sent = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        if token is not None:
            sent["x-auth-token"] = self.admin if token == "admin" else token
        raw = body if isinstance(body, str | None) else json.dumps(body)
        return self.client.simulate_request(method, V3 + path, body=raw, headers=sent)

    def make(self, path: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
        """What a POST made, without its wrapping."""
        made = self.call("POST", path, body, **more)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = next(iter(made.json.values()))
        return found

    def user(self, name: str, *roles: str, password: str = "secret", **fields: Any) -> dict[str, Any]:
        """A user with roles on the first project."""
        made = self.make("/users", {"user": {"name": name, "password": password, **fields}})
        for role in self.call("GET", "/roles").json["roles"]:
            if role["name"] in roles:
                path = f"/projects/{self.project_id}/users/{made['id']}/roles/{role['id']}"
                assert self.call("PUT", path).status_code == 204
        return made

    def token_of(self, name: str, password: str = "secret") -> str:
        user = {"name": name, "domain": {"id": "default"}, "password": password}
        made = self.log_in({"methods": ["password"], "password": {"user": user}}, self.scope("admin"))
        assert made.status_code == 201, made.text
        text: str = made.headers["x-subject-token"]
        return text
