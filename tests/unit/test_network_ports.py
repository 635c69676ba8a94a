"""What compute relies on: ports made, bound, wired and described inside its own transaction."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.errors import Conflict, NotFound
from pileus.services.network import rules
from pileus.services.network.rules import networks, quotas, security_groups, subnets
from pileus.services.network.types.networks import NetworkCreate, NetworkUpdate
from pileus.services.network.types.rows import NetworkRow
from pileus.services.network.types.security_groups import SecurityGroupUpdate
from pileus.services.network.types.subnets import SubnetCreate
from tests.support.personas import persona

CALLER = persona("project-member@p1")


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    db = Database(f"sqlite:///{tmp_path}/pileus.db")
    db.create_tables()
    with db.write() as tx:
        yield tx
    db.close()


def make_network(tx: Tx, cidr: str = "10.0.0.0/24", caller: Caller = CALLER, **more: object) -> NetworkRow:
    network = networks.create_network(tx, caller, NetworkCreate(name="n"))
    version = 6 if ":" in cidr else 4
    wish = SubnetCreate(network_id=network.id, ip_version=version, cidr=cidr, **more)  # type: ignore[arg-type]
    subnets.create_subnet(tx, caller, network, wish)
    return network


def test_a_port_is_described_with_all_that_a_server_needs(tx: Tx) -> None:
    network = make_network(tx)
    port = rules.create_port(tx, CALLER, rules.PortWish(network_id=network.id, device_id="s1"))
    detail = rules.ports_of_devices(tx, ["s1", "s2"])
    assert detail["s2"] == []
    (found,) = detail["s1"]
    assert found.port.id == port.id
    assert found.network.mtu == 1442
    assert [(f.ip_address, f.subnet.cidr) for f in found.fixed_ips] == [("10.0.0.3", "10.0.0.0/24")]
    assert [group.name for group in found.security_groups] == ["default"]


def test_a_port_is_active_while_it_is_wired(tx: Tx) -> None:
    network = make_network(tx)
    port = rules.create_port(tx, CALLER, rules.PortWish(network_id=network.id))
    port = rules.bind_port(tx, CALLER, port.id, "h1", "s1", "compute:nova")
    with pytest.raises(Conflict, match="s1"):
        rules.bind_port(tx, CALLER, port.id, "h1", "s2", "compute:nova")
    rules.port_wired(tx, port, True)
    bound = rules.port_of(tx, port.id)
    assert bound is not None
    assert (bound.status, bound.binding_host) == ("ACTIVE", "h1")
    assert tx.topics == {"network": None, "host:h1": None}
    (metadata,) = rules.metadata_ports(tx, rules.ports_of_devices(tx, ["s1"])["s1"])
    assert metadata.addresses == ("10.0.0.2/24",)
    assert metadata.guests == {"10.0.0.3": "s1"}
    assert rules.metadata_ports(tx, []) == []
    rules.unbind_port(tx, CALLER, port.id)
    free = rules.port_of(tx, port.id)
    assert free is not None
    assert (free.status, free.binding_host, free.device_id, free.device_owner) == ("DOWN", "", "", "")


def test_a_deleted_port_gives_its_address_back(tx: Tx) -> None:
    network = make_network(tx, "10.0.0.0/29", allocation_pools=[{"start": "10.0.0.2", "end": "10.0.0.3"}])
    port = rules.create_port(tx, CALLER, rules.PortWish(network_id=network.id))
    with pytest.raises(Conflict, match="No more IP addresses"):
        rules.create_port(tx, CALLER, rules.PortWish(network_id=network.id))
    rules.delete_port(tx, CALLER, port.id)
    rules.delete_port(tx, CALLER, port.id)
    rules.create_port(tx, CALLER, rules.PortWish(network_id=network.id))


def test_ports_made_together_stop_at_the_limit(tx: Tx) -> None:
    network = make_network(tx)
    quotas.update(tx, "p1", {"port": quotas.used(tx, "p1", "port") + 3}, check_limit=False)
    for _ in range(3):
        rules.create_port(tx, CALLER, rules.PortWish(network_id=network.id))
    with pytest.raises(Conflict, match="Quota exceeded"):
        rules.create_port(tx, CALLER, rules.PortWish(network_id=network.id))
    quotas.update(tx, "p1", {"port": -1}, check_limit=False)
    rules.create_port(tx, CALLER, rules.PortWish(network_id=network.id))


def test_a_slaac_address_is_made_of_the_mac(tx: Tx) -> None:
    network = make_network(tx, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    wish = rules.PortWish(network_id=network.id, mac_address="fa:16:3e:00:00:01", device_id="s1")
    rules.create_port(tx, CALLER, wish)
    (found,) = rules.ports_of_devices(tx, ["s1"])["s1"]
    assert [f.ip_address for f in found.fixed_ips] == ["fd00::f816:3eff:fe00:1"]


def test_networks_for_a_server_that_names_none(tx: Tx) -> None:
    admin = persona("project-admin@p2")
    mine = make_network(tx)
    make_network(tx, caller=admin)
    shared = networks.create_network(tx, admin, NetworkCreate(name="shared", shared=True))
    assert {network.id for network in rules.default_networks(tx, CALLER)} == {mine.id, shared.id}


def test_a_network_of_others_is_not_found(tx: Tx) -> None:
    network = make_network(tx, caller=persona("project-member@p2"))
    with pytest.raises(NotFound, match=network.id):
        rules.create_port(tx, CALLER, rules.PortWish(network_id=network.id))


def test_hosts_look_again_when_what_their_guests_are_told_has_changed(tx: Tx) -> None:
    network = make_network(tx)
    port = rules.create_port(tx, CALLER, rules.PortWish(network_id=network.id, device_owner="compute:nova"))
    rules.bind_port(tx, CALLER, port.id, "h1", "s1", "compute:nova")
    group = rules.visible_security_group(tx, CALLER, security_groups.default_group(tx, CALLER.project_id or ""))
    tx.topics.clear()
    networks.update_network(tx, CALLER, network, NetworkUpdate(mtu=1400))
    assert "host:h1" in tx.topics
    tx.topics.clear()
    security_groups.update_security_group(tx, CALLER, group, SecurityGroupUpdate(description="new"))
    assert "host:h1" in tx.topics
    tx.topics.clear()
    wish = SubnetCreate(network_id=network.id, ip_version=4, cidr="10.1.0.0/24")
    subnets.create_subnet(tx, CALLER, network, wish)
    assert "host:h1" in tx.topics
