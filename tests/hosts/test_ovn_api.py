"""From the API to the packet: what a user asks for is wired by itself."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from a2wsgi import ASGIMiddleware

from pileus.core.reconcile import Controller, Reconciler
from pileus.services.compute import api as compute
from pileus.services.network import api as network
from pileus.services.network import rules
from pileus.services.network.reconcile import NetworkReconciler
from pileus.supervise import ovn
from tests.support import personas
from tests.support.api import make_app
from tests.support.lab import PHYSICAL_NETWORK, Guest, Lab, until
from tests.support.packets import answers, dhcp, silent

pytestmark = pytest.mark.real


class User:
    """Calls the network API as a persona."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self._http, self._headers = http, {"X-Auth-Token": token}

    def __call__(self, verb: str, path: str, **body: Any) -> Any:
        """The resource in the answer."""
        answer = self._http.request(verb, f"/network/v2.0/{path}", headers=self._headers, json=body or None)
        assert answer.is_success, answer.text
        found = answer.json() if answer.content else {}
        return next(iter(found.values())) if len(found) == 1 else found

    def make(self, noun: str, **fields: Any) -> Any:
        return self("POST", f"{noun}s", **{noun.replace("-", "_"): fields})


class Place:
    """A control plane over the lab's OVN, with its controller running."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.app = make_app([network.api, compute.api])  # a port that is deleted leaves its server
        self._reconciler = NetworkReconciler(self.app.db, ovn.northbound(lab.state_dir), ovn.southbound(lab.state_dir))
        reconciler = Reconciler("network", self._reconciler.run, topics=("network",), interval=30)
        self._controller = Controller(self.app.db, self.app.watch, [reconciler])
        self._controller.start()
        transport = httpx.WSGITransport(app=ASGIMiddleware(self.app.asgi))  # type: ignore[arg-type]
        self._http = httpx.Client(transport=transport, base_url="http://test")

    def user(self, token: str) -> User:
        return User(self._http, token)

    def plug(self, port: dict[str, Any]) -> Guest:
        """What compute and the host do for a server."""
        with self.app.db.write() as tx:
            caller = personas.persona("project-admin")
            rules.bind_port(tx, caller, port["id"], self.lab.name, "a-server", "compute:nova")
        return Guest(self.lab, port["id"], port["mac_address"]).plug()

    def close(self) -> None:
        for guest in [*self.lab.guests]:
            guest.unplug()
        self._controller.stop()
        self._reconciler.close()
        self.app.db.close()


@pytest.fixture
def place(lab: Lab) -> Iterator[Place]:
    place = Place(lab)
    yield place
    place.close()


def test_a_users_network_works_as_soon_as_it_is_asked_for_and_leaves_nothing(place: Place) -> None:
    admin, user = place.user("project-admin"), place.user("project-member")
    outside = admin.make(
        "network", name="outside", **{
            "router:external": True, "provider:network_type": "flat", "provider:physical_network": PHYSICAL_NETWORK,
        },
    )  # fmt: skip
    outside_subnet = admin.make(
        "subnet", network_id=outside["id"], ip_version=4, cidr="172.24.4.0/24", enable_dhcp=False,
        allocation_pools=[{"start": "172.24.4.50", "end": "172.24.4.99"}],
    )  # fmt: skip
    inside = user.make("network", name="inside")
    subnet = user.make("subnet", network_id=inside["id"], ip_version=4, cidr="10.3.0.0/24")
    router = user.make("router", name="r", external_gateway_info={"network_id": outside["id"]})
    user("PUT", f"routers/{router['id']}/add_router_interface", subnet_id=subnet["id"])
    port = user.make("port", network_id=inside["id"])
    floating = user.make("floatingip", floating_network_id=outside["id"], port_id=port["id"])
    guest = place.plug(port)

    address = port["fixed_ips"][0]["ip_address"]
    lease = dhcp(guest)
    assert lease["address"] == address
    guest.configure(f"{address}/24", lease["router"])
    answers(guest, "172.24.4.1")
    assert silent(place.lab, floating["floating_ip_address"]), "the default security group lets nobody in"
    group = port["security_groups"][0]
    user.make("security-group-rule", security_group_id=group, direction="ingress", protocol="icmp")
    answers(place.lab, floating["floating_ip_address"])

    def status(path: str) -> Callable[[], bool]:
        return lambda: user("GET", path)["status"] == "ACTIVE"

    for path in (f"floatingips/{floating['id']}", f"routers/{router['id']}"):
        until(status(path), what=path)
    interfaces = user("GET", f"ports?device_id={router['id']}")
    for interface in interfaces:
        until(status(f"ports/{interface['id']}"), what="the router's port")

    user("DELETE", f"floatingips/{floating['id']}")
    assert silent(place.lab, floating["floating_ip_address"])
    user("PUT", f"routers/{router['id']}/remove_router_interface", subnet_id=subnet["id"])
    user("DELETE", f"routers/{router['id']}")
    user("DELETE", f"ports/{port['id']}")
    user("DELETE", f"networks/{inside['id']}")
    admin("DELETE", f"subnets/{outside_subnet['id']}")
    admin("DELETE", f"networks/{outside['id']}")
    until(lambda: not place.lab.nbctl("ls-list") and not place.lab.nbctl("lr-list"), what="an empty OVN")
