"""What guests see of their networks, on real OVN with real packets."""

import pytest

from pileus.services.network import tables as t
from tests.support import packets
from tests.support.cloud import Cloud, Office
from tests.support.lab import until
from tests.support.network_rows import Rows
from tests.support.packets import answers, checksums_right, dhcp, silent

pytestmark = pytest.mark.real


def test_w01_dhcp_tells_all_and_its_checksums_are_right(cloud: Cloud) -> None:
    office = Office(cloud, mtu=1400)
    with cloud.rows() as rows:
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,), dns_name="box")
    answer = dhcp(cloud.guest(port))
    assert answer["address"] == "10.0.0.20"
    assert checksums_right(answer["frame"])
    assert answer["subnet_mask"] == "255.255.255.0"
    assert answer["router"] == "10.0.0.1"
    assert answer["name_server"] == ["9.9.9.9", "8.8.8.8"]
    assert answer["interface-mtu"] == 1400
    assert answer["server_id"] == "10.0.0.2"
    assert answer["lease_time"] == 43200


def test_guests_of_a_network_reach_each_other_and_other_networks_by_the_router(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        attic = rows.network()
        attic_subnet = rows.subnet(attic, "10.0.1.0/24")
        rows.interface(office.router, attic, (attic_subnet, "10.0.1.1"))
        a, b = (rows.port(office.network, (office.subnet, f"10.0.0.{n}"), groups=(office.open,)) for n in (20, 21))
        c = rows.port(attic, (attic_subnet, "10.0.1.20"), groups=(office.open,))
    first = cloud.guest(a, "10.0.0.20/24", "10.0.0.1")
    cloud.guest(b, "10.0.0.21/24", "10.0.0.1")
    third = cloud.guest(c, "10.0.1.20/24", "10.0.1.1")
    answers(first, "10.0.0.21")
    answers(first, "10.0.1.20")
    answers(third, "10.0.0.20")


def test_w15_a_guest_reaches_the_world_by_source_nat(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
    answers(cloud.guest(port, "10.0.0.20/24", "10.0.0.1"), "172.24.4.1")


def test_without_source_nat_the_world_sees_no_guest(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
        rows.tx.update(t.routers, t.routers.c.id == office.router, {"enable_snat": False})
    assert silent(cloud.guest(port, "10.0.0.20/24", "10.0.0.1"), "172.24.4.1")


def test_the_world_reaches_a_guest_by_its_floating_ip_until_it_is_taken_away(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
        floating = rows.floating_ip(
            office.outside, office.outside_subnet, "172.24.4.100",
            port_id=port, fixed_ip_address="10.0.0.20", router_id=office.router,
        )  # fmt: skip
    cloud.guest(port, "10.0.0.20/24", "10.0.0.1")
    answers(cloud.lab, "172.24.4.100")
    assert cloud.value(t.floating_ips.c.status, floating) == "ACTIVE"
    assert cloud.value(t.routers.c.status, office.router) == "ACTIVE"
    assert cloud.value(t.ports.c.status, office.interface) == "ACTIVE"
    with cloud.rows() as rows:
        gone = {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
        rows.tx.update(t.floating_ips, t.floating_ips.c.id == floating, gone)
    assert silent(cloud.lab, "172.24.4.100")


def test_metadata_is_reached_over_the_hosts_own_port_by_a_route_from_dhcp(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
    host = cloud.guest(office.metadata, "10.0.0.2/24")
    host.configure("169.254.169.254/32")
    guest = cloud.guest(port)
    routes = dhcp(guest)["classless_static_routes"]
    assert "169.254.169.254/32:10.0.0.2" in routes
    assert "0.0.0.0/0:10.0.0.1" in routes
    guest.configure("10.0.0.20/24", "10.0.0.1")
    guest.route("169.254.169.254/32", "10.0.0.2")
    with packets.listening(host, 80):
        until(lambda: packets.connects(guest, "169.254.169.254", 80), what="the metadata service")


def test_a_port_with_dhcp_options_of_its_own_gets_them(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        port = rows.port(
            office.network, (office.subnet, "10.0.0.20"), groups=(office.open,),
            extra_dhcp_opts=[{"opt_name": "ntp-server", "opt_value": "10.0.0.9", "ip_version": 4}],
        )  # fmt: skip
    assert dhcp(cloud.guest(port))["NTP_server"] == "10.0.0.9"


def test_a_port_that_is_down_passes_nothing(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
    guest = cloud.guest(port, "10.0.0.20/24", "10.0.0.1")
    answers(guest, "10.0.0.1")
    with cloud.rows() as rows:
        rows.tx.update(t.ports, t.ports.c.id == port, {"admin_state_up": False})
    assert silent(guest, "10.0.0.1")


def test_what_somebody_changed_by_hand_is_repaired(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
    guest = cloud.guest(port, "10.0.0.20/24", "10.0.0.1")
    answers(guest, "172.24.4.1")
    for sabotage in (
        ("lr-nat-del", office.router),
        ("ls-del", office.network),
        ("lr-del", office.router),
        ("lsp-set-port-security", port, "fa:16:3e:00:00:99"),
        ("clear", "logical_switch_port", port, "external_ids"),
        ("set", "logical_switch_port", port, "external_ids:pileus=somebody-else"),
        ("pg-del", "pileus_secured"),
        ("clear", "logical_switch", office.network, "ports"),
    ):
        cloud.lab.nbctl("--wait=hv", *sabotage)
        cloud.apply()
        assert not cloud.reconciler.synchronise(), sabotage
        answers(guest, "172.24.4.1")


def test_a_new_process_finds_and_repairs_what_its_predecessor_left(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        port = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
    cloud.lab.nbctl("ls-del", office.network, "--", "ls-add", "foreign", "--", "lsp-add", "foreign", "theirs")
    cloud.reconciler.close()
    cloud.reconciler = cloud.new_reconciler()
    cloud.apply()
    answers(cloud.guest(port, "10.0.0.20/24", "10.0.0.1"), "172.24.4.1")
    assert "theirs" in cloud.lab.nbctl("lsp-list", "foreign")
    cloud.lab.nbctl("ls-del", "foreign")


def test_a_restarted_database_is_found_again(cloud: Cloud) -> None:
    office = Office(cloud)
    cloud.lab.kill("ovn-nb")
    with cloud.db.write() as tx:
        port = Rows(tx).port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))

    def run() -> bool:
        try:
            cloud.apply()
        except Exception:
            return False
        return True

    until(run, what="the northbound database")
    answers(cloud.guest(port, "10.0.0.20/24", "10.0.0.1"), "10.0.0.1")


def test_guests_names_are_answered_whatever_server_is_asked(cloud: Cloud) -> None:
    office = Office(cloud)
    with cloud.rows() as rows:
        a = rows.port(office.network, (office.subnet, "10.0.0.20"), groups=(office.open,))
        rows.port(office.network, (office.subnet, "10.0.0.21"), groups=(office.open,), dns_name="Box")
    guest = cloud.guest(a, "10.0.0.20/24", "10.0.0.1")
    for name in ("box", "box.openstacklocal"):
        until(lambda: packets.resolve(guest, name, "9.9.9.9") == "10.0.0.21", what=name)  # noqa: B023
