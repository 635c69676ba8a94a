"""What users do: each action leaves things as it found them. And the project in which they do it."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from bench.session import Cloud, Session, Unexpected, log_in

WAIT = 120.0
"""Seconds within which a server must be ACTIVE, or gone."""
POLL = 0.05
PASSWORD = "load-Test-1"
UNLIMITED = -1
Body = dict[str, Any]


class Material(NamedTuple):
    """What there is for all users of the load; ids."""

    name: str
    cloud: Cloud
    credentials: Body
    project: str
    flavor: str
    image: str
    network: str
    external: str | None
    """An external network that the router leads to."""


class User:
    """One client, doing one thing after another. `done` is told how long the compound ones took."""

    def __init__(self, material: Material, session: Session, dice: random.Random, done: Callable[[str, float], None]):
        self.material, self.session, self.dice, self._done = material, session, dice, done
        self._call = session.call

    @property
    def name(self) -> str:
        return f"{self.material.name}-{self.dice.getrandbits(40):x}"

    def act(self) -> None:
        actions = [(action, weight) for action, weight in MIX if self.material.external or action is not floating_ip]
        names, weights = zip(*actions, strict=True)
        (chosen,) = self.dice.choices(names, weights)
        chosen(self, self._call)

    def status(self, server: str) -> str | None:
        """None: it is gone."""
        found = self._call("compute", "GET", f"/servers/{server}", what="server show", accept=(404,))
        return found["server"]["status"] if "server" in found else None

    def until(self, server: str, wanted: str | None, began: float, what: str) -> None:
        while (status := self.status(server)) != wanted:
            if status == "ERROR" or time.perf_counter() - began > WAIT:
                raise Unexpected(f"{what}: server {server} is {status} after {time.perf_counter() - began:.1f} s")
            time.sleep(POLL)
        self._done(what, time.perf_counter() - began)


Call = Callable[..., Any]


def token(user: User, call: Call) -> None:
    user.session.log_in()


def validate(user: User, call: Call) -> None:
    call("identity", "GET", "/auth/projects", what="projects of a token")


def server(user: User, call: Call) -> None:
    """Its whole life."""
    material = user.material
    wish = {"name": user.name, "imageRef": material.image, "flavorRef": material.flavor}
    wish["networks"] = [{"uuid": material.network}]  # type: ignore[assignment]
    began = time.perf_counter()
    made = call("compute", "POST", "/servers", {"server": wish}, what="server create, answered")["server"]["id"]
    try:
        user.until(made, "ACTIVE", began, "server create -> ACTIVE")
        call("compute", "GET", f"/servers/{made}/os-interface", what="interfaces of a server")
        call("compute", "POST", f"/servers/{made}/action", {"os-getConsoleOutput": {"length": 10}}, what="console log")
    finally:
        began = time.perf_counter()
        call("compute", "DELETE", f"/servers/{made}", what="server delete, answered")
        user.until(made, None, began, "server delete -> gone")


def servers(user: User, call: Call) -> None:
    call("compute", "GET", "/servers/detail", what="server list detail")


def flavors(user: User, call: Call) -> None:
    call("compute", "GET", "/flavors/detail", what="flavor list detail")


def limits(user: User, call: Call) -> None:
    call("compute", "GET", "/limits", what="limits")


def keypair(user: User, call: Call) -> None:
    name = user.name
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43 + " load"
    call("compute", "POST", "/os-keypairs", {"keypair": {"name": name, "public_key": key}}, what="keypair create")
    call("compute", "GET", "/os-keypairs", what="keypair list")
    call("compute", "DELETE", f"/os-keypairs/{name}", what="keypair delete")


def images(user: User, call: Call) -> None:
    call("image", "GET", "/images?limit=25", what="image list")
    call("image", "GET", f"/images/{user.material.image}", what="image show")


def image(user: User, call: Call) -> None:
    """Made, filled, deleted."""
    wish = {"name": user.name, "disk_format": "raw", "container_format": "bare"}
    made = call("image", "POST", "/images", wish, what="image create")["id"]
    try:
        call("image", "PUT", f"/images/{made}/file", b"\0" * (64 << 10), what="image upload, 64 KiB")
        call("image", "GET", f"/images/{made}/file", what="image download, 64 KiB")
    finally:
        call("image", "DELETE", f"/images/{made}", what="image delete")


def networks(user: User, call: Call) -> None:
    call("network", "GET", "/networks", what="network list")
    call("network", "GET", "/ports", what="port list")


@contextmanager
def own_port(user: User, call: Call) -> Iterator[str]:
    wish = {"port": {"network_id": user.material.network, "name": user.name}}
    made = call("network", "POST", "/ports", wish, what="port create")["port"]["id"]
    try:
        yield made
    finally:
        call("network", "DELETE", f"/ports/{made}", what="port delete")


def port(user: User, call: Call) -> None:
    with own_port(user, call) as made:
        call("network", "GET", f"/ports/{made}", what="port show")
        call("network", "PUT", f"/ports/{made}", {"port": {"name": user.name}}, what="port update")


def floating_ip(user: User, call: Call) -> None:
    wish = {"floatingip": {"floating_network_id": user.material.external}}
    made = call("network", "POST", "/floatingips", wish, what="floating IP create")["floatingip"]["id"]
    path = f"/floatingips/{made}"
    try:
        with own_port(user, call) as target:
            call("network", "PUT", path, {"floatingip": {"port_id": target}}, what="floating IP associate")
            call("network", "PUT", path, {"floatingip": {"port_id": None}}, what="floating IP disassociate")
    finally:
        call("network", "DELETE", path, what="floating IP delete")


def security_group(user: User, call: Call) -> None:
    wish: Body = {"security_group": {"name": user.name}}
    made = call("network", "POST", "/security-groups", wish, what="security group create")["security_group"]["id"]
    try:
        rule = {"security_group_id": made, "direction": "ingress", "protocol": "tcp"}
        wish = {"security_group_rule": {**rule, "port_range_min": 22, "port_range_max": 22}}
        call("network", "POST", "/security-group-rules", wish, what="security group rule create")
    finally:
        call("network", "DELETE", f"/security-groups/{made}", what="security group delete")


MIX: tuple[tuple[Callable[[User, Call], None], int], ...] = (
    (server, 6), (servers, 16), (flavors, 8), (limits, 4), (keypair, 4), (images, 10), (image, 3), (networks, 10),
    (port, 8), (floating_ip, 4), (security_group, 3), (token, 4), (validate, 6),
)  # fmt: skip
"""What a user does, and how often of 86 times."""


@contextmanager
def project(cloud: Cloud, administrator: Session, name: str, problems: list[str]) -> Iterator[Material]:
    """A project with a user, quotas without an end, flavor, image, network and router. Nothing of it stays:
    what can't be removed is told in `problems`."""
    call = administrator.call
    undo: list[Callable[[], Any]] = []

    def made(service: str, path: str, key: str, wish: Body) -> str:
        found = call(service, "POST", path, {key: wish} if key else wish)
        identity = str((found[key] if key else found)["id"])
        gone = f"{path}/{identity}"
        undo.append(lambda: call(service, "DELETE", gone, accept=(404,)))
        return identity

    try:
        domain = _domain(administrator, cloud.domain)
        owner = made("identity", "/projects", "project", {"name": name, "domain_id": domain})
        wish = {"name": name, "domain_id": domain, "password": PASSWORD}
        user = made("identity", "/users", "user", wish)
        role = next(each["id"] for each in call("identity", "GET", "/roles")["roles"] if each["name"] == "member")
        call("identity", "PUT", f"/projects/{owner}/users/{user}/roles/{role}")
        undo.append(lambda: _remove_default_groups(administrator, owner))
        quotas = dict.fromkeys(("instances", "cores", "ram", "key_pairs"), UNLIMITED)
        call("compute", "PUT", f"/os-quota-sets/{owner}", {"quota_set": quotas})
        quotas = dict.fromkeys(("port", "floatingip", "security_group", "security_group_rule"), UNLIMITED)
        call("network", "PUT", f"/quotas/{owner}", {"quota": quotas})
        undo.append(lambda: call("network", "DELETE", f"/quotas/{owner}", accept=(404,)))
        undo.append(lambda: call("compute", "DELETE", f"/os-quota-sets/{owner}", accept=(404,)))
        flavor = made("compute", "/flavors", "flavor", {"name": name, "ram": 64, "vcpus": 1, "disk": 1})
        image = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        boots = made("image", "/images", "", image)
        call("image", "PUT", f"/images/{boots}/file", b"\0" * (64 << 10))
        network = made("network", "/networks", "network", {"name": name, "project_id": owner})
        subnet = {"network_id": network, "ip_version": 4, "cidr": "10.77.0.0/16", "project_id": owner}
        inside = made("network", "/subnets", "subnet", subnet)
        external = _external(administrator, made, name)
        if external is not None:
            gateway = {"external_gateway_info": {"network_id": external}}
            router = made("network", "/routers", "router", {"name": name, "project_id": owner, **gateway})
            wish = {"subnet_id": inside}
            call("network", "PUT", f"/routers/{router}/add_router_interface", wish)
            undo.append(lambda: call("network", "PUT", f"/routers/{router}/remove_router_interface", wish))
        credentials = log_in(name, PASSWORD, {"id": domain}, {"id": owner})
        yield Material(name, cloud, credentials, owner, flavor, boots, network, external)
    finally:
        # a connection that was not used for minutes may have been ended
        administrator.close()
        for each in reversed(undo):
            try:
                each()
            except Unexpected as error:
                problems.append(f"clean-up: {error}")


