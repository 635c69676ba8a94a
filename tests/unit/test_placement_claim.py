"""The claim: never more than there is, whatever comes at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pileus.core.db import Database, Tx, new_id
from pileus.core.errors import Conflict
from pileus.core.version import Version
from pileus.services.placement import rules, store
from pileus.services.placement.rules import Inventory, providers
from tests.support.postgres import new_url


def make_host(tx: Tx, **totals: int) -> str:
    provider_id = new_id()
    inventories = {name: Inventory(total=total) for name, total in totals.items()}
    rules.ensure_provider(tx, provider_id, f"host-{provider_id}", inventories, ["COMPUTE_NODE", "CUSTOM_FAST"])
    return provider_id


def used(tx: Tx, provider_id: str) -> dict[str, int]:
    return {row.resource_class: row.used for row in store.providers.inventories_of(tx, provider_id)}


def claim(tx: Tx, provider_id: str, **resources: int) -> str | None:
    consumer_id = new_id()
    return consumer_id if rules.claim(tx, consumer_id, "p", "u", provider_id, resources) else None


def test_200_claims_at_once_into_room_for_50(db: Database) -> None:
    with db.write() as tx:
        host = make_host(tx, VCPU=100, MEMORY_MB=50 * 512)

    def one(_: int) -> bool:
        with db.write() as tx:
            return claim(tx, host, VCPU=1, MEMORY_MB=512) is not None

    with ThreadPoolExecutor(16) as pool:
        given_out = sum(pool.map(one, range(200)))
    assert given_out == 50
    with db.read() as tx:
        assert used(tx, host) == {"VCPU": 50, "MEMORY_MB": 50 * 512}


def test_a_claim_that_does_not_fit_takes_nothing(db: Database) -> None:
    with db.write() as tx:
        host = make_host(tx, VCPU=4, MEMORY_MB=100)
        assert claim(tx, host, VCPU=1, MEMORY_MB=101) is None
        assert claim(tx, host, VCPU=1, MEMORY_MB=1, DISK_GB=1) is None
        assert used(tx, host) == {"VCPU": 0, "MEMORY_MB": 0}


def test_what_is_released_can_be_claimed_again(db: Database) -> None:
    with db.write() as tx:
        host = make_host(tx, VCPU=1)
        consumer = claim(tx, host, VCPU=1, DISK_GB=0)
        assert consumer
        assert claim(tx, host, VCPU=1) is None
        assert [(row.resource_class, row.amount) for row in rules.allocations(tx, consumer)] == [("VCPU", 1)]
        assert rules.release(tx, consumer)
        assert not rules.release(tx, consumer)
        assert claim(tx, host, VCPU=1)


def test_a_provider_is_ensured_once(db: Database) -> None:
    with db.write() as tx:
        host = make_host(tx, VCPU=1, MEMORY_MB=8)
        before = store.providers.provider(tx, host)
        assert before
        wanted = {"VCPU": Inventory(total=1), "MEMORY_MB": Inventory(total=8)}
        rules.ensure_provider(tx, host, before.name, wanted, ["COMPUTE_NODE"])
        assert store.providers.provider(tx, host) == before
        assert claim(tx, host, VCPU=1)
        none = Inventory(total=0)
        rules.ensure_provider(
            tx, host, before.name, {"VCPU": none, "MEMORY_MB": none, "DISK_GB": Inventory(total=3)}, []
        )
        assert used(tx, host) == {"VCPU": 1, "DISK_GB": 0}
        assert set(store.providers.traits_of(tx, host)) == {"COMPUTE_NODE", "CUSTOM_FAST"}
        with pytest.raises(Conflict):
            rules.remove_provider(tx, host)


def test_what_others_gave_a_provider_stays_when_its_host_registers_again(db: Database) -> None:
    with db.write() as tx:
        host = make_host(tx, VCPU=1)
        row = store.providers.provider(tx, host)
        assert row
        providers.put_inventory(tx, row, "PCPU", Inventory(total=2), Version(1, 39))
        rules.ensure_provider(tx, host, row.name, {"VCPU": Inventory(total=1), "DISK_GB": Inventory(total=0)}, [])
        assert used(tx, host) == {"VCPU": 0, "PCPU": 0}


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    database = Database(new_url("sqlite", tmp_path))
    database.create_tables()
    yield database
    database.close()


inventory = st.builds(
    Inventory,
    total=st.integers(1, 50),
    reserved=st.integers(0, 20),
    min_unit=st.integers(1, 4),
    max_unit=st.integers(4, 20),
    step_size=st.integers(1, 4),
    allocation_ratio=st.sampled_from([0.5, 1.0, 1.1, 1.5, 16.0]),
)
step = st.tuples(st.booleans(), st.integers(1, 20), st.integers(0, 20))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(one=inventory, other=inventory, steps=st.lists(step, max_size=25))
def test_usage_is_the_sum_of_the_allocations_and_never_over_capacity(
    sqlite: Database, one: Inventory, other: Inventory, steps: list[tuple[bool, int, int]]
) -> None:
    with sqlite.write() as tx:
        host = new_id()
        rules.ensure_provider(tx, host, host, {"VCPU": one, "DISK_GB": other}, [])
        held: list[str] = []
        for is_claim, vcpus, disk in steps:
            if is_claim:
                resources = {"VCPU": vcpus, "DISK_GB": disk}
                fits = host in [c.provider_id for c in rules.candidates(tx, resources)]
                assert fits == (host not in [name for name, _ in rules.refusals(tx, resources)])
                consumer = claim(tx, host, **resources)
                assert (consumer is not None) == fits
                held += [consumer] if consumer else []
            elif held:
                rules.release(tx, held.pop(vcpus % len(held)))
            rows = store.providers.inventories_of(tx, host)
            for row in rows:
                given_out = [
                    a.amount for c in held for a in rules.allocations(tx, c) if a.resource_class == row.resource_class
                ]
                assert row.used == sum(given_out)
                assert row.used <= max(row.capacity, 0)
        for consumer in held:
            rules.release(tx, consumer)


def test_refusals_give_the_numbers(sqlite: Database) -> None:
    with sqlite.write() as tx:
        small = make_host(tx, VCPU=2, MEMORY_MB=512)
        assert claim(tx, small, VCPU=1)
        reasons = dict(rules.refusals(tx, {"VCPU": 2, "MEMORY_MB": 512, "DISK_GB": 1}))
        assert reasons[f"host-{small}"] == "VCPU: 2 wanted, 1 free of 2; no DISK_GB"
        reasons = dict(rules.refusals(tx, {"VCPU": 1}, required=["HW_CPU_X86_VMX"], forbidden=["CUSTOM_FAST"]))
        assert reasons[f"host-{small}"] == "trait HW_CPU_X86_VMX is missing; trait CUSTOM_FAST is forbidden"
