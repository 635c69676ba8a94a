"""Where servers go, and what is said when they go nowhere."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Database, Tx, new_id
from pileus.services.compute import scheduler
from pileus.services.compute.rules import aggregates, hosts
from pileus.services.compute.scheduler import Choice, Refusal, Wish, select
from pileus.services.compute.store import hosts as host_store
from pileus.services.compute.store.server_groups import ServerGroupRow
from pileus.services.placement import rules as placement
from tests.behaviour.compute.setup import host
from tests.support.command import until
from tests.support.postgres import new_url

CALLER = system_caller()


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    db = Database(f"sqlite:///{tmp_path}/pileus.db")
    db.create_tables()
    with db.write() as transaction:
        yield transaction
    db.close()


def wish(**more: object) -> Wish:
    return Wish(**({"project_id": "p", "resources": {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}} | more))  # type: ignore[arg-type]


def register(tx: Tx, *names: str, vcpus: int = 8) -> None:
    for name in names:
        hosts.register(tx, host(name, vcpus), Settings(cpu_ratio=1.0))


def zone(tx: Tx, name: str, *members: str, **metadata: str) -> None:
    row = aggregates.create(tx, CALLER, name, None)
    aggregates.set_metadata(tx, CALLER, row, metadata)
    for member in members:
        aggregates.add_host(tx, CALLER, aggregates.visible_aggregate(tx, str(row.id)), member)


def chosen(tx: Tx, wanted: Wish) -> str:
    found = select(tx, wanted)
    assert isinstance(found, Choice), found.message
    return found.host


def refusal(tx: Tx, wanted: Wish) -> str:
    found = select(tx, wanted)
    assert isinstance(found, Refusal)
    return found.message


def fill(tx: Tx, name: str, vcpus: int) -> None:
    row = hosts.host_of(tx, name)
    assert placement.claim(tx, new_id(), "p", "u", row.id, {"VCPU": vcpus})


def test_the_emptiest_host_is_chosen(tx: Tx) -> None:
    register(tx, "a", "b", "c")
    fill(tx, "a", 2)
    fill(tx, "b", 1)
    assert chosen(tx, wish()) == "c"
    assert chosen(tx, wish(without=frozenset({"c"}))) == "b"


def test_a_host_where_another_server_is_being_put_is_waited_for_only_where_no_other_is_left(tmp_path: Path) -> None:
    db = Database(new_url("postgresql", tmp_path))
    db.create_tables()
    with db.write() as tx:
        register(tx, "a", "b")

    def claimed(wanted: Wish) -> Choice | Refusal:
        with db.write() as tx:
            return scheduler.claim(tx, CALLER, new_id(), wanted)

    def waits() -> bool:
        with db.read() as tx:
            asked = sa.text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return bool(tx.scalar(asked))

    half = wish(resources={"VCPU": 5})
    with ThreadPoolExecutor(1) as pool:
        with db.write() as tx:
            first = scheduler.claim(tx, CALLER, new_id(), half)
            second = pool.submit(claimed, half).result(timeout=30)
            assert isinstance(first, Choice)
            assert isinstance(second, Choice)
            assert {first.host, second.host} == {"a", "b"}
            late = pool.submit(claimed, wish(resources={"VCPU": 1}, host=first.host))
            full = wish(resources={"VCPU": 4}, host=first.host)
            until(waits, 30, "the claim waits for the host that it insists on")
        assert late.result(timeout=30) == first
        refused = pool.submit(claimed, full).result(timeout=30)
    assert isinstance(refused, Refusal)
    assert "VCPU: 4 wanted, 2 free of 8" in refused.message
    db.close()


def test_without_hosts_it_says_so(tx: Tx) -> None:
    assert refusal(tx, wish()) == "No valid host was found. There are no hosts: none has registered."


def test_every_filter_says_which_hosts_it_removed_and_why(tx: Tx) -> None:
    register(tx, "small", vcpus=2)
    register(tx, "off", "dead", "fenced", "elsewhere")
    hosts.set_disabled(tx, CALLER, hosts.host_of(tx, "off"), True, "new disk")
    hosts.force_down(tx, CALLER, hosts.host_of(tx, "fenced"), True)
    host_store.update(tx, "dead", {"last_seen": tx.now - timedelta(minutes=5)})
    zone(tx, "north", "elsewhere", availability_zone="north")
    found = select(tx, wish(zone="nova", resources={"VCPU": 4}))
    assert isinstance(found, Refusal)
    reasons = {one.filter: one.reasons for one in found.removed if one.reasons}
    assert reasons.pop("up") == {
        "dead": f"it was last seen at {tx.now - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}",
        "fenced": "it was forced down",
    }
    assert reasons == {
        "enabled": {"off": "it is disabled: new disk"},
        "zone": {"elsewhere": "it is in zone north, not nova"},
        "capacity": {"small": "VCPU: 4 wanted, 2 free of 2"},
    }
    assert "Of 5 hosts" in found.message
    assert "capacity removed 1 (small: VCPU: 4 wanted, 2 free of 2)" in found.message


def test_an_administrator_may_force_a_disabled_host_but_not_a_full_one(tx: Tx) -> None:
    register(tx, "a", "b")
    hosts.set_disabled(tx, CALLER, hosts.host_of(tx, "a"), True)
    assert chosen(tx, wish(forced_host="a")) == "a"
    assert "enabled removed 1 (a" in refusal(tx, wish(host="a"))
    fill(tx, "a", 8)
    assert "capacity removed 1 (a: VCPU: 1 wanted, 0 free of 8)" in refusal(tx, wish(forced_host="a"))
    assert "forced removed 2" in refusal(tx, wish(forced_host="z"))


def test_a_host_that_others_filled_while_it_was_chosen_says_what_it_lacks(tx: Tx) -> None:
    register(tx, "a")
    lost = frozenset({"a"})
    assert "tried removed 1 (a: others took its room" in refusal(tx, wish(without=lost))
    fill(tx, "a", 8)
    assert "capacity removed 1 (a: VCPU: 1 wanted, 0 free of 8)" in refusal(tx, wish(without=lost))


def test_traits_of_flavor_and_image(tx: Tx) -> None:
    register(tx, "a", "b")
    row = hosts.host_of(tx, "b")
    placement.ensure_provider(tx, row.id, "b", {}, {"CUSTOM_FAST"})
    hosts.register(tx, host("b"), Settings())
    assert chosen(tx, wish(extra_specs={"trait:CUSTOM_FAST": "required"})) == "b"
    assert chosen(tx, wish(image_properties={"trait:CUSTOM_FAST": "forbidden"})) == "a"
    assert "a: trait HW_CPU_X86_AVX is forbidden" in refusal(
        tx, wish(extra_specs={"trait:HW_CPU_X86_AVX": "forbidden"})
    )


def test_aggregates_are_asked_for_and_reserved(tx: Tx) -> None:
    register(tx, "a", "b")
    zone(tx, "ssd", "b", ssd="true", size="4")
    assert chosen(tx, wish(extra_specs={"aggregate_instance_extra_specs:ssd": "true"})) == "b"
    assert chosen(tx, wish(extra_specs={"aggregate_instance_extra_specs:size": ">= 3"})) == "b"
    zone(tx, "theirs", "a", filter_tenant_id="other, third")
    assert chosen(tx, wish()) == "b"
    assert chosen(tx, wish(project_id="third", extra_specs={}, without=frozenset({"b"}))) == "a"


@pytest.mark.parametrize(
    ("policy", "most", "in_group", "size", "fits"),
    [
        ("affinity", None, 0, 0, True),
        ("affinity", None, 0, 1, False),
        ("affinity", None, 1, 1, True),
        ("anti-affinity", None, 0, 3, True),
        ("anti-affinity", None, 1, 1, False),
        ("anti-affinity", 2, 1, 1, True),
        ("anti-affinity", 2, 2, 2, False),
        ("soft-anti-affinity", None, 5, 5, True),
        ("soft-affinity", None, 0, 5, True),
    ],
)
def test_groups(tx: Tx, policy: str, most: int | None, in_group: int, size: int, fits: bool) -> None:
    register(tx, "a")
    wanted = wish(group=ServerGroupRow("g", "p", "u", "g", policy, most, tx.now))
    (view,) = scheduler.views(tx, wanted)
    view.in_group, view.group_size = in_group, size
    assert (scheduler.group(view, wanted) is None) == fits
    assert (scheduler.company(view, wanted) < 0) == (policy == "soft-anti-affinity")


def test_hints_name_servers(tx: Tx) -> None:
    register(tx, "a")
    wanted = wish(hints={"different_host": "s1", "same_host": ["s2"]})
    (view,) = scheduler.views(tx, wanted)
    assert scheduler.servers(view, wanted) == "none of the servers s2 is here"
    view.servers = frozenset({"s1", "s2"})
    assert scheduler.servers(view, wanted) == "server s1 is here"
    view.servers = frozenset({"s2"})
    assert scheduler.servers(view, wanted) is None


def test_a_heartbeat_is_written_down_now_and_then(tx: Tx) -> None:
    register(tx, "a")
    first = hosts.host_of(tx, "a")
    tx.now += timedelta(seconds=10)
    hosts.heartbeat(tx, hosts.host_of(tx, "a"))
    assert hosts.host_of(tx, "a") == first
    hosts.heartbeat(tx, hosts.host_of(tx, "a"), {"vcpus": 1}, ["disk is full"])
    assert hosts.host_of(tx, "a").problems == ["disk is full"]
    tx.now += timedelta(seconds=50)
    assert hosts.is_up(hosts.host_of(tx, "a"), tx.now)
    tx.now += timedelta(seconds=20)
    assert not hosts.is_up(hosts.host_of(tx, "a"), tx.now)
    hosts.heartbeat(tx, hosts.host_of(tx, "a"))
    assert hosts.is_up(hosts.host_of(tx, "a"), tx.now)


def test_registering_again_changes_nothing_that_an_administrator_set(tx: Tx) -> None:
    register(tx, "a")
    hosts.set_disabled(tx, CALLER, hosts.host_of(tx, "a"), True, "why")
    before = hosts.host_of(tx, "a")
    register(tx, "a", vcpus=16)
    after = hosts.host_of(tx, "a")
    assert (after.id, after.service_id, after.disabled, after.disabled_reason) == (
        before.id,
        before.service_id,
        True,
        "why",
    )
    assert [one.provider_id for one in placement.candidates(tx, {"VCPU": 16})] == [after.id]


@pytest.mark.parametrize(
    ("value", "wanted", "matches"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("b", "<or> a <or> b", True),
        ("c", "<or> a <or> b", False),
        ("avx sse", "<in> sse", True),
        ("avx sse", "<all-in> sse avx", True),
        ("avx", "<all-in> sse avx", False),
        ("4", ">= 3", True),
        ("4", "= 5", False),
        ("four", ">= 3", False),
        ("b", "s> a", True),
    ],
)
def test_values_of_aggregates(value: str, wanted: str, matches: bool) -> None:
    assert scheduler.matches(value, wanted) == matches


@given(st.integers(1, 64), st.integers(1, 2**20), st.integers(0, 500), st.integers(0, 500), st.integers(0, 2**16))
def test_what_a_flavor_takes(vcpus: int, ram: int, disk: int, ephemeral: int, swap: int) -> None:
    found = scheduler.resources_of(
        vcpus, ram, disk, ephemeral, swap, {"resources:CUSTOM_X": "3", "resources:VCPU": "0"}
    )
    assert "VCPU" not in found
    assert (found["MEMORY_MB"], found["CUSTOM_X"]) == (ram, 3)
    assert (found.get("DISK_GB", 0) - disk - ephemeral) * 1024 - swap in range(1024)


def test_among_many_hosts_a_sample_is_compared_and_all_are_where_it_has_none(
    tx: Tx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "SAMPLES", (4,))
    names = [f"host{number:02}" for number in range(20)]
    register(tx, *names)
    for name in names[:-1]:
        fill(tx, name, 8)
    assert chosen(tx, wish()) == names[-1], "the only one with room"
    fill(tx, names[-1], 8)
    said = refusal(tx, wish())
    assert "Of 20 hosts" in said
    assert "capacity removed 20" in said


def test_a_rare_host_is_found_among_many(tx: Tx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "SAMPLES", (4,))
    names = [f"host{number:02}" for number in range(20)]
    register(tx, *names)
    zone(tx, "rare", names[7], availability_zone="rare")
    assert chosen(tx, wish(zone="rare")) == names[7]
    assert chosen(tx, wish(host=names[9])) == names[9]


def test_many_servers_are_spread_over_many_hosts(tx: Tx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "SAMPLES", (4,))
    names = [f"host{number:02}" for number in range(20)]
    register(tx, *names)
    taken: dict[str, int] = dict.fromkeys(names, 0)
    for _ in range(80):
        name = chosen(tx, wish(resources={"VCPU": 1}))
        fill(tx, name, 1)
        taken[name] += 1
    assert max(taken.values()) <= 8, "never more than fit"
    assert sum(taken.values()) == 80
    assert sum(count > 0 for count in taken.values()) >= 10, taken


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 12))
@settings(max_examples=20, deadline=None)
def test_a_sample_has_all_that_have_room_or_as_many_as_are_asked_for(full: int, free: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        db = Database(f"sqlite:///{directory}/pileus.db")
        db.create_tables()
        with db.write() as tx:
            register(tx, *(f"free{number}" for number in range(free)))
            register(tx, *(f"full{number}" for number in range(full)), vcpus=1)
            found = [one.provider_id for one in placement.sample(tx, {"VCPU": 4, "MEMORY_MB": 512}, count)]
            names = {row.name for row in host_store.of_ids(tx, found)}
        db.close()
    assert len(found) == len(names) == min(free, count)
    assert all(name.startswith("free") for name in names)
