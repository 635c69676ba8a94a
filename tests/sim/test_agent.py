"""The agent's loop on a simulated host, with a control plane that the test holds in its hand."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from pileus.node import agent as agent_module
from pileus.node import sim
from pileus.node.agent import Agent
from pileus.node.desired import GuestSpec, GuestStatus, HostFacts, HostSpec, HostStatus
from pileus.node.host import HostAway, HostError, Seen
from pileus.node.ledger import Ledger, Page
from pileus.node.sim import SimulatedHost
from tests.support.command import until
from tests.unit.test_diff import nic, spec


class Control:
    """As ControlPlane, without HTTP."""

    def __init__(self) -> None:
        self.wanted = HostSpec(host="h1", revision=0)
        self.known_revision = -1
        self.guests: dict[str, GuestStatus] = {}
        self.gone: set[str] = set()
        self.faults: list[str] = []
        """All that were ever told."""
        self.away = False
        self.asked = 0
        self.moved = threading.Condition()

    def want(self, *guests: GuestSpec) -> None:
        with self.moved:
            self.wanted = HostSpec(host="h1", revision=self.wanted.revision + 1, guests=guests, status_interval=0.5)
            self.moved.notify_all()

    def register(self, facts: HostFacts) -> None:
        self._answer()

    def spec(self, seen: int, wait: float) -> HostSpec | None:
        self._answer()
        self.asked += 1
        with self.moved:
            self.moved.wait_for(lambda: self.wanted.revision != seen or self.away, min(wait, 1.0))
            self._answer()
            return self.wanted if self.wanted.revision != seen else None

    def report(self, status: HostStatus) -> None:
        self._answer()
        with self.moved:
            self.known_revision = status.revision
            if status.full:
                self.guests = {}
            self.guests |= {guest.id: guest for guest in status.guests}
            self.gone |= set(status.gone)
            self.faults += [guest.fault for guest in status.guests if guest.fault]
            for guest_id in status.gone:
                self.guests.pop(guest_id, None)
            self.moved.notify_all()

    def close(self) -> None: ...

    def _answer(self) -> None:
        if self.away:
            raise httpx.ConnectError("away")

    def until(self, condition: Callable[[], bool]) -> None:
        with self.moved:
            assert self.moved.wait_for(condition, 60), f"{self.guests} {self.gone}"

    def state(self, guest_id: str) -> tuple[str, int] | None:
        guest = self.guests.get(guest_id)
        return (guest.state, guest.generation) if guest else None


FACTS = HostFacts(
    host="h1", hypervisor_type="simulated", hypervisor_version=1, accelerator="tcg", accelerator_reason="simulated",
    vcpus=8, memory_mb=8192, disk_gb=100, address="127.0.0.1", agent_url="http://127.0.0.1:1",
)  # fmt: skip


class Bench:
    def __init__(self, directory: Path) -> None:
        self.knobs = directory / "knobs.json"
        self.control = Control()
        self.host = SimulatedHost(FACTS, self.knobs)
        self.directory = directory
        self.agent = self.make()

    def make(self) -> Agent:
        agent = Agent(self.host, self.control, Ledger(self.directory))  # type: ignore[arg-type]
        agent.start()
        return agent

    def turn(self, **knobs: object) -> None:
        self.knobs.write_bytes(msgspec.json.encode(knobs))


class SlowEye:
    """What it saw first it tells late."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self.has_looked, self.tells = threading.Event(), threading.Event()

    def see(self) -> dict[str, Seen]:
        seen = self._host.see()
        if not self.has_looked.is_set():
            self.has_looked.set()
            self.tells.wait(10)
        return seen


def is_made(directory: Path) -> bool:
    """Not while the agent is writing a file of that name."""
    try:
        directory.mkdir()
    except FileExistsError:
        return False
    return True


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.agent.stop()


