"""A machine joins a cloud, by mutual TLS, with simulated guests; and what its certificate opens and does not."""

import os
import ssl
from collections.abc import Iterator

import httpx
import pytest
import websockets.sync.client

from pileus.core import authority
from pileus.core.authority import CONTROL_PLANE
from pileus.core.tls import Folder
from tests.support.command import until
from tests.support.hosts import Lab, lab_of
from tests.support.user import User

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces")]
NAMED = {"sni_hostname": CONTROL_PLANE}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with lab_of(3) as lab:
        lab.up("--sim")
        for number in (1, 2):
            lab.join(number)
        yield lab


@pytest.fixture(scope="module")
def user(lab: Lab) -> User:
    return User(lab.hosts[0].state_dir)


def as_host(lab: Lab, number: int) -> httpx.Client:
    context = Folder(lab.hosts[number].state_dir / "tls").client_context()
    return httpx.Client(base_url=f"{lab.url}/node/v1", verify=context)


def stranger(lab: Lab) -> httpx.Client:
    """Trusts the cloud and shows nothing."""
    return httpx.Client(base_url=f"{lab.url}/node/v1", verify=ssl.create_default_context(cafile=authority_file(lab)))


def authority_file(lab: Lab) -> str:
    return str(lab.hosts[0].state_dir / "tls/ca.pem")


def services(user: User) -> dict[str, dict[str, str]]:
    return {each["host"]: each for each in user.get("/compute/os-services?binary=nova-compute")["services"]}


def known(user: User) -> tuple[str, str, str]:
    """The image, flavor and network of the servers that are there."""
    image = user.get("/image/images")["images"][0]["id"]
    network = user.get("/network/networks?name=private")["networks"][0]["id"]
    return image, user.flavor(), network


def routes(host: str) -> list[tuple[str, str]]:
    return [
        ("GET", f"/hosts/{host}"),
        ("PUT", f"/hosts/{host}"),
        ("GET", f"/hosts/{host}/spec"),
        ("POST", f"/hosts/{host}/status"),
        ("POST", f"/hosts/{host}/certificate"),
        ("POST", f"/hosts/{host}/guests/none/password"),
    ]


BODIES = {
    "": {"host": "host2", "hypervisor_type": "", "hypervisor_version": 0, "accelerator": "", "accelerator_reason": "",
         "vcpus": 1, "memory_mb": 1, "disk_gb": 1, "address": "", "agent_url": ""},
    "status": {"host": "host2", "revision": 0},
    "certificate": {"request": ""},
}  # fmt: skip


def ask(client: httpx.Client, method: str, path: str) -> int:
    if path.endswith("password"):
        octets = {"Content-Type": "application/octet-stream"}
        return client.request(method, path, content=b"x", headers=octets, extensions=NAMED).status_code
    body = None if method == "GET" else BODIES.get(path.split("/", 3)[3:][0] if path.count("/") > 2 else "", {})
    return client.request(method, path, json=body, extensions=NAMED).status_code


def test_w22_hosts_appear_by_themselves_and_take_guests(lab: Lab, user: User) -> None:
    assert {name for name, each in services(user).items() if each["state"] == "up"} == {"host0", "host1", "host2"}
    image, flavor, network = user.image(), user.flavor(), user.network()
    servers = [user.server(image, flavor, network)["id"] for _ in range(6)]
    hosts = {user.wait(server, "ACTIVE")["OS-EXT-SRV-ATTR:host"] for server in servers}
    assert hosts == {"host0", "host1", "host2"}


def test_consoles_of_a_joined_host(lab: Lab, user: User) -> None:
    server = next(
        each["id"] for each in user.get("/compute/servers/detail")["servers"]
        if each["OS-EXT-SRV-ATTR:host"] == "host1"
    )  # fmt: skip
    answer = user.act(server, "os-getConsoleOutput", {})
    assert answer.status_code == 200, answer.text


def test_an_agent_talks_to_the_control_plane_alone(lab: Lab) -> None:
    agent = f"https://{lab.hosts[1].address}:8781/host1/guests/x/console-log"
    for folder in (None, lab.hosts[1].state_dir / "tls", lab.hosts[2].state_dir / "tls"):
        context = Folder(folder).client_context() if folder else ssl.create_default_context(cafile=authority_file(lab))
        with httpx.Client(verify=context) as client, pytest.raises(httpx.TransportError):
            client.get(agent, extensions={"sni_hostname": "host1"})
        with pytest.raises((OSError, websockets.exceptions.WebSocketException)):
            websockets.sync.client.connect(
                agent.replace("https", "wss").replace("console-log", "vnc"), ssl=context, server_hostname="host1"
            )
    own = Folder(lab.hosts[0].state_dir / "tls").client_context()
    with httpx.Client(verify=own) as client:
        assert client.get(agent, extensions={"sni_hostname": "host1"}).status_code == 200


def test_status_of_a_joined_host(lab: Lab) -> None:
    host = lab.hosts[1].pileus
    assert "host1 of a cloud" in host.ok("status").replace("\n", " ")
    assert "ask on the machine of its cloud" in host.refused("doctor")
    assert "is that of host host1" in host.refused("up", "--sim")


@pytest.mark.parametrize(("method", "path"), routes("host2"))
def test_a_host_opens_nothing_of_another(lab: Lab, method: str, path: str) -> None:
    with as_host(lab, 1) as host:
        assert ask(host, method, path) == 403
    with stranger(lab) as nobody:
        assert ask(nobody, method, path) == 401