def _domain(administrator: Session, named: dict[str, str]) -> str:
    if "id" in named:
        return named["id"]
    found = administrator.call("identity", "GET", f"/domains?name={named['name']}")["domains"]
    return str(found[0]["id"])


def _external(administrator: Session, made: Callable[[str, str, str, Body], str], name: str) -> str | None:
    """An external network with addresses: one that is there, or one that is made."""
    found = administrator.call("network", "GET", "/networks?router:external=true")["networks"]
    if found:
        return str(next((each["id"] for each in found if each["subnets"]), None))
    try:
        network = made("network", "/networks", "network", {"name": f"{name}-external", "router:external": True})
    except Unexpected as error:
        print(f"without floating IPs: {error}")
        return None
    subnet = {"network_id": network, "ip_version": 4, "cidr": "198.18.0.0/16", "enable_dhcp": False}
    made("network", "/subnets", "subnet", subnet)
    return network


def _remove_default_groups(administrator: Session, owner: str) -> None:
    for group in administrator.call("network", "GET", f"/security-groups?project_id={owner}")["security_groups"]:
        administrator.call("network", "DELETE", f"/security-groups/{group['id']}", accept=(404,))


def left(session: Session) -> list[str]:
    """What the project's users have, beside what it was given."""
    found = {
        "server": session.call("compute", "GET", "/servers")["servers"],
        "keypair": session.call("compute", "GET", "/os-keypairs")["keypairs"],
        "image": session.call("image", "GET", f"/images?owner={session.project_id}")["images"],
        "floating IP": session.call("network", "GET", "/floatingips")["floatingips"],
        "port": [
            each
            for each in session.call("network", "GET", f"/ports?project_id={session.project_id}")["ports"]
            if not each["device_owner"].startswith("network:")
        ],
    }
    return [f"{kind} {each.get('id', each)}" for kind, several in found.items() for each in several]
