"""A small client of the public API, for commands that should answer at once."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from pileus.operate.access import CLOUD


class Unreachable(Exception):
    """The API does not answer, or not as it should; the text says where and how."""


class Client:
    """As the administrator whom STATE/clouds.yaml names. `get("compute", "/servers")` gives the decoded body.

    It asks the process that it logs in to, whatever stands in front of it for others.
    """

    def __init__(self, state_dir: Path) -> None:
        try:
            entry = yaml.safe_load((state_dir / "clouds.yaml").read_text())["clouds"][CLOUD]
        except (OSError, KeyError, TypeError, yaml.YAMLError):
            raise Unreachable(f"There is no cloud in {state_dir}: start one by 'pileus up'.") from None
        self.auth = entry["auth"]
        self._http = httpx.Client(timeout=10, verify=_context(entry))
        self._endpoints: dict[str, str] = {}
        self._log_in()

    def _log_in(self) -> None:
        user = {
            "name": self.auth["username"],
            "domain": {"id": self.auth["user_domain_id"]},
            "password": self.auth["password"],
        }
        scope = {"project": {"name": self.auth["project_name"], "domain": {"id": self.auth["project_domain_id"]}}}
        wish = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = self._send("POST", f"{self.auth['auth_url']}/auth/tokens", json=wish)
        self.token = self._http.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        self.project_id = str(answer.json()["token"]["project"]["id"])
        root = self.auth["auth_url"].removesuffix("/identity/v3")
        for service in answer.json()["token"]["catalog"]:
            public = next(each["url"] for each in service["endpoints"] if each["interface"] == "public")
            self._endpoints[service["type"]] = root + urlsplit(public).path

    def get(self, service: str, path: str, version: str | None = None) -> Any:
        headers = {"OpenStack-API-Version": f"{service} {version}"} if version else {}
        root = self._endpoints[service]
        prefix = {"identity": "/v3", "image": "/v2", "network": "/v2.0"}.get(service, "")
        return self._send("GET", root + prefix + path, headers=headers).json()

    def _send(self, method: str, url: str, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, url, **more)
        except httpx.TransportError as error:
            raise Unreachable(f"{url} does not answer: {error}.") from None
        if answer.status_code >= 400:
            raise Unreachable(f"{method} {url}: {answer.status_code} {answer.text[:300]}")
        return answer


def _context(entry: dict[str, Any]) -> ssl.SSLContext | bool:
    """Trusts the authority that the entry names, or those that the machine trusts."""
    return ssl.create_default_context(cafile=entry["cacert"]) if "cacert" in entry else True