def test_a_guest_s_life(bench: Bench) -> None:
    control = bench.control
    control.want(spec(id="a", generation=1, nics=(nic("p1"),)))
    control.until(lambda: control.state("a") == ("running", 1))
    assert control.guests["a"].wired == ("p1",)
    for generation, power in enumerate(["paused", "running", "suspended", "running", "stopped", "running"], start=2):
        control.want(spec(id="a", generation=generation, power=power, nics=(nic("p1"),)))
        control.until(lambda power=power, generation=generation: control.state("a") == (power, generation))
    control.want(spec(id="a", generation=8, reboots=1, nics=(nic("p1"), nic("p2"))))
    control.until(lambda: control.state("a") == ("running", 8))
    assert control.guests["a"].reboots == 1
    assert set(control.guests["a"].wired) == {"p1", "p2"}
    control.want(spec(id="a", generation=9, reboots=1, rebuilds=1))
    control.until(lambda: control.state("a") == ("running", 9))
    assert bench.host._guests["a"].disks_made == 2
    control.want()
    control.until(lambda: "a" in control.gone)
    assert bench.host.see() == {}


def test_a_failed_step_is_told_and_a_new_spec_is_tried(bench: Bench) -> None:
    control = bench.control
    bench.turn(fail_at={"start": "The image is broken."})
    control.want(spec(id="a", generation=1))
    control.until(lambda: "a" in control.guests and control.guests["a"].fault == "The image is broken.")
    assert control.state("a") == ("failed", 0)
    bench.turn()
    control.want(spec(id="a", generation=2, hard_reboots=1))
    control.until(lambda: control.state("a") == ("running", 2))
    assert control.guests["a"].fault is None


def test_a_nic_that_could_not_be_plugged_is_tried_again(bench: Bench) -> None:
    """Who asked for it was told that it is there, and is told of nothing more."""
    control = bench.control
    control.want(spec(id="a", generation=1))
    control.until(lambda: control.state("a") == ("running", 1))
    bench.turn(fail_at={"attach_nic": "libvirt is busy.", "detach_nic": "libvirt is busy."})
    control.want(spec(id="a", generation=2, nics=(nic("p1"),)))
    control.until(lambda: control.guests["a"].fault == "libvirt is busy.")
    bench.turn()
    control.until(lambda: control.state("a") == ("running", 2))
    assert (control.guests["a"].wired, control.guests["a"].fault) == (("p1",), None)
    bench.turn(fail_at={"detach_nic": "libvirt is busy."})
    control.want(spec(id="a", generation=3))
    control.until(lambda: control.guests["a"].fault == "libvirt is busy.")
    bench.turn()
    control.until(lambda: control.state("a") == ("running", 3))
    assert control.guests["a"].wired == ()


def test_a_host_that_does_not_answer_for_a_moment_fails_no_step(bench: Bench) -> None:
    control, see, start = bench.control, bench.host.see, bench.host.start
    away = threading.Event()

    def looking() -> dict[str, Seen]:
        if away.is_set() and threading.current_thread().name.startswith("guest"):
            away.clear()
            raise HostError("libvirtd is starting anew.")
        return see()

    def starting(guest: GuestSpec) -> None:
        start(guest)
        away.set()

    bench.host.see, bench.host.start = looking, starting  # type: ignore[method-assign]
    control.want(spec(id="a", generation=1))
    control.until(lambda: control.state("a") == ("running", 1))
    assert not away.is_set()


def test_a_hypervisor_that_crashes_fails_no_step(bench: Bench) -> None:
    """What was asked for is done when it is back."""
    control, start = bench.control, bench.host.start
    before, after = [HostAway("libvirtd does not answer.")], [HostAway("libvirtd has ended.")]

    def starting(guest: GuestSpec) -> None:
        if before:
            raise before.pop()
        start(guest)
        if after:
            raise after.pop()

    bench.host.start = starting  # type: ignore[method-assign]
    control.want(spec(id="a", generation=1))
    control.until(lambda: control.state("a") == ("running", 1))
    assert before == after == control.faults == []


def test_a_hypervisor_that_stays_away_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    control = bench.control
    monkeypatch.setattr(agent_module, "_HYPERVISOR_AWAY", (0.01, 0.01))

    def starting(guest: GuestSpec) -> None:
        raise HostAway("libvirtd does not answer.")

    bench.host.start = starting  # type: ignore[method-assign]
    control.want(spec(id="a", generation=1))
    control.until(lambda: control.faults == ["libvirtd does not answer."])


def test_guests_go_on_while_the_control_plane_is_away(bench: Bench) -> None:
    control = bench.control
    control.want(spec(id="a", generation=1))
    control.until(lambda: control.state("a") == ("running", 1))
    control.away = True
    bench.agent.stop()
    bench.host._guests.clear()
    bench.agent = bench.make()
    deadline = time.monotonic() + 10
    assert bench.agent.page.spec is not None
    assert [guest.id for guest in bench.agent.page.spec.guests] == ["a"]
    control.away = False
    control.until(lambda: control.state("a") is not None)
    assert time.monotonic() < deadline


