"""Servers from their making to their end, with a host that the test plays."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.compute_cloud import BIG_FLAVOR, NETWORK, SUBNET, Cloud
from tests.support.network_rows import Rows
from tests.support.personas import PROJECT
from tests.support.postgres import DATABASES, new_url

from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.services.compute import reconcile
from pileus.services.network import rules as network
from pileus.services.network.rules.ports import update_port
from pileus.services.network.tables import floating_ips
from pileus.services.network.types.ports import PortUpdate


@pytest.fixture(params=DATABASES)
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(new_url(request.param, tmp_path))
    yield made
    made.db.close()


def test_a_server_becomes_active_when_it_runs_and_all_its_ports_are_wired(cloud: Cloud) -> None:
    host = cloud.host()
    made = cloud.create(name="web.1", version="2.1")
    shown = cloud.show(made["id"])
    assert (shown["status"], shown["OS-EXT-STS:task_state"], shown["OS-EXT-STS:vm_state"]) == (
        "BUILD",
        "spawning",
        "building",
    )
    guest = host.guest(made["id"])
    assert (guest.power, guest.memory_mb, guest.domain_name) == ("running", 128, "instance-00000001")
    host.report(host.done(guest, wired=()))
    assert cloud.show(made["id"])["status"] == "BUILD"
    host.settle()
    shown = cloud.show(made["id"])
    assert (shown["status"], shown["OS-EXT-STS:power_state"], shown["OS-EXT-STS:task_state"]) == ("ACTIVE", 1, None)
    assert shown["OS-SRV-USG:launched_at"] is not None
    (address,) = shown["addresses"]["private"]
    assert address["OS-EXT-IPS:type"] == "fixed"
    assert address["OS-EXT-IPS-MAC:mac_addr"] == guest.nics[0].mac
    assert guest.documents is not None
    assert guest.documents.meta_data["hostname"] == "web-1"
    assert guest.documents.ec2["local-ipv4"] == address["addr"]


def test_deletion_takes_ports_at_once_and_ends_when_the_host_says_so(cloud: Cloud) -> None:
    host = cloud.host()
    server = cloud.active(host)
    assert cloud.call("DELETE", f"/servers/{server['id']}").status_code == 204
    shown = cloud.show(server["id"])
    assert (shown["status"], shown["OS-EXT-STS:task_state"], shown["addresses"]) == ("ACTIVE", "deleting", {})
    host.settle()
    assert cloud.call("GET", f"/servers/{server['id']}").status_code == 404
    deleted = cloud.call("GET", "/servers/detail?deleted=True", token="project-admin").json()["servers"]
    assert [(one["id"], one["status"]) for one in deleted] == [(server["id"], "DELETED")]
    again = cloud.active(host)
    assert again["id"] != server["id"]


def test_no_host_fits_and_the_fault_says_why(cloud: Cloud) -> None:
    cloud.host()
    made = cloud.create(flavorRef=BIG_FLAVOR)
    shown = cloud.show(made["id"])
    assert shown["status"] == "ERROR"
    assert "No valid host was found" in shown["fault"]["message"]
    assert "MEMORY_MB: 4096 wanted, 2048 free of 2048" in shown["fault"]["message"]
    assert shown["addresses"] == {}
    assert cloud.call("DELETE", f"/servers/{made['id']}").status_code == 204
    assert cloud.call("GET", f"/servers/{made['id']}").status_code == 404


def test_a_guest_that_cannot_be_built_is_in_error_with_the_hosts_words(cloud: Cloud) -> None:
    host = cloud.host()
    made = cloud.create()
    guest = host.guest(made["id"])
    host.report(host.done(guest, generation=0, state="failed", wired=(), fault="qemu-img: no space left on device"))
    shown = cloud.show(made["id"])
    assert (shown["status"], shown["fault"]["message"]) == ("ERROR", "qemu-img: no space left on device")
    assert cloud.act(made["id"], "reboot", {"type": "HARD"}).status_code == 202
    host.settle()
    shown = cloud.show(made["id"])
    assert shown["status"] == "ACTIVE"
    assert "fault" not in shown


@pytest.mark.parametrize(
    ("action", "task", "status", "back", "end"),
    [
        ("os-stop", "powering-off", "SHUTOFF", "os-start", "ACTIVE"),
        ("pause", "pausing", "PAUSED", "unpause", "ACTIVE"),
        ("suspend", "suspending", "SUSPENDED", "resume", "ACTIVE"),
    ],
)
def test_power(cloud: Cloud, action: str, task: str, status: str, back: str, end: str) -> None:
    host = cloud.host()
    server_id = cloud.active(host)["id"]
    assert cloud.act(server_id, action).status_code == 202
    assert cloud.show(server_id)["OS-EXT-STS:task_state"] == task
    refused = cloud.act(server_id, action)
    assert refused.status_code == 409
    assert task in refused.json()["conflictingRequest"]["message"]
    host.settle()
    assert cloud.show(server_id)["status"] == status
    assert cloud.act(server_id, back).status_code == 202
    host.settle()
    assert cloud.show(server_id)["status"] == end


def test_a_guest_that_turned_itself_off_stays_off(cloud: Cloud) -> None:
    host = cloud.host()
    server_id = cloud.active(host)["id"]
    host.report(host.done(host.guest(server_id), state="stopped", wired=()))
    shown = cloud.show(server_id)
    assert (shown["status"], shown["OS-EXT-STS:power_state"]) == ("SHUTOFF", 4)
    assert host.guest(server_id).power == "stopped"
    assert cloud.act(server_id, "os-start").status_code == 202
    host.settle()
    assert cloud.show(server_id)["status"] == "ACTIVE"


def test_a_forgotten_network_is_chosen_where_there_is_one_only(cloud: Cloud) -> None:
    host = cloud.host()
    made = cloud.create(networks=None, version="2.1")
    host.settle()
    assert list(cloud.show(made["id"])["addresses"]) == ["private"]
    assert cloud.create_answer(networks=None, version="2.37").status_code == 400
    none = cloud.create(networks="none", version="2.37")
    host.settle()
    assert cloud.show(none["id"])["addresses"] == {}


def test_refusals_name_what_is_wrong(cloud: Cloud) -> None:
    cloud.host()

    def refused(status: int, **wish: object) -> str:
        answer = cloud.create_answer(**wish)  # type: ignore[arg-type]
        assert answer.status_code == status, answer.text
        (fault,) = answer.json().values()
        return str(fault["message"])

    assert "nowhere" in refused(400, flavorRef="nowhere")
    assert "requested image" in refused(400, imageRef="aaaaaaaa-0000-4000-8000-00000000ffff")
    assert "imageRef" in refused(400, imageRef="")
    assert "volume" in refused(
        400, block_device_mapping_v2=[{"source_type": "volume", "uuid": "x", "destination_type": "volume"}]
    )
    assert "key" in refused(400, key_name="mine")
    assert "base64" in refused(400, user_data="?")
    assert "could not be found" in refused(400, networks=[{"uuid": "aaaaaaaa-0000-4000-8000-00000000ffff"}])
    assert "IPv4" in refused(400, accessIPv4="1.1.1.1.1")
    assert "min_count" in refused(400, min_count=3, max_count=2)
    assert "zone" in refused(400, availability_zone="mars")
    assert "Quota" in refused(403, min_count=11)
    assert "Policy" in refused(403, host="h1")
    assert "Security group" in refused(400, security_groups=[{"name": "nobody"}])
    assert cloud.call("GET", "/servers").json()["servers"] == []
    assert cloud.create_answer(networks=[{"uuid": NETWORK, "fixed_ip": "10.0.0.77"}]).status_code == 202


def test_several_at_once_share_a_reservation(cloud: Cloud) -> None:
    host = cloud.host()
    answer = cloud.create_answer(name="n", min_count=2, max_count=3, return_reservation_id=True)
    reservation = answer.json()["reservation_id"]
    host.settle()
    found = cloud.call("GET", f"/servers/detail?reservation_id={reservation}&sort_key=display_name&sort_dir=asc")
    assert [server["name"] for server in found.json()["servers"]] == ["n-1", "n-2", "n-3"]


def test_a_reboot_counts_an_epoch_and_a_hard_one_is_the_way_out_of_a_stuck_task(cloud: Cloud) -> None:
    host = cloud.host()
    server_id = cloud.active(host)["id"]
    assert cloud.act(server_id, "reboot", {"type": "SOFT"}).status_code == 202
    assert cloud.show(server_id)["status"] == "REBOOT"
    assert host.guest(server_id).reboots == 1
    assert cloud.act(server_id, "reboot", {"type": "SOFT"}).status_code == 409
    assert cloud.act(server_id, "reboot", {"type": "HARD"}).status_code == 202
    assert cloud.show(server_id)["status"] == "HARD_REBOOT"
    assert host.guest(server_id).hard_reboots == 1
    host.settle()
    assert cloud.show(server_id)["status"] == "ACTIVE"
    assert cloud.act(server_id, "reboot", {"type": "LAZY"}).status_code == 400


def test_rebuild_keeps_the_address_and_takes_the_new_wishes(cloud: Cloud) -> None:
    host = cloud.host()
    before = cloud.active(host, metadata={"a": "1"})
    wish = {"imageRef": before["image"]["id"], "name": "again", "metadata": {"b": "2"}, "adminPass": "secret"}
    answer = cloud.act(before["id"], "rebuild", wish)
    assert answer.status_code == 202
    assert answer.json()["server"]["adminPass"] == "secret"
    assert answer.json()["server"]["status"] == "REBUILD"
    assert host.guest(before["id"]).rebuilds == 1
    host.settle()
    after = cloud.show(before["id"])
    assert (after["status"], after["name"], after["metadata"]) == ("ACTIVE", "again", {"b": "2"})
    assert after["addresses"] == before["addresses"]


@pytest.mark.parametrize(
    ("version", "there"), [("2.53", set()), ("2.56", {"key_name"}), ("2.57", {"key_name", "user_data"})]
)
def test_what_a_rebuild_tells_grows_with_the_version(cloud: Cloud, version: str, there: set[str]) -> None:
    host = cloud.host()
    server = cloud.active(host)
    answer = cloud.act(server["id"], "rebuild", {"imageRef": server["image"]["id"]}, version=version)
    shown = answer.json()["server"]
    assert shown.keys() & {"key_name", "user_data", "OS-EXT-STS:vm_state"} == there
    assert shown["addresses"]["private"][0].keys() == {"version", "addr"}


def test_a_locked_server_is_its_lockers(cloud: Cloud) -> None:
    host = cloud.host()
    server_id = cloud.active(host)["id"]
    assert cloud.act(server_id, "lock", {"locked_reason": "exam"}).status_code == 202
    shown = cloud.show(server_id)
    assert (shown["locked"], shown["locked_reason"]) == (True, "exam")
    refused = cloud.act(server_id, "os-stop")
    assert refused.status_code == 409
    assert "locked: exam" in refused.json()["conflictingRequest"]["message"]
    assert cloud.call("DELETE", f"/servers/{server_id}").status_code == 409
    assert cloud.act(server_id, "os-stop", token="project-admin").status_code == 202
    assert cloud.act(server_id, "unlock").status_code == 202
    assert cloud.show(server_id)["locked"] is False
    assert cloud.act(server_id, "lock", token="project-admin@p2").status_code == 202
    assert cloud.act(server_id, "unlock").status_code == 403
    assert cloud.act(server_id, "lock", {"locked_reason": "no"}, version="2.72").status_code == 400


def test_an_interface_comes_and_goes(cloud: Cloud) -> None:
    host = cloud.host()
    server_id = cloud.active(host, networks="none")["id"]
    path = f"/servers/{server_id}/os-interface"
    answer = cloud.call("POST", path, {"interfaceAttachment": {"net_id": NETWORK, "tag": "lan"}})
    assert answer.status_code == 200, answer.text
    made = answer.json()["interfaceAttachment"]
    guest = host.guest(server_id)
    assert [nic.port_id for nic in guest.nics] == [made["port_id"]]
    assert guest.documents is not None
    assert guest.documents.meta_data["devices"][0]["tags"] == ["lan"]
    host.settle()
    shown = cloud.call("GET", f"{path}/{made['port_id']}").json()["interfaceAttachment"]
    assert (shown["port_state"], shown["tag"], shown["net_id"]) == ("ACTIVE", "lan", NETWORK)
    assert cloud.call("DELETE", f"{path}/{made['port_id']}").status_code == 202
    assert host.guest(server_id).nics == ()
    assert cloud.call("GET", path).json()["interfaceAttachments"] == []
    assert cloud.call("DELETE", f"{path}/{made['port_id']}").status_code == 404


def test_what_was_done_is_told_with_its_end(cloud: Cloud) -> None:
    host = cloud.host()
    server_id = cloud.active(host)["id"]
    request_id = cloud.act(server_id, "os-stop").headers["x-compute-request-id"]
    path = f"/servers/{server_id}/os-instance-actions"
    (event,) = cloud.call("GET", f"{path}/{request_id}").json()["instanceAction"]["events"]
    assert (event["result"], event["finish_time"]) == (None, None)
    guest = host.guest(server_id)
    host.report(host.done(guest, generation=guest.generation - 1, state="running", fault="the guest does not listen"))
    (event,) = cloud.call("GET", f"{path}/{request_id}").json()["instanceAction"]["events"]
    assert event["result"] == "Error"
    shown = cloud.call("GET", f"{path}/{request_id}", token="project-admin").json()["instanceAction"]["events"][0]
    assert (shown["details"], shown["host"]) == ("the guest does not listen", "h1")
    assert cloud.show(server_id)["status"] == "ACTIVE"
    actions = cloud.call("GET", path).json()["instanceActions"]
    assert [action["action"] for action in actions] == ["stop", "create"]
    cloud.call("DELETE", f"/servers/{server_id}")
    host.settle()
    assert cloud.call("GET", path).status_code == 200
    assert cloud.call("GET", path, version="2.20").status_code == 404


def test_a_guest_deleted_on_a_host_that_is_away_ends_when_forced_or_when_the_host_is_back(cloud: Cloud) -> None:
    host = cloud.host()
    first, second = cloud.active(host)["id"], cloud.active(host)["id"]
    for server_id in (first, second):
        assert cloud.call("DELETE", f"/servers/{server_id}").status_code == 204
        assert cloud.show(server_id)["OS-EXT-STS:task_state"] == "deleting"
    assert cloud.act(first, "forceDelete").status_code == 202
    assert cloud.call("GET", f"/servers/{first}").status_code == 404
    host.fetch()
    host.report(full=True)
    assert cloud.call("GET", f"/servers/{second}").status_code == 404


def test_hosts_show_their_token(cloud: Cloud) -> None:
    host = cloud.host()
    assert cloud.call("GET", "/node/v1/hosts/h1/spec", token=None).status_code == 401
    wrong = {"X-Pileus-Host-Token": "guessed"}
    assert cloud.call("GET", "/node/v1/hosts/h1/spec", token=None, headers=wrong).status_code == 403
    assert cloud.call("GET", "/node/v1/hosts/h2/spec", token=None, headers=wrong).status_code == 403
    mine = {"X-Pileus-Host-Token": host.token}
    assert cloud.call("GET", "/node/v1/hosts/h2/spec", token=None, headers=mine).status_code == 403
    assert host.send("GET", f"/spec?seen={host.fetch().revision}").status_code == 304
    assert cloud.call("GET", "/node/v1/images/none/file", token=None).status_code == 401


def test_a_console_is_opened_by_a_token(cloud: Cloud) -> None:
    host = cloud.host()
    made = cloud.create()
    wish = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    assert cloud.call("POST", f"/servers/{made['id']}/remote-consoles", wish).status_code == 409
    host.settle()
    shown = cloud.call("POST", f"/servers/{made['id']}/remote-consoles", wish).json()["remote_console"]
    assert shown["url"].startswith("http://cloud/console/vnc?path=console%2Fvnc%2Fstream%3Ftoken%3D")
    spice = {"remote_console": {"protocol": "spice", "type": "spice-html5"}}
    assert cloud.call("POST", f"/servers/{made['id']}/remote-consoles", spice).status_code == 400
    output = cloud.act(made["id"], "os-getConsoleOutput", {"length": 5})
    assert output.status_code == 503
    assert "does not give its console log" in output.json()["serviceUnavailable"]["message"]


def test_lists_are_paged_sorted_and_filtered(cloud: Cloud) -> None:
    host = cloud.host()
    for name, tags in (("b", ["red"]), ("a", ["red", "blue"]), ("c", [])):
        cloud.create(name=name, tags=tags, metadata={"name": name})
    host.settle()

    def names(query: str, **more: str) -> list[str]:
        answer = cloud.call("GET", f"/servers/detail?{query}", **more)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        return [server["name"] for server in answer.json()["servers"]]

    assert names("") == ["c", "a", "b"]
    assert names("sort_key=display_name&sort_dir=asc") == ["a", "b", "c"]
    first = cloud.call("GET", "/servers?sort_key=display_name&sort_dir=asc&limit=2").json()
    assert [server["name"] for server in first["servers"]] == ["a", "b"]
    after = first["servers_links"][0]["href"].split("?")[1]
    assert names(after) == ["c"]
    assert names("tags=red,blue") == ["a"]
    assert sorted(names("tags-any=red,blue")) == ["a", "b"]
    assert sorted(names("not-tags=red,blue")) == ["b", "c"]
    assert names("not-tags-any=red,blue") == ["c"]
    assert sorted(names("name=[ab]")) == ["a", "b"]
    assert names("ip=10.0.0.10$") == ["b"]
    assert names("host=h1&flavor=1&status=ACTIVE", token="project-admin") == ["c", "a", "b"]
    assert names("flavor=2") == []
    assert names("locked=True") == []
    assert names("power_state=1&vm_state=active", version="2.83") == ["c", "a", "b"]
    assert names("changes-since=2100-01-01T00:00:00Z") == []
    assert names("all_tenants=1", token="project-admin@p2") == ["c", "a", "b"]
    assert cloud.call("GET", "/servers?sort_key=host").status_code == 403


def test_a_port_that_is_there_is_taken_and_given_back(cloud: Cloud) -> None:
    host = cloud.host()
    with cloud.db.write() as tx:
        rows = Rows(tx)
        port = rows.port(NETWORK, (SUBNET, "10.0.0.99"), project_id=PROJECT, device_id="", device_owner="")
    server = cloud.active(host, networks=[{"port": port, "tag": "uplink"}])
    assert [address["addr"] for address in server["addresses"]["private"]] == ["10.0.0.99"]
    taken = cloud.create_answer(networks=[{"port": port}])
    assert taken.status_code == 409
    assert cloud.call("DELETE", f"/servers/{server['id']}").status_code == 204
    host.settle()
    again = cloud.active(host, networks=[{"port": port}])
    assert [address["addr"] for address in again["addresses"]["private"]] == ["10.0.0.99"]


def test_a_port_that_says_it_is_a_servers_is_not(cloud: Cloud) -> None:
    """Anybody may write any device_id on a port of theirs."""
    host = cloud.host()
    server = cloud.active(host)
    with cloud.db.write() as tx:
        Rows(tx).port(
            NETWORK, (SUBNET, "10.0.0.98"), project_id="other", device_id=server["id"], device_owner="compute:nova"
        )
    assert cloud.show(server["id"])["addresses"] == server["addresses"]
    assert len(host.guest(server["id"]).nics) == 1
    assert cloud.act(server["id"], "os-stop").status_code == 202
    host.settle()
    assert cloud.act(server["id"], "os-start").status_code == 202
    host.settle()
    assert cloud.show(server["id"])["status"] == "ACTIVE"


def test_a_port_that_is_taken_from_its_server_leaves_the_guest(cloud: Cloud) -> None:
    host = cloud.host()
    server = cloud.active(host)
    before = host.guest(server["id"])
    with cloud.db.write() as tx:
        port = network.port_of(tx, before.nics[0].port_id)
        assert port is not None
        update_port(tx, Caller(user_id="u"), port, PortUpdate(device_id=""))
    after = host.guest(server["id"])
    assert (after.nics, after.generation) == ((), before.generation + 1)
    with cloud.db.read() as tx:
        port = network.port_of(tx, port.id)
        assert port is not None
        assert (port.status, port.binding_host) == ("DOWN", "")
    again = cloud.active(host, networks=[{"port": port.id}])
    assert again["addresses"] == server["addresses"]


def test_a_fixed_address_more_and_less(cloud: Cloud) -> None:
    host = cloud.host()
    server_id = cloud.active(host)["id"]

    def act(name: str, body: dict[str, str], version: str = "2.43") -> int:
        return cloud.act(server_id, name, body, version=version).status_code

    def held() -> list[str]:
        return [address["addr"] for address in cloud.show(server_id)["addresses"]["private"]]

    (first,) = held()
    assert act("addFixedIp", {"networkId": NETWORK}) == 202
    assert (len(held()), held()[0]) == (2, first)
    guest = host.guest(server_id)
    assert guest.documents is not None
    assert len(guest.documents.network_data["networks"]) == 2
    assert act("removeFixedIp", {"address": held()[1]}) == 202
    assert held() == [first]
    assert act("removeFixedIp", {"address": "10.0.0.77"}) == 400
    assert act("addFixedIp", {"networkId": "no-such"}) == 404
    assert act("addFixedIp", {"networkId": NETWORK}, version="2.44") == 404


def test_a_server_that_is_not_there_is_told_before_an_action_that_is_none(cloud: Cloud) -> None:
    host = cloud.host()
    server_id = cloud.active(host)["id"]
    assert cloud.act(server_id, "transmogrify").status_code == 400
    assert cloud.act("aaaaaaaa-0000-4000-8000-00000000dead", "transmogrify").status_code == 404


def test_w13_a_floating_ip_is_free_when_its_server_is_gone_whatever_step_dies(cloud: Cloud) -> None:
    host = cloud.host()
    server_id = cloud.active(host)["id"]
    with cloud.db.write() as tx:
        rows = Rows(tx)
        outside = rows.network(physical_network="public", project_id=PROJECT)
        subnet = rows.subnet(outside, "172.24.4.0/24", project_id=PROJECT)
        port = host.guest(server_id).nics[0].port_id
        floating = rows.floating_ip(
            outside, subnet, "172.24.4.5", port_id=port, fixed_ip_address="10.0.0.10", project_id=PROJECT
        )
        tx.wake(f"host:{host.name}")

    def leads_to() -> str | None:
        with cloud.db.read() as tx:
            return tx.scalar(sa.select(floating_ips.c.port_id).where(floating_ips.c.id == floating))  # type: ignore[no-any-return]

    kinds = [(a["addr"], a["OS-EXT-IPS:type"]) for a in cloud.show(server_id)["addresses"]["private"]]
    assert kinds == [("10.0.0.10", "fixed"), ("172.24.4.5", "floating")]
    documents = host.guest(server_id).documents
    assert documents is not None
    assert documents.ec2["public-ipv4"] == "172.24.4.5"
    for step in range(1, 100):
        with dying_at(cloud.db, step) as death:
            answer = cloud.call("DELETE", f"/servers/{server_id}")
        if not death:
            break
        assert answer.status_code == 500
        assert leads_to() == port
        assert cloud.show(server_id)["OS-EXT-STS:task_state"] is None
    assert step > 8
    assert answer.status_code == 204
    assert leads_to() is None


@contextmanager
def dying_at(db: Database, step: int) -> Iterator[list[str]]:
    """What is done with the database ends at the given statement; the list then names it."""
    death: list[str] = []
    count = 0

    def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal count
        count += 1
        if count == step:
            death.append(statement)
            raise RuntimeError("the process was killed")

    sa.event.listen(db.engine, "before_cursor_execute", die)
    try:
        yield death
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", die)


def test_a_task_that_no_report_ends_is_ended(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    host = cloud.host()
    server_id = cloud.active(host)["id"]
    cloud.act(server_id, "os-stop")
    host.report(host.done(host.guest(server_id), state="running"))
    reconcile.end_stuck(cloud.db)
    assert cloud.show(server_id)["OS-EXT-STS:task_state"] == "powering-off"
    monkeypatch.setattr(reconcile, "PATIENCE", timedelta(0))
    reconcile.end_stuck(cloud.db)
    shown = cloud.show(server_id)
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("ACTIVE", None)
