"""What OVN says it would do with a packet agrees with what it does."""

import pytest

from pileus.services.network import tables as t
from pileus.services.network.ovn import trace
from pileus.services.network.store import topology
from pileus.supervise import ovn
from tests.support.cloud import Cloud, Office

pytestmark = pytest.mark.real


class Scene:
    """Guest a and guest c let all in; b lets only SSH in. c has the floating IP 172.24.4.100."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.office = cloud, Office(cloud)
        office = self.office
        with cloud.rows() as rows:
            ssh = rows.group()
            rows.rule(ssh, protocol="tcp", port_range_min=22, port_range_max=22)
            self.a, self.b, self.c = (
                rows.port(office.network, (office.subnet, f"10.0.0.{number}"), groups=(group,))
                for number, group in ((20, office.open), (21, ssh), (22, office.open))
            )
            rows.floating_ip(
                office.outside, office.outside_subnet, "172.24.4.100",
                port_id=self.c, fixed_ip_address="10.0.0.22", router_id=office.router,
            )  # fmt: skip

    def topology(self) -> topology.Topology:
        with self.cloud.db.read() as tx:
            return topology.read(tx, ())

    def run(self, flow: trace.Flow) -> trace.Trace:
        return trace.run(ovn.southbound(self.cloud.lab.state_dir), flow)

    def between(self, port: str, address: str, protocol: str = "icmp", number: int | None = None) -> trace.Trace:
        return self.run(trace.between(self.topology(), port, address, protocol, number))


def test_what_passes_comes_out_at_the_other_port(cloud: Cloud) -> None:
    scene = Scene(cloud)
    for found, port in (
        (scene.between(scene.a, "10.0.0.22"), scene.c),
        (scene.between(scene.a, "10.0.0.21", "tcp", 22), scene.b),
        (scene.run(trace.from_outside(scene.topology(), "172.24.4.100", "172.24.4.1", "tcp", 22)), scene.c),
    ):
        assert found.reaches == [port]
        assert found.dropped is None
        assert port in found.explain()


def test_a_security_group_that_stops_a_packet_is_named(cloud: Cloud) -> None:
    scene = Scene(cloud)
    inward = scene.between(scene.a, "10.0.0.21", "tcp", 80)
    assert inward.reaches == []
    assert inward.dropped
    assert inward.dropped.stage == "ls_out_acl"
    assert "no security group rule lets it in" in inward.explain()
    assert "no security group rule lets it out" in scene.between(scene.b, "10.0.0.20").explain()


def test_the_world_is_reached_by_the_gateway_and_nothing_without_a_route(cloud: Cloud) -> None:
    scene = Scene(cloud)
    world = scene.between(scene.a, "8.8.8.8")
    assert world.reaches == [f"physical-{scene.office.outside}"]
    with cloud.rows() as rows:
        rows.tx.update(t.subnets, t.subnets.c.id == scene.office.outside_subnet, {"gateway_ip": None})
    assert "the router has no route there" in scene.between(scene.a, "8.8.8.8").explain()


def test_a_stolen_address_is_named(cloud: Cloud) -> None:
    scene = Scene(cloud)
    honest = trace.between(scene.topology(), scene.a, "10.0.0.22")
    stolen = trace.Flow(
        honest.network_id, honest.enters, honest.mac_source, honest.mac_destination, "10.0.0.99", honest.destination
    )
    assert "port security" in scene.run(stolen).explain()


def test_what_cannot_be_asked_says_why(cloud: Cloud) -> None:
    scene = Scene(cloud)
    for port, address, reason in (
        ("no-such-port", "10.0.0.20", "no port no-such-port"),
        (scene.a, "10.0.0.77", "No port of network"),
        (scene.a, "2001:db8::1", "no IPv6 address"),
    ):
        with pytest.raises(trace.Unknown, match=reason):
            scene.between(port, address)
    with pytest.raises(trace.Unknown, match="No router serves"):
        trace.from_outside(scene.topology(), "172.24.4.200", "172.24.4.1")
    with cloud.rows() as rows:
        rows.tx.update(t.subnets, t.subnets.c.id == scene.office.subnet, {"gateway_ip": None})
    with pytest.raises(trace.Unknown, match="none is set"):
        scene.between(scene.a, "8.8.8.8")


def test_a_southbound_database_that_is_not_there_is_an_error(cloud: Cloud) -> None:
    scene = Scene(cloud)
    with pytest.raises(OSError, match="ovn-trace"):
        trace.run("unix:/nonexistent", trace.between(scene.topology(), scene.a, "10.0.0.22"))