def test_a_host_reads_its_own(lab: Lab) -> None:
    with as_host(lab, 2) as host:
        spec = host.get("/hosts/host2/spec", extensions=NAMED)
        assert spec.status_code == 200
        assert spec.json()["host"] == "host2"


def test_a_host_renews_its_certificate_for_the_same_key_alone(lab: Lab) -> None:
    folder = Folder(lab.hosts[2].state_dir / "tls")
    own = authority.request_for(folder.ensure_key(), "whatever")
    foreign = authority.request_for(authority.new_key(), "host2")
    with as_host(lab, 2) as host:
        renewed = host.post("/hosts/host2/certificate", json={"request": own}, extensions=NAMED)
        assert renewed.status_code == 200, renewed.text
        assert authority.expiry(renewed.json()["certificate"]) >= authority.expiry(folder.certificate.read_text())
        refused = host.post("/hosts/host2/certificate", json={"request": foreign}, extensions=NAMED)
        assert refused.status_code == 403, refused.text


def test_a_host_whose_certificate_has_ended_joins_again_with_its_key(lab: Lab) -> None:
    host, folder = lab.hosts[2].pileus, Folder(lab.hosts[2].state_dir / "tls")
    before, key = folder.certificate.read_text(), folder.ensure_key()
    token = lab.token()
    assert "stop it by 'pileus down' first" in host.refused("join", lab.url, "--token", token)
    host.ok("down")
    folder.certificate.unlink()
    host.ok("join", lab.url, "--token", token)
    assert folder.certificate.read_text() != before
    assert folder.ensure_key() == key
    with as_host(lab, 2) as client:
        assert ask(client, "GET", "/hosts/host2/spec") == 200


def test_what_was_asked_while_the_wire_was_cut_is_done_when_it_is_mended(lab: Lab, user: User) -> None:
    image, flavor, network = known(user)
    lab.wire.cut(1)
    server = user.server(image, flavor, network, availability_zone="nova:host1")["id"]
    assert user.act(server, "os-getConsoleOutput", {}).status_code in (409, 503)
    assert user.show(server)["status"] == "BUILD"
    lab.wire.mend(1)
    user.wait(server, "ACTIVE", seconds=90)


def test_a_wire_that_loses_a_tenth_is_slow_and_no_more(lab: Lab, user: User) -> None:
    image, flavor, network = known(user)
    lab.wire.lose(1)
    servers = [user.server(image, flavor, network, availability_zone="nova:host1")["id"] for _ in range(3)]
    for server in servers:
        user.wait(server, "ACTIVE", seconds=90)


def test_a_host_that_was_rebooted_is_back(lab: Lab, user: User) -> None:
    lab.hosts[1].reboot()
    here = [each for each in user.get("/compute/servers/detail")["servers"] if each["OS-EXT-SRV-ATTR:host"] == "host1"]
    for server in here:
        assert user.act(server["id"], "reboot", {"type": "HARD"}).status_code == 202
        user.wait(server["id"], "ACTIVE")
    assert here


def test_images_are_for_hosts(lab: Lab, user: User) -> None:
    image = user.get("/image/images")["images"][0]["id"]
    with stranger(lab) as nobody:
        assert nobody.get(f"/images/{image}/file", extensions=NAMED).status_code == 401
    with as_host(lab, 1) as host:
        assert host.get(f"/images/{image}/file", extensions=NAMED).status_code == 200


def test_a_token_of_another_cloud_and_a_used_one_are_refused(lab: Lab) -> None:
    other = lab.hosts[1].folder / "other"
    pileus = lab.hosts[1].pileus
    pileus.state_dir = other
    wrong = "0" * 64 + lab.token()[64:]
    assert "another" in pileus.refused("join", lab.url, "--token", wrong)
    assert not other.exists()


def test_a_removed_host_is_refused_and_may_join_again(lab: Lab, user: User) -> None:
    for server in user.get("/compute/servers/detail")["servers"]:
        if server["OS-EXT-SRV-ATTR:host"] == "host2":
            assert user.call("DELETE", f"/compute/servers/{server['id']}").status_code == 204
            until(lambda server=server: user.gone(server["id"]))  # type: ignore[misc]
    with as_host(lab, 2) as host:
        assert user.call("DELETE", f"/compute/os-services/{services(user)['host2']['id']}").status_code == 204
        for method, path in routes("host2"):
            assert ask(host, method, path) == 403
        second = lab.hosts[2]
        second.pileus.ok("down", "--purge")
        assert not second.state_dir.exists()
        lab.join(2)
        assert services(user)["host2"]["state"] == "up"
        assert ask(host, "GET", "/hosts/host2/spec") == 403


def test_a_single_use_token_lets_one_host_in(lab: Lab) -> None:
    token = lab.token()
    second = lab.hosts[2]
    second.pileus.ok("down", "--purge")
    said = second.pileus.refused("join", lab.url, "--token", token)
    assert "There is a host 'host2' already" in said
    assert not second.state_dir.exists()
    second.run(["hostname", "host9"])
    second.pileus.ok("join", lab.url, "--token", token)
    second.pileus.ok("down", "--purge")
    second.run(["hostname", "host8"])
    assert "used up" in second.pileus.refused("join", lab.url, "--token", token)
