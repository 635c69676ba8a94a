"""Networks, hosts and the world outside, on real OVN with real packets."""

import subprocess

import pytest

from pileus.services.network import tables as t
from tests.support.cloud import Cloud, Office
from tests.support.lab import PHYSICAL_NETWORK, until
from tests.support.network_rows import Rows
from tests.support.packets import answers, silent

pytestmark = pytest.mark.real


def floating(rows: Rows, office: Office, address: str, port: str, fixed: str, router: str | None = None) -> str:
    return rows.floating_ip(
        office.outside, office.outside_subnet, address,
        port_id=port, fixed_ip_address=fixed, router_id=router or office.router,
    )  # fmt: skip


def test_guests_reach_each_others_floating_ips_and_their_own(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        a, b = (rows.port(office.network, (office.subnet, f"10.0.0.{n}"), groups=(office.open,)) for n in (20, 21))
        floating(rows, office, "172.24.4.100", a, "10.0.0.20")
        floating(rows, office, "172.24.4.101", b, "10.0.0.21")
    first = cloud.guest(a, "10.0.0.20/24", "10.0.0.1")
    cloud.guest(b, "10.0.0.21/24", "10.0.0.1")
    answers(first, "172.24.4.101")
    answers(first, "172.24.4.100")


def test_w09_a_floating_ip_that_moves_to_another_router_answers_within_5_s(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        second = rows.router()
        attic = rows.network()
        attic_subnet = rows.subnet(attic, "10.0.1.0/24")
        rows.interface(second, attic, (attic_subnet, "10.0.1.1"))
        rows.gateway(second, office.outside, (office.outside_subnet, "172.24.4.11"))
        a = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
        b = rows.port(attic, (attic_subnet, "10.0.1.20"), groups=(office.open,))
        moving = floating(rows, office, "172.24.4.100", a, "10.0.0.20")
    cloud.guest(a, "10.0.0.20/24", "10.0.0.1")
    cloud.guest(b, "10.0.1.20/24", "10.0.1.1")
    answers(cloud.lab, "172.24.4.100")
    with cloud.rows() as rows:
        to = {"port_id": b, "fixed_ip_address": "10.0.1.20", "router_id": second}
        rows.tx.update(t.floating_ips, t.floating_ips.c.id == moving, to)
    answers(cloud.lab, "172.24.4.100", patience=5)


def test_a_network_in_a_vlan_is_reached_with_its_tag_only(cloud: Cloud) -> None:
    cloud.lab.vsctl("add-port", "br-ex", "vlan77", "tag=77", "--", "set", "interface", "vlan77", "type=internal")
    try:
        subprocess.run(["ip", "addr", "add", "10.77.0.1/24", "dev", "vlan77"], check=True)
        subprocess.run(["ip", "link", "set", "vlan77", "up"], check=True)
        with cloud.rows() as rows:
            group = rows.open_group()
            tagged, untagged = (
                rows.network(physical_network=PHYSICAL_NETWORK, network_type=kind, segmentation_id=tag)
                for kind, tag in (("vlan", 77), ("flat", None))
            )
            ports = [
                rows.port(network, (rows.subnet(network, "10.77.0.0/24"), f"10.77.0.{number}"), groups=(group,))
                for network, number in ((tagged, 20), (untagged, 21))
            ]
        for port, number in zip(ports, (20, 21), strict=True):
            cloud.guest(port, f"10.77.0.{number}/24")
        answers(cloud.lab, "10.77.0.20")
        assert silent(cloud.lab, "10.77.0.21")
    finally:
        cloud.lab.vsctl("del-port", "br-ex", "vlan77")


def test_a_port_is_wired_on_the_host_that_it_is_bound_to_and_on_no_other(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        here, elsewhere = (
            rows.port(office.network, (office.subnet, f"10.0.0.{number}"), groups=(office.open,), binding_host=host)
            for number, host in ((20, cloud.lab.name), (21, "elsewhere"))
        )
    stranger = cloud.guest(elsewhere, "10.0.0.21/24", "10.0.0.1", wired=False)
    answers(cloud.guest(here, "10.0.0.20/24", "10.0.0.1"), "10.0.0.1")
    assert not stranger.wired()
    assert silent(stranger, "10.0.0.1")
    with cloud.rows() as rows:
        rows.tx.update(t.ports, t.ports.c.id == elsewhere, {"binding_host": cloud.lab.name})
    until(stranger.wired, what="the wiring after a move")
    answers(stranger, "10.0.0.1")


def test_extra_routes_lead_where_they_say(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        a = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
        b = rows.port(
            office.network, (office.subnet, "10.0.0.21"), groups=(office.open,), allowed_address_pairs=[
                {"ip_address": "192.0.2.0/24", "mac_address": ""}
            ],
        )  # fmt: skip
        route = {"destination": "192.0.2.0/24", "nexthop": "10.0.0.21"}
        rows.tx.update(t.routers, t.routers.c.id == office.router, {"routes": [route]})
    first = cloud.guest(a, "10.0.0.20/24", "10.0.0.1")
    cloud.guest(b, "10.0.0.21/24", "10.0.0.1").configure("192.0.2.7/32")
    answers(first, "192.0.2.7")


def test_a_router_that_is_down_forwards_nothing(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
    guest = cloud.guest(port, "10.0.0.20/24", "10.0.0.1")
    answers(guest, "172.24.4.1")
    with cloud.rows() as rows:
        rows.tx.update(t.routers, t.routers.c.id == office.router, {"admin_state_up": False})
    assert silent(guest, "172.24.4.1")


def test_a_process_killed_after_its_change_is_followed_by_one_that_tells_the_rows(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.db.write() as tx:
        rows = Rows(tx)
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
        late = floating(rows, office, "172.24.4.100", port, "10.0.0.20")
    cloud.reconciler.synchronise()
    cloud.reconciler.close()
    assert cloud.value(t.floating_ips.c.status, late) == "DOWN"
    cloud.reconciler = cloud.new_reconciler()
    cloud.reconciler.run()
    assert cloud.value(t.floating_ips.c.status, late) == "ACTIVE"
    cloud.guest(port, "10.0.0.20/24", "10.0.0.1")
    answers(cloud.lab, "172.24.4.100")


def test_a_router_port_without_an_address_holds_up_nothing(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        rows.interface(office.router, rows.network())
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
    answers(cloud.guest(port, "10.0.0.20/24", "10.0.0.1"), "172.24.4.1")
