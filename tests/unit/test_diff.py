"""The agent's pure part: whatever is seen, the steps lead to the spec and end there."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pileus.node.desired import GuestSpec, Nic, RootDisk
from pileus.node.diff import Done, Step, after, finished, next_step
from pileus.node.host import Seen

ROOT = RootDisk(image_id="i", sha512="s", image_format="qcow2", image_size=1, size_gb=1)
POWERS = ["running", "stopped", "paused", "suspended"]


def spec(**more: Any) -> GuestSpec:
    base: dict[str, Any] = {
        "id": "g", "generation": 5, "name": "n", "domain_name": "d", "project_id": "p", "user_id": "u",
        "power": "running", "vcpus": 1, "memory_mb": 64, "root": ROOT,
    }  # fmt: skip
    return GuestSpec(**(base | more))


def nic(port_id: str) -> Nic:
    return Nic(port_id=port_id, network_id="n", mac="fa:16:3e:00:00:01", mtu=1442)


class World:
    """A guest that does what the verbs say."""

    def __init__(self, seen: Seen | None) -> None:
        self.seen = seen
        self.disks_made = 0

    def do(self, step: Step, guest: GuestSpec) -> None:
        nics = tuple(n.port_id for n in guest.nics)
        now = self.seen or Seen(state="building", has_domain=False)
        match step.verb:
            case "reset_disk":
                assert now.state not in ("running", "paused") or not now.has_domain
                self.disks_made += 1
            case "start":
                now = Seen(state="running", nics=nics)
            case "define":
                now = Seen(state="stopped", nics=nics)
            case "shut_down" | "destroy":
                now = msgspec.structs.replace(now, state="stopped")
            case "resume":
                assert now.state == "paused"
                now = msgspec.structs.replace(now, state="running")
            case "pause":
                assert now.state == "running"
                now = msgspec.structs.replace(now, state="paused")
            case "suspend":
                assert now.state == "running"
                now = msgspec.structs.replace(now, state="suspended")
            case "attach_nic":
                now = msgspec.structs.replace(now, nics=(*now.nics, step.port_id))
            case "detach_nic":
                now = msgspec.structs.replace(now, nics=tuple(n for n in now.nics if n != step.port_id))
        self.seen = now


ports = st.lists(st.sampled_from(["a", "b", "c"]), unique=True)
seen_guests = st.none() | st.builds(
    lambda state, has_domain, nics: Seen(state=state, has_domain=has_domain, nics=tuple(nics)),
    st.sampled_from([*POWERS, "crashed", "building"]),
    st.booleans(),
    ports,
)
counts = st.integers(0, 2)
specs = st.builds(
    lambda power, nics, reboots, hard, rebuilds: spec(
        power=power, nics=tuple(nic(p) for p in nics), reboots=reboots, hard_reboots=hard, rebuilds=rebuilds
    ),
    st.sampled_from(POWERS), ports, counts, counts, counts,
)  # fmt: skip
dones = st.builds(
    lambda generation, reboots, hard, rebuilds, disk: Done(
        generation=generation, reboots=reboots, hard_reboots=hard, rebuilds=rebuilds, disk=disk
    ),
    st.integers(0, 5), counts, counts, counts, st.booleans(),
)  # fmt: skip


@given(specs, seen_guests, dones)
def test_the_steps_lead_to_the_spec(guest: GuestSpec, seen: Seen | None, done: Done) -> None:
    world = World(seen)
    for _ in range(20):
        step = next_step(guest, world.seen, done)
        if step is None:
            break
        world.do(step, guest)
        done = after(step, guest, done)
    else:
        raise AssertionError("no end")
    assert done.rebuilds >= guest.rebuilds
    assert done.hard_reboots >= guest.hard_reboots
    if done.generation < guest.generation:
        assert world.seen is not None
        assert world.seen.state == guest.power or (guest.power == "stopped" and world.seen.state == "crashed")
        assert set(world.seen.nics) == {n.port_id for n in guest.nics}
    assert next_step(guest, world.seen, finished(guest, done)) is None


def test_a_guest_that_stopped_by_itself_stays_down() -> None:
    guest = spec()
    assert next_step(guest, Seen(state="stopped"), finished(guest, Done())) is None


def test_only_a_rebuild_touches_the_disk() -> None:
    guest = spec(hard_reboots=3, reboots=2)
    verbs = []
    world, done = World(Seen(state="running")), Done(disk=True)
    while step := next_step(guest, world.seen, done):
        verbs.append(step.verb)
        world.do(step, guest)
        done = after(step, guest, done)
    assert verbs == ["destroy", "start"]
    assert world.disks_made == 0
