"""A client of a whole cloud: the administrator whom STATE/clouds.yaml names or another, and the shortest way to a few resources."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.command import until


class User:
    """`url`: not that of clouds.yaml, but of what stands in front, whose authority is in the file `trusted`.

    `who`: what differs from the administrator's entry: username, password, project_name.
    """

    def __init__(self, state_dir: Path, url: str = "", trusted: Path | None = None, **who: str) -> None:
        cloud = yaml.safe_load((state_dir / "clouds.yaml").read_text())["clouds"]["pileus"]
        entry = cloud["auth"] | who
        self.root = url or entry["auth_url"].removesuffix("/identity/v3")
        self.trusted = ssl.create_default_context(cafile=trusted or cloud.get("cacert"))
        self.http = httpx.Client(base_url=self.root, timeout=60, verify=self.trusted)
        user = {"name": entry["username"], "domain": {"id": "default"}, "password": entry["password"]}
        scope = {"project": {"name": entry["project_name"], "domain": {"id": "default"}}}
        wish = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = self.http.post("/identity/v3/auth/tokens", json=wish)
        assert answer.status_code == 201, answer.text
        self.http.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        self.http.headers["OpenStack-API-Version"] = "compute 2.96"
        self.project = answer.json()["token"]["project"]["id"]
        self.id = answer.json()["token"]["user"]["id"]

    def call(self, method: str, path: str, json: Any = None) -> httpx.Response:
        """`path` begins with the service: /compute/servers, /network/ports, /image/images."""
        return self.http.request(method, url_of(path), json=json)

    def send(self, path: str, data: bytes) -> httpx.Response:
        """An image's data."""
        return self.http.put(url_of(path), content=data, headers={"Content-Type": "application/octet-stream"})

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def made(self, path: str, noun: str, **fields: Any) -> Any:
        """The body of a successful POST."""
        answer = self.call("POST", path, {noun: fields})
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()[noun]

    def image(self) -> str:
        """A small one, ACTIVE."""
        wish = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
        image = self.http.post("/image/v2/images", json=wish).json()
        answer = self.send(f"/image/images/{image['id']}/file", b"\0" * 65536)
        assert answer.status_code == 204, answer.text
        return str(image["id"])

    def network(self, cidr: str = "10.1.0.0/16") -> str:
        """With a subnet, behind a router to 'public'."""
        network = self.made("/network/networks", "network", name="private")["id"]
        subnet = self.made("/network/subnets", "subnet", network_id=network, ip_version=4, cidr=cidr)["id"]
        gateway = {"network_id": self.public()}
        router = self.made("/network/routers", "router", name="router", external_gateway_info=gateway)["id"]
        answer = self.call("PUT", f"/network/routers/{router}/add_router_interface", {"subnet_id": subnet})
        assert answer.status_code == 200, answer.text
        return str(network)

    def public(self) -> str:
        return str(self.get("/network/networks?name=public")["networks"][0]["id"])

    def flavor(self, name: str = "m1.nano") -> str:
        return next(str(each["id"]) for each in self.get("/compute/flavors")["flavors"] if each["name"] == name)

    def server(self, image: str, flavor: str, network: str, **more: Any) -> Any:
        wish = {"name": "s", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network}], **more}
        return self.made("/compute/servers", "server", **wish)

    def show(self, server_id: str) -> Any:
        return self.get(f"/compute/servers/{server_id}")["server"]

    def act(self, server_id: str, action: str, body: Any = None) -> httpx.Response:
        return self.call("POST", f"/compute/servers/{server_id}/action", {action: body})

    def wait(self, server_id: str, *statuses: str, seconds: float = 60.0) -> Any:
        """The server, as soon as its status is one of these and no task is under way."""
        shown: Any = None

        def reached() -> bool:
            nonlocal shown
            shown = self.show(server_id)
            return shown["status"] in statuses and shown["OS-EXT-STS:task_state"] is None

        until(reached, seconds, f"server {server_id} {statuses}")
        return shown

    def gone(self, server_id: str) -> bool:
        return self.call("GET", f"/compute/servers/{server_id}").status_code == 404

    def hosts_up(self, count: int = 1) -> bool:
        found = self.get("/compute/os-hypervisors/detail")["hypervisors"]
        return [host["state"] for host in found] == ["up"] * count


def url_of(path: str) -> str:
    service, _, rest = path.lstrip("/").partition("/")
    prefix = {"compute": "/compute/v2.1", "network": "/network/v2.0", "image": "/image/v2"}.get(service, f"/{service}")
    return f"{prefix}/{rest}"
