"""Clouds on sockets, and what an administrator does there before others can come."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest

from pileus.core.context import system_caller
from pileus.core.dispatch import App
from pileus.services.identity.api import api
from pileus.services.identity.rules import sign_on
from pileus.services.identity.rules.sign_on import Place
from pileus.services.identity.types.sign_on import SignOn
from tests.support.live import PASSWORD, with_identity

DASHBOARD = "http://dashboard.example/auth/websso/"
RULES = [
    {
        "local": [{"user": {"name": "{0}", "email": "{1}"}}, {"groups": "{2}", "domain": {"id": "default"}}],
        "remote": [
            {"type": "preferred_username"},
            {"type": "email"},
            {"type": "groups", "whitelist": ["staff", "eng"]},
        ],
    }
]


class Cloud(msgspec.Struct):
    url: str
    app: App
    token: str = ""

    @property
    def v3(self) -> str:
        return f"{self.url}/identity/v3"

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"X-Auth-Token": self.token, **more.pop("headers", {})}
        return httpx.request(method, self.v3 + path, headers=headers, timeout=30, **more)

    def make(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def log_in(self) -> None:
        identity = {"methods": ["password"], "password": {"user": self.admin}}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        answer = self.ask("POST", "/auth/tokens", json={"auth": {"identity": identity, "scope": scope}})
        self.token = answer.headers["X-Subject-Token"]

    @property
    def admin(self) -> dict[str, Any]:
        return {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}

    def believe(
        self, provider: str, protocol: str, rules: Any, sign_on: SignOn, secret: str | None, **more: Any
    ) -> Place:
        """Register an identity provider with a protocol and its settings."""
        self.make(
            "PUT", f"/OS-FEDERATION/identity_providers/{provider}", {"identity_provider": {"enabled": True, **more}}
        )
        self.make("PUT", f"/OS-FEDERATION/mappings/{provider}", {"mapping": {"rules": rules}})
        path = f"/OS-FEDERATION/identity_providers/{provider}/protocols/{protocol}"
        self.make("PUT", path, {"protocol": {"mapping_id": provider}})
        return self.configure(provider, protocol, sign_on, secret)

    def configure(self, provider: str, protocol: str, wanted: SignOn, secret: str | None) -> Place:
        with self.app.db.write() as tx:
            return sign_on.configure(tx, self.app.settings, system_caller(), provider, protocol, wanted, secret)

    def group_with_project(self, group: str, project: str) -> tuple[str, str]:
        """A group that is a member of a project: the ids of both."""
        group_id = self.make("POST", "/groups", {"group": {"name": group}})["group"]["id"]
        project_id = self.make("POST", "/projects", {"project": {"name": project}})["project"]["id"]
        role_id = self.make("GET", "/roles?name=member")["roles"][0]["id"]
        self.make("PUT", f"/projects/{project_id}/groups/{group_id}/roles/{role_id}")
        return group_id, project_id


@contextmanager
def cloud_on_socket() -> Iterator[Cloud]:
    names = [("keystone", "identity", "/identity")]
    with with_identity([api], names, trusted_dashboards=DASHBOARD) as live:
        found = Cloud(live.url, live.app)
        found.log_in()
        yield found


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with cloud_on_socket() as found:
        yield found
