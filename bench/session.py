"""A user of any OpenStack cloud, by plain HTTP: who and where from OS_* variables, endpoints from the catalog."""

import http.client
import json
import select
import ssl
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

Note = Callable[[str, float, int | None], None]
"""Told of each request: its name, its seconds, its status (None: no answer came)."""
TYPES = {"block-storage": ("block-storage", "volumev3", "volume")}
"""Other names of a service's type in catalogs."""
ROOTS = {"identity": "/v3", "network": "/v2.0", "image": "/v2"}
"""What follows the endpoint in the catalog."""
VERSIONS = {"compute": "2.90", "placement": "1.38"}


class Unexpected(Exception):
    """An answer that is none of those that were expected, or none at all."""


class Cloud:
    """Where it is, and its administrator."""

    def __init__(self, environment: Mapping[str, str], timeout: float = 300.0, verified: bool = True) -> None:
        url = environment["OS_AUTH_URL"].rstrip("/")
        self.auth_url = url if url.endswith("/v3") else f"{url}/v3"
        self.region = environment.get("OS_REGION_NAME")
        self.interface = environment.get("OS_INTERFACE", "public").removesuffix("URL")
        self.timeout = timeout
        self.tls = ssl.create_default_context(cafile=environment.get("OS_CACERT"))
        if not verified:
            self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

        def named(prefix: str) -> dict[str, str]:
            by_id = environment.get(f"{prefix}_ID")
            return {"id": by_id} if by_id else {"name": environment.get(f"{prefix}_NAME", "Default")}

        project = named("OS_PROJECT")
        if "name" in project:
            project |= {"domain": named("OS_PROJECT_DOMAIN")}  # type: ignore[dict-item]
        self.domain = named("OS_USER_DOMAIN")
        self.administrator = log_in(environment["OS_USERNAME"], environment["OS_PASSWORD"], self.domain, project)


def log_in(name: str, password: str, domain: dict[str, str], project: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request for a token."""
    user = {"name": name, "domain": domain, "password": password}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}}


class Session:
    """One who is logged in, with connections that are kept open. For one thread."""

    def __init__(self, cloud: Cloud, credentials: dict[str, Any], note: Note | None = None) -> None:
        self.cloud, self._credentials, self._note = cloud, credentials, note
        self._connections: dict[str, http.client.HTTPConnection] = {}
        self.token = ""
        self.log_in()

    def log_in(self, what: str = "token issue, password") -> None:
        headers, found = self._exchange(what, "POST", f"{self.cloud.auth_url}/auth/tokens", self._credentials, {}, ())
        self.token = headers["X-Subject-Token"]
        self.user_id, self.project_id = found["token"]["user"]["id"], found["token"]["project"]["id"]
        self.endpoints = self._endpoints(found["token"]["catalog"])

    def _endpoints(self, catalog: list[dict[str, Any]]) -> dict[str, str]:
        found: dict[str, str] = {}
        for service in catalog:
            kind = next((name for name, types in TYPES.items() if service["type"] in types), service["type"])
            for each in service["endpoints"]:
                here = self.cloud.region in (None, each.get("region_id", each.get("region")))
                if here and each["interface"] == self.cloud.interface and kind not in found:
                    url = each["url"].rstrip("/")
                    root = ROOTS.get(kind, "")
                    found[kind] = url if url.endswith(root) else url + root
        return found

    def call(
        self, service: str, method: str, path: str, body: Any = None, *, what: str = "", accept: tuple[int, ...] = ()
    ) -> Any:
        """The decoded answer. Raises Unexpected for a status of 400 and more that is not in `accept`."""
        if service not in self.endpoints:
            raise Unexpected(f"the catalog has no {service} for {self.cloud.interface}, region {self.cloud.region}")
        headers = {"X-Auth-Token": self.token}
        if service in VERSIONS:
            headers["OpenStack-API-Version"] = f"{service} {VERSIONS[service]}"
        return self._exchange(what, method, self.endpoints[service] + path, body, headers, accept)[1]

    def _exchange(
        self, what: str, method: str, url: str, body: Any, headers: dict[str, str], accept: tuple[int, ...]
    ) -> tuple[Any, Any]:
        """Headers and body of the answer; a body of bytes is sent as it is."""
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if raw is not None:
            kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
            headers = {**headers, "Content-Type": kind}
        place = urlsplit(url)
        began, status = perf_counter(), None
        try:
            connection = self._connection(place.scheme, place.netloc)
            connection.request(method, f"{place.path or '/'}{'?' + place.query if place.query else ''}", raw, headers)
            answer = connection.getresponse()
            text, status = answer.read(), answer.status
        except (OSError, http.client.HTTPException) as error:
            self._connections.pop(place.netloc).close()
            raise Unexpected(f"{method} {url}: no answer: {error!r}") from error
        finally:
            if self._note is not None and what:
                self._note(what, perf_counter() - began, status)
        if status >= 400 and status not in accept:
            raise Unexpected(f"{method} {url}: {status} {text[:300]!r}")
        is_json = "json" in answer.headers.get("Content-Type", "")
        return answer.headers, json.loads(text) if text and is_json else None

    def _connection(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        kept = self._connections.get(netloc)
        if kept is not None and kept.sock is not None and select.select([kept.sock], [], [], 0)[0]:
            # the other side has ended it, as it may when nothing was asked for a while
            kept.close()
        if netloc not in self._connections:
            if scheme == "https":
                made: http.client.HTTPConnection = http.client.HTTPSConnection(
                    netloc, timeout=self.cloud.timeout, context=self.cloud.tls
                )
            else:
                made = http.client.HTTPConnection(netloc, timeout=self.cloud.timeout)
            self._connections[netloc] = made
        return self._connections[netloc]

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
