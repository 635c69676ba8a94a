"""How reports change servers, whatever they say and in whatever order."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pileus.node.desired import GuestStatus
from pileus.services.compute import states
from pileus.services.compute.store.servers import _status_condition

TASKS = [
    None,
    "spawning",
    "networking",
    "block_device_mapping",
    "powering-off",
    "powering-on",
    "pausing",
    "unpausing",
    "suspending",
    "resuming",
    "rebooting",
    "rebooting_hard",
    "rebuilding",
    "deleting",
]


class Server(msgspec.Struct):
    power: str
    generation: int
    observed_generation: int
    vm_state: str
    task_state: str | None
    power_state: int = 0


servers = st.builds(
    Server,
    power=st.sampled_from(["running", "stopped", "paused", "suspended"]),
    generation=st.integers(1, 4),
    observed_generation=st.integers(0, 4),
    vm_state=st.sampled_from(["building", "active", "stopped", "paused", "suspended", "error"]),
    task_state=st.sampled_from(TASKS),
    power_state=st.sampled_from([0, 1, 3, 4, 6, 7]),
)
reports = st.builds(
    GuestStatus,
    id=st.just("g"),
    generation=st.integers(0, 4),
    state=st.sampled_from(["building", "running", "stopped", "paused", "suspended", "crashed", "failed"]),
    fault=st.none() | st.just("no space left"),
    step=st.sampled_from([None, "disk", "network", "domain"]),
)


def apply(server: Server, guest: GuestStatus, wired: bool) -> Server:
    changes = states.after_report(server, guest, wired)
    changes.pop("failed", None)
    return msgspec.structs.replace(server, **changes)


@given(servers, reports, st.booleans())
def test_the_same_report_twice_changes_nothing_the_second_time(server: Server, guest: GuestStatus, wired: bool) -> None:
    once = apply(server, guest, wired)
    assert states.after_report(once, guest, wired) == {}


@given(servers, reports, st.booleans())
def test_a_server_becomes_active_only_where_its_guest_runs_with_all_ports_wired(
    server: Server, guest: GuestStatus, wired: bool
) -> None:
    after = apply(server, guest, wired)
    if server.vm_state == "building" and after.vm_state == "active":
        assert guest.state == "running"
        assert wired
        assert guest.generation >= server.generation


@given(servers, st.booleans())
def test_a_guest_that_is_as_asked_ends_every_task_but_deletion(server: Server, crashed: bool) -> None:
    state = "crashed" if crashed and server.power == "stopped" else server.power
    guest = GuestStatus(id="g", generation=server.generation, state=state)  # type: ignore[arg-type]
    after = apply(server, guest, wired=True)
    assert after.task_state == ("deleting" if server.task_state == "deleting" else None)


@given(servers, reports, st.booleans())
def test_a_deletion_is_never_undone_by_a_report(server: Server, guest: GuestStatus, wired: bool) -> None:
    server.task_state = "deleting"
    after = apply(server, guest, wired)
    assert (after.task_state, after.vm_state, after.power) == ("deleting", server.vm_state, server.power)


@given(servers, reports)
def test_a_failure_of_the_work_under_way_ends_it_with_the_hosts_words(server: Server, guest: GuestStatus) -> None:
    guest = msgspec.structs.replace(guest, fault="no space left", generation=server.generation - 1)
    changes = states.after_report(server, guest, wired=False)
    if server.task_state not in (None, "deleting"):
        assert changes["failed"] == "no space left"
        assert changes["task_state"] is None


@given(st.sampled_from([*states.STATUSES, "odd"]), st.sampled_from([*TASKS, "resize_prep", "odd"]))
def test_every_pair_of_states_has_a_status(vm_state: str, task_state: str | None) -> None:
    status = states.status_of(vm_state, task_state)
    assert status in states.KNOWN_STATUSES or vm_state == "odd"


def test_a_status_can_be_searched_for() -> None:
    assert "rebuilding" in str(_status_condition("REBUILD").compile(compile_kwargs={"literal_binds": True}))