def test_what_nobody_wants_is_removed_even_if_it_was_never_known(bench: Bench) -> None:
    control = bench.control
    bench.host.define(spec(id="stray"))
    control.want(spec(id="a", generation=1))
    control.until(lambda: "stray" in control.gone)


def test_a_guest_that_keeps_a_nic_holds_up_nobody(bench: Bench) -> None:
    control = bench.control
    control.want(spec(id="a", generation=1, nics=(nic("p1"),)), spec(id="b", generation=1))
    control.until(lambda: (control.state("a"), control.state("b")) == (("running", 1), ("running", 1)))
    bench.turn(keep_nics=True)
    control.want(spec(id="a", generation=2), spec(id="b", generation=2, nics=(nic("p1"),)))
    control.until(lambda: (control.state("a"), control.state("b")) == (("running", 2), ("running", 2)))
    assert (control.guests["a"].wired, control.guests["b"].wired) == ((), ("p1",))
    assert bench.host.see()["a"].leaving == ("p1",)
    bench.turn()
    bench.agent.stop()
    bench.agent = bench.make()
    until(lambda: bench.host.see()["a"].leaving == ())


def test_an_old_picture_of_the_host_does_not_replace_a_newer_one(bench: Bench) -> None:
    """A look that began before a NIC was plugged and ends after it: the NIC must not be plugged once more."""
    control = bench.control
    control.want(spec(id="a", generation=1))
    control.until(lambda: control.state("a") == ("running", 1))
    bench.agent.stop()
    slow = SlowEye(bench.host)
    agent = Agent(slow, control, Ledger(bench.directory))  # type: ignore[arg-type]
    first, second = threading.Thread(target=agent._look), threading.Thread(target=agent._look)
    first.start()
    assert slow.has_looked.wait(10)
    bench.host.attach_nic(spec(id="a"), nic("p1"))
    second.start()
    second.join(0.2)
    slow.tells.set()
    first.join()
    second.join()
    assert agent._seen["a"].nics == ("p1",)


def test_specs_are_fetched_on_after_one_that_came_while_the_hypervisor_was_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    control, look, asked = bench.control, bench.host.see, threading.Event()

    def away() -> dict[str, Seen]:
        asked.set()
        raise HostError("libvirt does not answer")

    control.want(spec(id="a", generation=1))
    control.until(lambda: control.state("a") == ("running", 1))
    monkeypatch.setattr(bench.host, "see", away)
    control.want(spec(id="a", generation=2))
    assert asked.wait(10)
    monkeypatch.setattr(bench.host, "see", look)
    control.until(lambda: control.state("a") == ("running", 2))
    control.want(spec(id="a", generation=3))
    control.until(lambda: control.state("a") == ("running", 3))


def test_a_crash_is_reported(bench: Bench) -> None:
    control = bench.control
    control.want(spec(id="a", generation=1))
    control.until(lambda: control.state("a") == ("running", 1))
    bench.host.crash("a")
    control.until(lambda: control.state("a") == ("crashed", 1))


def test_a_lost_ledger_destroys_no_disk(bench: Bench) -> None:
    control = bench.control
    control.want(spec(id="a", generation=1, rebuilds=3))
    control.until(lambda: control.state("a") == ("running", 1))
    bench.agent.stop()
    (bench.directory / "ledger.json").write_text("{torn")
    bench.agent = bench.make()
    control.until(lambda: control.state("a") == ("running", 1))
    assert bench.host._guests["a"].disks_made == 1


def test_a_host_that_cannot_be_looked_at_does_not_say_that_it_lives(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "STUCK", 0.2)
    hang = threading.Event()
    control, look = bench.control, bench.host.see

    def see() -> dict[str, Seen]:
        hang.wait(20)
        return look()

    control.want(spec(id="a", generation=1))
    control.until(lambda: control.state("a") == ("running", 1))
    monkeypatch.setattr(bench.host, "see", see)
    control.want(spec(id="a", generation=2))
    deadline = time.monotonic() + 20
    while control.asked != asked_after(control, 1.5):
        assert time.monotonic() < deadline, "it goes on asking"
    hang.set()
    control.until(lambda: control.state("a") == ("running", 2))


