"""Many at once on one small subnet: every address is given once, on both databases."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pileus.core.db import Database, Tx
from pileus.core.errors import Conflict
from pileus.services.network import rules
from pileus.services.network.rules import networks, quotas, security_groups, subnets
from pileus.services.network.types.networks import NetworkCreate
from pileus.services.network.types.subnets import SubnetCreate
from tests.support import postgres
from tests.support.personas import persona

CALLER = persona("project-member@p1")


@pytest.fixture(params=postgres.DATABASES)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        if not postgres.available():
            pytest.skip("PostgreSQL is not here")
        found = Database(postgres.new_database())
    else:
        found = Database(f"sqlite:///{tmp_path}/pileus.db")
    found.create_tables()
    yield found
    found.close()


def make_network(tx: Tx, cidr: str) -> str:
    network = networks.create_network(tx, CALLER, NetworkCreate(name="n"))
    wish = SubnetCreate(network_id=network.id, ip_version=4, cidr=cidr, enable_dhcp=False)
    subnets.create_subnet(tx, CALLER, network, wish)
    return network.id


def test_no_address_is_given_twice(db: Database) -> None:
    with db.write() as tx:
        network_id = make_network(tx, "10.0.0.0/27")

    def take(number: int) -> str | None:
        with db.write() as tx:
            try:
                rules.create_port(tx, CALLER, rules.PortWish(network_id=network_id, device_id=f"s{number}"))
            except Conflict as full:
                return full.code
            (detail,) = rules.ports_of_devices(tx, [f"s{number}"])[f"s{number}"]
            return detail.fixed_ips[0].ip_address

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take, range(40)))
    assert sorted(a for a in taken if a and a.startswith("10.")) == sorted(f"10.0.0.{n}" for n in range(2, 31))
    assert taken.count("IpAddressGenerationFailure") == 40 - 29


def test_no_project_gets_more_than_its_limit(db: Database) -> None:
    with db.write() as tx:
        quotas.update(tx, "p1", {"network": 3}, check_limit=False)
        security_groups.default_group(tx, "p1")
    ready = threading.Barrier(8)

    def take(_: int) -> bool:
        ready.wait(10)
        with db.write() as tx:
            try:
                return bool(networks.create_network(tx, CALLER, NetworkCreate(name="n")))
            except Conflict:
                return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(16))) == 3


def test_a_project_has_one_default_group(db: Database) -> None:
    def look(_: int) -> str:
        with db.write() as tx:
            return security_groups.default_group(tx, "p1")

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(look, range(16)))
    assert len(found) == 1
    with db.read() as tx:
        assert quotas.used(tx, "p1", "security_group") == 1
        assert quotas.used(tx, "p1", "security_group_rule") == 4


def test_networks_have_segments_of_their_own(db: Database) -> None:
    def make(_: int) -> int | None:
        with db.write() as tx:
            return networks.create_network(tx, CALLER, NetworkCreate(name="n")).segmentation_id

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(make, range(16)))
    assert sorted(n for n in found if n) == list(range(1, 17))
