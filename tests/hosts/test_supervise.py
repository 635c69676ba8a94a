"""Daemons under supervision: Open vSwitch, OVN and libvirt, real, in a state directory and network of their own."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt as libvirt_binding
import pytest

from pileus.supervise import ask, host_network, libvirt, ovn, ovs, process, purge
from pileus.supervise.daemon import Daemon
from pileus.supervise.supervisor import Report, StartFailed, State, Supervisor, read_reports
from tests.hosts.supervise_host import all_daemons, own_network, own_state, wait_for

pytestmark = pytest.mark.real

DOMAIN = """
<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <interface type='bridge'>
      <source bridge='br-int'/><virtualport type='openvswitch'/><target dev='tap{name}'/><model type='virtio'/>
    </interface>
    {more}
  </devices>
</domain>
"""


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture
def state() -> Iterator[Path]:
    with own_state() as path:
        yield path


@pytest.fixture
def supervisor(state: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(state, all_daemons(state))
    supervisor.start()
    yield supervisor
    supervisor.release()


def of(state: Path, name: str) -> Report:
    return next(report for report in read_reports(state) if report.name == name)


def pids(state: Path) -> dict[str, int | None]:
    return {report.name: report.pid for report in read_reports(state)}


def test_everything_answers_when_start_returns(state: Path, supervisor: Supervisor) -> None:
    assert {report.state for report in supervisor.report()} == {State.RUNNING}
    assert ovs.vsctl(state, "br-exists", "br-int") == ""
    ask.json_rpc(ovn.run_dir(state) / "ovn-sb.sock", "echo", 2)
    connection = libvirt_binding.open(libvirt.uri(state))
    assert connection.listAllNetworks() == []
    connection.close()


def test_a_killed_daemon_runs_again(state: Path, supervisor: Supervisor) -> None:
    before = of(state, "ovn-northd")
    os.kill(before.pid or 0, signal.SIGKILL)
    wait_for(lambda: of(state, "ovn-northd").restarts == 1 and of(state, "ovn-northd").state is State.RUNNING)
    after = of(state, "ovn-northd")
    assert after.pid != before.pid
    assert "SIGKILL" in after.trouble
    assert "northd" in after.last_words


@pytest.mark.parametrize("name", ["ovs-vswitchd", "libvirtd"])
def test_w25_a_hanging_daemon_is_replaced_and_named_with_its_last_words(
    state: Path, supervisor: Supervisor, name: str
) -> None:
    before = of(state, name)
    os.kill(before.pid or 0, signal.SIGSTOP)
    wait_for(lambda: of(state, name).restarts == 1, seconds=10)
    wait_for(lambda: of(state, name).state is State.RUNNING)
    after = of(state, name)
    assert after.pid != before.pid
    assert "did not answer" in after.trouble
    assert after.last_words
    assert all(report.restarts == 0 for report in supervisor.report() if report.name != name)


def test_daemons_outlive_their_supervisor_and_are_adopted(state: Path, supervisor: Supervisor) -> None:
    before = pids(state)
    supervisor.release()
    second = Supervisor(state, all_daemons(state))
    second.start()
    assert pids(state) == before
    os.kill(before["ovn-controller"] or 0, signal.SIGKILL)
    wait_for(lambda: of(state, "ovn-controller").restarts == 1)
    wait_for(lambda: of(state, "ovn-controller").state is State.RUNNING)
    second.release()


def test_stop_all_ends_every_daemon(state: Path, supervisor: Supervisor) -> None:
    supervisor.stop_all()
    wait_for(lambda: process.of_state(state) == [])  # libvirtd's keeper ends after it
    assert {report.state for report in read_reports(state)} == {State.STOPPED}


def test_guests_outlive_libvirtd_and_all_of_pileus(state: Path, supervisor: Supervisor) -> None:
    host_network.set_up(state, [])
    connection = libvirt_binding.open(libvirt.uri(state))
    connection.createXML(DOMAIN.format(name="one", more=""))
    connection.close()
    supervisor.stop_all()
    (guest,) = process.guests(state)
    second = Supervisor(state, all_daemons(state))
    second.start()
    connection = libvirt_binding.open(libvirt.uri(state))
    connection.lookupByName("one").suspend()  # waits until libvirtd has its guest back
    assert guest.lives()
    connection.lookupByName("one").destroy()
    assert not guest.lives()
    connection.close()
    second.release()


CHATTERBOX = bytes.fromhex("ba f803 b0 78 ee eb fd").ljust(510, b"\0") + b"\x55\xaa"
"""A boot sector that writes x to the serial console, for ever."""


def test_w29_a_console_log_is_capped_on_disk(state: Path, supervisor: Supervisor) -> None:
    disk, console = state / "chatterbox.img", state / "console.log"
    disk.write_bytes(CHATTERBOX.ljust(1440 * 1024, b"\0"))
    more = (
        f"<disk type='file' device='floppy'><source file='{disk}'/><target dev='fda'/></disk>"
        f"<serial type='file'><source path='{console}'/><target port='0'/></serial>"
    )
    connection = libvirt_binding.open(libvirt.uri(state))
    connection.createXML(DOMAIN.format(name="chatterbox", more=more))
    rotated = console.with_name("console.log.0")
    wait_for(lambda: rotated.exists() and console.stat().st_size > 0, seconds=60)
    first = rotated.stat().st_ino
    wait_for(lambda: rotated.stat().st_ino != first, seconds=60)
    connection.lookupByName("chatterbox").suspend()  # between two files there is one for a moment
    wait_for(lambda: len(list(state.glob("console.log*"))) == 2, seconds=60)
    assert max(file.stat().st_size for file in state.glob("console.log*")) <= libvirt.CONSOLE_LOG_LIMIT
    connection.lookupByName("chatterbox").destroy()
    connection.close()


def test_w60_purge_leaves_nothing(state: Path, supervisor: Supervisor) -> None:
    external = host_network.ExternalNetwork("external", addresses=("198.51.100.1/24",), masquerade=True)
    host_network.set_up(state, [external])
    connection = libvirt_binding.open(libvirt.uri(state))
    connection.createXML(DOMAIN.format(name="two", more=""))
    connection.close()
    found = purge.leftovers(state)
    assert {"br-int", "br-ex"} <= set(found.interfaces)
    assert found.tables
    assert [line for line in found.processes if line.startswith("qemu")]
    supervisor.release()
    purge.purge(state)
    assert not purge.leftovers(state)
    with host_network.IPRoute() as ip:
        assert [link.get_attr("IFLA_IFNAME") for link in ip.get_links()] == ["lo"]


def test_a_second_open_vswitch_is_refused(state: Path, supervisor: Supervisor) -> None:
    with own_state() as other:
        second = Supervisor(other, ovs.daemons(other))
        with pytest.raises(StartFailed, match=r"another Open vSwitch \(process \d+\)"):
            second.start()
        assert process.of_state(other) == []


def test_a_state_directory_out_of_the_guests_reach_is_refused(state: Path) -> None:
    state.chmod(0o700)
    with pytest.raises(StartFailed, match=f"chmod o\\+x {state}"):
        Supervisor(state, libvirt.daemons(state, kvm=False)).start()


def script(state: Path, text: str, alive: Callable[[float], None]) -> Daemon:
    return Daemon("script", (sys.executable, "-c", text), state / "log/script.log", alive)


def refuse(_: float) -> None:
    raise ConnectionRefusedError("nobody listens")


def test_a_daemon_that_ends_at_once_fails_the_start_with_its_last_words(state: Path) -> None:
    daemon = script(state, "raise SystemExit('the disk is full')", refuse)
    with pytest.raises(StartFailed, match=r"script did not start: it ended with status 1 .*\nthe disk is full"):
        Supervisor(state, [daemon]).start()


def test_a_log_is_capped(state: Path) -> None:
    daemon = script(state, "", refuse)
    daemon.log.parent.mkdir()
    with daemon.log.open("wb") as log:
        log.truncate(20 * 2**20)
    daemon.cap_log()
    assert daemon.log.stat().st_size == 0
    assert daemon.log.with_suffix(".log.1").stat().st_size == 20 * 2**20