def test_a_spec_without_anything_to_do_is_acknowledged_soon(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the end of a guest that the host never had waits for that."""
    monkeypatch.setattr(agent_module, "SOON", 0.1)
    control = bench.control
    control.until(lambda: control.known_revision == 0)
    with control.moved:
        control.wanted = HostSpec(host="h1", revision=7, status_interval=3600.0)
        control.moved.notify_all()
    control.until(lambda: control.known_revision == 7)


def test_a_full_disk_costs_what_is_done_meanwhile_and_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spec, and what was done of it, can't be kept: guests still go, and room comes by that."""
    control, memory = bench.control, bench.directory / "guests"
    bench.agent.stop()
    bench.host = SimulatedHost(FACTS, bench.knobs, memory)
    bench.agent = bench.make()
    control.want(spec(id="a", generation=1), spec(id="b", generation=1))
    control.until(lambda: control.state("b") == ("running", 1) and control.state("a") == ("running", 1))
    write, save = sim._write, Ledger.save

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sim, "_write", full)
    monkeypatch.setattr(Ledger, "save", full)
    control.want(spec(id="a", generation=2, power="stopped"))
    control.until(lambda: "No space left" in (control.guests["a"].fault or ""))
    until(lambda: "b" not in bench.host.see(), what="b is gone")
    monkeypatch.setattr(sim, "_write", write)
    monkeypatch.setattr(Ledger, "save", save)
    control.until(lambda: "b" in control.gone)
    control.want(spec(id="a", generation=3, power="stopped"))
    control.until(lambda: control.state("a") == ("stopped", 3))


def asked_after(control: Control, seconds: float) -> int:
    """How often the spec has been asked for, a while later."""
    time.sleep(seconds)
    return control.asked


def test_a_full_disk_is_not_filled_with_what_was_not_finished(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        Ledger(bench.directory).save(Page())
    assert not (bench.directory / "ledger.new").exists()


def test_a_full_disk_does_not_end_the_fetching_of_specs(bench: Bench) -> None:
    """What can't be written down is done all the same (a removal makes room), and written down when there is room."""
    control, in_the_way = bench.control, bench.directory / "ledger.new"
    control.want(spec(id="a", generation=1))
    control.until(lambda: control.state("a") == ("running", 1))
    until(lambda: is_made(in_the_way))
    control.want(spec(id="a", generation=1), spec(id="b", generation=1))
    control.until(lambda: "b" in control.guests and bool(control.guests["b"].fault))
    control.want(spec(id="b", generation=1))
    until(lambda: set(bench.host.see()) == {"b"})
    in_the_way.rmdir()
    until(lambda: [guest.id for guest in Ledger(bench.directory).load().spec.guests] == ["b"])  # type: ignore[union-attr]
    control.until(lambda: "a" in control.gone)
    control.want(spec(id="b", generation=2))
    control.until(lambda: control.state("b") == ("running", 2))


def test_a_removal_that_fails_is_tried_again_in_a_while(bench: Bench) -> None:
    """Again and again at once would take a whole CPU, and write the log full."""
    control, asked = bench.control, []
    control.want(spec(id="a", generation=1))
    control.until(lambda: control.state("a") == ("running", 1))
    remove = bench.host.remove

    def refuse(guest_id: str) -> None:
        asked.append(guest_id)
        raise HostError("The disk is busy.")

    bench.host.remove = refuse  # type: ignore[method-assign]
    control.want()
    until(lambda: len(asked) > 1)
    assert len(asked) == 2
    bench.host.remove = remove  # type: ignore[method-assign]
    control.until(lambda: "a" in control.gone)


def test_a_simulated_host_whose_disk_was_full_goes_on(tmp_path: Path) -> None:
    host, guest = SimulatedHost(FACTS, memory=tmp_path), spec(id="a", generation=1)
    (tmp_path / "a.new").mkdir()
    with pytest.raises(OSError, match="new"):
        host.start(guest)
    (tmp_path / "a.new").rmdir()
    assert host.see() == {}, "what was not kept was not done"
    starting = threading.Thread(target=host.start, args=(guest,), daemon=True)
    starting.start()
    starting.join(5)
    assert not starting.is_alive()
